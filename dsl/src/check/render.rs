//! Templates over `params`, filled in when the file is checked.

use minijinja::value::Serde;

use super::complaint::{Complaint, stray};
use super::jinja::Fit;
use super::template::{
    FieldUse, Unreadable, Use, UseKind, is_over_fields, uses_of_expression, uses_of_template,
};
use super::{Checker, jinja, place};
use crate::code::Code;
use crate::diagnostic::Severity;
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
                if is_over_fields(text) {
                    node.value.clone()
                } else {
                    self.rendered(node, false).value
                }
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
            Ok(uses) => {
                if let Some(stray) = stray(text) {
                    self.stray(node, text, &stray);
                }
                self.uses(node, text, &uses, scope)
            }
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

    fn stray(&mut self, node: &Node, text: &str, stray: &std::ops::Range<usize>) {
        let message = format!("`{}` closes nothing", &text[stray.clone()]);
        let mut found = self
            .at(node, self.part(node, text, stray), Code::F0221, message)
            .label("stays in the text as it is")
            .help("to fill in a value, write `{{ NAME }}`");
        found.severity = Severity::Warning;
        self.push(found);
    }

    /// Whether an expression over fields stands in braces, as in a template; says so.
    pub(super) fn in_braces(&mut self, node: &Node) -> bool {
        let Some(text) = node.as_str().filter(|text| is_template(text) && is_over_fields(text))
        else {
            return false;
        };
        let found = self.on(node, Code::F0222, "an expression over fields stands without braces");
        let inner = text.trim().strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
        self.push(match inner.map(str::trim).filter(|inner| !is_template(inner)) {
            Some(inner) => found
                .help(format!("write `{inner}`"))
                .fix(self.part(node, text, &(0..text.len())), inner),
            None => found.help("write names as they are: `confidence >= params.least`"),
        });
        true
    }

    fn unreadable(&mut self, node: &Node, text: &str, unreadable: &Unreadable, code: Code) {
        let is_expression = code == Code::F0222;
        let complaint = Complaint::of(text, unreadable, is_expression);
        let (what, usual) = if is_expression {
            ("expression", "an expression looks like `confidence >= 0.8 and kind == 'process'`")
        } else {
            ("template", "a template looks like `{{ params.name }}` or `{{ field | upper }}`")
        };
        let span = self.part(node, text, &complaint.range);
        let found = self
            .at(node, span, code, format!("the {what} cannot be read"))
            .label(complaint.label)
            .help(complaint.help.unwrap_or_else(|| usual.to_owned()));
        self.push(match complaint.meant {
            Some(meant) => found.fix(span, meant),
            None => found,
        });
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
                    let fit = self.jinja.fit(found.kind, &found.name, found.given);
                    fine &= fit == Fit::Fits;
                    self.misused(node, span, found, fit);
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

    /// A filter, test, function or method that there is not, or not so.
    fn misused(&mut self, node: &Node, span: Span, used: &Use, fit: Fit) {
        let name = &used.name;
        let (message, help, near) = match fit {
            Fit::Fits => return,
            Fit::Unknown => jinja::unknown(used.kind, name),
            Fit::TooFew => {
                let (message, help) = jinja::too_few(used.kind, name);
                (message, help, None)
            }
            Fit::TooMany => {
                let message = format!("`{name}` takes fewer values than it is given");
                (message, "take some of those in `(..)` away".to_owned(), None)
            }
        };
        let found = self.at(node, span, Code::F0224, message).help(help);
        self.push(match near {
            Some(near) => found.fix(span, near),
            None => found,
        });
    }

    fn unknown_param(&mut self, node: &Node, span: Span, name: &str) {
        let found = self.at(node, span, Code::F0220, format!("no param called `{name}`"));
        let found = match closest(name, self.params.names()) {
            Some(near) => found.help(format!("did you mean `{near}`?")).fix(span, near.to_owned()),
            None => found.help(self.spelled(
                format!("declare it: `params: {{{name}: {{type: string}}}}`"),
                format!("declare it: `param {name}: string`"),
            )),
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
