//! Edges: every name after `from` leads to an output, every input is fed.

use std::collections::HashMap;

use super::nodes::Draft;
use super::{Checker, keys};
use crate::catalog::{Shape, StageSpec};
use crate::code::Code;
use crate::pipeline::Output;
use crate::source::Span;
use crate::suggest::closest;
use crate::tree::{Entry, Node, Value};

/// One edge.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) port: usize,
    pub(super) from: usize,
    pub(super) output: Output,
    pub(super) span: Span,
}

/// The nodes by name, and whether every reference could be followed.
struct Index<'n> {
    places: HashMap<&'n str, usize>,
    names: Vec<&'n str>,
    /// Some declarations could not be read: names may be theirs.
    unreadable: bool,
    /// A name led nowhere and nobody knows which node was meant.
    lost: bool,
    /// Nodes that are read by somebody, or were probably meant to be.
    read: Vec<bool>,
}

impl Index<'_> {
    /// Whoever is named there is read, whatever else is wrong.
    fn mark_all(&mut self, node: &Node) {
        match &node.value {
            Value::Map(entries) => entries.iter().for_each(|entry| self.mark_all(&entry.value)),
            _ => one_or_many(node).iter().for_each(|one| self.mark(one)),
        }
    }

    fn mark(&mut self, node: &Node) {
        let name = node.as_str().unwrap_or_default();
        let name = name.split_once('.').map_or(name, |(name, _)| name);
        match self.places.get(name) {
            Some(&place) => self.read[place] = true,
            None => self.lost = true,
        }
    }
}

