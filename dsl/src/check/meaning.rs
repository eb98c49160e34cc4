//! What a text in a setting means: a template, a condition, the name of a model.

use super::render::Scope;
use super::schema::Schema;
use super::template::FieldUse;
use super::{Checker, format};
use crate::code::Code;
use crate::suggest::closest;
use crate::tree::Node;

impl Checker<'_> {
    /// What a text means.
    pub(super) fn meaning(&mut self, node: &Node, schema: Schema<'_>, what: &str, text: &str) {
        match schema.format() {
            Some("template") => {
                let others = std::mem::take(&mut self.field_uses);
                self.template(node, text, Scope::Record);
                self.field_uses.retain(|found| !schema.gives(&found.name));
                self.field_uses.splice(..0, others);
            }
            Some("expression") => self.expression(node, text),
            Some("model") => {
                self.declared(node, "model", Code::F0230, "models");
            }
            Some("limit") => {
                self.declared(node, "limit", Code::F0231, "limits");
            }
            Some("schema") => self.schema_name(node, text),
            Some("field") => {
                let (name, source) = (text.to_owned(), node.source.clone());
                self.field_uses.push(FieldUse { name, span: node.span, source, bare: true });
            }
            Some(form) if !format::holds(form, text) => {
                let found = self.bad_format(node, what, form, text);
                self.push(found);
            }
            _ => {}
        }
    }

    /// A name below `schemas:`, or a path. A bare word that is nearly a name is not a path.
    fn schema_name(&mut self, node: &Node, text: &str) {
        let declared = &self.names.schemas;
        if text.contains(['/', '.', '\\']) || declared.has(text) {
            return;
        }
        let Some(near) = closest(text, declared.order.iter().map(String::as_str)) else { return };
        let found = self
            .on(node, Code::F0239, format!("no schema called `{text}`"))
            .help(format!("did you mean `{near}`? a file is written as `./{text}`"))
            .fix(node.span, near);
        self.push(found);
    }
}
