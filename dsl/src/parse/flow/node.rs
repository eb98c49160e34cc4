//! Nodes of a `.flow` file: `stage NAME: STAGE <- INPUTS [HINTS] {SETTINGS}`, and `each` blocks.

use super::declaration::{entry, part};
use super::reader::Reader;
use super::token::Kind;
use crate::code::Code;
use crate::parse::seen::Seen;
use crate::source::{Span, Spanned};
use crate::suggest::closest;
use crate::tree::{Entry, Node, Value};

/// What people write for `<-`.
const ARROWS: &[&str] = &["<--", "<=", "->", "=>", "<~", "<"];

/// What stands in the head of a node, and not among its hints.
const HEAD: &[(&str, &str)] = &[
    ("uses", "write the stage behind the name: `stage NAME: STAGE`"),
    ("from", "write the inputs behind the stage: `<- NODE`"),
    ("with", "write the settings behind the hints: `{...}`"),
];

impl Reader<'_> {
    /// A node, from its name on.
    pub(super) fn stage(&mut self) -> Entry {
        self.depth += 1;
        let key = self.name("stage");
        let uses = self.operation(&key, "stage");
        let place = uses.as_ref().map_or(key.span, |uses| uses.span);
        let mut parts: Vec<Entry> =
            uses.map(|node| part("uses", node.span, node)).into_iter().collect();
        parts.extend(self.from());
        let hints = self.hints();
        let mut parts = self.merged(parts, hints);
        if self.goes_on("{") {
            let with = self.map('{', '}');
            parts.push(part("with", place, with));
        }
        self.depth -= 1;
        let span = Span::new(key.span.start, self.at);
        entry(key, Some(Node::new(Value::Map(parts), span)))
    }

    /// `each NAME <- NODE [as: NAME] { stage ...; output NODE }`.
    pub(super) fn each(&mut self, at: Span) -> Entry {
        let key = self.name("each");
        let outer = self.from();
        let mut parts: Vec<Entry> =
            outer.map(|from| part("each", at, from.value)).into_iter().collect();
        if parts.is_empty() {
            parts.push(part("each", at, Node::new(Value::Null, self.here())));
        }
        let hints = self.hints();
        let mut parts = self.merged(parts, hints);
        if self.goes_on("{") {
            self.body(&mut parts);
        } else {
            let help = "write its nodes behind it: `{ stage ... }`";
            self.wrong(at, "the `each` block has no nodes", help);
        }
        let span = Span::new(key.span.start, self.at);
        entry(key, Some(Node::new(Value::Map(parts), span)))
    }

    fn body(&mut self, parts: &mut Vec<Entry>) {
        let start = self.at;
        let Some(bracket) = self.open_bracket("{", '}') else { return };
        if !self.enter(1, bracket) {
            return self.close_bracket(1);
        }
        let (mut nodes, mut seen) = (Vec::new(), Seen::default());
        while self.inside(bracket, '}') {
            let from = self.at;
            let word = self.take_while(|c| c.is_alphanumeric() || c == '_');
            match &self.text[word.start..word.end] {
                known @ ("stage" | "each") => {
                    self.token(Kind::Word, from);
                    let node = if known == "stage" { self.stage() } else { self.each(word) };
                    self.again(&node.key, &nodes, &mut seen);
                    nodes.push(node);
                    self.end_of_line();
                }
                "output" => {
                    self.token(Kind::Word, from);
                    let name = self.name("output");
                    let node = Node::new(Value::String(name.value), name.span);
                    parts.push(part("output", word, node));
                    self.end_of_line();
                }
                other => {
                    let message = format!("`{other}` cannot stand in an `each` block");
                    let near = closest(other, ["stage", "each", "output"]);
                    let help = near.map_or_else(
                        || "it holds `stage`, `each` and `output`".to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    );
                    self.found.push(self.mistake(Code::F0201, word, message, help));
                    self.at += self.peek().map_or(0, char::len_utf8);
                    self.skip();
                }
            }
        }
        self.close_bracket(2);
        let nodes = Node::new(Value::Map(nodes), self.since(start));
        parts.push(part("stages", bracket, nodes));
    }

    /// `[...]` of a node.
    fn hints(&mut self) -> Option<Node> {
        if !self.goes_on("[") {
            return None;
        }
        let mut hints = self.map('[', ']');
        if let Value::Map(entries) = &mut hints.value {
            entries.retain(|entry| {
                let head = HEAD.iter().find(|(key, _)| *key == entry.key.value);
                if let Some((key, help)) = head {
                    let message = format!("`{key}` is no hint");
                    let found = self.mistake(Code::F0304, entry.key.span, message, *help);
                    self.found.push(found.label("in the wrong place"));
                }
                head.is_none()
            });
        }
        Some(hints)
    }

    /// `<- a, b` or `<- left=a, right=b`.
    fn from(&mut self) -> Option<Entry> {
        let start = if self.goes_on("<-") && !self.rest().starts_with("<--") {
            self.sign("<-", Kind::Arrow)?.start
        } else {
            self.spaces();
            let arrow = ARROWS.iter().find(|arrow| self.rest().starts_with(**arrow))?;
            let arrow = self.sign(arrow, Kind::Arrow)?;
            let written = &self.text[arrow.start..arrow.end];
            let message = format!("`{written}` stands where `<-` belongs");
            let help = "write `<- NODE`: records flow from right to left";
            let found = self.mistake(Code::F0101, arrow, message, help);
            self.found.push(found.fix(arrow, "<-"));
            arrow.start
        };
        let arrow = self.since(start);
        let (bare, ported) = self.inputs();
        let span = Span::new(self.after_blank(arrow.end), self.at);
        let value = match (bare.len(), ported.len()) {
            (0, 0) => {
                let message = "a node is missing behind `<-`";
                self.wrong(arrow, message, "write `<- NODE`, or take the arrow away");
                Value::Bad
            }
            (1, 0) => return Some(part("from", arrow, bare.into_iter().next()?)),
            (_, 0) => Value::List(bare),
            (0, _) => Value::Map(ported),
            _ => {
                let message = "some of these inputs have a port and some have none";
                self.wrong(bare[0].span, message, "write `PORT=NODE` for all of them, or for none");
                Value::Bad
            }
        };
        Some(part("from", arrow, Node::new(value, span)))
    }

    fn after_blank(&self, at: usize) -> usize {
        let rest = &self.text[at..self.at.max(at)];
        at + rest.len() - rest.trim_start().len()
    }

    fn inputs(&mut self) -> (Vec<Node>, Vec<Entry>) {
        let (mut bare, mut ported) = (Vec::new(), Vec::<Entry>::new());
        let mut seen = Seen::default();
        loop {
            self.spaces();
            let Some(node) = self.head_word() else { break };
            self.spaces();
            let port = self.sign("=", Kind::Port);
            if port.is_some() {
                self.spaces();
                let key = Spanned::new(node.as_str().unwrap_or_default().to_owned(), node.span);
                self.again(&key, &ported, &mut seen);
                let value = if self.peek() == Some('[') { self.value() } else { self.head_word() };
                if value.is_none() {
                    let message = format!("a node is missing behind `{}=`", key.value);
                    self.wrong(key.span, message, format!("write `{}=NODE`", key.value));
                }
                let value = value.unwrap_or(Node::new(Value::Bad, key.span));
                ported.push(Entry { key, value });
            } else {
                bare.push(node);
            }
            self.spaces();
            let comma = self.at;
            if self.sign(",", Kind::Comma).is_none() {
                break;
            }
            self.blanks();
            if self.must_end() || matches!(self.peek(), Some('[' | '{')) {
                let message = "a node is missing behind `,`";
                self.wrong(
                    Span::new(comma, comma + 1),
                    message,
                    "write one, or take the comma away",
                );
                break;
            }
        }
        (bare, ported)
    }
}
