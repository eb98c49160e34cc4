//! Names of fields, followed along the edges as far as the stages say what they do with them.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::Checker;
use super::nodes::Draft;
use super::template::FieldUse;
use crate::catalog::Fields;
use crate::code::Code;
use crate::pipeline::Output;
use crate::suggest::closest;
use crate::tree::{Node, Value};

/// Names that every record has besides its fields.
const ALWAYS: &[&str] = &["_id", "_path", "_line"];

/// The fields that may be there; none when nobody knows.
type Known = Option<Rc<BTreeSet<String>>>;

impl Checker<'_> {
    /// Compares the fields that nodes read with those that come to them.
    pub(super) fn fields(&mut self, drafts: &[Draft<'_, '_>]) {
        let mut inputs: Vec<Known> = vec![None; drafts.len()];
        let mut outputs: Vec<Known> = vec![None; drafts.len()];
        for place in downstream(drafts) {
            let draft = &drafts[place];
            inputs[place] = input(draft, &inputs, &outputs);
            outputs[place] = output(draft, &inputs[place]);
        }
        for (draft, known) in drafts.iter().zip(&inputs) {
            let Some(known) = known else { continue };
            for used in &draft.field_uses {
                if !known.contains(&used.name) && !ALWAYS.contains(&used.name.as_str()) {
                    let found = self.unknown_field(draft, used, known);
                    self.push(found);
                }
            }
        }
    }

    fn unknown_field(
        &self,
        draft: &Draft<'_, '_>,
        used: &FieldUse,
        known: &BTreeSet<String>,
    ) -> crate::Diagnostic {
        let name = &used.name;
        let source = used.source.as_ref().unwrap_or(self.file);
        let message = format!("`{}` reads `{name}`, but its input has no `{name}`", draft.name());
        let all: Vec<&str> = known.iter().map(String::as_str).collect();
        let given = if all.is_empty() { "no fields".to_owned() } else { all.join(", ") };
        let found = crate::Diagnostic::new(Code::F0310, source, used.span, message)
            .note(format!("the fields that come in: {given}"));
        if !used.bare && self.params.names().any(|param| param == name) {
            return found.help(format!("for the param, write `params.{name}`"));
        }
        match closest(name, all) {
            Some(near) => {
                found.help(format!("`{near}` is the closest field")).fix(used.span, near.to_owned())
            }
            None if used.bare => found,
            None => found.help(format!("if it may be missing, write `{name} | default(...)`")),
        }
    }
}

/// The nodes, each after those that it reads; nodes on a loop are left out.
fn downstream(drafts: &[Draft<'_, '_>]) -> Vec<usize> {
    let mut waiting: Vec<usize> = drafts.iter().map(|draft| draft.wires.len()).collect();
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); drafts.len()];
    for (place, draft) in drafts.iter().enumerate() {
        for wire in &draft.wires {
            below[wire.from].push(place);
        }
    }
    let mut ready: Vec<usize> = (0..drafts.len()).filter(|&place| waiting[place] == 0).collect();
    let mut order = Vec::with_capacity(drafts.len());
    while let Some(place) = ready.pop() {
        order.push(place);
        for &next in &below[place] {
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.push(next);
            }
        }
    }
    order
}

/// The fields that come in: those of all edges together.
fn input(draft: &Draft<'_, '_>, inputs: &[Known], outputs: &[Known]) -> Known {
    if !draft.wired {
        return None;
    }
    let mut all: Known = None;
    for wire in &draft.wires {
        let fields = match wire.output {
            Output::Main => outputs[wire.from].clone()?,
            Output::Failed => {
                let mut fields = inputs[wire.from].as_deref()?.clone();
                fields.insert("error".to_owned());
                Rc::new(fields)
            }
        };
        all = Some(match all {
            None => fields,
            Some(known) if Rc::ptr_eq(&known, &fields) => known,
            Some(known) => Rc::new(known.union(&fields).cloned().collect()),
        });
    }
    all
}

/// The fields that leave.
fn output(draft: &Draft<'_, '_>, input: &Known) -> Known {
    let spec = draft.spec?;
    if has_bad(&draft.settings) {
        return None;
    }
    let json = match &draft.settings.value {
        Value::Map(_) => draft.settings.to_json(),
        _ => serde_json::json!({}),
    };
    let fields = match (spec.fields)(&json) {
        Fields::Unknown => return None,
        Fields::Exactly(names) => Rc::new(names.into_iter().collect()),
        Fields::Changed { added, removed } => {
            let fields = input.clone()?;
            if added.is_empty() && removed.is_empty() {
                fields
            } else {
                let mut fields = (*fields).clone();
                fields.retain(|name| !removed.contains(name));
                fields.extend(added);
                Rc::new(fields)
            }
        }
    };
    match draft.hints.on_error.as_ref().map(|hint| &hint.value) {
        Some(crate::pipeline::OnError::Keep(field)) => {
            let mut fields = (*fields).clone();
            fields.insert(field.clone());
            // A record that failed passes as it came.
            fields.extend(input.iter().flat_map(|input| input.iter().cloned()));
            Some(Rc::new(fields))
        }
        _ => Some(fields),
    }
}

fn has_bad(node: &Node) -> bool {
    super::holds_bad(node)
}
