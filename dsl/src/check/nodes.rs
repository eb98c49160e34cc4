//! Nodes: stage, hints, settings, and then what only shows among all of them.

use super::hints::{completed, key_place, place};
use super::template::FieldUse;
use super::wiring::Wire;
use super::{Checker, keys};
use crate::catalog::{Catalog, StageSpec};
use crate::code::Code;
use crate::pipeline::{Hints, Input, PipelineNode};
use crate::source::Spanned;
use crate::suggest::closest;
use crate::tree::{Entry, Node, Value};

/// A node that is being checked.
pub(super) struct Draft<'c, 'n> {
    pub(super) entry: &'n Entry,
    pub(super) uses: Option<Spanned<String>>,
    pub(super) spec: Option<&'c StageSpec>,
    pub(super) hints: Hints,
    pub(super) settings: Node,
    /// Settings that are wrong, missing, or none.
    pub(super) mistaken: Vec<String>,
    /// Fields that it reads of its records.
    pub(super) field_uses: Vec<FieldUse>,
    pub(super) wires: Vec<Wire>,
    /// Nothing in `from` is amiss.
    pub(super) wired: bool,
}

impl Draft<'_, '_> {
    pub(super) fn name(&self) -> &str {
        &self.entry.key.value
    }

    /// Its place in the file could not be read.
    pub(super) fn is_bad(&self) -> bool {
        self.entry.value.value == Value::Bad
    }
}

impl<'a> Checker<'a> {
    /// The nodes of known stages.
    pub(super) fn nodes(&mut self, root: &Node) -> Vec<PipelineNode> {
        let defaults = self.defaults(root);
        let default_uses = std::mem::take(&mut self.field_uses);
        let section = root.get("stages");
        match section.map(|section| &section.value) {
            None => self.missing_at_top(
                root,
                "stages",
                self.spelled(
                    "declare the nodes below `stages:`",
                    "declare one: `stage NAME: STAGE`",
                ),
            ),
            Some(Value::Null) => self.no_nodes(root),
            Some(Value::Map(entries)) if entries.is_empty() => self.no_nodes(root),
            _ => {}
        }
        let entries = self.named(root, "stages");
        let mut drafts: Vec<Draft<'a, '_>> =
            entries.into_iter().map(|entry| self.draft(entry, &defaults)).collect();
        for draft in &mut drafts {
            draft.field_uses.extend(default_uses.iter().cloned());
        }
        self.wire(&mut drafts);
        self.loops(&drafts);
        self.fields(&drafts);
        drafts.into_iter().filter_map(finished).collect()
    }

    fn no_nodes(&mut self, root: &Node) {
        let Some(key) = root.entries().iter().find(|entry| entry.key.value == "stages") else {
            return;
        };
        let message = "the pipeline has no nodes";
        let found = self.at(&key.value, key.key.span, Code::F0203, message);
        self.push(found.help("declare one: `NAME: {uses: STAGE, with: {...}}`"));
    }

