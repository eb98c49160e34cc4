//! Reading JSON as models write it: cut off, with quotes that end too early or never, with commas
//! and brackets amiss.
//!
//! Goes once from left to right and looks ahead a few words at most; reads something from any text
//! whatever, and never deeper than [`DEEPEST`].

use serde_json::{Map, Value};

/// The deepest nesting that is read; what is deeper is passed over.
const DEEPEST: usize = 64;
/// Bytes that are looked at to tell whether a key follows.
const AHEAD: usize = 80;

/// The objects and lists in a text, as far as they can be told, with what is wrong set right; and
/// whether the last of them is cut off.
pub(super) fn values(text: &str) -> (Vec<Value>, bool) {
    let text = text.trim().trim_end_matches('`');
    let mut reader = Reader { text, at: 0, depth: 0, cut: false };
    let mut values = Vec::new();
    while let Some(step) = text[reader.at..].find(['{', '[']) {
        reader.at += step;
        let mut right = serde_json::Deserializer::from_str(reader.rest()).into_iter();
        if let Some(Ok(value)) = right.next() {
            reader.at += right.byte_offset();
            values.push(value);
        } else {
            values.extend(reader.value(Place::Item));
        }
    }
    (values, reader.cut)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// The text ended before what was begun.
    cut: bool,
}

/// Where a text in quotes stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Key,
    Member,
    Item,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip(&mut self, letter: char) {
        self.at += letter.len_utf8();
    }

    /// Passes over white space, commas and comments.
    fn pass(&mut self) {
        loop {
            let rest = self.rest().trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            self.at = self.text.len() - rest.len();
            let end = if rest.starts_with("/*") {
                rest.find("*/").map(|end| end + 2)
            } else if rest.starts_with("//") || rest.starts_with('#') {
                rest.find('\n')
            } else {
                return;
            };
            self.at = end.map_or(self.text.len(), |end| self.at + end);
        }
    }

    fn value(&mut self, place: Place) -> Option<Value> {
        let open = self.peek()?;
        if open != '{' && open != '[' {
            return match closing(open) {
                Some(_) => Some(Value::String(self.text(place))),
                None => self.bare(place),
            };
        }
        self.skip(open);
        if self.depth == DEEPEST {
            return None;
        }
        self.depth += 1;
        let value = if open == '{' { self.object() } else { self.list() };
        self.depth -= 1;
        Some(value)
    }

    fn object(&mut self) -> Value {
        let mut members = Map::new();
        loop {
            self.pass();
            match self.peek() {
                None => {
                    self.cut = true;
                    break;
                }
                Some(']') => break,
                Some(close @ '}') => {
                    self.skip(close);
                    break;
                }
                Some(stray @ ('{' | '[' | ':')) => self.skip(stray),
                Some(open) => {
                    let key = match closing(open) {
                        Some(_) => self.text(Place::Key),
                        None => self.word(|c| c == ':' || c == '"' || c == '}' || c == '\n'),
                    };
                    self.member(&mut members, key);
                }
            }
        }
        Value::Object(members)
    }

    /// A word without what should follow it is none.
    fn member(&mut self, members: &mut Map<String, Value>, key: String) {
        let before = self.at;
        self.at += self.rest().len() - self.rest().trim_start().len();
        if self.peek() != Some(':') {
            self.at = before;
            return;
        }
        self.skip(':');
        self.at += self.rest().len() - self.rest().trim_start().len();
        let value = match self.peek() {
            Some(',' | '}' | ']') | None => Some(Value::Null),
            Some(_) => self.value(Place::Member),
        };
        members.extend(value.map(|value| (key, value)));
    }

    fn list(&mut self) -> Value {
        let mut items = Vec::new();
        loop {
            self.pass();
            match self.peek() {
                Some(close @ ']') => {
                    self.skip(close);
                    break;
                }
                // A list whose end is missing ends with the object around it.
                Some('}') if self.depth > 1 => break,
                Some(stray @ (':' | '}')) => self.skip(stray),
                Some(_) => items.extend(self.value(Place::Item)),
                None => {
                    self.cut = true;
                    return Value::Array(items);
                }
            }
        }
        Value::Array(items)
    }

    /// A number, `true`, `false`, `null`, or a text without its quotes.
    fn bare(&mut self, place: Place) -> Option<Value> {
        let word = self.word(|c| {
            matches!(c, ',' | '}' | ']' | '"' | '\n') || (c == ':' && place == Place::Item)
        });
        Some(match word.to_ascii_lowercase().as_str() {
            "" | "..." | "…" => return None,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" | "none" | "undefined" | "nan" => Value::Null,
            _ => number(&word).unwrap_or(Value::String(word)),
        })
    }

    /// Up to a sign that ends it; goes on by a character at least.
    fn word(&mut self, ends: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..].find(ends).map_or(rest.len(), |end| first + end);
        let word = rest[..end].trim().to_owned();
        self.at += end;
        word
    }

    /// A text in quotes; a quote within that has no backslash is told from the last one by what
    /// follows.
    fn text(&mut self, place: Place) -> String {
        let mut text = String::new();
        let Some(close) = self.peek().and_then(closing) else { return text };
        self.at += self.peek().map_or(0, char::len_utf8);
        // The last quote that was taken for one of the text: its place here and there.
        let mut inner: Option<(usize, usize)> = None;
        while let Some(letter) = self.peek() {
            let here = self.at;
            self.skip(letter);
            if letter == '\\' {
                self.escape(&mut text);
            } else if close.contains(&letter) {
                if place == Place::Key && text.trim_end().ends_with(':') {
                    // `"key: "value"`: the quote opens the value.
                    self.at = here - 1 - (text.len() - text.trim_end().len());
                    return text.trim_end().trim_end_matches(':').to_owned();
                }
                if self.ends(place) {
                    return text;
                }
                if let Some((there, length)) = inner
                    && place == Place::Member
                    && self.rest().trim_start().starts_with(':')
                {
                    // `"value, "key":`: the one before opened a key.
                    self.at = there;
                    text.truncate(length);
                    return text.trim_end().trim_end_matches(',').to_owned();
                }
                inner = Some((here, text.len()));
                text.push(letter);
            } else {
                text.push(letter);
            }
        }
        // Cut off: brackets at the very end close what is around the text.
        text.trim_end_matches(|c: char| c.is_whitespace() || c == '}' || c == ']').to_owned()
    }

    /// Whether a quote that was just passed ends its text.
    fn ends(&self, place: Place) -> bool {
        let rest = self.rest().trim_start();
        let Some(next) = rest.chars().next() else { return true };
        match place {
            Place::Key => next == ':',
            Place::Item => match next {
                ']' | '}' | ':' | '"' | '/' | '#' => true,
                ',' => {
                    !rest[1..].trim_start().starts_with(|c: char| c.is_alphabetic())
                        || word_of_json(rest[1..].trim_start())
                }
                _ => false,
            },
            Place::Member => match next {
                ']' | '}' => true,
                ',' => begins_member(rest[1..].trim_start()),
                '/' | '#' => rest.starts_with("//") || rest.starts_with("/*") || next == '#',
                _ => closing(next).is_some() && begins_member(rest),
            },
        }
    }

    fn escape(&mut self, text: &mut String) {
        let Some(letter) = self.peek() else { return };
        self.skip(letter);
        match letter {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' | 'f' => text.push(' '),
            'u' => {
                let unit = |rest: &str| u16::from_str_radix(rest.get(..4)?, 16).ok();
                let Some(first) = unit(self.rest()) else { return text.push_str("\\u") };
                self.at += 4;
                let second = self.rest().strip_prefix("\\u").and_then(unit);
                let units = [first, second.unwrap_or_default()];
                match char::decode_utf16(units).next() {
                    Some(Ok(letter)) => {
                        self.at += if u32::from(letter) > 0xffff { 6 } else { 0 };
                        text.push(letter);
                    }
                    _ => text.push(char::REPLACEMENT_CHARACTER),
                }
            }
            '/' | '\\' | '\'' | '"' | '“' | '”' | '„' => text.push(letter),
            other => text.extend(['\\', other]),
        }
    }
}

