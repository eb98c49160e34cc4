//! Facts about the engine, in paused time, with stages made for it.

mod batches;
mod ends;
mod faults;
mod flow;
mod journal;
mod lines;
mod money;
mod random;
#[cfg(target_os = "linux")]
mod week;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use flow_dsl::pipeline::{Budget, Cache, Limit, OnError, Order, Output};
use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::json;

use super::Run;
use crate::outcome::Outcome;
use crate::plan::{Plan, PlanEdge, PlanNode, Resolved, joined_to};
use crate::record::{Record, RecordId};
use crate::report::{NodeReport, Report};
use crate::stage::{
    Call, CallContext, Failure, Found, Gather, Light, Pull, Sink, Source, Stage, StageError,
    Survey, Verdict, Written,
};

/// A plan under construction.
pub(crate) struct Graph {
    graph: DiGraph<PlanNode, PlanEdge>,
    pub(crate) limits: Vec<Limit>,
}

/// Hints as they are when a file says nothing.
pub(crate) fn hints() -> Resolved {
    Resolved {
        parallelism: 1,
        parallelism_auto: false,
        batch_size: 1,
        batch_wait: None,
        buffer: 8,
        joins: false,
        order: Order::Arrival,
        timeout: None,
        deadline: None,
        retry: 0,
        backoff: (Duration::from_secs(1), Duration::from_mins(1)),
        on_error: OnError::Reject,
        max_failures: None,
        limit: None,
        budget: None,
        on_retry: Vec::new(),
        cache: Cache::default(),
        when: None,
    }
}

impl Graph {
    pub(crate) fn new() -> Self {
        Self { graph: DiGraph::new(), limits: Vec::new() }
    }

    pub(crate) fn node(
        &mut self,
        name: &str,
        stage: Stage,
        hints: Resolved,
        from: &[usize],
    ) -> usize {
        let node = self.graph.add_node(PlanNode {
            name: name.to_owned(),
            uses: "test".to_owned(),
            stage,
            hints,
            reads: None,
            writes: None,
            tags: Vec::new(),
            settings: json!({}),
            version: 1,
        });
        for upper in from {
            self.edge(*upper, Output::Main, node.index());
        }
        node.index()
    }

    pub(crate) fn edge(&mut self, from: usize, output: Output, to: usize) {
        let edge = PlanEdge { output, port: 0 };
        self.graph.add_edge(NodeIndex::new(from), NodeIndex::new(to), edge);
    }

    pub(crate) fn plan(self) -> Plan {
        Plan {
            name: "test".to_owned(),
            title: None,
            graph: self.graph,
            limits: self.limits,
            budget: Budget::default(),
            unset: Vec::new(),
        }
    }

    pub(crate) fn start(self) -> Run {
        Run::start(self.plan())
    }

    /// In how many lines its nodes are worked.
    pub(crate) fn lines(&self) -> usize {
        self.graph.node_indices().filter(|node| joined_to(&self.graph, *node).is_none()).count()
    }

    /// Runs to the end, which must come within an hour of paused time, and checks the sums.
    pub(crate) async fn run(self) -> Report {
        let run = self.start();
        let hour = Duration::from_hours(1);
        let report = tokio::time::timeout(hour, run.finish()).await.expect("the run hangs");
        assert_eq!(report.imbalances(), Vec::<String>::new());
        report
    }
}

/// The account of a node.
pub(crate) fn node<'a>(report: &'a Report, name: &str) -> &'a NodeReport {
    report.nodes.iter().find(|node| node.node == name).expect("a node of that name")
}

/// `n` of a record.
pub(crate) fn number(record: &Record) -> u64 {
    record.get("n").and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX)
}

/// Brings the numbers from 0, so many in each pull; every `bad`th is a reject.
pub(crate) struct Numbers {
    pub(crate) next: u64,
    pub(crate) end: u64,
    pub(crate) most: usize,
    pub(crate) bad: Option<u64>,
}

pub(crate) fn numbers(end: u64) -> Stage {
    Stage::Source(Box::new(Numbers { next: 0, end, most: 5, bad: None }))
}

impl Source for Numbers {
    fn survey(&self) -> Result<Survey, StageError> {
        Ok(Survey::default())
    }

    fn pull(&mut self, most: usize) -> Result<Pull, StageError> {
        let mut pull = Pull::default();
        while self.next < self.end && pull.found.len() < most.min(self.most) {
            let mut record = Record::new(RecordId::at("numbers", self.next));
            record.set("n", json!(self.next));
            let bad = self.bad.is_some_and(|bad| self.next.is_multiple_of(bad));
            pull.found.push(if bad {
                Found::Reject(record, Failure::bad("a bad number"))
            } else {
                Found::Record(record)
            });
            self.next += 1;
        }
        pull.done = self.next == self.end;
        Ok(pull)
    }
}

/// Does to each record what a function says.
pub(crate) struct Each<F>(pub(crate) F);

