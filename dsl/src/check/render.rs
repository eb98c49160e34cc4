//! Templates over `params`, filled in when the file is checked.

use minijinja::value::Serde;

use super::template::{FieldUse, Unreadable, Use, UseKind, uses_of_expression, uses_of_template};
use super::{Checker, jinja, place};
use crate::code::Code;
use crate::parse::plain;
use crate::source::Span;
use crate::suggest::closest;
use crate::tree::{Node, Value};

/// What templates may name, at a place of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// `params` alone: the value is fixed when the plan is made.
    Params,
    /// `params` and the fields of a record.
    Record,
}

/// Whether a text has places to fill in.
pub(super) fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

impl Checker<'_> {
    /// A value with templates over `params` filled in. `typed`: a text that is filled in may
    /// become a number, `true` or `false`.
    pub(super) fn rendered(&mut self, node: &Node, typed: bool) -> Node {
        let Some(text) = node.as_str().filter(|text| is_template(text)) else {
            return node.clone();
        };
        let value = match self.template(node, text, Scope::Params) {
            Some(true) => self.fill(node, text, typed),
            _ => Value::Bad,
        };
        Node { value, span: node.span, source: node.source.clone() }
    }

    /// Like [`Self::rendered`], in all texts of a value; those that name fields stay as they are.
    pub(super) fn rendered_anywhere(&mut self, node: &Node) -> Node {
        let value = match &node.value {
            Value::String(text) if is_template(text) => {
                let fields = uses_of_template(text).is_ok_and(|uses| {
                    uses.iter().any(|found| found.kind == UseKind::Name && found.name != "params")
                });
                if fields { node.value.clone() } else { self.rendered(node, false).value }
            }
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.rendered_anywhere(item)).collect())
            }
            Value::Map(entries) => {
                let mut entries = entries.clone();
                for entry in &mut entries {
                    entry.value = self.rendered_anywhere(&entry.value);
                }
                Value::Map(entries)
            }
            other => other.clone(),
        };
        Node { value, span: node.span, source: node.source.clone() }
    }

    fn fill(&mut self, node: &Node, text: &str, typed: bool) -> Value {
        let params = minijinja::Value::from(Serde(&self.params.values));
        let context =
            minijinja::Value::from(std::collections::BTreeMap::from([("params", params)]));
        let outcome = self.jinja.environment().render_str(text, context);
        match outcome {
            Ok(text) if typed => plain(&text),
            Ok(text) => Value::String(text),
            Err(error) => {
                let unreadable = Unreadable::from(error);
                self.unreadable(node, text, &unreadable, Code::F0221);
                Value::Bad
            }
        }
    }

    /// Checks the names in a template: none when it cannot be read or names what is not there,
    /// false when the value of a param is not known.
    pub(super) fn template(&mut self, node: &Node, text: &str, scope: Scope) -> Option<bool> {
        match uses_of_template(text) {
            Ok(uses) => self.uses(node, text, &uses, scope),
            Err(unreadable) => {
                self.unreadable(node, text, &unreadable, Code::F0221);
                None
            }
        }
    }

    /// Checks the names in an expression over the fields of a record.
    pub(super) fn expression(&mut self, node: &Node, text: &str) {
        match uses_of_expression(text) {
            Ok(uses) => {
                self.uses(node, text, &uses, Scope::Record);
            }
            Err(unreadable) => self.unreadable(node, text, &unreadable, Code::F0222),
        }
    }

    fn unreadable(&mut self, node: &Node, text: &str, unreadable: &Unreadable, code: Code) {
        let range = unreadable.range.clone().unwrap_or(0..text.len());
        let range = if range.is_empty() { 0..text.len() } else { range };
        let what = if code == Code::F0221 { "template" } else { "condition" };
        let said = jinja::in_words(&unreadable.message);
        // What ends too early is not wrong in its last word.
        let whole = !unreadable.message.contains("end of input");
        let habit = jinja::elsewhere(text, range.start).filter(|_| whole);
        let (said, help) = match habit {
            Some(help) => ("is of another language".to_owned(), help),
            None if code == Code::F0221 => {
                (said, "a template looks like `{{ params.name }}` or `{{ field | upper }}`")
            }
            None => (said, "a condition looks like `confidence >= 0.8 and kind == 'process'`"),
        };
        let found = self
            .at(node, self.part(node, text, &range), code, format!("the {what} cannot be read"))
            .label(said)
            .help(help);
        self.push(found);
    }

    /// The place of a part of a text.
    pub(super) fn part(&self, node: &Node, text: &str, range: &std::ops::Range<usize>) -> Span {
        let file = node.source.as_ref().unwrap_or(self.file);
        place::part(&file.text, node.span, text, range)
    }

    fn uses(&mut self, node: &Node, text: &str, uses: &[Use], scope: Scope) -> Option<bool> {
        let (mut fine, mut known) = (true, true);
        for found in uses {
            let span = self.part(node, text, &found.range);
            match found.kind {
                UseKind::Filter | UseKind::Test | UseKind::Function | UseKind::Method => {
                    if !self.jinja.has(found.kind, &found.name) {
                        fine = false;
                        let (message, help, near) = jinja::unknown(found.kind, &found.name);
                        let diagnostic = self.at(node, span, Code::F0224, message).help(help);
                        self.push(match near {
                            Some(near) => diagnostic.fix(span, near),
                            None => diagnostic,
                        });
                    }
                }
                UseKind::Param if self.params.has(&found.name) => {
                    known &= self.params.values.contains_key(&found.name);
                }
                UseKind::Param if found.guarded => {}
                UseKind::Param => {
                    fine = false;
                    self.unknown_param(node, span, &found.name);
                }
                UseKind::Name if found.name == "params" => {
                    known &= self.params.all_known();
                }
                UseKind::Name if self.jinja.is_function(&found.name) => {}
                UseKind::Name if scope == Scope::Record => {
                    if !found.guarded {
                        let source = node.source.clone();
                        let name = found.name.clone();
                        self.field_uses.push(FieldUse { name, span, source, bare: false });
                    }
                }
                UseKind::Name => {
                    fine = false;
                    self.field_too_early(node, span, &found.name);
                }
            }
        }
        fine.then_some(known)
    }

    fn unknown_param(&mut self, node: &Node, span: Span, name: &str) {
        let found = self.at(node, span, Code::F0220, format!("no param called `{name}`"));
        let found = match closest(name, self.params.names()) {
            Some(near) => found.help(format!("did you mean `{near}`?")).fix(span, near.to_owned()),
            None => found.help(format!("declare it: `params: {{{name}: {{type: string}}}}`")),
        };
        self.push(found);
    }

    fn field_too_early(&mut self, node: &Node, span: Span, name: &str) {
        let found = self
            .at(node, span, Code::F0223, format!("`{name}` is not known when the plan is made"))
            .label("not a param");
        let help = if self.params.has(name) {
            format!("write `params.{name}`")
        } else {
            "only `params.NAME` can stand here: there is no record yet".to_owned()
        };
        self.push(found.help(help));
    }
}
