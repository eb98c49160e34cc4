//! What calls use, how long they take, and how long they wait and for what.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::latency::Histogram;
use super::{Endpoint, Money, Tokens};
use crate::report::{Latency, Usage, Waits};
use crate::stage::{Failure, FailureKind};

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its turn under a limit.
    Limit,
    /// The server, which asked for patience.
    Patience,
    /// The gate before a server that says nothing of what it can take.
    Gate,
    /// What calls in flight may leave of a budget.
    Budget,
    /// The time between two attempts.
    Backoff,
    /// The answer to the same question, which somebody else asks just now.
    Answer,
}

/// Counts what the calls of one node use.
#[derive(Debug, Default)]
pub struct UsageCount {
    calls: AtomicU64,
    reused: AtomicU64,
    input_tokens: AtomicU64,
    cached_tokens: AtomicU64,
    output_tokens: AtomicU64,
    cost: AtomicU64,
    unpriced: AtomicU64,
    lost: AtomicU64,
    lost_cost: AtomicU64,
    lost_unpriced: AtomicU64,
    models: Mutex<BTreeMap<String, Usage>>,
    /// By cause, in microseconds.
    waits: [AtomicU64; 6],
    latency: Histogram,
}

impl UsageCount {
    /// How long the calls have waited so far, and for what.
    pub fn waits(&self) -> Waits {
        let get = |cause: Cause| {
            Duration::from_micros(self.waits[cause as usize].load(Ordering::Relaxed))
        };
        Waits {
            limit: get(Cause::Limit),
            patience: get(Cause::Patience),
            gate: get(Cause::Gate),
            budget: get(Cause::Budget),
            backoff: get(Cause::Backoff),
            answer: get(Cause::Answer),
        }
    }

    /// How long the calls took that were answered so far.
    pub fn latency(&self) -> Latency {
        self.latency.get()
    }

    /// Counts a wait.
    pub(crate) fn waited(&self, cause: Cause, wait: Duration) {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.waits[cause as usize].fetch_add(micros, Ordering::Relaxed);
    }

    /// What answered calls used so far, by model.
    pub fn models(&self) -> BTreeMap<String, Usage> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn of_model(&self, model: &str, used: Usage) {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        match models.get_mut(model) {
            Some(usage) => *usage += used,
            None => {
                models.insert(model.to_owned(), used);
            }
        }
    }

    /// What was used so far.
    pub fn get(&self) -> Usage {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Usage {
            calls: get(&self.calls),
            reused: get(&self.reused),
            input_tokens: get(&self.input_tokens),
            cached_tokens: get(&self.cached_tokens),
            output_tokens: get(&self.output_tokens),
            cost: Money::from_parts(get(&self.cost)),
            unpriced: get(&self.unpriced),
            lost: get(&self.lost),
            lost_cost: Money::from_parts(get(&self.lost_cost)),
            lost_unpriced: get(&self.lost_unpriced),
        }
    }
}

/// Goes with one attempt: counts into its node's usage, and knows how long the attempt stood in
/// line for limits, since waiting one's turn is not the server's slowness.
#[derive(Debug, Default)]
pub struct Meter {
    usage: Arc<UsageCount>,
    /// The node, for its budget.
    node: Arc<str>,
    line: Mutex<Line>,
    /// The limit that the node names for its calls, besides those of its models.
    limit: Option<String>,
    /// The attempt, from 1.
    attempt: u32,
    /// The server that let it wait in vain as all others before, and how many they are.
    unheard: Mutex<Option<(String, u32)>>,
}

#[derive(Debug, Default)]
struct Line {
    waited: Duration,
    waiting: usize,
    since: Option<Instant>,
}

impl Meter {
    /// A meter for an attempt of the node that counts here, whose calls wait for a limit.
    pub fn new(usage: Arc<UsageCount>, limit: Option<String>, attempt: u32) -> Self {
        Self { usage, limit, attempt, ..Self::default() }
    }

