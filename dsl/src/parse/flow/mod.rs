//! The `.flow` spelling to the tree that YAML gives: reading goes on behind each mistake.
//!
//! Declarations of one kind come together in one map, as they stand in YAML, wherever they are
//! written: `stage` in `stages`, `param` in `params`.

mod declaration;
mod node;
mod reader;
mod text;
mod token;
mod value;

use std::sync::Arc;

use reader::{DECLARATIONS, Reader};
pub(crate) use token::{Kind, Token};

use super::seen::Seen;
use super::too_large;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Span, Spanned};
use crate::suggest::closest;
use crate::tree::{Entry, Node, Value};

/// Where a declaration stands in the tree.
#[derive(Clone, Copy)]
enum Section {
    /// Beside the others: `flow`.
    Top,
    /// In a map of its kind.
    Map(&'static str, Span),
    /// In a list of its kind.
    List(&'static str, Span),
}

impl Section {
    const fn map(name: &'static str, at: Span) -> Self {
        Self::Map(name, at)
    }

    const fn list(name: &'static str, at: Span) -> Self {
        Self::List(name, at)
    }
}

/// Reads the `.flow` spelling. There is always a tree; what could not be read is [`Value::Bad`] in
/// it and a diagnostic beside it. An empty file is [`Value::Null`].
pub(super) fn flow(source: &Arc<SourceFile>) -> (Node, Vec<Diagnostic>) {
    if let Some(found) = too_large(source) {
        return (Node::new(Value::Bad, Span::new(0, source.text.len())), vec![found]);
    }
    let mut reader = Reader::new(source);
    let root = reader.file();
    let mut found = reader.found;
    found.sort_by_key(|found| found.label.span);
    (root, found)
}

/// The pieces of a file, in order; some may be left out when it has mistakes.
pub(crate) fn tokens(source: &Arc<SourceFile>) -> Vec<Token> {
    let mut reader = Reader::new(source);
    reader.file();
    reader.tokens
}

/// Whether a text begins as no YAML does: with the word of a declaration and no `:` behind it.
pub(crate) fn begins_flow(text: &str) -> bool {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let mut full = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    full.next().is_some_and(reader::is_declaration)
}

/// The declarations so far.
#[derive(Default)]
struct Tree {
    top: Vec<Entry>,
    seen: Seen,
    /// The keys of each map.
    inner: Vec<(&'static str, Seen)>,
}

impl Reader<'_> {
    fn file(&mut self) -> Node {
        let mut tree = Tree::default();
        loop {
            self.blanks();
            if self.at >= self.text.len() {
                break;
            }
            if !self.one(&mut tree) {
                return Node::new(Value::Bad, Span::new(0, self.text.len()));
            }
        }
        let first = tree.top.first().map_or(0, |entry| entry.key.span.start);
        let value = if tree.top.is_empty() { Value::Null } else { Value::Map(tree.top) };
        Node::new(value, Span::new(first, self.text.len()))
    }

    /// One declaration; false when the file is none of this spelling.
    fn one(&mut self, tree: &mut Tree) -> bool {
        let start = self.at;
        let at = self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-');
        let word = &self.text[at.start..at.end];
        if !word.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            self.junk(start);
            self.poison(tree, start);
            return true;
        }
        if tree.top.is_empty() && self.rest().starts_with(':') {
            let message = "the file is YAML, but its name ends in `.flow`";
            let help =
                "let its name end in `.yaml`; here a declaration has no `:`, as in `flow NAME`";
            self.found.push(self.mistake(Code::F0112, at, message, help));
            return false;
        }
        let known = DECLARATIONS.iter().find(|known| **known == word);
        let meant = known.copied().or_else(|| self.unknown(word, at));
        if let Some(meant) = meant {
            self.token(token::Kind::Word, start);
            let mut all = self.declaration(meant, at);
            self.end_of_line();
            if let Some((_, entry)) = all.last_mut().filter(|_| self.lost)
                && let Value::Map(parts) = &mut entry.value.value
            {
                parts.push(bad(self.here()));
            }
            for (section, entry) in all {
                self.put(tree, section, entry);
            }
        } else {
            self.poison(tree, start);
            self.skip();
        }
        true
    }

    /// A word that begins no declaration; gives the one that was meant.
    fn unknown(&mut self, word: &str, at: Span) -> Option<&'static str> {
        let near = closest(word, DECLARATIONS.iter().copied());
        if near.is_none() && crate::check::HINTS.contains(&word) {
            let message = format!("`{word}` is a hint of a node, not a declaration");
            let help = format!("write it behind a node, `[{word}: ...]`, or in `defaults [...]`");
            let found = self.mistake(Code::F0304, at, message, help);
            self.found.push(found.label("in the wrong place"));
            return None;
        }
        let message = format!("a pipeline has no declaration `{word}`");
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", crate::check::list(DECLARATIONS)),
        };
        let found = self.mistake(Code::F0201, at, message, help);
        self.found.push(match near {
            Some(near) => found.fix(at, near),
            None => found,
        });
        // Of what this version cannot run, nothing more is to be said.
        near.filter(|near| !matches!(*near, "include" | "each" | "schedule" | "hook" | "test"))
    }

    /// Lines that do not begin with a word.
    fn junk(&mut self, start: usize) {
        self.at = start;
        if matches!(self.peek(), Some('}' | ']')) {
            self.stray();
            self.skip();
            return;
        }
        let line = self.rest().lines().next().unwrap_or_default().trim_end();
        let span = Span::new(start, start + line.len());
        let begins = |c: char| c.is_alphabetic() || matches!(c, '_' | '#' | '\r' | '\n');
        loop {
            self.at += self.rest().find('\n').map_or(self.rest().len(), |line| line + 1);
            if self.peek().is_none_or(begins) {
                break;
            }
        }
        let help = "begin it with `stage`, `param` and the like";
        self.wrong(span, "the line is no declaration", help);
    }

    /// What could not be read may have been a declaration: whatever is missing may be there.
    fn poison(&mut self, tree: &mut Tree, start: usize) {
        let span = Span::new(start, start);
        if tree.top.iter().all(|entry| !entry.key.value.is_empty()) {
            tree.top.push(bad(span));
            self.put(tree, Section::map("stages", span), bad(span));
        }
    }

    fn put(&mut self, tree: &mut Tree, section: Section, entry: Entry) {
        let (name, at, is_list) = match section {
            Section::Top => {
                if !self.again(&entry.key, &tree.top, &mut tree.seen) {
                    tree.top.push(entry);
                }
                return;
            }
            Section::Map(name, at) => (name, at, false),
            Section::List(name, at) => (name, at, true),
        };
        let place =
            tree.top.iter().position(|known| known.key.value == name).unwrap_or_else(|| {
                let value = if is_list { Value::List(Vec::new()) } else { Value::Map(Vec::new()) };
                let key = Spanned::new(name.to_owned(), at);
                tree.top.push(Entry { key, value: Node::new(value, at) });
                tree.inner.push((name, Seen::default()));
                tree.top.len() - 1
            });
        let section = &mut tree.top[place].value;
        section.span.end = section.span.end.max(entry.value.span.end);
        match &mut section.value {
            Value::List(items) => items.push(entry.value),
            Value::Map(entries) => {
                if let Some((_, seen)) = tree.inner.iter_mut().find(|(known, _)| *known == name) {
                    self.again(&entry.key, entries, seen);
                }
                entries.push(entry);
            }
            _ => {}
        }
    }

    /// What follows a declaration on its line is too much.
    fn end_of_line(&mut self) {
        self.spaces();
        if self.line_ends() || self.was_unclosed() || self.must_end() {
            return;
        }
        if !self.open.is_empty() && self.peek() == Some('}') {
            return;
        }
        if matches!(self.peek(), Some('}' | ']')) {
            self.stray();
            self.skip();
            return;
        }
        let start = self.at;
        self.skip();
        self.lost = true;
        let line = self.text[start..self.at].lines().next().unwrap_or_default().trim_end();
        let span = Span::new(start, start + line.len());
        let help = "take it away; hints stand in `[...]`, settings in `{...}`";
        self.wrong(span, "this does not belong to the declaration before it", help);
    }
}

/// Something that nobody could read.
fn bad(span: Span) -> Entry {
    Entry { key: Spanned::new(String::new(), span), value: Node::new(Value::Bad, span) }
}
