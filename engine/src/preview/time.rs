//! How long calls take: each node by its own parallelism, each limit for all that share it. All of
//! it goes on at once, so the slowest of them is the time of the run, and its bottleneck.

use std::time::Duration;

use flow_dsl::pipeline::Limit;
use flow_dsl::scalar::Rate;
use serde::Serialize;

use super::Band;
use super::predict::{Caller, Foreseen, Need};

/// Seconds of a call before its first token, at a quick server and at a slow one.
pub const FIRST_TOKEN: Band<f64> = Band { low: 0.3, high: 2.0 };
/// Tokens that a call receives in a second, at a quick server and at a slow one.
pub const TOKENS_PER_SECOND: Band<f64> = Band { low: 150.0, high: 30.0 };

/// Something that all or some of the calls wait for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Load {
    binds: Binds,
    pub(super) seconds: Band<f64>,
    /// The node with the most calls behind it, with the seconds that these take one after another.
    node: String,
    work: Band<f64>,
}

/// What makes calls wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "binds", rename_all = "snake_case")]
pub enum Binds {
    /// The calls that a node has in flight.
    Parallelism,
    /// The calls per time of a limit.
    Requests {
        /// The limit.
        limit: String,
    },
    /// The tokens per time of a limit.
    Tokens {
        /// The limit.
        limit: String,
    },
    /// The calls at once of a limit.
    Concurrency {
        /// The limit.
        limit: String,
    },
}

/// What a run waits for most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bottleneck {
    /// What it is.
    pub what: Binds,
    /// The node that waits most.
    pub node: String,
    /// Calls in flight at that node above which nothing gets faster, as things stand.
    pub enough: u64,
}

impl Bottleneck {
    /// The slowest of some loads.
    pub(super) fn of(loads: &[Load]) -> Option<Self> {
        let middle = |load: &Load| middle(load.seconds);
        let slowest = loads.iter().max_by(|a, b| middle(a).total_cmp(&middle(b)))?;
        // What holds the node back when it has calls enough in flight.
        let others = loads
            .iter()
            .filter(|load| load.binds != Binds::Parallelism && load.node == slowest.node);
        let wall = others.max_by(|a, b| middle(a).total_cmp(&middle(b)));
        let enough = wall.map_or(f64::INFINITY, |wall| self::middle(wall.work) / middle(wall));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast from a float keeps to the bounds"
        )]
        let enough = enough.ceil().max(1.0) as u64;
        Some(Self { what: slowest.binds.clone(), node: slowest.node.clone(), enough })
    }
}

/// All that the calls of a run wait for.
pub(super) fn loads(nodes: &[(Foreseen, Caller)], limits: &[Limit]) -> Vec<Load> {
    let mut loads = Vec::new();
    let needs: Vec<(&Caller, &str, Need)> = nodes
        .iter()
        .filter_map(|(node, caller)| Some((caller, node.node.as_str(), node.need?)))
        .filter(|(.., need)| need.calls > 0)
        .collect();
    for (caller, node, need) in &needs {
        let work = work(need);
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let at_once = (caller.parallelism as f64).min(need.calls as f64);
        let seconds = work.map(|work| work / at_once);
        loads.push(Load { binds: Binds::Parallelism, seconds, node: (*node).to_owned(), work });
    }
    for limit in limits {
        let name = &limit.name.value;
        let behind: Vec<&(&Caller, &str, Need)> =
            needs.iter().filter(|(caller, ..)| caller.limits.contains(name)).collect();
        let Some((_, node, most)) = behind.iter().max_by_key(|(.., need)| need.calls) else {
            continue;
        };
        let total = |of: fn(&Need) -> f64| behind.iter().map(|(.., need)| of(need)).sum::<f64>();
        let mut add = |binds: Binds, seconds: Band<f64>| {
            loads.push(Load { binds, seconds, node: (*node).to_owned(), work: work(most) });
        };
        if let Some(rate) = limit.requests {
            let seconds = spread(rate, total(|need| count(need.calls)));
            add(Binds::Requests { limit: name.clone() }, Band { low: seconds, high: seconds });
        }
        if let Some(rate) = limit.tokens {
            let low = total(|need| count(need.input_tokens.low + need.output_tokens.low));
            let high = total(|need| count(need.input_tokens.high + need.output_tokens.high));
            let seconds = Band { low: spread(rate, low), high: spread(rate, high) };
            add(Binds::Tokens { limit: name.clone() }, seconds);
        }
        if let Some(most) = limit.concurrency {
            let (low, high) = (total(|need| work(need).low), total(|need| work(need).high));
            #[expect(clippy::cast_precision_loss, reason = "calls at once are few")]
            let seconds = Band { low, high }.map(|work| work / most as f64);
            add(Binds::Concurrency { limit: name.clone() }, seconds);
        }
    }
    loads
}

/// What lies as many times above the one end as below the other, for ends that are far apart.
fn middle(band: Band<f64>) -> f64 {
    (band.low * band.high).sqrt()
}

/// Seconds that the calls of a node take one after another.
fn work(need: &Need) -> Band<f64> {
    let calls = count(need.calls);
    if let Some(past) = need.past {
        return Band { low: past.p50, high: past.p95 }.map(|time| calls * time.as_secs_f64());
    }
    Band {
        low: calls * FIRST_TOKEN.low + count(need.output_tokens.low) / TOKENS_PER_SECOND.low,
        high: calls * FIRST_TOKEN.high + count(need.output_tokens.high) / TOKENS_PER_SECOND.high,
    }
}

/// Seconds over which a rate spreads so many.
fn spread(rate: Rate, amount: f64) -> f64 {
    let once = Duration::as_secs_f64(&rate.per) / rate.count;
    (amount - 1.0).max(0.0) * once
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}
