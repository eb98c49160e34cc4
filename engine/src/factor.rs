//! What decides on what becomes of a record at a node, piece by piece, so that it can be told which
//! piece changed from one run to the next.

use std::sync::Arc;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::record::Record;

/// 128 bits of XXH3 over a text.
pub type Hash = u128;

/// One thing that decides: `model`, `schema`, `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// What it is, in a word that the user knows.
    pub name: &'static str,
    /// All of it, as text.
    pub text: Arc<str>,
}

impl Factor {
    /// A thing and its text.
    pub fn new(name: &'static str, text: impl Into<Arc<str>>) -> Self {
        Self { name, text: text.into() }
    }

    /// The fields of a record, all of them.
    pub fn record(record: &Record) -> Self {
        Self::new("record", json(record))
    }

    /// What tells this text from others.
    pub fn hash(&self) -> Hash {
        xxh3_128(self.text.as_bytes())
    }
}

/// The fields of a record as JSON.
pub fn json(record: &Record) -> String {
    // A record is an object of JSON values, which can always be written.
    serde_json::to_string(record).unwrap_or_default()
}

/// What tells one set of factors from others, in their order.
pub fn key<'a>(factors: impl Iterator<Item = (&'a str, Hash)>) -> Hash {
    let mut all = Xxh3::new();
    for (name, hash) in factors {
        all.update(name.as_bytes());
        all.update(&[0]);
        all.update(&hash.to_le_bytes());
    }
    all.digest128()
}
