//! What a stage says of its calls before it makes any.

use serde::Serialize;

use crate::door::Price;

/// A quantity that lies between two others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Band<T> {
    /// At least.
    pub low: T,
    /// At most.
    pub high: T,
}

impl<T> Band<T> {
    /// The same of both ends.
    pub fn map<U>(self, change: impl Fn(T) -> U) -> Band<U> {
        Band { low: change(self.low), high: change(self.high) }
    }
}

/// A model that a [`Call`](crate::stage::Call) asks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    /// As the file calls it.
    pub name: String,
    /// As its server calls it.
    pub model: String,
    /// What its tokens cost, when that is known.
    pub price: Option<Price>,
    /// The day for which the price holds, when it is not the file that says it.
    pub price_as_of: Option<&'static str>,
    /// The named limit that its calls wait for.
    pub limit: Option<String>,
    /// The most tokens of an answer, when its server is told them.
    pub most_output: Option<u64>,
    /// How the tokens that are sent are counted.
    pub counted: &'static str,
    /// The share by which that count may be off.
    pub counting_error: f64,
}

/// What calls are thought to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Calls.
    pub calls: u64,
    /// Calls that are not needed: an earlier run has the answer.
    pub reused: u64,
    /// Tokens sent.
    pub input_tokens: Band<u64>,
    /// Tokens received.
    pub output_tokens: Band<u64>,
}

impl std::ops::AddAssign for Estimate {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.reused += other.reused;
        self.input_tokens.low += other.input_tokens.low;
        self.input_tokens.high += other.input_tokens.high;
        self.output_tokens.low += other.output_tokens.low;
        self.output_tokens.high += other.output_tokens.high;
    }
}