    /// A meter for an attempt of this node.
    #[must_use]
    pub fn of(self, node: &Arc<str>) -> Self {
        Self { node: Arc::clone(node), ..self }
    }

    /// The node whose budget its calls keep to.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    /// The attempt, from 1.
    pub(crate) const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The limit that the node names for its calls.
    pub(crate) fn limit(&self) -> Option<&str> {
        self.limit.as_deref()
    }

    /// Counts an answer of an earlier run that made a call needless.
    pub(crate) fn reused(&self) {
        self.usage.reused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call that goes out and costs so much at most, if that is known.
    pub(crate) fn call(&self, most: Option<Money>) -> Sent<'_> {
        self.usage.calls.fetch_add(1, Ordering::Relaxed);
        Sent { usage: &self.usage, most, lost: true }
    }

    /// Counts how long an answer took.
    pub(crate) fn answered(&self, latency: Duration) {
        self.usage.latency.add(latency);
    }

    /// Counts what a call used, by the server's own count.
    pub(crate) fn used(&self, endpoint: &Endpoint, tokens: Tokens) {
        let add = |count: &AtomicU64, more| count.fetch_add(more, Ordering::Relaxed);
        add(&self.usage.input_tokens, tokens.input);
        add(&self.usage.cached_tokens, tokens.cached);
        add(&self.usage.output_tokens, tokens.output);
        let cost = endpoint.price.map_or(Money::ZERO, |price| price.of(tokens));
        let unpriced = u64::from(endpoint.price.is_none());
        add(&self.usage.cost, cost.parts());
        add(&self.usage.unpriced, unpriced);
        let used = Usage {
            calls: 1,
            input_tokens: tokens.input,
            cached_tokens: tokens.cached,
            output_tokens: tokens.output,
            cost,
            unpriced,
            ..Usage::default()
        };
        self.usage.of_model(&endpoint.model, used);
    }

    /// A call of the attempt was given up at a server that has answered none of so many.
    pub(super) fn unheard(&self, url: &str, calls: u32) {
        let mut unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        *unheard = Some((url.to_owned(), calls));
    }

    /// What it means that the attempt's time was up: a server that has answered nobody is gone.
    pub(crate) fn silence(&self, failure: Failure) -> Failure {
        let unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((url, calls)) = &*unheard else { return failure };
        let reason = format!("{}; {url} has answered none of {calls} calls", failure.reason);
        let help = "See that the server is there and that `base_url` of the model names it; if it is only \
                    slow, raise the `timeout` of the node. Then run it again.";
        Failure { reason, kind: FailureKind::Gone, help: Some(help.into()), ..failure }
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
    /// count once for its deadline, and each for itself among the waits.
    pub(crate) fn wait(&self, cause: Cause) -> Waiting<'_> {
        let now = Instant::now();
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.waiting += 1;
        line.since.get_or_insert(now);
        Waiting { meter: self, cause, since: now }
    }
}

/// A call that went out. Dropped without a word, as one is whose time is up, it counts as lost.
pub(crate) struct Sent<'a> {
    usage: &'a UsageCount,
    most: Option<Money>,
    lost: bool,
}

impl Sent<'_> {
    /// What it cost is known.
    pub(crate) fn settle(mut self) {
        self.lost = false;
    }
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if !self.lost {
            return;
        }
        let add = |count: &AtomicU64, more| count.fetch_add(more, Ordering::Relaxed);
        add(&self.usage.lost, 1);
        add(&self.usage.lost_cost, self.most.map_or(0, Money::parts));
        add(&self.usage.lost_unpriced, u64::from(self.most.is_none()));
    }
}

pub(crate) struct Waiting<'a> {
    meter: &'a Meter,
    cause: Cause,
    since: Instant,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        self.meter.usage.waited(self.cause, now - self.since);
        let mut line = self.meter.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.waiting -= 1;
        if line.waiting == 0
            && let Some(since) = line.since.take()
        {
            line.waited += now - since;
        }
    }
}
