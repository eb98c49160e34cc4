//! The calls, tokens and money that a run would need, told from its real input without a call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use petgraph::graph::NodeIndex;
use serde::Serialize;

use super::time::{Bottleneck, Load, loads};
use super::{Asked, Band, Estimate, PreviewError, cut, look};
use crate::door::{Money, Tokens};
use crate::ledger::{Answers, Kept, Ledger, Needed};
use crate::plan::{Plan, PlanNode};
use crate::record::Record;
use crate::run::{Tries, Turn, Turns};
use crate::stage::{Call, Gather, Pull, Source, Stage, StageError, Survey};

/// How far a run may be from earlier ones.
const LIKE: Band<f64> = Band { low: 0.75, high: 1.33 };

/// What a run would need.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// One for each node that calls, in the order of the file.
    pub nodes: Vec<Foreseen>,
    /// What all of them cost, less those of which it is not known.
    pub cost: Band<Money>,
    /// How long they take, all at once, in seconds.
    pub seconds: Band<f64>,
    /// Whether something is not known: then it is that much more.
    pub at_least: bool,
    /// What the run waits for most.
    pub bottleneck: Option<Bottleneck>,
}

/// What the calls of a node would need.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Foreseen {
    /// The node.
    pub node: String,
    /// The model that is asked first.
    pub model: Option<Asked>,
    /// How it is known.
    pub basis: Basis,
    /// The need, unless nothing is known.
    pub need: Option<Need>,
}

/// How a need is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "basis", rename_all = "snake_case")]
pub enum Basis {
    /// All that would come was counted.
    Counted,
    /// A part of the input was counted, the rest is taken to be like it.
    Sampled {
        /// The part, from 0 to 1.
        share: f64,
    },
    /// A part of the input was counted; nobody knows how much more there is.
    Begun,
    /// It depends on what another node makes of its records.
    Below {
        /// That node.
        node: String,
    },
    /// The stage cannot say.
    Untold,
}

/// Calls, tokens and money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Need {
    /// Records that enter.
    pub records: u64,
    /// Calls, when none fails.
    pub calls: u64,
    /// Calls that are not needed: an earlier run has the answer.
    pub reused: u64,
    /// Tokens sent.
    pub input_tokens: Band<u64>,
    /// Tokens received.
    pub output_tokens: Band<u64>,
    /// What they cost; none when the price is not known.
    pub cost: Option<Band<Money>>,
    /// What calls needed in earlier runs, when there were enough of them; else tokens received and
    /// times are assumed.
    pub past: Option<Needed>,
}

/// What has been counted.
#[derive(Debug, Default)]
struct Sum {
    records: u64,
    estimate: Estimate,
    untold: bool,
}

/// Foresees a run that has a ledger and tries some records. All of the input is read, or as much as
/// can be in a time.
pub async fn predict(
    plan: Plan,
    time: Option<Duration>,
    ledger: Option<&Arc<Ledger>>,
    tries: Tries,
) -> Result<Prediction, PreviewError> {
    let tries = Arc::new(tries);
    let calls: Vec<(NodeIndex, Caller)> = plan
        .graph
        .node_indices()
        .filter_map(|at| {
            let caller = Caller::of(&plan.graph[at], cut::unforeseen(&plan, at), ledger)?;
            let turns = ledger.map(|ledger| Turns::of(&plan.graph[at], &tries, ledger));
            Some((at, Caller { turns, ..caller }))
        })
        .collect();
    let limits = plan.limits.clone();
    let foreseen: Vec<NodeIndex> =
        calls.iter().filter(|(_, caller)| caller.below.is_none()).map(|(at, _)| *at).collect();
    let read = Arc::new(Mutex::new(Read::default()));
    if !foreseen.is_empty() {
        let until = time.map(|time| Instant::now() + time);
        let part = cut::above(plan, &foreseen, |at, stage| match stage {
            Stage::Source(source) => {
                Stage::Source(Box::new(Sampled { source, until, read: Arc::clone(&read) }))
            }
            stage => {
                let caller = calls.iter().find(|(call, _)| *call == at);
                caller.map_or(stage, |(_, caller)| caller.tap())
            }
        });
        look(part).await?;
    }
    let read = *read.lock().unwrap_or_else(PoisonError::into_inner);
    let nodes: Vec<(Foreseen, Caller)> =
        calls.into_iter().map(|(_, caller)| (caller.foreseen(read), caller)).collect();
    let loads = loads(&nodes, &limits);
    Ok(sum(nodes, &loads))
}

