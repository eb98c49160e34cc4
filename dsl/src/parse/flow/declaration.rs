//! Declarations other than nodes: a word, a name, what it says.

use super::Section;
use super::reader::Reader;
use super::text::ends_word;
use super::token::Kind;
use crate::parse::seen::Seen;
use crate::source::{Span, Spanned};
use crate::tree::{Entry, Node, Value};

impl Reader<'_> {
    /// What the word of a declaration is followed by; none when it is nothing but a mistake.
    pub(super) fn declaration(&mut self, word: &str, at: Span) -> Vec<(Section, Entry)> {
        self.begin(2);
        let one = |section, entry| vec![(section, entry)];
        match word {
            "flow" => self.flow_and_title(at),
            "include" => one(Section::map("include", at), self.include()),
            "param" => one(Section::map("params", at), self.param()),
            "secret" => one(Section::map("secrets", at), self.named("secret")),
            "limit" => one(Section::map("limits", at), self.named("limit")),
            "schema" => one(Section::map("schemas", at), self.named("schema")),
            "profile" => one(Section::map("profiles", at), self.named("profile")),
            "test" => one(Section::map("tests", at), self.named("test")),
            "model" => one(Section::map("models", at), self.model()),
            "hook" => one(Section::map("hooks", at), self.hook()),
            "budget" | "defaults" => one(Section::Top, self.hints_or_value(word, at)),
            "schedule" => one(Section::list("schedule", at), self.schedule(at)),
            "each" => one(Section::map("stages", at), self.each(at)),
            _ => one(Section::map("stages", at), self.stage()),
        }
    }

    fn flow_and_title(&mut self, at: Span) -> Vec<(Section, Entry)> {
        let name = self.name("flow");
        let value = if name.value.is_empty() { Value::Bad } else { Value::String(name.value) };
        let key = Spanned::new("flow".to_owned(), at);
        let mut all = vec![(Section::Top, Entry { key, value: Node::new(value, name.span) })];
        self.spaces();
        if let Some(title) = self.quoted() {
            let key = Spanned::new("title".to_owned(), title.span);
            all.push((Section::Top, Entry { key, value: title }));
        }
        all
    }

    /// The name of a declaration; empty, and told of, when there is none.
    pub(super) fn name(&mut self, what: &str) -> Spanned<String> {
        self.spaces();
        if let Some(node) = self.quoted() {
            let text = node.as_str().unwrap_or_default().to_owned();
            return Spanned::new(text, node.span);
        }
        let span = self.take_while(|c| !ends_word(c) && !matches!(c, ':' | '=' | '<' | '#'));
        if span.start < span.end {
            self.token(Kind::Word, span.start);
        } else {
            let before = self.text[..span.start].trim_end().len();
            let message = format!("a name is missing behind `{what}`");
            let place = Span::new(before - what.len().min(before), before);
            let place =
                if self.text.get(place.start..place.end) == Some(what) { place } else { span };
            self.wrong(place, message, format!("write `{what} NAME`"));
        }
        Spanned::new(self.text[span.start..span.end].to_owned(), span)
    }

    /// `NAME {...}`, `NAME [...]` or `NAME = VALUE`.
    fn named(&mut self, what: &str) -> Entry {
        let key = self.name(what);
        self.spaces();
        let value = if self.equals() {
            if what == "secret" { self.secret(&key) } else { self.given(&key) }
        } else {
            self.block_or_hints()
        };
        entry(key, value)
    }

    /// `= env` is short for `{env: NAME}`.
    fn secret(&mut self, key: &Spanned<String>) -> Option<Node> {
        let node = self.given(key)?;
        if self.text[node.span.start..node.span.end] != *"env" {
            return Some(node);
        }
        let inner = Spanned::new("env".to_owned(), node.span);
        let value = Node::new(Value::String(key.value.clone()), key.span);
        Some(Node::new(Value::Map(vec![Entry { key: inner, value }]), node.span))
    }

    /// The value behind a `=`.
    fn given(&mut self, key: &Spanned<String>) -> Option<Node> {
        self.spaces();
        let value = self.value();
        if value.is_none() {
            let span = Span::new(key.span.start, key.span.end);
            let message = format!("`{}` has no value", key.value);
            self.wrong(span, message, format!("write `{} = VALUE`", key.value));
            return Some(Node::new(Value::Bad, span));
        }
        value
    }

    pub(super) fn equals(&mut self) -> bool {
        self.sign("=", Kind::Equals).is_some()
    }

    /// `{...}` or `[a: 1]`, on this line or the next.
    fn block_or_hints(&mut self) -> Option<Node> {
        if self.goes_on("{") {
            Some(self.map('{', '}'))
        } else if self.goes_on("[") {
            Some(self.map('[', ']'))
        } else {
            None
        }
    }

    /// Whether a declaration goes on with a sign, here or on one of the next lines.
    pub(super) fn goes_on(&mut self, sign: &str) -> bool {
        let (at, tokens) = (self.at, self.tokens.len());
        self.blanks();
        if self.rest().starts_with(sign) {
            return true;
        }
        self.at = at;
        self.tokens.truncate(tokens);
        false
    }

    fn hints_or_value(&mut self, word: &str, at: Span) -> Entry {
        self.depth = 1;
        self.spaces();
        let value = if self.goes_on("[") { Some(self.map('[', ']')) } else { self.value() };
        if value.is_none() {
            let help = format!("write `{word} [...]`");
            self.wrong(at, format!("`{word}` says nothing"), help);
        }
        let value = value.unwrap_or(Node::new(Value::Bad, at));
        Entry { key: Spanned::new(word.to_owned(), at), value }
    }

    /// `NAME: TYPE = DEFAULT {help: TEXT, choices: [...]}`.
    fn param(&mut self) -> Entry {
        let key = self.name("param");
        let mut parts = Vec::new();
        self.spaces();
        let colon = Span::new(self.at, self.at + 1);
        if self.sign(":", Kind::Colon).is_some() {
            self.spaces();
            let ty = self.head_word();
            if ty.is_none() {
                let help = format!("write `param {}: string`", key.value);
                self.wrong(colon, "a type is missing behind `:`", help);
            }
            parts.extend(ty.map(|ty| part("type", ty.span, ty)));
        }
        self.spaces();
        let equals = Span::new(self.at, self.at + 1);
        if self.equals() {
            let value = self.given(&key);
            parts.extend(value.map(|value| part("default", equals, value)));
        }
        let block = self.goes_on("{").then(|| self.map('{', '}'));
        let bare = parts.is_empty() && block.is_none();
        let parts = self.merged(parts, block);
        let span = Span::new(key.span.start, parts.last().map_or(key.span.end, end_of));
        entry(key, (!bare).then(|| Node::new(Value::Map(parts), span)))
    }

    /// `NAME: PROVIDER {...}`.
    fn model(&mut self) -> Entry {
        let key = self.name("model");
        self.spaces();
        if self.peek() == Some('=') {
            self.equals();
            let value = self.given(&key);
            return entry(key, value);
        }
        let provider = self.operation(&key, "model");
        let parts = provider.map(|node| part("provider", node.span, node)).into_iter().collect();
        let block = self.block_or_hints();
        self.whole(key, parts, block)
    }

    /// `EVENT: STAGE [...] {...}`.
    fn hook(&mut self) -> Entry {
        let key = self.name("hook");
        let uses = self.operation(&key, "hook");
        let mut parts: Vec<Entry> =
            uses.map(|node| part("uses", node.span, node)).into_iter().collect();
        let hints = self.goes_on("[").then(|| self.map('[', ']'));
        if self.goes_on("{") {
            let with = self.map('{', '}');
            parts.push(part("with", key.span, with));
        }
        self.whole(key, parts, hints)
    }

    /// What a declaration and its block say together; nothing when neither is there.
    fn whole(&mut self, key: Spanned<String>, parts: Vec<Entry>, block: Option<Node>) -> Entry {
        let bare = parts.is_empty() && block.is_none();
        let parts = self.merged(parts, block);
        let span = Span::new(key.span.start, parts.last().map_or(key.span.end, end_of));
        entry(key, (!bare).then(|| Node::new(Value::Map(parts), span)))
    }

    /// The stage or provider behind a name: `: read`. Its `:` may be missing.
    pub(super) fn operation(&mut self, key: &Spanned<String>, what: &str) -> Option<Node> {
        self.spaces();
        let colon = self.sign(":", Kind::Colon).is_some();
        self.spaces();
        if self.rest().starts_with(['<', '-', '=']) {
            return None;
        }
        let node = self.head_word()?;
        if !colon && !key.value.is_empty() {
            let word = &self.text[node.span.start..node.span.end];
            let message = format!("a `:` is missing behind `{}`", key.value);
            let help = format!("write `{what} {}: {word}`", key.value);
            self.wrong(key.span, message, help);
        }
        Some(node)
    }

    /// A word in the head of a declaration, where `=` and `<-` may follow without a blank. It is
    /// text even when it looks like a number.
    pub(super) fn head_word(&mut self) -> Option<Node> {
        if let Some(node) = self.quoted() {
            return Some(node);
        }
        let span = self.take_while(|c| !ends_word(c) && !matches!(c, '=' | '<' | '#'));
        if span.start == span.end {
            return None;
        }
        self.token(Kind::Word, span.start);
        Some(Node::new(Value::String(self.text[span.start..span.end].to_owned()), span))
    }

    /// The entries of a block behind others that the head of a declaration gives.
    pub(super) fn merged(&mut self, mut parts: Vec<Entry>, block: Option<Node>) -> Vec<Entry> {
        let mut seen = Seen::default();
        if let Some(Node { value: Value::Map(entries), .. }) = block {
            let head = parts.len();
            for entry in entries {
                // Those of the block itself were compared when it was read.
                if parts[..head].iter().any(|part| part.key.value == entry.key.value) {
                    self.again(&entry.key, &parts, &mut seen);
                }
                parts.push(entry);
            }
        }
        parts
    }

    /// `"FILE" as NAME`.
    fn include(&mut self) -> Entry {
        self.spaces();
        let file = self.quoted().or_else(|| self.bare());
        let Some(file) = file else {
            self.wrong(
                self.here(),
                "a file is missing behind `include`",
                "write `include \"FILE\" as NAME`",
            );
            return entry(Spanned::new(String::new(), self.here()), None);
        };
        self.spaces();
        let start = self.at;
        if self.rest().starts_with("as ") {
            self.at += 2;
            self.token(Kind::Word, start);
            let key = self.name("as");
            return Entry { key, value: file };
        }
        let help =
            format!("write `include {} as NAME`", &self.text[file.span.start..file.span.end]);
        self.wrong(file.span, "the included file has no name here", help);
        Entry {
            key: Spanned::new(String::new(), file.span),
            value: Node::new(Value::Bad, file.span),
        }
    }

    /// `"CRON" [tz: ..., ...]`.
    fn schedule(&mut self, at: Span) -> Entry {
        self.spaces();
        let cron = self.value();
        if cron.is_none() {
            self.wrong(at, "a time is missing behind `schedule`", "write `schedule \"0 6 * * *\"`");
        }
        let parts = cron.map(|node| part("cron", node.span, node)).into_iter().collect();
        let hints = self.goes_on("[").then(|| self.map('[', ']'));
        self.whole(Spanned::new("schedule".to_owned(), at), parts, hints)
    }
}

/// An entry without a value of its own is nothing, right behind its key.
pub(super) fn entry(key: Spanned<String>, value: Option<Node>) -> Entry {
    let after = Span::new(key.span.end, key.span.end);
    let mut value = value.unwrap_or(Node::new(Value::Null, after));
    if key.value.is_empty() {
        value.value = Value::Bad;
    }
    Entry { key, value }
}

/// A part of a declaration that stands in its head.
pub(super) fn part(key: &str, span: Span, value: Node) -> Entry {
    Entry { key: Spanned::new(key.to_owned(), span), value }
}

fn end_of(entry: &Entry) -> usize {
    entry.value.span.end.max(entry.key.span.end)
}