impl Checker<'_> {
    /// Follows `from` of every node.
    pub(super) fn wire(&mut self, drafts: &mut [Draft<'_, '_>]) {
        let names: Vec<String> = drafts.iter().map(|draft| draft.name().to_owned()).collect();
        let mut index = Index {
            places: HashMap::new(),
            names: names.iter().map(String::as_str).collect(),
            unreadable: names.iter().any(String::is_empty),
            lost: false,
            read: vec![false; drafts.len()],
        };
        for (place, name) in names.iter().enumerate() {
            index.places.entry(name).or_insert(place);
        }
        for place in 0..drafts.len() {
            let (wires, sound) = self.wires_of(place, drafts, &mut index);
            drafts[place].wires = wires;
            drafts[place].wired = sound;
        }
        self.unread(drafts, &index);
    }

    fn wires_of(
        &mut self,
        place: usize,
        drafts: &[Draft<'_, '_>],
        index: &mut Index<'_>,
    ) -> (Vec<Wire>, bool) {
        let draft = &drafts[place];
        if draft.is_bad() {
            index.lost = true;
            return (Vec::new(), false);
        }
        let node = &draft.entry.value;
        let from = node.entries().iter().find(|inner| inner.key.value == "from");
        let from = from.filter(|from| match &from.value.value {
            Value::Null => false,
            Value::List(items) => !items.is_empty(),
            _ => true,
        });
        let Some(from) = from else {
            let fine = self.no_input(draft);
            index.lost |= !fine;
            return (Vec::new(), fine);
        };
        let before = self.found.len();
        if let Some(spec) = draft.spec.filter(|spec| spec.shape == Shape::Source) {
            self.source_with_input(from, spec);
            index.mark_all(&from.value);
            return (Vec::new(), false);
        }
        let mut wires = Vec::new();
        match &from.value.value {
            Value::Map(entries) => {
                for entry in entries {
                    if let Some(port) = self.port(entry, draft) {
                        for target in one_or_many(&entry.value) {
                            self.target(target, port, drafts, index, &mut wires);
                        }
                    } else {
                        index.mark_all(&entry.value);
                    }
                }
                self.required_ports(from, draft, entries);
            }
            _ => {
                for target in one_or_many(&from.value) {
                    self.target(target, 0, drafts, index, &mut wires);
                }
            }
        }
        if !matches!(from.value.value, Value::Map(_)) {
            self.required_ports(from, draft, &[]);
        }
        (wires, self.found.len() == before)
    }

    /// A node without `from`: right for a source alone.
    fn no_input(&mut self, draft: &Draft<'_, '_>) -> bool {
        let Some(spec) = draft.spec else { return false };
        let entries = draft.entry.value.entries();
        let excused = entries.iter().any(|inner| {
            let key = inner.key.value.as_str();
            let known = keys::NODE.contains(&key) || keys::HINTS.contains(&key);
            key.is_empty()
                || !known && (inner.value.value == Value::Bad || closest(key, ["from"]).is_some())
        });
        if spec.shape == Shape::Source || excused {
            return spec.shape == Shape::Source;
        }
        let entry = draft.entry;
        let message = format!("node `{}` has no input", draft.name());
        let found = self
            .at(&entry.value, entry.key.span, Code::F0308, message)
            .label(format!("`{}` works on records that come from another node", spec.name))
            .help(self.spelled("write `from: NODE` in it", "write `<- NODE` behind its stage"));
        self.push(found);
        false
    }

    fn source_with_input(&mut self, from: &Entry, spec: &StageSpec) {
        let message = format!("`{}` is a source: it has no input", spec.name);
        let found = self.at(&from.value, from.key.span, Code::F0307, message).help(self.spelled(
            "take `from:` away, or use another stage",
            "take the arrow and what it names away, or use another stage",
        ));
        self.push(found);
    }

    /// The place of a named port.
    fn port(&mut self, entry: &Entry, draft: &Draft<'_, '_>) -> Option<usize> {
        let spec = draft.spec?;
        let name = entry.key.value.as_str();
        let port = spec.ports.iter().position(|port| port.name == name);
        if port.is_none() && !name.is_empty() {
            let names: Vec<&str> = spec.ports.iter().map(|port| port.name).collect();
            let message = format!("`{}` has no input port `{name}`", spec.name);
            let found = self.at(&entry.value, entry.key.span, Code::F0306, message);
            let found = match closest(name, names.iter().copied()) {
                Some(near) => {
                    found.help(format!("did you mean `{near}`?")).fix(entry.key.span, near)
                }
                None => found.help(format!("it has {}", keys::list(&names))),
            };
            self.push(found);
        }
        port
    }

    fn required_ports(&mut self, from: &Entry, draft: &Draft<'_, '_>, given: &[Entry]) {
        let Some(spec) = draft.spec else { return };
        let named = matches!(from.value.value, Value::Map(_));
        let has = |place: usize, name: &str| {
            if named { given.iter().any(|entry| entry.key.value == name) } else { place == 0 }
        };
        let strange =
            given.iter().any(|entry| !spec.ports.iter().any(|port| port.name == entry.key.value));
        if strange {
            return;
        }
        for (place, port) in spec.ports.iter().enumerate() {
            if port.required && !has(place, port.name) {
                let message =
                    format!("nothing is wired to the port `{}` of `{}`", port.name, spec.name);
                let sign = self.spelled(": ", "=");
                let ports: Vec<String> =
                    spec.ports.iter().map(|port| format!("{}{sign}NODE", port.name)).collect();
                let ports = ports.join(", ");
                let help = self
                    .spelled(format!("write `from: {{{ports}}}`"), format!("write `<- {ports}`"));
                let found = self.at(&from.value, from.key.span, Code::F0309, message).help(help);
                self.push(found);
            }
        }
    }

    fn target(
        &mut self,
        node: &Node,
        port: usize,
        drafts: &[Draft<'_, '_>],
        index: &mut Index<'_>,
        wires: &mut Vec<Wire>,
    ) {
        if node.value == Value::Bad {
            index.lost = true;
            return;
        }
        let Some(text) = node.as_str().map(str::to_owned) else {
            index.lost = true;
            let found = self.wrong_type(node, "`from`", "the name of a node, or a list of names");
            self.push(found);
            return;
        };
        let (name, output) = text.split_once('.').map_or((&*text, None), |(a, b)| (a, Some(b)));
        let Some(&from) = index.places.get(name) else {
            self.unknown_node(node, name, drafts, index);
            return;
        };
        let is_failed = output == Some("failed");
        if output.is_none() {
            index.read[from] = true;
        }
        if let Some(output) = output.filter(|output| *output != "failed") {
            self.unknown_output(node, name, output);
            index.read[from] = true;
            return;
        }
        let sink = drafts[from].spec.is_some_and(|spec| spec.shape == Shape::Sink);
        if sink && !is_failed {
            let found = self
                .on(node, Code::F0311, format!("`{name}` is a sink: nothing comes out of it"))
                .other(drafts[from].entry.key.span, "declared here")
                .help(format!("only its rejects can be read: `{name}.failed`"));
            self.push(found);
            return;
        }
        let output = if is_failed { Output::Failed } else { Output::Main };
        let same = |wire: &&Wire| (wire.port, wire.from, wire.output) == (port, from, output);
        if let Some(before) = wires.iter().find(same) {
            let found = self
                .on(node, Code::F0102, format!("`{text}` is named twice"))
                .label("each of its records would come twice")
                .other(before.span, "named here already")
                .help("name it once");
            self.push(found);
            return;
        }
        wires.push(Wire { port, from, output, span: super::hints::place(node) });
    }

    fn unknown_node(
        &mut self,
        node: &Node,
        name: &str,
        drafts: &[Draft<'_, '_>],
        index: &mut Index<'_>,
    ) {
        if index.unreadable {
            index.lost = true;
            return;
        }
        let length = name.len();
        let text = node.as_str().unwrap_or_default();
        let span = self.part(node, text, &(0..length));
        let found = self
            .at(node, span, Code::F0301, format!("no node called `{name}`"))
            .label("not declared in this file");
        let near = closest(name, index.names.iter().copied());
        let near = near.and_then(|near| index.places.get(near).map(|&place| (near, place)));
        let found = if let Some((near, place)) = near {
            index.read[place] = true;
            let (line, _) = self.file.line_column(drafts[place].entry.key.span.start);
            found.help(format!("did you mean `{near}` (line {line})?")).fix(span, near)
        } else {
            index.lost = true;
            found.help(self.spelled(
                "`from:` takes names that stand below `stages:`",
                "the arrow takes names that a `stage` declares",
            ))
        };
        self.push(found);
    }

    fn unknown_output(&mut self, node: &Node, name: &str, output: &str) {
        let text = node.as_str().unwrap_or_default();
        let span = self.part(node, text, &(name.len() + 1..text.len()));
        let found = self
            .at(node, span, Code::F0305, format!("`{name}` has no output `{output}`"))
            .help(format!("write `{name}` for what it passes on, `{name}.failed` for its rejects"));
        self.push(found);
    }

    /// Warns of nodes whose records go nowhere.
    fn unread(&mut self, drafts: &[Draft<'_, '_>], index: &Index<'_>) {
        if index.lost || index.unreadable {
            return;
        }
        for (place, draft) in drafts.iter().enumerate() {
            let Some(spec) = draft.spec else { continue };
            if index.read[place] || spec.shape == Shape::Sink || draft.name().is_empty() {
                continue;
            }
            // A second node of a name cannot be read at all.
            if index.places.get(draft.name()) != Some(&place) {
                continue;
            }
            let message = format!("nobody reads what `{}` passes on", draft.name());
            let from = self.spelled("from: ", "<- ");
            let found = self
                .at(&draft.entry.value, draft.entry.key.span, Code::F0312, message)
                .help(format!("read it (`{from}{}`), or take the node away", draft.name()));
            self.push(found);
        }
    }
}

/// One name, or each of a list of names.
fn one_or_many(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}