fn sum(nodes: Vec<(Foreseen, Caller)>, loads: &[Load]) -> Prediction {
    let nodes: Vec<Foreseen> = nodes.into_iter().map(|(node, _)| node).collect();
    let costs = || nodes.iter().filter_map(|node| node.need?.cost);
    let unknown = |node: &Foreseen| {
        node.basis == Basis::Begun
            || node.need.is_none_or(|need| need.calls > 0 && need.cost.is_none())
    };
    Prediction {
        cost: Band {
            low: costs().map(|cost| cost.low).sum(),
            high: costs().map(|cost| cost.high).sum(),
        },
        seconds: Band {
            low: loads.iter().map(|load| load.seconds.low).fold(0.0, f64::max),
            high: loads.iter().map(|load| load.seconds.high).fold(0.0, f64::max),
        },
        at_least: nodes.iter().any(unknown),
        bottleneck: Bottleneck::of(loads),
        nodes,
    }
}

/// A node that calls, and what has been counted for it.
pub(super) struct Caller {
    node: String,
    call: Arc<dyn Call>,
    known: Arc<Answers>,
    turns: Option<Turns>,
    past: Option<Needed>,
    pub(super) asked: Option<Asked>,
    /// The limits that its calls wait for.
    pub(super) limits: Vec<String>,
    pub(super) parallelism: usize,
    batch_size: usize,
    below: Option<String>,
    sum: Arc<Mutex<Sum>>,
}

impl Caller {
    fn of(node: &PlanNode, below: Option<String>, ledger: Option<&Arc<Ledger>>) -> Option<Self> {
        let Stage::Call(call) = &node.stage else { return None };
        let asked = call.models().into_iter().next();
        let model_limit = asked.as_ref().and_then(|asked| asked.limit.clone());
        let mut limits: Vec<String> =
            node.hints.limit.clone().into_iter().chain(model_limit).collect();
        limits.dedup();
        let past = asked.as_ref().zip(ledger);
        let past = past.and_then(|(asked, ledger)| ledger.past(&node.name, &asked.model));
        let (name, cache) = (node.name.as_str().into(), node.hints.cache);
        let kept = ledger.map(|ledger| Kept {
            ledger: Arc::clone(ledger),
            node: name,
            cache,
            spender: None,
        });
        Some(Self {
            node: node.name.clone(),
            call: Arc::clone(call),
            known: Arc::new(Answers::new(kept)),
            turns: None,
            past,
            asked,
            limits,
            parallelism: node.hints.parallelism,
            batch_size: node.hints.batch_size.max(1),
            below,
            sum: Arc::default(),
        })
    }

    fn tap(&self) -> Stage {
        Stage::Gather(Box::new(Count {
            call: Arc::clone(&self.call),
            known: Arc::clone(&self.known),
            turns: self.turns.clone(),
            batch_size: self.batch_size,
            held: Vec::new(),
            sum: Arc::clone(&self.sum),
        }))
    }

    fn foreseen(&self, read: Read) -> Foreseen {
        let sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        let basis = match (&self.below, sum.untold, read.share()) {
            (Some(node), ..) => Basis::Below { node: node.clone() },
            (None, true, _) => Basis::Untold,
            (None, false, Some(share)) if share >= 1.0 => Basis::Counted,
            (None, false, Some(share)) => Basis::Sampled { share },
            (None, false, None) => Basis::Begun,
        };
        let times = match &basis {
            Basis::Below { .. } | Basis::Untold => None,
            Basis::Sampled { share } => Some(1.0 / share),
            Basis::Counted | Basis::Begun => Some(1.0),
        };
        let need = times.map(|times| self.need(&sum, times));
        Foreseen { node: self.node.clone(), model: self.asked.clone(), basis, need }
    }

