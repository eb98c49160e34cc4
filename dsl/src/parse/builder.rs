//! Events to tree, without recursion.

use std::sync::Arc;

use saphyr_parser::{Event, ScalarStyle, Tag};

use super::anchors::{Anchors, Found, Weighed};
use super::seen::Seen;
use super::{MAX_DEPTH, plain};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Span, Spanned};
use crate::tree::{Entry, Node, Value};

/// Puts a tree together.
pub(super) struct Builder<'a> {
    source: &'a Arc<SourceFile>,
    /// Values that could not be read.
    poison: Vec<Span>,
    frames: Vec<Frame>,
    anchors: Anchors,
    /// Open lists and maps within one that stands too deep.
    skipped: usize,
    root: Option<Node>,
    done: bool,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// A list or map that is not complete.
struct Frame {
    content: Content,
    span: Span,
    anchor: usize,
    /// Begins with `{{`: a template without quotes.
    template: bool,
    /// Has no tag that is not known.
    fine: bool,
    weight: usize,
    height: usize,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: Seen, key: Option<Spanned<String>> },
}

impl<'a> Builder<'a> {
    /// A builder for a file; values in `poison` are [`Value::Bad`].
    pub(super) fn new(source: &'a Arc<SourceFile>, poison: Vec<Span>) -> Self {
        Self {
            source,
            poison,
            frames: Vec::new(),
            anchors: Anchors::default(),
            skipped: 0,
            root: None,
            done: false,
            diagnostics: Vec::new(),
        }
    }

    /// The tree.
    pub(super) fn finish(self) -> (Node, Vec<Diagnostic>) {
        let root = self.root.unwrap_or(Node::new(Value::Null, Span::new(0, 0)));
        (root, self.diagnostics)
    }

    /// First bytes of brackets that are open.
    pub(super) fn open(&self) -> Vec<usize> {
        let brackets = self.frames.iter().map(|frame| frame.span.start);
        brackets.filter(|&at| self.source.text[at..].starts_with(['[', '{'])).collect()
    }

