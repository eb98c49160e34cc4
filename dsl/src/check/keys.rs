//! The keys that a file may use at each level, and what is said of others.

use super::Checker;
use crate::code::Code;
use crate::suggest::closest;
use crate::tree::{Entry, Node, Value};

/// Declarations of this version.
pub(super) const TOP: &[&str] = &[
    "flow", "title", "params", "secrets", "limits", "budget", "models", "schemas", "profiles",
    "defaults", "stages",
];

/// Declarations of the language that this version cannot run.
const TOP_LATER: &[&str] = &["include", "schedule", "hooks", "tests"];

/// Keys of a node that are not hints.
pub(super) const NODE: &[&str] = &["uses", "from", "with"];

/// Keys of a node that this version cannot run.
const NODE_LATER: &[&str] = &["each", "as", "stages", "output"];

/// What the engine reads of a node.
pub(crate) const HINTS: &[&str] = &[
    "parallelism",
    "batch_size",
    "batch_wait",
    "buffer",
    "order",
    "timeout",
    "deadline",
    "retry",
    "backoff",
    "on_retry",
    "on_error",
    "max_failures",
    "limit",
    "budget",
    "cache",
    "when",
    "tags",
];

impl Checker<'_> {
    /// A map, where one must stand: nothing counts as empty, anything else is a mistake.
    fn is_map(&mut self, node: &Node, what: &str) -> bool {
        match &node.value {
            Value::Map(_) | Value::Null => true,
            Value::Bad => false,
            _ => {
                let message = format!("{what} must be a map of `key: value`");
                let found = self.on(node, Code::F0205, message);
                self.push(found.label(format!("this is {}", super::read::kind(&node.value))));
                false
            }
        }
    }

    /// The entries of a declaration whose keys are names; complains of names that cannot be.
    pub(super) fn named<'n>(&mut self, root: &'n Node, section: &str) -> Vec<&'n Entry> {
        let Some(node) = root.get(section) else { return Vec::new() };
        if !self.is_map(node, &format!("`{section}`")) {
            return Vec::new();
        }
        for entry in node.entries() {
            self.check_name(entry);
        }
        node.entries().iter().collect()
    }

    fn check_name(&mut self, entry: &Entry) {
        let name = &entry.key.value;
        if name.is_empty() || is_name(name) || entry.value.value == Value::Bad {
            return;
        }
        let found = self
            .at(&entry.value, entry.key.span, Code::F0217, format!("`{name}` cannot be a name"))
            .help(
                "a name has letters, digits, `_` and `-`; a dot means an output, as in `a.failed`",
            );
        self.push(found);
    }

    /// The entries of a map whose keys are fixed; complains of keys that are not known.
    pub(super) fn fixed<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &[&str],
    ) -> Option<Vec<&'n Entry>> {
        if !self.is_map(node, what) {
            return None;
        }
        for entry in node.entries() {
            self.check_key(entry, what, known);
        }
        Some(node.entries().iter().collect())
    }

    fn check_key(&mut self, entry: &Entry, what: &str, known: &[&str]) {
        let key = entry.key.value.as_str();
        if known.contains(&key) || key.is_empty() || entry.value.value == Value::Bad {
            return;
        }
        let found = self.unknown_key(entry, &format!("{what} has no key `{key}`"), known);
        self.push(found);
    }

    /// An unknown key, with the closest known one.
    pub(super) fn unknown_key(
        &self,
        entry: &Entry,
        message: &str,
        known: &[&str],
    ) -> crate::Diagnostic {
        let key = entry.key.value.as_str();
        let span = entry.key.span;
        let found = self.at(&entry.value, span, Code::F0201, message);
        match closest(key, known.iter().copied()) {
            Some(near) => found.help(format!("did you mean `{near}`?")).fix(span, near),
            None => found.help(format!("known here: {}", list(known))),
        }
    }

    /// The keys at the top of the file.
    pub(super) fn top_keys(&mut self, root: &Node) {
        for entry in root.entries() {
            let key = entry.key.value.as_str();
            if TOP_LATER.contains(&key) {
                let written = self.file.text.get(entry.key.span.start..entry.key.span.end);
                let word = self.spelled(key, written.unwrap_or(key));
                self.later(entry, &format!("`{word}`"));
            } else if HINTS.contains(&key) && closest(key, TOP.iter().copied()).is_none() {
                let found = self
                    .at(
                        &entry.value,
                        entry.key.span,
                        Code::F0304,
                        format!("`{key}` is a hint of a node, not a declaration"),
                    )
                    .label("in the wrong place")
                    .help("move it into a node below `stages:`, or into `defaults:` for all nodes");
                self.push(found);
            } else {
                self.check_key(entry, "a pipeline", TOP);
            }
        }
    }

    /// Something of the language that this version cannot run. True when it is.
    pub(super) fn node_key_later(&mut self, entry: &Entry) -> bool {
        let later = NODE_LATER.contains(&entry.key.value.as_str());
        if later {
            self.later(entry, &format!("`{}`", entry.key.value));
        }
        later
    }

    /// Says that this version cannot run something.
    pub(super) fn later(&mut self, entry: &Entry, what: &str) {
        let message = format!("{what} is not supported yet");
        let found = self
            .at(&entry.value, entry.key.span, Code::F0216, message)
            .help("take it out: this version would not do what it says");
        self.push(found);
    }
}

/// Whether a text may be the name of something.
pub(super) fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// Names in a row, in backticks.
pub(crate) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