    fn need(&self, sum: &Sum, times: f64) -> Need {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "counts are far below 2^52"
        )]
        let scaled = |count: u64, by: f64| (count as f64 * by).round() as u64;
        let Estimate { calls, reused, input_tokens, output_tokens } = sum.estimate;
        let off = self.asked.as_ref().map_or(0.0, |asked| asked.counting_error);
        let input_tokens = Band {
            low: scaled(input_tokens.low, (1.0 - off) * times),
            high: scaled(input_tokens.high, (1.0 + off) * times),
        };
        let assumed = output_tokens.map(|count| scaled(count, times));
        let output_tokens = self.past.map_or(assumed, |past| {
            let mean = |share: f64| scaled(calls, times * past.output_tokens * share);
            let high = mean(LIKE.high).min(assumed.high);
            Band { low: mean(LIKE.low).min(high), high }
        });
        let price = self.asked.as_ref().and_then(|asked| asked.price);
        let of = |input, output| Tokens { input, cached: 0, output };
        Need {
            records: scaled(sum.records, times),
            calls: scaled(calls, times),
            reused: scaled(reused, times),
            input_tokens,
            output_tokens,
            cost: price.map(|price| Band {
                low: price.of(of(input_tokens.low, output_tokens.low)),
                high: price.of(of(input_tokens.high, output_tokens.high)),
            }),
            past: self.past,
        }
    }
}

/// Counts what a call would need, batch by batch.
struct Count {
    call: Arc<dyn Call>,
    known: Arc<Answers>,
    turns: Option<Turns>,
    batch_size: usize,
    held: Vec<Record>,
    sum: Arc<Mutex<Sum>>,
}

impl Count {
    /// Whether a record would be tried.
    fn is_tried(&self, record: &Record) -> Result<bool, StageError> {
        let Some(turns) = &self.turns else { return Ok(true) };
        let trial = turns.trial(&self.call.factors_of(record));
        Ok(turns.turn(record, &trial)? == Turn::Try)
    }

    fn count(&self, batch: &[Record]) {
        let estimate = self.call.estimate(batch, &self.known);
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        sum.records += batch.len() as u64;
        match estimate {
            Some(estimate) => sum.estimate += estimate,
            None => sum.untold = true,
        }
    }
}

impl Gather for Count {
    fn take(&mut self, _: usize, records: Vec<Record>) -> Result<(), StageError> {
        for record in records {
            if self.is_tried(&record)? {
                self.held.push(record);
            }
        }
        while self.held.len() >= self.batch_size {
            let batch: Vec<Record> = self.held.drain(..self.batch_size).collect();
            self.count(&batch);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Record>, StageError> {
        if !self.held.is_empty() {
            let batch = std::mem::take(&mut self.held);
            self.count(&batch);
        }
        Ok(Vec::new())
    }
}

/// How much of the input was read.
#[derive(Debug, Clone, Copy, Default)]
struct Read {
    /// Whether a source was not read to its end.
    cut: bool,
    /// The smallest part of a source that was read; none where one of them does not know.
    share: Option<f64>,
}

impl Read {
    fn share(self) -> Option<f64> {
        if self.cut { self.share.filter(|share| *share > 0.0) } else { Some(1.0) }
    }
}

/// A source that ends when the time is up.
struct Sampled {
    source: Box<dyn Source>,
    until: Option<Instant>,
    read: Arc<Mutex<Read>>,
}

impl Source for Sampled {
    fn survey(&self) -> Result<Survey, StageError> {
        self.source.survey()
    }

    fn pull(&mut self, most: usize) -> Result<Pull, StageError> {
        let mut pull = self.source.pull(most)?;
        let late = self.until.is_some_and(|until| until <= Instant::now());
        if late && !pull.done {
            pull.done = true;
            let share = self.source.progress().map(f64::from);
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.share = match (read.cut, read.share, share) {
                (false, _, share) => share,
                (true, Some(before), Some(share)) => Some(before.min(share)),
                (true, ..) => None,
            };
            read.cut = true;
        }
        Ok(pull)
    }

    fn progress(&self) -> Option<f32> {
        self.source.progress()
    }
}