/// The signs that close a text which this one opens.
const fn closing(open: char) -> Option<&'static [char]> {
    match open {
        '"' => Some(&['"']),
        '\'' => Some(&['\'']),
        '“' | '”' => Some(&['“', '”']),
        _ => None,
    }
}

/// Whether an object goes on here, after a comma: with a key and a colon, or not at all.
fn begins_member(rest: &str) -> bool {
    let Some(first) = rest.chars().next() else { return true };
    let rest = &rest[..rest.floor_char_boundary(AHEAD)];
    let close = closing(first).unwrap_or(&[]);
    match first {
        '}' | ']' | '{' | '[' | '/' | '#' => true,
        _ if close.is_empty() => {
            let past = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
            past.len() < rest.len() && past.trim_start().starts_with(':')
        }
        _ => match rest[first.len_utf8()..].split_once(close) {
            Some((_, past)) => past.trim_start().starts_with(':'),
            None => true,
        },
    }
}

fn word_of_json(rest: &str) -> bool {
    ["true", "false", "null", "True", "False", "None"].iter().any(|word| rest.starts_with(word))
}

fn number(word: &str) -> Option<Value> {
    let digits: String = word.chars().filter(|c| *c != '_').collect();
    if !digits.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    digits.parse::<i64>().map(Value::from).ok().or_else(|| {
        let number: f64 = digits.parse().ok()?;
        serde_json::Number::from_f64(number).map(Value::Number)
    })
}

#[cfg(test)]
mod tests;
