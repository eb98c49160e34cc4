//! Names of fields, followed along the edges as far as the stages say what they do with them.

use super::Checker;
use super::fieldset::{FieldSet, Names};
use super::nodes::Draft;
use super::template::FieldUse;
use crate::catalog::Fields;
use crate::code::Code;
use crate::pipeline::Output;
use crate::suggest::closest;
use crate::tree::Value;

/// Names that every record has besides its fields.
const ALWAYS: &[&str] = &["_id", "_path", "_line"];

/// The fields that may be there; none when nobody knows.
type Known = Option<FieldSet>;

impl Checker<'_> {
    /// Compares the fields that nodes read with those that come to them.
    pub(super) fn fields(&mut self, drafts: &[Draft<'_, '_>]) {
        let mut inputs: Vec<Known> = vec![None; drafts.len()];
        let mut outputs: Vec<Known> = vec![None; drafts.len()];
        let mut names = Names::default();
        for place in downstream(drafts) {
            let draft = &drafts[place];
            inputs[place] = input(draft, &inputs, &outputs, &mut names);
            outputs[place] = output(draft, inputs[place].as_ref(), &mut names);
        }
        for (draft, known) in drafts.iter().zip(&inputs) {
            let Some(known) = known else { continue };
            for used in &draft.field_uses {
                let there = names.find(&used.name).is_some_and(|name| known.has(name));
                if !there && !ALWAYS.contains(&used.name.as_str()) {
                    let found = self.unknown_field(draft, used, &names.of(known));
                    self.push(found);
                }
            }
        }
    }

    fn unknown_field(
        &self,
        draft: &Draft<'_, '_>,
        used: &FieldUse,
        all: &[&str],
    ) -> crate::Diagnostic {
        let name = &used.name;
        let source = used.source.as_ref().unwrap_or(self.file);
        let message = format!("`{}` reads `{name}`, but its input has no `{name}`", draft.name());
        let given = if all.is_empty() { "no fields".to_owned() } else { all.join(", ") };
        let found = crate::Diagnostic::new(Code::F0310, source, used.span, message)
            .note(format!("the fields that come in: {given}"));
        if !used.bare && self.params.names().any(|param| param == name) {
            return found.help(format!("for the param, write `params.{name}`"));
        }
        match closest(name, all.iter().copied()) {
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
fn input(draft: &Draft<'_, '_>, inputs: &[Known], outputs: &[Known], names: &mut Names) -> Known {
    if !draft.wired {
        return None;
    }
    let mut all: Known = None;
    for wire in &draft.wires {
        let mut fields = match wire.output {
            Output::Main => outputs[wire.from].clone()?,
            Output::Failed => inputs[wire.from].clone()?,
        };
        if wire.output == Output::Failed {
            fields.insert(names.id("error")?);
        }
        match &mut all {
            None => all = Some(fields),
            Some(known) => known.extend(&fields),
        }
    }
    all
}

/// The fields that leave.
fn output(draft: &Draft<'_, '_>, input: Option<&FieldSet>, names: &mut Names) -> Known {
    let spec = draft.spec?;
    if super::holds_bad(&draft.settings) {
        return None;
    }
    let json = match &draft.settings.value {
        Value::Map(_) => draft.settings.to_json(),
        _ => serde_json::json!({}),
    };
    let mut fields = match (spec.fields)(&json) {
        Fields::Unknown => return None,
        Fields::Exactly(exactly) => {
            let mut fields = FieldSet::default();
            for name in exactly {
                fields.insert(names.id(&name)?);
            }
            fields
        }
        Fields::Changed { added, removed } => {
            let mut fields = input?.clone();
            for name in removed {
                fields.remove(names.id(&name)?);
            }
            for name in added {
                fields.insert(names.id(&name)?);
            }
            fields
        }
    };
    if let Some(crate::pipeline::OnError::Keep(field)) =
        draft.hints.on_error.as_ref().map(|hint| &hint.value)
    {
        fields.insert(names.id(field)?);
        // A record that failed passes as it came.
        fields.extend(input?);
    }
    Some(fields)
}
