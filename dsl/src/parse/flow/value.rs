//! Values of a `.flow` file, and what may follow them.

use super::reader::Reader;
use super::text::ends_word;
use super::token::Kind;
use crate::code::Code;
use crate::parse::seen::Seen;
use crate::source::{Span, Spanned};
use crate::tree::{Entry, Node, Value};

impl Reader<'_> {
    /// The value that begins here; none where none stands.
    pub(super) fn value(&mut self) -> Option<Node> {
        if self.rest().starts_with("{{") {
            return Some(self.template(self.at));
        }
        match self.peek()? {
            '{' => Some(self.map('{', '}')),
            '[' => Some(self.list()),
            '\n' | '#' | ',' | '}' | ']' => None,
            _ => self.quoted().or_else(|| self.bare()),
        }
    }

    /// A value of a list or map, up to where the next one may begin.
    fn whole_value(&mut self) -> Option<Node> {
        let mut node = self.value()?;
        if self.value_ends() {
            return Some(node);
        }
        let start = node.span.start;
        if self.rest().trim_start().starts_with("{{") && node.value != Value::Bad {
            return Some(self.template(start));
        }
        if self.entry_begins() {
            let (message, help) =
                ("a `,` is missing before this", "write a comma, or begin a new line");
            self.spaces();
            let at = self.at;
            let word = self.take_while(|c| !ends_word(c) && c != ':');
            self.at = at;
            self.wrong(word, message, help);
            return Some(node);
        }
        let quoted = self.text[start..].starts_with(['"', '\'', '[', '{']);
        let known = node.value == Value::Bad;
        let tail = self.tail();
        let all = Span::new(start, self.at);
        node = Node::new(Value::Bad, all);
        let text = &self.text[start..self.at];
        if known {
        } else if quoted {
            let help = "put all of the value in single quotes: `'...'`";
            let message = "there is more text behind the value";
            let found = self.mistake(Code::F0101, tail, message, help);
            self.found.push(found.label("not part of it"));
        } else {
            let quoted = in_quotes(text);
            let help = format!("write `{quoted}`");
            let message = "text that has blanks must stand in quotes";
            let found = self.mistake(Code::F0101, all, message, help);
            self.found.push(found.fix(all, quoted));
        }
        Some(node)
    }

    /// Whether nothing more of the value follows.
    fn value_ends(&mut self) -> bool {
        let at = self.at;
        self.spaces();
        let apart = self.at > at;
        match self.peek() {
            None | Some('\n' | ',' | '}' | ']') => true,
            _ if self.must_end() => true,
            Some('{') if self.in_hints() => true,
            Some('#') => apart,
            _ => {
                self.at = at;
                false
            }
        }
    }

    /// Whether what follows is the next entry of a map, whose comma is missing.
    fn entry_begins(&self) -> bool {
        let rest = self.rest();
        let text = rest.trim_start_matches([' ', '\t']);
        let word = text.find(|c| ends_word(c) || c == ':').unwrap_or(text.len());
        let after = &text[word..];
        text.len() < rest.len()
            && word > 0
            && (self.in_hints() || self.open.last() != Some(&']'))
            && after.starts_with(':')
            && after[1..].chars().next().is_none_or(ends_word)
    }

    /// The rest of a value that cannot be one: up to a comma or bracket outside of parentheses.
    fn tail(&mut self) -> Span {
        self.spaces();
        let start = self.at;
        let (mut depth, mut blank) = (0_usize, false);
        while let Some(character) = self.peek() {
            match character {
                '\n' => break,
                '#' if blank => break,
                ',' | ']' | '}' if depth == 0 => break,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            blank = character.is_whitespace();
            self.at += character.len_utf8();
        }
        self.at = start + self.text[start..self.at].trim_end().len();
        self.since(start)
    }

    /// `{{ ... }}` without quotes.
    fn template(&mut self, start: usize) -> Node {
        let line = self.rest().find('\n').unwrap_or(self.rest().len());
        let end = self.rest()[..line].rfind("}}").map_or(line, |end| end + 2);
        self.at += end;
        // What is written right behind it belongs to it.
        self.take_while(|c| !ends_word(c));
        let end = start + self.text[start..self.at].trim_end().len();
        let span = Span::new(start, end);
        let quoted = in_quotes(&self.text[start..end]);
        let message = "a value with `{{` must stand in quotes";
        let help = format!("write `{quoted}`");
        let found = self.mistake(Code::F0111, span, message, help);
        self.found.push(found.fix(span, quoted));
        Node::new(Value::Bad, span)
    }

    /// `[a, b]`; also one on each line, without commas.
    fn list(&mut self) -> Node {
        let start = self.at;
        let Some(bracket) = self.open_bracket("[", ']') else { return self.skipped(start) };
        let mut items = Vec::new();
        while self.inside(bracket, ']') {
            if let Some(item) = self.whole_value() {
                items.push(item);
            } else {
                self.skip_sign();
            }
        }
        self.close_bracket(1);
        let value = if self.was_unclosed() { Value::Bad } else { Value::List(items) };
        Node::new(value, self.since(start))
    }

    /// `{a: 1, b: 2}`; also one on each line, without commas.
    pub(super) fn map(&mut self, opener: char, closer: char) -> Node {
        let start = self.at;
        let mut buffer = [0; 4];
        let Some(bracket) = self.open_bracket(opener.encode_utf8(&mut buffer), closer) else {
            return self.skipped(start);
        };
        let around = self.hints;
        self.hints = (closer == ']').then_some(self.open.len());
        let (mut entries, mut seen) = (Vec::new(), Seen::default());
        while self.inside(bracket, closer) {
            if closer == ']' && self.peek() == Some('{') {
                self.unclosed(bracket, closer);
                break;
            }
            let entry = self.entry();
            self.again(&entry.key, &entries, &mut seen);
            entries.push(entry);
        }
        self.hints = around;
        self.close_bracket(1);
        Node::new(Value::Map(entries), self.since(start))
    }

    pub(super) fn open_bracket(&mut self, opener: &str, closer: char) -> Option<Span> {
        let span = Span::new(self.at, self.at + opener.len());
        if !self.enter(1, span) {
            return None;
        }
        self.sign(opener, Kind::Open);
        self.open.push(closer);
        Some(span)
    }

    pub(super) fn close_bracket(&mut self, levels: usize) {
        self.open.pop();
        self.depth -= levels;
    }

    /// Something that stands too deep.
    fn skipped(&self, start: usize) -> Node {
        Node::new(Value::Bad, self.since(start))
    }

    /// Goes to what comes next between brackets; false when nothing does.
    pub(super) fn inside(&mut self, bracket: Span, closer: char) -> bool {
        loop {
            self.blanks();
            if self.must_end() {
                self.unclosed(bracket, closer);
                return false;
            }
            match self.peek() {
                Some(',') => drop(self.sign(",", Kind::Comma)),
                Some(character @ ('}' | ']')) if character == closer => {
                    self.at += 1;
                    self.token(Kind::Close, self.at - 1);
                    return false;
                }
                Some(character @ ('}' | ']')) if self.open.contains(&character) => {
                    self.unclosed(bracket, closer);
                    return false;
                }
                Some('}' | ']') => self.stray(),
                _ => return true,
            }
        }
    }

    /// A `:` where nothing can be.
    fn skip_sign(&mut self) {
        let start = self.at;
        self.at += self.peek().map_or(0, char::len_utf8);
        let span = self.since(start);
        let message = format!("`{}` has no place here", &self.text[start..self.at]);
        self.wrong(span, message, "take it away, or put the text in quotes");
    }

    fn entry(&mut self) -> Entry {
        let key = self.key();
        self.spaces();
        let start = self.at;
        if self.sign(":", Kind::Colon).is_none() {
            return self.without_colon(key);
        }
        self.spaces();
        if self.line_ends() {
            self.go_to_value();
        }
        let value = self.whole_value();
        let value = value.unwrap_or(Node::new(Value::Null, Span::new(start + 1, start + 1)));
        finished(key, value)
    }

    /// Goes to a value that stands on a line below its key, if what comes there is one.
    fn go_to_value(&mut self) {
        let (at, tokens) = (self.at, self.tokens.len());
        self.blanks();
        let text = self.rest();
        let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
        let word = match quote {
            Some(quote) => text[1..].find([quote, '\n']).map_or(text.len(), |end| end + 2),
            None => text.find(|c| ends_word(c) || matches!(c, ':' | '=')).unwrap_or(text.len()),
        };
        let next = text.get(word..).unwrap_or_default().trim_start();
        let block = text.starts_with("\"\"\"");
        if self.must_end() || !block && next.starts_with([':', '=']) {
            self.at = at;
            self.tokens.truncate(tokens);
        }
    }

    fn key(&mut self) -> Spanned<String> {
        if let Some(node) = self.quoted() {
            let text = node.as_str().unwrap_or_default().to_owned();
            if text.is_empty() && node.value != Value::Bad {
                self.no_key(node.span);
            }
            return Spanned::new(text, node.span);
        }
        if matches!(self.peek(), Some('[' | '{')) {
            let start = self.at;
            self.value();
            self.no_key(self.since(start));
            return Spanned::new(String::new(), self.since(start));
        }
        let span = self.take_while(|c| !ends_word(c) && !matches!(c, ':' | '='));
        if span.start == span.end {
            let sign = Span::new(self.at, self.at + self.peek().map_or(0, char::len_utf8));
            self.no_key(sign);
        } else {
            self.token(Kind::Word, span.start);
        }
        Spanned::new(self.text[span.start..span.end].to_owned(), span)
    }

    fn no_key(&mut self, span: Span) {
        let message = "a key must be a single word or text";
        let help = "put it in quotes if it is meant as text";
        self.found.push(self.mistake(Code::F0109, span, message, help));
    }

    fn without_colon(&mut self, key: Spanned<String>) -> Entry {
        let nameless = key.value.is_empty();
        let start = self.at;
        if !self.rest().starts_with("==") && self.sign("=", Kind::Equals).is_some() {
            let span = self.since(start);
            if !nameless {
                let message = format!("`=` stands where `:` belongs behind `{}`", key.value);
                let help = format!("write `{}: ...`", key.value);
                let found = self.mistake(Code::F0101, span, message, help);
                self.found.push(found.fix(span, ":"));
            }
            self.spaces();
            let value = self.whole_value();
            return finished(key, value.unwrap_or(Node::new(Value::Bad, span)));
        }
        if self.value_ends() {
            let message = format!("`{}` has no value", key.value);
            if !nameless {
                let help = format!("write `{}: VALUE`, or take it away", key.value);
                self.wrong(key.span, message, help);
            }
            return Entry { value: Node::new(Value::Bad, key.span), key };
        }
        let before = self.found.len();
        let value = self.value();
        // What follows is of the same mistake.
        let ends = self.value_ends() || value.as_ref().is_some_and(|_| self.entry_begins());
        if !ends {
            self.tail();
        }
        if !nameless && self.found.len() == before {
            let rest = self.text[start..self.at].trim();
            let message = format!("a `:` is missing behind `{}`", key.value);
            let help = format!("write `{}: {rest}`", key.value);
            self.wrong(key.span, message, help);
        }
        if value.is_none() && self.at == start {
            self.skip_sign();
            self.found.truncate(before);
        }
        let bad = Node::new(Value::Bad, key.span);
        finished(key, value.filter(|_| ends).unwrap_or(bad))
    }

    /// Tells of a key that is there already; true when it is.
    pub(super) fn again(
        &mut self,
        key: &Spanned<String>,
        entries: &[Entry],
        seen: &mut Seen,
    ) -> bool {
        if key.value.is_empty() {
            return false;
        }
        let first = seen.insert(&key.value, key.span, entries);
        if let Some(first) = first {
            let message = format!("`{}` is set twice", key.value);
            let found = self.mistake(Code::F0102, key.span, message, "delete one of the two");
            self.found.push(found.label("again here").other(first, "first set here"));
        }
        first.is_some()
    }
}

/// A value whose key nobody could read is none.
fn finished(key: Spanned<String>, mut value: Node) -> Entry {
    if key.value.is_empty() {
        value.value = Value::Bad;
    }
    Entry { key, value }
}

/// A text in quotes.
pub(super) fn in_quotes(text: &str) -> String {
    if text.contains(['"', '\\']) && !text.contains('\'') {
        format!("'{text}'")
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
