//! Templates and expressions taken apart: which names they use, and where.

use std::ops::Range;
use std::sync::Arc;

use minijinja::machinery::ast::{CallArg, Expr, Stmt};
use minijinja::machinery::{self, Span as JinjaSpan};

use super::bounds::{bounded, bounded_template};
use crate::source::{SourceFile, Span};

/// A name that a template or expression uses, at bytes of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) kind: UseKind,
    pub(super) name: String,
    pub(super) range: Range<usize>,
    /// Whether the template says what happens when it is not there.
    pub(super) guarded: bool,
    /// How many values a filter, test or function is given; nothing when that cannot be counted.
    pub(super) given: Option<usize>,
}

/// What a [`Use`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum UseKind {
    /// `name`.
    Name,
    /// `params.name`.
    Param,
    /// `| name`.
    Filter,
    /// `is name`.
    Test,
    /// `name(..)`.
    Function,
    /// `.name(..)` of a value.
    Method,
}

/// A field that a node reads, at its place in a file.
#[derive(Debug, Clone)]
pub(super) struct FieldUse {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) source: Option<Arc<SourceFile>>,
    /// Named as a whole, not in a template.
    pub(super) bare: bool,
}

/// A template or expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) message: String,
    pub(super) range: Option<Range<usize>>,
}

impl From<minijinja::Error> for Unreadable {
    fn from(error: minijinja::Error) -> Self {
        let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Self { message, range: error.range() }
    }
}

/// The names in a template.
pub(super) fn uses_of_template(text: &str) -> Result<Vec<Use>, Unreadable> {
    bounded_template(text)?;
    let template = machinery::parse(text, "template", minijinja::syntax::SyntaxConfig::default())?;
    let mut walk = Walk::new(text);
    walk.statement(&template);
    Ok(walk.uses)
}

/// The names in an expression.
pub(super) fn uses_of_expression(text: &str) -> Result<Vec<Use>, Unreadable> {
    bounded(text, 0)?;
    let expression = machinery::parse_expr(text)?;
    let mut walk = Walk::new(text);
    walk.expression(&expression, false);
    Ok(walk.uses)
}

/// Whether a template that can be read names fields of a record.
pub(super) fn is_over_fields(text: &str) -> bool {
    let is_field = |found: &Use| found.kind == UseKind::Name && found.name != "params";
    uses_of_template(text).is_ok_and(|uses| uses.iter().any(is_field))
}

/// Names that the template language gives.
const GIVEN: &[&str] = &["loop", "self", "super", "caller", "varargs", "kwargs"];

struct Walk<'t> {
    text: &'t str,
    /// Names that the template itself sets.
    own: Vec<String>,
    uses: Vec<Use>,
}

