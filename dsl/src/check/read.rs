//! Typed values out of the tree, with what is said when they are something else.

use std::fmt::Display;
use std::time::Duration;

use super::Checker;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::parse::plain;
use crate::scalar::{self, Rate};
use crate::tree::{Node, Value};

/// What a value is, in words.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Bad => "unreadable",
    }
}

impl Checker<'_> {
    /// `what` must be something else than it is.
    pub(super) fn wrong_type(&self, node: &Node, what: &str, wanted: &str) -> Diagnostic {
        let found = self.on(node, Code::F0205, format!("{what} must be {wanted}"));
        match &node.value {
            Value::Null => found.label("nothing stands here"),
            value => found.label(format!("this is {}", kind(value))),
        }
    }

    /// Text. Numbers and flags are asked to stand in quotes.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        let node = self.rendered(node, false);
        match &node.value {
            Value::String(text) => Some(text.clone()),
            Value::Bad => None,
            _ => {
                let found = self.wrong_text(&node, what);
                self.push(found);
                None
            }
        }
    }

    /// What is said when text must stand where something else does.
    pub(super) fn wrong_text(&self, node: &Node, what: &str) -> Diagnostic {
        let found = self.wrong_type(node, what, "text");
        let written = match &node.value {
            Value::Number(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            _ => return found,
        };
        let quoted = format!("\"{written}\"");
        found.help(format!("put it in quotes: `{quoted}`")).fix(node.span, quoted)
    }

    /// A whole number that is at least `least`.
    pub(super) fn whole<T>(&mut self, node: &Node, what: &str, least: T) -> Option<T>
    where
        T: std::str::FromStr + PartialOrd + Display + Copy,
    {
        let node = self.rendered(node, true);
        match &node.value {
            Value::Bad => None,
            Value::Number(text) => {
                let value = text.parse().ok().filter(|value: &T| *value >= least);
                if value.is_none() {
                    let whole = text.chars().all(|c| c.is_ascii_digit() || c == '-');
                    let message = if whole && !text.starts_with('-') && text.len() > 9 {
                        format!("{what} is too large a number")
                    } else if whole {
                        format!("{what} must be {least} or more")
                    } else {
                        format!("{what} must be a whole number")
                    };
                    let found = self.on(&node, Code::F0208, message);
                    self.push(found);
                }
                value
            }
            Value::String(text) if matches!(plain(text), Value::Number(_)) => {
                let found = self
                    .wrong_type(&node, what, "a number")
                    .help("take the quotes away")
                    .fix(node.span, text.clone());
                self.push(found);
                None
            }
            _ => {
                let found = self.wrong_type(&node, what, "a whole number");
                self.push(found);
                None
            }
        }
    }

    /// A time, `2m`.
    pub(super) fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        self.scalar(node, what, "duration", scalar::duration)
    }

    /// So many per time, `50/min`.
    pub(super) fn rate(&mut self, node: &Node, what: &str) -> Option<Rate> {
        self.scalar(node, what, "rate", scalar::rate)
    }

    /// A text with a form of its own.
    pub(super) fn scalar<T>(
        &mut self,
        node: &Node,
        what: &str,
        format: &str,
        read: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let node = self.rendered(node, false);
        let text = match &node.value {
            Value::Bad => return None,
            Value::String(text) | Value::Number(text) => text.clone(),
            _ => {
                let wanted = super::format::words(format);
                let found = self.wrong_type(&node, what, wanted);
                self.push(found);
                return None;
            }
        };
        let value = read(&text);
        if value.is_none() {
            let found = self.bad_format(&node, what, format, &text);
            self.push(found);
        }
        value
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(node, what)?;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let diagnostic = self.not_a_choice(node, what, &text, &words);
            self.push(diagnostic);
        }
        found.map(|&(_, value)| value)
    }

    /// What is said of a word that is none of the choices.
    pub(super) fn not_a_choice(
        &self,
        node: &Node,
        what: &str,
        text: &str,
        choices: &[&str],
    ) -> Diagnostic {
        let found = self.on(node, Code::F0207, format!("{what} cannot be `{text}`"));
        let all = super::keys::list(choices);
        match crate::suggest::closest(text, choices.iter().copied()) {
            Some(near) => {
                found.help(format!("did you mean `{near}`? it may be {all}")).fix(node.span, near)
            }
            None => found.help(format!("it may be {all}")),
        }
    }
}
