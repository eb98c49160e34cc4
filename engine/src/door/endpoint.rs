//! A model at a server: where its calls go, how they show their key, what they cost.

use super::Secret;
use super::price::Price;

/// What a call asks of a model; the name by which OpenTelemetry calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// An answer in words.
    Chat,
    /// Vectors.
    Embeddings,
}

/// How a call shows its key.
#[derive(Debug, Clone)]
pub enum Key {
    /// As `Authorization: Bearer`.
    Bearer(Secret),
    /// In a header of its own.
    Header(&'static str, Secret),
}

impl Key {
    pub(super) const fn secret(&self) -> &Secret {
        match self {
            Self::Bearer(secret) | Self::Header(_, secret) => secret,
        }
    }
}

/// Where the calls of a model go.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The provider, as OpenTelemetry calls it: `openai`, `anthropic`.
    pub system: &'static str,
    /// The model, as the server calls it.
    pub model: String,
    /// What is asked of it.
    pub operation: Operation,
    /// Where to.
    pub url: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The key, when it needs one.
    pub key: Option<Key>,
    /// The named limit that its calls wait for.
    pub limit: Option<String>,
    /// What its tokens cost, when that is known.
    pub price: Option<Price>,
}

/// Tokens of a call, as a server counted them or as they are thought to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Sent, those from a cache of the server included.
    pub input: u64,
    /// Of those sent, read from a cache of the server.
    pub cached: u64,
    /// Received, those of its thoughts included.
    pub output: u64,
}