impl<'t> Walk<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, own: Vec::new(), uses: Vec::new() }
    }

    fn push(&mut self, kind: UseKind, name: &str, span: JinjaSpan, guarded: bool) {
        let (start, end) = (span.start_offset as usize, span.end_offset as usize);
        let within = self.text.get(start..end).unwrap_or_default();
        // The span may hold more than the name.
        let at = if kind == UseKind::Name { within.find(name) } else { within.rfind(name) };
        let range = at.map_or(start..end.max(start), |at| start + at..start + at + name.len());
        self.uses.push(Use { kind, name: name.to_owned(), range, guarded, given: None });
    }

    /// The name of something that is called.
    fn callee(&mut self, kind: UseKind, name: &str, span: JinjaSpan, given: &[CallArg<'_>]) {
        self.push(kind, name, span, false);
        let plain = given.iter().all(|given| matches!(given, CallArg::Pos(_)));
        if let Some(found) = self.uses.last_mut().filter(|_| plain) {
            found.given = Some(given.len());
        }
    }

    /// Whether the template sets the name itself, or the language does.
    fn is_own(&self, name: &str) -> bool {
        GIVEN.contains(&name) || self.own.iter().any(|own| own == name)
    }

    fn scope(&mut self, inner: impl FnOnce(&mut Self)) {
        let outer = self.own.len();
        inner(self);
        self.own.truncate(outer);
    }

    fn body(&mut self, statements: &[Stmt<'_>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(inner) => self.body(&inner.children),
            Stmt::EmitExpr(inner) => self.expression(&inner.expr, false),
            Stmt::ForLoop(inner) => {
                self.expression(&inner.iter, false);
                self.scope(|walk| {
                    walk.assign(&inner.target);
                    if let Some(filter) = &inner.filter_expr {
                        walk.expression(filter, false);
                    }
                    walk.body(&inner.body);
                });
                self.body(&inner.else_body);
            }
            Stmt::IfCond(inner) => {
                self.expression(&inner.expr, false);
                let guarded = self.uses.len();
                self.body(&inner.true_body);
                self.guard(&inner.expr, guarded);
                self.body(&inner.false_body);
            }
            Stmt::WithBlock(inner) => self.scope(|walk| {
                for (target, value) in &inner.assignments {
                    walk.expression(value, false);
                    walk.assign(target);
                }
                walk.body(&inner.body);
            }),
            Stmt::Set(inner) => {
                self.expression(&inner.expr, false);
                self.assign(&inner.target);
            }
            Stmt::SetBlock(inner) => {
                self.body(&inner.body);
                self.assign(&inner.target);
            }
            Stmt::AutoEscape(inner) => self.body(&inner.body),
            Stmt::FilterBlock(inner) => {
                self.expression(&inner.filter, false);
                self.body(&inner.body);
            }
            Stmt::Block(inner) => self.body(&inner.body),
            Stmt::Macro(inner) => {
                self.own.push(inner.name.to_owned());
                self.scope(|walk| {
                    inner.args.iter().for_each(|argument| walk.assign(argument));
                    walk.body(&inner.body);
                });
            }
            Stmt::Do(inner) => self.call(&inner.call.expr, &inner.call.args),
            _ => {}
        }
    }

    /// `{% if x is defined %}`: within, `x` is there.
    fn guard(&mut self, condition: &Expr<'_>, from: usize) {
        let names: Vec<String> = tested(condition);
        for inner in &mut self.uses[from..] {
            inner.guarded |= names.contains(&inner.name);
        }
    }

    fn assign(&mut self, target: &Expr<'_>) {
        match target {
            Expr::Var(name) => self.own.push(name.id.to_owned()),
            Expr::List(list) => list.items.iter().for_each(|item| self.assign(item)),
            Expr::Tuple(list) => list.items.iter().for_each(|item| self.assign(item)),
            _ => {}
        }
    }

    fn call(&mut self, callee: &Expr<'_>, arguments: &[CallArg<'_>]) {
        match callee {
            Expr::Var(name) if !self.is_own(name.id) => {
                self.callee(UseKind::Function, name.id, name.span(), arguments);
            }
            Expr::GetAttr(inner) if !matches!(&inner.expr, Expr::Var(name) if self.is_own(name.id)) =>
            {
                self.push(UseKind::Method, inner.name, inner.span(), false);
                self.expression(&inner.expr, false);
            }
            _ => self.expression(callee, false),
        }
        self.arguments(arguments);
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => self.expression(value, false),
            }
        }
    }

    fn expression(&mut self, expression: &Expr<'_>, guarded: bool) {
        match expression {
            Expr::Var(name) => {
                if !self.is_own(name.id) {
                    self.push(UseKind::Name, name.id, name.span(), guarded);
                }
            }
            Expr::GetAttr(inner) => match &inner.expr {
                Expr::Var(name) if name.id == "params" => {
                    self.push(UseKind::Param, inner.name, inner.span(), guarded);
                }
                _ => self.expression(&inner.expr, guarded),
            },
            Expr::Filter(inner) => {
                self.callee(UseKind::Filter, inner.name, inner.span(), &inner.args);
                let guards = matches!(inner.name, "default" | "d");
                inner.expr.iter().for_each(|value| self.expression(value, guarded || guards));
                self.arguments(&inner.args);
            }
            Expr::Test(inner) => {
                self.callee(UseKind::Test, inner.name, inner.span(), &inner.args);
                let guards = matches!(inner.name, "defined" | "undefined");
                self.expression(&inner.expr, guarded || guards);
                self.arguments(&inner.args);
            }
            Expr::BinOp(inner) => {
                self.expression(&inner.left, guarded);
                let from = self.uses.len();
                self.expression(&inner.right, guarded);
                self.guard(&inner.left, from);
            }
            Expr::IfExpr(inner) => {
                self.expression(&inner.test_expr, guarded);
                let from = self.uses.len();
                self.expression(&inner.true_expr, guarded);
                self.guard(&inner.test_expr, from);
                inner.false_expr.iter().for_each(|value| self.expression(value, guarded));
            }
            _ => self.parts(expression, guarded),
        }
    }

    fn parts(&mut self, expression: &Expr<'_>, guarded: bool) {
        match expression {
            Expr::Slice(inner) => {
                self.expression(&inner.expr, guarded);
                let ends = [&inner.start, &inner.stop, &inner.step];
                ends.into_iter().flatten().for_each(|value| self.expression(value, false));
            }
            Expr::UnaryOp(inner) => self.expression(&inner.expr, guarded),
            Expr::Compare(inner) => {
                self.expression(&inner.expr, guarded);
                inner.ops.iter().for_each(|op| self.expression(&op.expr, guarded));
            }
            Expr::GetItem(inner) => {
                self.expression(&inner.expr, guarded);
                self.expression(&inner.subscript_expr, false);
            }
            Expr::Call(inner) => self.call(&inner.expr, &inner.args),
            Expr::List(inner) => inner.items.iter().for_each(|item| self.expression(item, false)),
            Expr::Tuple(inner) => inner.items.iter().for_each(|item| self.expression(item, false)),
            Expr::Map(inner) => {
                let all = inner.keys.iter().chain(&inner.values);
                all.for_each(|item| self.expression(item, false));
            }
            _ => {}
        }
    }
}

