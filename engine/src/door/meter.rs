//! What calls use, and how long an attempt has waited for limits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::report::Usage;

/// Counts what the calls of one node use.
#[derive(Debug, Default)]
pub struct UsageCount {
    calls: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
}

impl UsageCount {
    /// What was used so far.
    pub fn get(&self) -> Usage {
        Usage {
            calls: self.calls.load(Ordering::Relaxed),
            input_tokens: self.input_tokens.load(Ordering::Relaxed),
            output_tokens: self.output_tokens.load(Ordering::Relaxed),
        }
    }
}

/// Goes with one attempt: counts into its node's usage, and knows how long the attempt stood in
/// line for limits, since waiting one's turn is not the server's slowness.
#[derive(Debug, Default)]
pub struct Meter {
    usage: Arc<UsageCount>,
    line: Mutex<Line>,
    /// The limit that the attempt as a whole has passed, so that its calls need not.
    held: Option<String>,
}

#[derive(Debug, Default)]
struct Line {
    waited: Duration,
    waiting: usize,
    since: Option<Instant>,
}

impl Meter {
    /// A meter for an attempt of the node that counts here, and the limit that the attempt passes
    /// before it begins.
    pub fn new(usage: Arc<UsageCount>, held: Option<String>) -> Self {
        Self { usage, line: Mutex::default(), held }
    }

    /// Whether the attempt as a whole has passed this limit.
    pub(crate) fn holds(&self, limit: &str) -> bool {
        self.held.as_deref() == Some(limit)
    }

    /// Adds what a call used.
    pub fn add(&self, usage: Usage) {
        self.usage.calls.fetch_add(usage.calls, Ordering::Relaxed);
        self.usage.input_tokens.fetch_add(usage.input_tokens, Ordering::Relaxed);
        self.usage.output_tokens.fetch_add(usage.output_tokens, Ordering::Relaxed);
    }

    /// What the node has used so far.
    pub fn usage(&self) -> Usage {
        self.usage.get()
    }

    /// How long the attempt has stood in line, until now.
    pub(crate) fn waited(&self) -> Duration {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.waited + line.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Stands in line until the guard is dropped. Calls of one attempt that wait at the same time
    /// count once.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.waiting += 1;
        line.since.get_or_insert_with(Instant::now);
        Waiting(self)
    }
}

pub(crate) struct Waiting<'a>(&'a Meter);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut line = self.0.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.waiting -= 1;
        if line.waiting == 0
            && let Some(since) = line.since.take()
        {
            line.waited += since.elapsed();
        }
    }
}
