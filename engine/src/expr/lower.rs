//! From minijinja's syntax tree to plain code, where there is some.

use minijinja::Value as Jinja;
use minijinja::machinery::ast::{BinOpKind, CompareOpKind, Expr, Stmt, UnaryOpKind};
use minijinja::value::ValueKind;

use super::fast::{Arithmetic, Code, Comparison, Literal, Part, Parts, Path};

/// Names that minijinja knows without a record.
const GLOBALS: [&str; 4] = ["range", "dict", "debug", "namespace"];

/// The plain code of an expression; nothing when it does more than plain code can.
pub(super) fn expression(text: &str, params: &Jinja) -> Option<Code> {
    lower(&minijinja::machinery::parse_expr(text).ok()?, params)
}

/// The plain parts of a template; nothing when it does more than they can.
pub(super) fn template(text: &str, params: &Jinja) -> Option<Parts> {
    let syntax = super::syntax();
    let parsed = minijinja::machinery::parse(text, "template", syntax).ok()?;
    let Stmt::Template(template) = parsed else { return None };
    let part = |child: &Stmt<'_>| match child {
        Stmt::EmitRaw(raw) => Some(Part::Text(raw.raw.into())),
        Stmt::EmitExpr(emit) => Some(Part::Value(lower(&emit.expr, params)?)),
        _ => None,
    };
    Some(Parts(template.children.iter().map(part).collect::<Option<_>>()?))
}

fn lower(expr: &Expr<'_>, params: &Jinja) -> Option<Code> {
    let boxed = |expr: &Expr<'_>| lower(expr, params).map(Box::new);
    if let Some(constant) = constant(expr) {
        return literal(&constant).map(Code::Literal);
    }
    Some(match expr {
        Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => return path(expr, params),
        Expr::UnaryOp(unary) => match unary.op {
            UnaryOpKind::Not => Code::Not(boxed(&unary.expr)?),
            UnaryOpKind::Neg => return None,
        },
        Expr::BinOp(binary) => match binary.op {
            BinOpKind::ScAnd => Code::And(boxed(&binary.left)?, boxed(&binary.right)?),
            BinOpKind::ScOr => Code::Or(boxed(&binary.left)?, boxed(&binary.right)?),
            BinOpKind::In => return contained(&binary.left, &binary.right, params),
            operator => {
                let (left, right) = (boxed(&binary.left)?, lower(&binary.right, params)?);
                if let Some(arithmetic) = arithmetic(operator) {
                    Code::Arithmetic(left, arithmetic, Box::new(right))
                } else {
                    Code::Compare(left, vec![(comparison(operator)?, right)])
                }
            }
        },
        Expr::Compare(chain) => {
            let link = |kind, expr| Some((comparison_in_chain(kind)?, lower(expr, params)?));
            let rest = chain.ops.iter().map(|next| link(next.op, &next.expr));
            Code::Compare(boxed(&chain.expr)?, rest.collect::<Option<_>>()?)
        }
        Expr::Test(test) if test.args.is_empty() => {
            let Expr::Var(field) = &test.expr else { return None };
            if !is_field(field.id) || GLOBALS.contains(&field.id) {
                return None;
            }
            let defined = Code::IsDefined(field.id.into());
            match test.name {
                "defined" => defined,
                "undefined" => Code::Not(Box::new(defined)),
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// A value that stands in the text. What is computed from such values is left to be computed,
/// since minijinja would compare them in its own way.
fn constant(expr: &Expr<'_>) -> Option<Jinja> {
    match expr {
        Expr::Const(constant) => Some(constant.value.clone()),
        Expr::UnaryOp(unary) if matches!(unary.expr, Expr::Const(_)) => expr.as_const(),
        _ => None,
    }
}

fn contained(value: &Expr<'_>, container: &Expr<'_>, params: &Jinja) -> Option<Code> {
    let value = Box::new(lower(value, params)?);
    if let Expr::List(list) = container {
        let items = list.items.iter().map(|item| literal(&constant(item)?));
        return Some(Code::InList(value, items.collect::<Option<_>>()?));
    }
    Some(Code::InText(value, Box::new(lower(container, params)?)))
}

/// A field, a member of one, or a parameter, which is known already.
fn path(expr: &Expr<'_>, params: &Jinja) -> Option<Code> {
    let mut names = Vec::new();
    let mut inner = expr;
    let field = loop {
        match inner {
            Expr::Var(var) => break var.id,
            Expr::GetAttr(attribute) => {
                names.push(attribute.name.to_owned());
                inner = &attribute.expr;
            }
            Expr::GetItem(item) => {
                names.push(item.subscript_expr.as_const()?.as_str()?.to_owned());
                inner = &item.expr;
            }
            _ => return None,
        }
    };
    names.reverse();
    if field == "params" {
        let find = |value: Jinja, name: &String| value.get_attr(name).ok();
        let value = names.iter().try_fold(params.clone(), find)?;
        return literal(&value).map(Code::Literal);
    }
    is_field(field).then(|| {
        let members = names.into_iter().map(Into::into).collect();
        Code::Path(Path { field: field.into(), members })
    })
}

/// Not one of the names that every record answers to.
fn is_field(name: &str) -> bool {
    !matches!(name, "_id" | "_path" | "_line" | "params" | "loop" | "self")
}

fn literal(value: &Jinja) -> Option<Literal> {
    match value.kind() {
        ValueKind::None => Some(Literal::Null),
        ValueKind::Bool => Some(Literal::Bool(value.is_true())),
        ValueKind::Number if value.is_integer() => {
            i64::try_from(value.clone()).ok().map(Literal::Integer)
        }
        ValueKind::Number => {
            f64::try_from(value.clone()).ok().filter(|float| float.is_finite()).map(Literal::Float)
        }
        ValueKind::String => value.as_str().map(|text| Literal::Text(text.into())),
        _ => None,
    }
}

const fn arithmetic(operator: BinOpKind) -> Option<Arithmetic> {
    match operator {
        BinOpKind::Add => Some(Arithmetic::Add),
        BinOpKind::Sub => Some(Arithmetic::Subtract),
        BinOpKind::Mul => Some(Arithmetic::Multiply),
        BinOpKind::Rem => Some(Arithmetic::Remainder),
        _ => None,
    }
}

const fn comparison(operator: BinOpKind) -> Option<Comparison> {
    match operator {
        BinOpKind::Eq => Some(Comparison::Equal),
        BinOpKind::Ne => Some(Comparison::NotEqual),
        BinOpKind::Lt => Some(Comparison::Less),
        BinOpKind::Lte => Some(Comparison::LessOrEqual),
        BinOpKind::Gt => Some(Comparison::Greater),
        BinOpKind::Gte => Some(Comparison::GreaterOrEqual),
        _ => None,
    }
}

const fn comparison_in_chain(operator: CompareOpKind) -> Option<Comparison> {
    match operator {
        CompareOpKind::Eq => Some(Comparison::Equal),
        CompareOpKind::Ne => Some(Comparison::NotEqual),
        CompareOpKind::Lt => Some(Comparison::Less),
        CompareOpKind::Lte => Some(Comparison::LessOrEqual),
        CompareOpKind::Gt => Some(Comparison::Greater),
        CompareOpKind::Gte => Some(Comparison::GreaterOrEqual),
        CompareOpKind::In | CompareOpKind::NotIn => None,
    }
}
