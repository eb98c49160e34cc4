//! The one door to the world: limits, usage, secrets. A stage asks it and never builds a client.

use std::sync::atomic::{AtomicU64, Ordering};

use flow_dsl::pipeline::Limit;

use crate::report::Usage;

/// The door.
#[derive(Debug)]
pub struct Door {}

impl Door {
    /// A door with these limits.
    pub fn new(limits: &[Limit]) -> Self {
        let _ = limits;
        Self {}
    }
}

/// Counts what one node's calls use.
#[derive(Debug, Default)]
pub struct Meter {
    calls: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
}

impl Meter {
    /// Adds what a call used.
    pub fn add(&self, usage: Usage) {
        self.calls.fetch_add(usage.calls, Ordering::Relaxed);
        self.input_tokens.fetch_add(usage.input_tokens, Ordering::Relaxed);
        self.output_tokens.fetch_add(usage.output_tokens, Ordering::Relaxed);
    }

    /// What was used so far.
    pub fn usage(&self) -> Usage {
        Usage {
            calls: self.calls.load(Ordering::Relaxed),
            input_tokens: self.input_tokens.load(Ordering::Relaxed),
            output_tokens: self.output_tokens.load(Ordering::Relaxed),
        }
    }
}

/// Secrets of this run; the values are found when first asked for and never shown.
#[derive(Default)]
pub struct Secrets {}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(hidden)")
    }
}
