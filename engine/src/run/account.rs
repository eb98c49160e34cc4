//! What became of the records of one node, counted while it runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::door::UsageCount;
use crate::record::Record;
use crate::report::{NodeReport, Reject};
use crate::seldom::Seldom;

/// Rejects of a node that the report shows one by one.
const SHOWN: usize = 100;
/// Different reasons that the report counts one by one.
const REASONS: usize = 10;
/// Characters of a text that a shown reject keeps.
const TEXT: usize = 200;

/// The counters of a node.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) received: AtomicU64,
    pub(crate) passed: AtomicU64,
    pub(crate) filtered: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) pending: AtomicU64,
    /// Which of the rejects have a line in the log.
    pub(crate) log: Seldom,
    pub(crate) out: AtomicU64,
    pub(crate) kept: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) busy_micros: AtomicU64,
    pub(crate) in_flight: AtomicU64,
    pub(crate) done: AtomicBool,
    pub(crate) usage: std::sync::Arc<UsageCount>,
    /// Bits of an `f32`; not a number while unknown.
    fraction: AtomicU32,
    rejects: Mutex<Rejects>,
}

#[derive(Debug, Default)]
struct Rejects {
    shown: Vec<Reject>,
    reasons: BTreeMap<String, u64>,
}

impl Account {
    /// Records that entered, were not begun, and will not be: the run is ending.
    pub(crate) fn leave(&self, count: u64) {
        self.pending.fetch_add(count, Ordering::Relaxed);
    }

    /// The node ended without counting what it held: that is pending.
    pub(crate) fn abandon(&self) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let settled =
            get(&self.passed) + get(&self.filtered) + get(&self.rejected) + get(&self.pending);
        self.leave(get(&self.received).saturating_sub(settled));
    }

    /// Notes how far a source is.
    pub(crate) fn set_fraction(&self, fraction: Option<f32>) {
        self.fraction.store(fraction.unwrap_or(f32::NAN).to_bits(), Ordering::Relaxed);
    }

    /// How far a source is.
    pub(crate) fn fraction(&self) -> Option<f32> {
        let fraction = f32::from_bits(self.fraction.load(Ordering::Relaxed));
        fraction.is_finite().then_some(fraction)
    }

    /// Counts a reject and keeps it if it is among the first.
    pub(crate) fn reject(&self, node: &str, record: &Record, reason: &str, attempts: u32) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        let mut rejects = self.rejects.lock().unwrap_or_else(PoisonError::into_inner);
        let known = rejects.reasons.len() < REASONS || rejects.reasons.contains_key(reason);
        let key = if known { reason } else { "other reasons" };
        *rejects.reasons.entry(key.to_owned()).or_default() += 1;
        if rejects.shown.len() < SHOWN {
            rejects.shown.push(Reject {
                node: node.to_owned(),
                id: record.id.to_string(),
                path: record.path.as_deref().map(str::to_owned),
                line: (record.line > 0).then_some(record.line),
                reason: reason.to_owned(),
                attempts,
                fields: shortened(record),
            });
        }
    }

    /// The rejects that are shown one by one.
    pub(crate) fn rejects(&self) -> Vec<Reject> {
        self.rejects.lock().unwrap_or_else(PoisonError::into_inner).shown.clone()
    }

    /// The account as it stands.
    pub(crate) fn report(&self, node: &str, stage: &str) -> NodeReport {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        NodeReport {
            node: node.to_owned(),
            stage: stage.to_owned(),
            received: get(&self.received),
            passed: get(&self.passed),
            filtered: get(&self.filtered),
            rejected: get(&self.rejected),
            pending: get(&self.pending),
            out: get(&self.out),
            kept: get(&self.kept),
            retries: get(&self.retries),
            usage: self.usage.get(),
            models: self.usage.models(),
            waits: self.usage.waits(),
            latency: self.usage.latency(),
            reasons: self.rejects.lock().unwrap_or_else(PoisonError::into_inner).reasons.clone(),
            busy: Duration::from_micros(get(&self.busy_micros)),
        }
    }
}

fn shortened(record: &Record) -> Map<String, Value> {
    let cut = |value: &Value| match value {
        Value::String(text) if text.chars().count() > TEXT => {
            Value::String(text.chars().take(TEXT).chain(std::iter::once('…')).collect())
        }
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            if text.chars().count() > TEXT {
                Value::String(text.chars().take(TEXT).chain(std::iter::once('…')).collect())
            } else {
                value.clone()
            }
        }
        other => other.clone(),
    };
    record.fields().map(|(name, value)| (name.to_owned(), cut(value))).collect()
}