    /// Takes an event; false when no more are wanted.
    pub(super) fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(_) if self.done => {
                let found = self.error(Code::F0107, span, "a second document begins here");
                self.diagnostics
                    .push(found.help("put it in a file of its own: a file holds one pipeline"));
                return false;
            }
            Event::DocumentEnd => self.done = true,
            Event::SequenceStart(..) | Event::MappingStart(..) if self.skipped > 0 => {
                self.skipped += 1;
            }
            Event::SequenceEnd | Event::MappingEnd if self.skipped > 1 => self.skipped -= 1,
            Event::SequenceEnd | Event::MappingEnd if self.skipped == 1 => {
                self.skipped = 0;
                self.value(Weighed::leaf(Node::new(Value::Bad, span)), false);
            }
            _ if self.skipped > 0 => {}
            Event::SequenceStart(anchor, tag) => {
                let fine = self.tag(tag.as_deref(), &["seq"], span);
                self.open_frame(Content::List(Vec::new()), anchor, span, fine);
            }
            Event::MappingStart(anchor, tag) => {
                let fine = self.tag(tag.as_deref(), &["map"], span);
                let content =
                    Content::Map { entries: Vec::new(), seen: Seen::default(), key: None };
                self.open_frame(content, anchor, span, fine);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close_frame(span),
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text.into_owned(), style, anchor, tag.as_deref(), span);
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => {}
        }
        true
    }

    fn error(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.source, span, message)
    }

    fn open_frame(&mut self, content: Content, anchor: usize, span: Span, fine: bool) {
        if self.frames.len() >= MAX_DEPTH {
            self.skipped = 1;
            self.too_deep(span);
            return;
        }
        let text = &self.source.text[span.start..];
        // The span begins at the anchor or tag, if there is one.
        let start = if text.starts_with(['&', '!']) {
            span.start + self.source.text[span.start..span.end].rfind(['[', '{']).unwrap_or(0)
        } else {
            span.start
        };
        let template = self.source.text[start..].starts_with("{{");
        let span = Span::new(start, span.end);
        self.frames.push(Frame { content, span, anchor, template, fine, weight: 0, height: 0 });
    }

    fn too_deep(&mut self, span: Span) {
        if !self.diagnostics.iter().any(|found| found.code == Code::F0104) {
            let message = format!("more than {MAX_DEPTH} lists and maps stand inside each other");
            let found = self.error(Code::F0104, span, message);
            self.diagnostics.push(found.help("split it: no pipeline needs so many"));
        }
    }

    fn close_frame(&mut self, end: Span) {
        let Some(frame) = self.frames.pop() else { return };
        let (value, last) = match frame.content {
            Content::List(items) => {
                let last = items.last().map(|item| item.span.end);
                (Value::List(items), last)
            }
            Content::Map { entries, .. } => {
                let last = entries.last().map(|entry| entry.value.span.end.max(entry.key.span.end));
                (Value::Map(entries), last)
            }
        };
        let closed = self.source.text[end.start..end.end].starts_with([']', '}']);
        let end = if closed { end.start + 1 } else { last.unwrap_or(frame.span.end) };
        let span = Span::new(frame.span.start, end.max(frame.span.start));
        let value = if frame.template {
            self.template(span);
            Value::Bad
        } else if !frame.fine || self.is_poisoned(span.start) {
            Value::Bad
        } else {
            value
        };
        let weight = frame.weight + size_of::<Node>();
        let weighed = Weighed { node: Node::new(value, span), weight, height: frame.height + 1 };
        self.keep(frame.anchor, &weighed);
        self.value(weighed, false);
    }

    fn template(&mut self, span: Span) {
        if self.frames.iter().any(|frame| frame.template) {
            return;
        }
        let text = self.source.text[span.start..span.end].trim_end().to_owned();
        let found = self
            .error(Code::F0111, span, "a value that begins with `{{` must stand in quotes")
            .help(format!("write `\"{text}\"`"));
        self.diagnostics.push(found.fix(span, format!("\"{text}\"")));
    }

    fn keep(&mut self, anchor: usize, value: &Weighed) {
        if !self.anchors.keep(anchor, value) {
            self.too_much(value.node.span);
        }
    }

    fn too_much(&mut self, span: Span) {
        if !self.diagnostics.iter().any(|found| found.code == Code::F0105) {
            let found =
                self.error(Code::F0105, span, "the aliases of this file stand for too much");
            self.diagnostics.push(found.help("write the values out, or use fewer aliases"));
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) {
        let weighed = match self.anchors.copy(anchor) {
            Found::Copy(value) if value.height + self.frames.len() > MAX_DEPTH => {
                self.too_deep(span);
                Weighed::leaf(Node::new(Value::Bad, span))
            }
            Found::Copy(value) => value,
            Found::Inside => {
                let found = self.error(Code::F0105, span, "the alias stands inside its own value");
                self.diagnostics.push(found.help("write the value out"));
                Weighed::leaf(Node::new(Value::Bad, span))
            }
            Found::TooMuch => {
                self.too_much(span);
                Weighed::leaf(Node::new(Value::Bad, span))
            }
        };
        self.value(weighed, true);
    }

    fn is_poisoned(&self, at: usize) -> bool {
        self.poison.iter().any(|span| span.start <= at && at < span.end.max(span.start + 1))
    }

    fn scalar(
        &mut self,
        text: String,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) {
        let bare = style == ScalarStyle::Plain;
        let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
        let fine = self.tag(tag, &["str", "int", "float", "bool", "null"], span);
        let written = &self.source.text[span.start..span.end];
        // The scanner places a value that is not there at what follows.
        let absent = bare && text.is_empty() && tag.is_none() && !written.starts_with('&');
        let span = if absent {
            Span::new(span.start, span.start)
        } else {
            Span::new(
                span.start,
                span.start + quoted_length(written).unwrap_or(written.trim_end().len()),
            )
        };
        let value = if !fine || self.is_poisoned(span.start) {
            Value::Bad
        } else if core == Some("str") || core.is_none() && !bare {
            Value::String(text)
        } else {
            plain(&text)
        };
        let weighed = Weighed::leaf(Node::new(value, span));
        self.keep(anchor, &weighed);
        self.value(weighed, absent);
    }

    /// Whether a tag is one of those that change nothing.
    fn tag(&mut self, tag: Option<&Tag>, known: &[&str], span: Span) -> bool {
        let Some(tag) = tag else { return true };
        if tag.is_yaml_core_schema() && known.contains(&tag.suffix.as_str()) {
            return true;
        }
        let text = &self.source.text[span.start..span.end];
        let length = text.find(char::is_whitespace).unwrap_or(text.len());
        let written = text[..length].to_owned();
        let found = self
            .error(Code::F0108, span.part(0, length), format!("the tag `{written}` is not known"))
            .help("put the value in quotes if it is text; take the tag away otherwise");
        self.diagnostics.push(found);
        false
    }
}

