//! What kinds of entity there are: an entity schema, read and checked.

mod load;
mod lower;
mod pattern;
mod read;
mod values;

use std::fmt;

use flow_dsl::Span;

pub(crate) use load::{Loaded, bytes, load};
pub(crate) use lower::answer_schema;
pub(crate) use pattern::Pattern;
pub(crate) use read::read;

/// The kinds of entity that are looked for, and how each is recognised.
#[derive(Debug, Clone)]
pub(crate) struct EntitySchema {
    /// In the order of the file; never empty.
    pub(crate) kinds: Vec<Kind>,
    /// Keys of the speakers whose sentences are passed over.
    pub(crate) skip_speakers: Vec<String>,
}

/// One kind of entity.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// `pain_point`.
    pub(crate) name: String,
    /// Where it is declared.
    pub(crate) span: Span,
    /// What it is, for people and models.
    pub(crate) description: String,
    /// What is asked about each entity.
    pub(crate) fields: Vec<Field>,
    /// Phrases that make a sentence an entity.
    pub(crate) cues: Vec<String>,
    /// Phrases that only add to the confidence.
    pub(crate) hints: Vec<String>,
    /// Phrases that rule the kind out for a sentence.
    pub(crate) unless: Vec<String>,
    /// Expressions that make a sentence an entity; the group `name` is its name.
    pub(crate) patterns: Vec<Pattern>,
    /// Names that are entities wherever they stand, each with its spellings.
    pub(crate) words: Vec<(String, Vec<String>)>,
    /// How much each sort of evidence counts.
    pub(crate) weights: Weights,
}

/// How much each sort of evidence counts, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weights {
    /// A cue.
    pub(crate) cue: f64,
    /// A hint.
    pub(crate) hint: f64,
    /// A pattern.
    pub(crate) pattern: f64,
    /// A word.
    pub(crate) word: f64,
}

impl Weights {
    /// Unless the schema says otherwise.
    pub(crate) const USUAL: Self = Self { cue: 0.75, hint: 0.3, pattern: 0.8, word: 0.8 };
}

/// Something that is asked about each entity of a kind.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// `severity`.
    pub(crate) name: String,
    /// What it is, for people and models.
    pub(crate) description: String,
    /// What it holds.
    pub(crate) of: FieldType,
    /// How rules find its value.
    pub(crate) find: Vec<Finder>,
}

/// What a field holds, beside null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldType {
    /// `string`.
    Text,
    /// `number`.
    Number,
    /// `integer`.
    Integer,
    /// `boolean`.
    Boolean,
    /// `list`, of strings.
    Texts,
    /// `enum: [low, high]`.
    Choice(Vec<String>),
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("a text"),
            Self::Number => f.write_str("a number"),
            Self::Integer => f.write_str("a whole number"),
            Self::Boolean => f.write_str("true or false"),
            Self::Texts => f.write_str("a list of texts"),
            Self::Choice(choices) => write!(f, "one of: {}", choices.join(", ")),
        }
    }
}

/// An expression that finds the value of a field in a quote.
#[derive(Debug, Clone)]
pub(crate) struct Finder {
    /// Its first group, or the whole of it, is the value.
    pub(crate) pattern: Pattern,
    /// The value that it stands for, in a field with choices.
    pub(crate) choice: Option<String>,
}
