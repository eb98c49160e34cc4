//! Reading the values of an entity schema, each with the diagnostics that it deserves.

use std::sync::Arc;

use flow_dsl::tree::{Entry, Node, Value};
use flow_dsl::{Code, Diagnostic, SourceFile, Span, Spanned, suggest};

use super::pattern::Pattern;

/// Collects what is wrong while the values are read.
pub(super) struct Reader<'a> {
    /// The file of the schema.
    pub(super) source: &'a Arc<SourceFile>,
    /// What is wrong so far.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Notes a mistake; the help comes with it.
    pub(super) fn wrong(&mut self, code: Code, span: Span, message: String, help: &str) {
        self.diagnostics.push(Diagnostic::new(code, self.source, span, message).help(help));
    }

    fn mistyped(&mut self, node: &Node, what: &str, wanted: &str) {
        if node.value != Value::Bad {
            // Words of our own stand without marks, the user's within.
            let ours = what.contains('`') || what == super::read::WHOLE;
            let what = if ours { what.to_owned() } else { format!("`{what}`") };
            let message = format!("{what} is {}, not {wanted}", kind_of(&node.value));
            let span = first_line(self.source, node.span);
            self.diagnostics.push(Diagnostic::new(Code::F0511, self.source, span, message));
        }
    }

    /// The entries of a map.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        if !matches!(node.value, Value::Map(_)) {
            self.mistyped(node, what, "a map");
        }
        node.entries()
    }

    /// The keys that mean something, and a diagnostic for each that does not.
    pub(super) fn known<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        keys: &'static [&'static str],
    ) -> Vec<(&'static str, &'n Node)> {
        let mut found = Vec::new();
        for entry in self.map(node, what) {
            if let Some(key) = keys.iter().find(|key| **key == entry.key.value) {
                found.push((*key, &entry.value));
                continue;
            }
            let wrong = &entry.key;
            let help = match suggest::closest(&wrong.value, keys.iter().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("it may have: {}", keys.join(", ")),
            };
            let message = format!("`{}` means nothing in {what}", wrong.value);
            self.wrong(Code::F0510, wrong.span, message, &help);
        }
        found
    }

    /// A text.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        match &node.value {
            Value::String(text) | Value::Number(text) => {
                Some(Spanned::new(text.clone(), node.span))
            }
            _ => {
                self.mistyped(node, what, "a text");
                None
            }
        }
    }

    /// A text or a list of them, each only once.
    pub(super) fn texts(&mut self, node: &Node, what: &str) -> Vec<Spanned<String>> {
        let texts: Vec<Spanned<String>> = match &node.value {
            Value::List(items) => items.iter().filter_map(|item| self.text(item, what)).collect(),
            Value::String(_) | Value::Number(_) => self.text(node, what).into_iter().collect(),
            _ => {
                self.mistyped(node, what, "a list of texts");
                Vec::new()
            }
        };
        self.only_once(&texts, what);
        texts
    }

    /// A diagnostic for each text that stands twice, whatever its accents and case.
    pub(super) fn only_once(&mut self, texts: &[Spanned<String>], what: &str) {
        let mut seen: std::collections::HashMap<String, Span> = std::collections::HashMap::new();
        for text in texts {
            let key = crate::model::plain::key(text.value.trim());
            match seen.get(&key) {
                Some(first) => {
                    let message = format!("`{}` stands twice in `{what}`", text.value);
                    self.diagnostics.push(
                        Diagnostic::new(Code::F0514, self.source, text.span, message)
                            .other(*first, "first here")
                            .help("remove one of them"),
                    );
                }
                None => {
                    seen.insert(key, text.span);
                }
            }
        }
    }

    /// Phrases: texts with a word in each.
    pub(super) fn phrases(&mut self, node: &Node, what: &str) -> Vec<String> {
        let mut phrases = Vec::new();
        for text in self.texts(node, what) {
            if text.value.contains(char::is_alphanumeric) {
                phrases.push(text.value);
            } else {
                let message = format!("`{}` in `{what}` holds no word", text.value);
                self.wrong(Code::F0511, text.span, message, "write words, or use `patterns`");
            }
        }
        phrases
    }

    /// Regular expressions, whatever the case of letters and their accents.
    pub(super) fn patterns(&mut self, node: &Node, what: &str) -> Vec<Pattern> {
        let texts = self.texts(node, what);
        texts.iter().filter_map(|text| self.pattern(text)).collect()
    }

    fn pattern(&mut self, text: &Spanned<String>) -> Option<Pattern> {
        Pattern::new(&text.value)
            .map_err(|message| {
                let help = "mend it, or write a phrase under `cues`";
                self.wrong(Code::F0512, text.span, message, help);
            })
            .ok()
    }

    /// A name that can be a column: `[a-z][a-z0-9_]*`.
    pub(super) fn name(&mut self, name: &Spanned<String>, what: &str) {
        let mut letters = name.value.chars();
        let first = letters.next().is_some_and(|letter| letter.is_ascii_lowercase());
        let rest = letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !(first && rest) {
            let message = format!("`{}` cannot be the name of a {what}", name.value);
            let help = "use lower-case letters, digits and `_`, a letter first";
            self.wrong(Code::F0515, name.span, message, help);
        }
    }

    /// A share from 0 to 1.
    pub(super) fn share(&mut self, node: &Node, what: &str) -> Option<f64> {
        let share = match &node.value {
            Value::Number(text) => text.parse().ok(),
            _ => None,
        };
        let share = share.filter(|share| (0.0..=1.0).contains(share));
        if share.is_none() && node.value != Value::Bad {
            let message = format!("`{what}` is not a number from 0 to 1");
            self.wrong(Code::F0511, node.span, message, "write it like `0.75`");
        }
        share
    }
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Bad => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

/// A long value is pointed at by its first line.
fn first_line(source: &SourceFile, span: Span) -> Span {
    let text = source.text.get(span.start..span.end).unwrap_or_default();
    Span::new(span.start, span.start + text.find(['\n', '\r']).unwrap_or(text.len()))
}