/// Where a complete value goes.
impl Builder<'_> {
    /// `elsewhere`: the span does not lie where the value is used.
    fn value(&mut self, value: Weighed, elsewhere: bool) {
        let Some(frame) = self.frames.last_mut() else {
            self.root.get_or_insert(value.node);
            return;
        };
        frame.weight = frame.weight.saturating_add(value.weight);
        frame.height = frame.height.max(value.height);
        match &mut frame.content {
            Content::List(items) => items.push(value.node),
            Content::Map { entries, key, .. } => match key.take() {
                Some(key) => {
                    let mut node = value.node;
                    if elsewhere && node.value == Value::Null {
                        node.span = Span::new(key.span.end, key.span.end);
                    }
                    if key.value.is_empty() {
                        node.value = Value::Bad;
                    }
                    entries.push(Entry { key, value: node });
                }
                None => self.key(value.node),
            },
        }
    }

    fn key(&mut self, node: Node) {
        let span = node.span;
        let text = match node.value {
            Value::String(text) | Value::Number(text) => text,
            Value::Bool(flag) => flag.to_string(),
            Value::Null if !span_is_empty(span) => {
                self.source.text[span.start..span.end].to_owned()
            }
            _ => String::new(),
        };
        let template = self.frames.last().is_some_and(|frame| frame.template);
        if text == "<<" {
            let found =
                self.error(Code::F0110, span, "merge keys (`<<`) are not part of the language");
            self.diagnostics.push(found.help("write the keys out, or use `defaults:` for hints"));
        } else if text.is_empty() && !template && !self.is_poisoned(span.start) {
            let found = self.error(Code::F0109, span, "a key must be a single word or text");
            self.diagnostics.push(found.help("put it in quotes if it is meant as text"));
        }
        let text = if text == "<<" { String::new() } else { text };
        let Some(frame) = self.frames.last_mut() else { return };
        let Content::Map { entries, seen, key } = &mut frame.content else { return };
        if !text.is_empty()
            && let Some(first) = seen.insert(&text, span, entries)
        {
            let message = format!("`{text}` is set twice");
            self.diagnostics.push(
                Diagnostic::new(Code::F0102, self.source, span, message)
                    .label("again here")
                    .other(first, "first set here")
                    .help("delete one of the two"),
            );
        }
        *key = Some(Spanned::new(text, span));
    }
}

/// How long a text in quotes is; the scanner may take in the comment behind it.
fn quoted_length(written: &str) -> Option<usize> {
    let quote = written.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (mut escaped, mut ended) = (false, false);
    for (at, character) in written.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            // Two single quotes are one in the text.
            _ if character == quote => ended = !ended,
            _ if ended => return Some(at),
            _ => {}
        }
    }
    None
}

const fn span_is_empty(span: Span) -> bool {
    span.start == span.end
}