pub(crate) fn light(
    apply: impl FnMut(&mut Record) -> Result<Verdict, Failure> + Send + 'static,
) -> Stage {
    Stage::Light(Box::new(Each(apply)))
}

impl<F: FnMut(&mut Record) -> Result<Verdict, Failure> + Send> Light for Each<F> {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict, Failure> {
        (self.0)(record)
    }
}

/// Passes so many, then wants no more.
pub(crate) fn take(count: u64) -> Stage {
    let mut left = count;
    light(move |_| {
        left -= 1;
        Ok(if left == 0 { Verdict::PassLast } else { Verdict::Pass })
    })
}

/// A call that takes a time and then does to each record what a function says.
pub(crate) struct Slow<F> {
    pub(crate) time: fn(u64) -> Duration,
    pub(crate) apply: F,
    pub(crate) at_once: AtomicUsize,
    pub(crate) most_at_once: Arc<AtomicUsize>,
}

pub(crate) fn slow(
    time: fn(u64) -> Duration,
    apply: impl Fn(&Record, u32) -> Result<Vec<Record>, Failure> + Send + Sync + 'static,
) -> (Stage, Arc<AtomicUsize>) {
    let most_at_once = Arc::new(AtomicUsize::new(0));
    let stage =
        Slow { time, apply, at_once: AtomicUsize::new(0), most_at_once: Arc::clone(&most_at_once) };
    (Stage::Call(Arc::new(stage)), most_at_once)
}

#[async_trait]
impl<F: Fn(&Record, u32) -> Result<Vec<Record>, Failure> + Send + Sync> Call for Slow<F> {
    async fn apply(
        &self,
        batch: &[Record],
        context: &CallContext,
    ) -> Vec<Result<Vec<Record>, Failure>> {
        let now = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(now, Ordering::Relaxed);
        let time = batch.iter().map(|record| (self.time)(number(record))).max();
        tokio::time::sleep(time.unwrap_or_default()).await;
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        batch.iter().map(|record| (self.apply)(record, context.attempt)).collect()
    }
}

/// What a sink was given and told.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) numbers: Mutex<Vec<u64>>,
    pub(crate) batches: Mutex<Vec<usize>>,
    pub(crate) records: Mutex<Vec<Record>>,
    pub(crate) commits: AtomicU64,
    pub(crate) aborts: AtomicU64,
}

impl Kept {
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.numbers.lock().unwrap().clone()
    }

    pub(crate) fn sorted(&self) -> Vec<u64> {
        let mut numbers = self.numbers();
        numbers.sort_unstable();
        numbers
    }

    pub(crate) fn ends(&self) -> (u64, u64) {
        (self.commits.load(Ordering::Relaxed), self.aborts.load(Ordering::Relaxed))
    }
}

struct Keep {
    kept: Arc<Kept>,
    write: fn(&Record) -> Result<(), Failure>,
}

pub(crate) fn keep() -> (Stage, Arc<Kept>) {
    keep_if(|_| Ok(()))
}

pub(crate) fn keep_if(write: fn(&Record) -> Result<(), Failure>) -> (Stage, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    (Stage::Sink(Box::new(Keep { kept: Arc::clone(&kept), write })), kept)
}

impl Sink for Keep {
    fn survey(&self) -> String {
        "memory".to_owned()
    }

    fn is_light(&self) -> bool {
        true
    }

    fn row(&self, record: &Record) -> Option<String> {
        Some(record.id.to_string())
    }

    fn write(
        &mut self,
        _: usize,
        batch: Vec<Record>,
    ) -> Result<Vec<(Record, Failure)>, StageError> {
        self.kept.batches.lock().unwrap().push(batch.len());
        let mut refused = Vec::new();
        for record in batch {
            match (self.write)(&record) {
                Ok(()) => {
                    self.kept.numbers.lock().unwrap().push(number(&record));
                    self.kept.records.lock().unwrap().push(record);
                }
                Err(failure) if failure.reason == "disk full" => {
                    return Err(StageError::new("disk full").help("make room"));
                }
                Err(failure) => refused.push((record, failure)),
            }
        }
        Ok(refused)
    }

    fn commit(&mut self, _: &Outcome) -> Result<Vec<Written>, StageError> {
        self.kept.commits.fetch_add(1, Ordering::Relaxed);
        let records = self.kept.numbers().len() as u64;
        Ok(vec![Written::new("memory", records)])
    }

    fn abort(&mut self) -> Vec<Written> {
        self.kept.aborts.fetch_add(1, Ordering::Relaxed);
        Vec::new()
    }
}

/// Counts what it is given, and answers with the count.
#[derive(Default)]
pub(crate) struct CountAll(u64);

impl Gather for CountAll {
    fn take(&mut self, _: usize, records: Vec<Record>) -> Result<(), StageError> {
        self.0 += records.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Record>, StageError> {
        let mut record = Record::new(RecordId::of(b"count"));
        record.set("n", json!(self.0));
        Ok(vec![record])
    }
}