/// The names of which a condition says `is defined`, or which it asks to be true.
fn tested(condition: &Expr<'_>) -> Vec<String> {
    match condition {
        Expr::Test(inner) if matches!(inner.name, "defined" | "undefined") => match &inner.expr {
            Expr::Var(name) => vec![name.id.to_owned()],
            Expr::GetAttr(inner) => vec![inner.name.to_owned()],
            _ => Vec::new(),
        },
        Expr::BinOp(inner) => [tested(&inner.left), tested(&inner.right)].concat(),
        Expr::UnaryOp(inner) => tested(&inner.expr),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounds::MOST_EXPRESSION;
    use super::*;

    fn names(uses: &[Use]) -> String {
        let words = uses.iter().map(|found| {
            let sign = match found.kind {
                UseKind::Name => "",
                UseKind::Param => "params.",
                UseKind::Filter => "|",
                UseKind::Test => "is ",
                UseKind::Function => "call ",
                UseKind::Method => "method ",
            };
            format!("{sign}{}{}", found.name, if found.guarded { "?" } else { "" })
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_are_found_with_their_guards() {
        for (text, expected) in [
            ("confidence >= 0.8", "confidence"),
            ("a.b.c[d]", "a d"),
            ("params.x ~ y", "params.x y"),
            ("x is defined and x > 1", "is defined x? x?"),
            ("x | default(y) | upper", "|upper |default x? y"),
            ("f(a, k=b)", "call f a b"),
            ("a.b.c(d)", "method c a d"),
            ("[a, {'k': b}]", "a b"),
            ("a if b is defined else c", "is defined b? a c"),
        ] {
            assert_eq!(names(&uses_of_expression(text).unwrap()), expected, "{text}");
        }
        for (text, expected) in [
            ("{{ type }}", "type"),
            ("{% for a in rows %}{{ a }}{{ loop.index }}{{ b }}{% endfor %}", "rows b"),
            ("{% set a = x %}{{ a }}", "x"),
            ("{% if x is defined %}{{ x }}{% endif %}{{ x }}", "is defined x? x? x"),
            ("no names", ""),
        ] {
            assert_eq!(names(&uses_of_template(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn the_range_is_the_name_alone() {
        let text = "{{ 'params.x' ~ params.input_dir | upperr }} ü {{u_1}}";
        let uses = uses_of_template(text).unwrap();
        let parts: Vec<&str> = uses.iter().map(|found| &text[found.range.clone()]).collect();
        assert_eq!(parts, ["upperr", "input_dir", "u_1"]);
    }

    #[test]
    fn what_is_too_deep_to_be_walked_is_refused() {
        let long = "a+".repeat(300_000) + "a";
        for read in [
            uses_of_expression(&long).err(),
            uses_of_template(&format!("{{{{ {long} }}}}")).err(),
            uses_of_template(&format!("text {{{{ {long}")).err(),
            uses_of_template(&"{% if a %}".repeat(100_000)).err(),
        ] {
            assert!(read.is_some_and(|unreadable| unreadable.message.contains("4096")));
        }
        let longest = "a+".repeat(MOST_EXPRESSION / 2 - 1) + "a";
        assert_eq!(uses_of_expression(&longest).map(|uses| uses.len()), Ok(2047 + 1));
    }

    #[test]
    fn a_mistake_has_a_place() {
        let unreadable = uses_of_template("{{ a + }}").unwrap_err();
        assert!(unreadable.range.is_some(), "{unreadable:?}");
    }
}
