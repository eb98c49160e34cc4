//! Texts of a `.flow` file: bare, in quotes, or over several lines.

use super::reader::Reader;
use super::token::Kind;
use crate::code::Code;
use crate::parse::plain;
use crate::source::Span;
use crate::tree::{Node, Value};

/// Whether a character ends a bare word wherever it stands.
pub(super) const fn ends_word(character: char) -> bool {
    matches!(character, ',' | '[' | ']' | '{' | '}') || character.is_whitespace()
}

impl Reader<'_> {
    /// A text in quotes, if one begins here.
    pub(super) fn quoted(&mut self) -> Option<Node> {
        let start = self.at;
        let value = match self.peek()? {
            '"' if self.rest().starts_with("\"\"\"") => self.lines(),
            '"' => self.double(),
            '\'' => self.single(),
            _ => return None,
        };
        self.token(Kind::Word, start);
        Some(Node::new(value.map_or(Value::Bad, Value::String), self.since(start)))
    }

    /// A bare word, if one begins here: up to a blank, a comma, a bracket, or a `:` before one.
    pub(super) fn bare(&mut self) -> Option<Node> {
        let start = self.at;
        let rest = self.rest();
        let end = rest.char_indices().find(|&(at, c)| {
            let next = || rest[at + 1..].chars().next();
            // A `{` behind a `:` begins a template that has no quotes.
            ends_word(c) || c == ':' && next().is_none_or(|c| ends_word(c) && c != '{')
        });
        self.at += end.map_or(rest.len(), |(at, _)| at);
        if self.at == start {
            return None;
        }
        self.token(Kind::Word, start);
        Some(Node::new(plain(&self.text[start..self.at]), self.since(start)))
    }

    /// A text in quotes whose end is missing.
    fn unclosed_quote(&mut self, quote: Span) -> Option<String> {
        self.at = quote.end;
        self.swallow(self.at + self.rest().find('\n').unwrap_or(self.rest().len()));
        let mark = &self.text[quote.start..quote.end];
        let message = format!("the quote `{mark}` is never closed");
        let help = format!("write `{mark}` at the end of the text too");
        let found = self.mistake(Code::F0101, quote, message, help);
        self.found.push(found.label("opened here"));
        None
    }

    fn single(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let part = self.take_while(|c| c != '\'' && c != '\n');
            text.push_str(&self.text[part.start..part.end]);
            if self.rest().starts_with("''") {
                text.push('\'');
                self.at += 2;
            } else if self.peek() == Some('\'') {
                self.at += 1;
                return Some(text);
            } else {
                return self.unclosed_quote(Span::new(start, start + 1));
            }
        }
    }

    fn double(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        let (mut text, mut fine) = (String::new(), true);
        loop {
            let part = self.take_while(|c| c != '"' && c != '\\' && c != '\n');
            text.push_str(&self.text[part.start..part.end]);
            match self.peek() {
                Some('"') => {
                    self.at += 1;
                    return fine.then_some(text);
                }
                Some('\\') => match self.escape() {
                    Some(character) => text.push(character),
                    None => fine = false,
                },
                _ => return self.unclosed_quote(Span::new(start, start + 1)),
            }
        }
    }

    /// `\n` and the like, as in JSON.
    fn escape(&mut self) -> Option<char> {
        let start = self.at;
        let (letter, length) = match self.rest()[1..].chars().next() {
            Some('u') => (None, 2),
            Some('\n') | None => (None, 1),
            Some(letter) => (Some(letter), 1 + letter.len_utf8()),
        };
        self.at += length;
        let character = match letter {
            Some(letter @ ('"' | '\\' | '/')) => Some(letter),
            Some('n') => Some('\n'),
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some(_) => None,
            None => self.unicode(),
        };
        if character.is_none() {
            let span = self.since(start);
            let message =
                format!("`{}` means nothing in double quotes", &self.text[start..self.at]);
            let help = "use single quotes: in them a backslash is only a backslash";
            self.wrong(span, message, help);
        }
        character
    }

    /// `00fc`, or two halves of a character as JSON writes them.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) && self.rest().starts_with("\\u") {
            self.at += 2;
            let second = self.hex().filter(|second| (0xdc00..0xe000).contains(second))?;
            return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
        }
        char::from_u32(first)
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let all = digits.chars().all(|c| c.is_ascii_hexdigit());
        let value = all.then(|| u32::from_str_radix(digits, 16).ok()).flatten()?;
        self.at += 4;
        Some(value)
    }

    /// `"""`: lines as they stand, less the indentation that all of them have.
    fn lines(&mut self) -> Option<String> {
        let start = self.at;
        let mark = Span::new(start, start + 3);
        self.at += 3;
        let first = self.take_while(|c| c != '\n');
        let head = self.text[first.start..first.end].trim();
        if !head.is_empty() {
            return self.lines_on_mark(mark, first);
        }
        let begin = (self.at + 1).min(self.text.len());
        while self.at < self.text.len() {
            self.at += 1;
            if self.must_end() {
                break;
            }
            let line = self.take_while(|c| c != '\n');
            let text = self.text[line.start..line.end].trim_start();
            if text.starts_with("\"\"\"") {
                self.at = line.end - text.len() + 3;
                let end = self.at - 3;
                return Some(unindented(&self.text[begin..end]));
            }
        }
        self.at = first.end;
        self.unclosed_quote(mark);
        self.leave();
        None
    }

    /// Text on the line of the `"""` itself.
    fn lines_on_mark(&mut self, mark: Span, first: Span) -> Option<String> {
        let inside = self.text[first.start..first.end].find("\"\"\"");
        let Some(length) = inside else {
            let rest = self.text[first.end..].find("\"\"\"");
            let next = self.text[first.end..].find("\n\n").unwrap_or(usize::MAX);
            if let Some(length) = rest.filter(|length| *length < next) {
                self.at = first.end + length + 3;
            }
            let message = "the text begins on the line of its `\"\"\"`";
            self.wrong(mark, message, "begin it on the next line");
            return None;
        };
        self.at = first.start + length + 3;
        let help = "write it in single or double quotes";
        self.wrong(mark, "`\"\"\"` is for text of several lines", help);
        None
    }
}

/// The lines of a text between `"""`, the last of which is what stands before the closing one.
fn unindented(text: &str) -> String {
    let lines: Vec<&str> =
        text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let (last, lines) = lines.split_last().unwrap_or((&"", &[]));
    let width = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let full = lines.iter().filter(|line| !line.trim().is_empty());
    let indent = full.map(|line| width(line)).chain([width(last)]).min().unwrap_or_default();
    let lines: Vec<&str> =
        lines.iter().map(|line| line.get(indent.min(width(line))..).unwrap_or_default()).collect();
    lines.join("\n")
}
