//! The spanned tree that both spellings of the language give.

use std::sync::Arc;

use crate::source::{SourceFile, Span, Spanned};

/// A pipeline file as syntax alone: a map of declarations, each with its place.
#[derive(Debug, Clone)]
pub struct Ast {
    /// The file that it was read from.
    pub source: Arc<SourceFile>,
    /// The declarations: `flow`, `params`, `stages`, ...
    pub root: Node,
    /// Whether reading found no mistake: of a file that has one, no pipeline is made.
    pub sound: bool,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where, quotes included.
    pub span: Span,
    /// The file of `span`, when it is not the pipeline file itself (`--set`, an included file).
    pub source: Option<Arc<SourceFile>>,
}

/// What a [`Node`] holds: null, bool, number, string, list or map, and nothing else.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, with its text as it was written (`5.00`).
    Number(String),
    /// Anything else that is not a list or a map.
    String(String),
    /// `[a, b]`.
    List(Vec<Node>),
    /// `{a: 1}`, in the order of the file.
    Map(Vec<Entry>),
    /// Stood in a place that could not be read; already reported, so never reported again.
    Bad,
}

/// One `key: value` of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Spanned<String>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// A value at a place in the pipeline file.
    pub const fn new(value: Value, span: Span) -> Self {
        Self { value, span, source: None }
    }

    /// The value of `key`, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key.value == key).map(|entry| &entry.value)
    }

    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Whether another tree holds the same, wherever it stands.
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::List(mine), Value::List(items)) => {
                mine.len() == items.len()
                    && mine.iter().zip(items).all(|(own, item)| own.says_the_same(item))
            }
            (Value::Map(mine), Value::Map(entries)) => {
                mine.len() == entries.len()
                    && mine.iter().zip(entries).all(|(own, entry)| {
                        own.key.value == entry.key.value && own.value.says_the_same(&entry.value)
                    })
            }
            (mine, value) => mine == value,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The same value as JSON. A number that JSON cannot hold becomes its text.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null | Value::Bad => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(text) => {
                serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.clone()))
            }
            Value::String(text) => Json::String(text.clone()),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.value.clone(), entry.value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}