    fn draft<'n>(&mut self, entry: &'n Entry, defaults: &Hints) -> Draft<'a, 'n> {
        let node = &entry.value;
        let mut draft = Draft {
            entry,
            uses: None,
            spec: None,
            hints: Hints::default(),
            settings: Node::new(Value::Map(Vec::new()), node.span),
            mistaken: Vec::new(),
            field_uses: Vec::new(),
            wires: Vec::new(),
            wired: false,
        };
        match &node.value {
            Value::Bad => return draft,
            Value::Map(_) | Value::Null => {}
            _ => {
                let found = self.wrong_type(node, &format!("node `{}`", draft.name()), "a map");
                let found = match &node.value {
                    Value::String(stage) => found.help(format!("write `{{uses: {stage}}}`")),
                    _ => found.help("write `{uses: STAGE}`"),
                };
                self.push(found);
                return draft;
            }
        }
        if let Some(block) = node.entries().iter().find(|inner| inner.key.value == "each") {
            self.later(block, "`each`");
            return draft;
        }
        self.stage_of(&mut draft);
        let mut hints = Hints::default();
        for inner in node.entries() {
            if !self.node_key_later(inner) {
                self.node_key(inner, draft.spec);
            }
            self.hint(inner, &mut hints);
        }
        draft.settings = self.draft_settings(&draft);
        draft.hints = completed(hints, defaults);
        if let Some(spec) = draft.spec {
            self.idle_hints(entry, spec, &draft.hints);
        }
        self.unfillable(entry, &draft.hints);
        draft.field_uses = std::mem::take(&mut self.field_uses);
        draft.mistaken = std::mem::take(&mut self.mistaken);
        draft
    }

    fn stage_of(&mut self, draft: &mut Draft<'a, '_>) {
        let entry = draft.entry;
        let Some(node) = entry.value.get("uses") else {
            self.no_stage(entry);
            return;
        };
        let Some(word) = self.text(node, "`uses`") else { return };
        let catalog: &'a Catalog = self.catalog;
        draft.spec = catalog.stage(&word);
        if draft.spec.is_none() {
            let found = self.on(node, Code::F0302, format!("no stage called `{word}`"));
            let names = catalog.stages.iter().map(|stage| stage.name);
            let found = match closest(&word, names) {
                Some(near) => found.help(format!("did you mean `{near}`?")).fix(node.span, near),
                None => found.help("`flow stages` lists all that there are"),
            };
            self.push(found);
        }
        draft.uses = Some(Spanned::new(word, place(node)));
    }

    fn no_stage(&mut self, entry: &Entry) {
        let mut inner = entry.value.entries().iter();
        let excused = inner.any(|inner| {
            let key = inner.key.value.as_str();
            let known = keys::HINTS.contains(&key) || keys::NODE.contains(&key);
            // `stages` stands instead of it in a block of nodes.
            key.is_empty()
                || key == "stages"
                || !known && (inner.value.value == Value::Bad || closest(key, ["uses"]).is_some())
        });
        if !excused {
            let message = format!("node `{}` does not say which stage it uses", entry.key.value);
            let found = self.at(&entry.value, entry.key.span, Code::F0203, message);
            let flow = format!("write `stage {}: STAGE`", entry.key.value);
            let help = self.spelled("write `uses: STAGE` in it".to_owned(), flow);
            self.push(found.help(help));
        }
    }

    /// A key of a node that may not be one.
    fn node_key(&mut self, inner: &Entry, spec: Option<&StageSpec>) {
        let key = inner.key.value.as_str();
        let known = keys::HINTS.contains(&key) || keys::NODE.contains(&key);
        if known || key.is_empty() || inner.value.value == Value::Bad {
            return;
        }
        let schema = spec.map(|spec| super::schema::Schema::new(&spec.settings));
        if let (Some(spec), Some(schema)) = (spec, schema)
            && schema.property(key).is_some()
        {
            let message = format!("`{key}` is a setting of `{}`, not a hint", spec.name);
            let help = self.spelled(
                format!("move it below `with:`: `with: {{{key}: ...}}`"),
                format!("move it to the settings: `{{ {key}: ... }}`"),
            );
            let found = self
                .at(&inner.value, inner.key.span, Code::F0304, message)
                .label("in the wrong place")
                .help(help);
            self.push(found);
            return;
        }
        let head = self.spelled(keys::NODE, &[]);
        let all: Vec<&str> = head.iter().chain(keys::HINTS).copied().collect();
        let what = self.spelled("key", "hint");
        let found = self.unknown_key(inner, &format!("a node has no {what} `{key}`"), &all);
        self.push(found);
    }

    fn draft_settings(&mut self, draft: &Draft<'a, '_>) -> Node {
        let node = &draft.entry.value;
        let with = node.get("with");
        let empty = Node::new(Value::Null, node.span);
        let empty = Node { source: node.source.clone(), ..empty };
        let (Some(spec), Some(uses)) = (draft.spec, node.get("uses")) else {
            return with.unwrap_or(&empty).clone();
        };
        // Settings that stand beside `uses` by mistake are not missing below `with`.
        let schema = super::schema::Schema::new(&spec.settings);
        let mut given = with.unwrap_or(&empty).clone();
        let misplaced = node.entries().iter().filter(|inner| {
            let key = inner.key.value.as_str();
            let known = keys::HINTS.contains(&key) || keys::NODE.contains(&key);
            !known && (schema.property(key).is_some() || inner.value.value == Value::Bad)
        });
        let misplaced: Vec<Entry> = misplaced
            .map(|inner| Entry { key: inner.key.clone(), value: Node::new(Value::Bad, node.span) })
            .collect();
        if matches!(given.value, Value::Null) {
            given.value = Value::Map(misplaced);
        } else if let Value::Map(entries) = &mut given.value {
            entries.extend(misplaced);
        }
        let key = node.entries().iter().find(|inner| inner.key.value == "with");
        let named = key.filter(|key| key.value.source == uses.source).map(|key| key.key.span);
        given.source = given.source.or_else(|| uses.source.clone());
        self.stage_settings(
            &given,
            spec,
            if with.is_some() { named.unwrap_or(uses.span) } else { uses.span },
        )
    }
}

/// The node of the pipeline, with what is wrong in its settings made unreadable.
fn finished(draft: Draft<'_, '_>) -> Option<PipelineNode> {
    draft.spec?;
    let mut settings = draft.settings;
    if let Value::Map(entries) = &mut settings.value {
        for name in draft.mistaken {
            entries.retain(|entry| entry.key.value != name);
            let key = Spanned::new(name, settings.span);
            entries.push(Entry { key, value: Node::new(Value::Bad, settings.span) });
        }
    }
    let inputs = draft.wires.into_iter().map(|wire| Input {
        port: wire.port,
        from: wire.from,
        output: wire.output,
        span: wire.span,
    });
    Some(PipelineNode {
        name: key_place(draft.entry),
        uses: draft.uses?,
        inputs: inputs.collect(),
        hints: draft.hints,
        settings,
    })
}
