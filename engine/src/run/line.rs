//! Nodes that are worked together on one thread: light maps that follow each other, and perhaps a
//! light sink behind them. Records pass from one to the next by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::account::Account;
use super::edge::{Batching, EdgeCount, Inlet, Next};
use super::node::{Judged, Node, NodeError};
use super::sink;
use crate::ledger::Trial;
use crate::record::Record;
use crate::stage::{Failure, Light, Sink, Verdict};

/// Whatever lies there, at once.
const BATCHING: Batching = Batching::Eager { most: usize::MAX, share: 1 };

/// An edge without a queue.
pub(crate) struct Joint {
    pub(crate) above: Arc<Account>,
    pub(crate) count: Arc<EdgeCount>,
}

impl Joint {
    /// Counts records that pass to the node below.
    fn pass(&self, below: &Account, records: usize) {
        let counts = [&self.above.out, &self.count.sent, &self.count.received, &below.received];
        for count in counts {
            count.fetch_add(records as u64, Ordering::Relaxed);
        }
    }
}

/// A light map in a line.
pub(crate) struct Step {
    /// How records come from the node above; the first of a line may have a queue instead.
    joint: Option<Joint>,
    node: Node,
    stage: Box<dyn Light>,
    wants_more: bool,
    /// For `.failed`.
    rejects: Vec<Record>,
}

impl Step {
    pub(crate) fn new(joint: Option<Joint>, node: Node, stage: Box<dyn Light>) -> Self {
        let wants_more = !stage.done();
        Self { joint, node, stage, wants_more, rejects: Vec::new() }
    }

    /// Works on records in place; what does not pass is counted and gone.
    fn work(&mut self, records: &mut Vec<Record>) {
        if let Some(joint) = &self.joint {
            joint.pass(&self.node.account, records.len());
        }
        let (mut passed, mut filtered) = (0, 0);
        records.retain_mut(|record| match self.decide(record) {
            Ok(Verdict::Drop) => {
                filtered += 1;
                false
            }
            Ok(Verdict::Pass | Verdict::PassLast) => {
                passed += 1;
                true
            }
            Err(failure) => {
                let failed = std::mem::replace(record, Record::new(record.id));
                match self.node.judge(failed, &failure, Trial::once()) {
                    Judged::Kept(kept) => {
                        *record = kept;
                        true
                    }
                    Judged::Rejected(reject) => {
                        self.rejects.push(reject);
                        false
                    }
                    Judged::Gone => false,
                }
            }
        });
        self.node.pass(passed);
        self.node.filter(filtered);
    }

    fn decide(&mut self, record: &mut Record) -> Result<Verdict, Failure> {
        if !self.wants_more {
            return Ok(Verdict::Drop);
        }
        if let Some(when) = &self.node.hints.when
            && !when.holds(record)?
        {
            return Ok(Verdict::Drop);
        }
        let verdict = self.stage.apply(record)?;
        self.wants_more = verdict != Verdict::PassLast;
        Ok(verdict)
    }
}

/// A light sink at the end of a line.
pub(crate) struct Last {
    joint: Joint,
    node: Node,
    pub(crate) sink: Box<dyn Sink>,
    /// Not yet a full batch.
    held: Vec<Record>,
    /// For `.failed`.
    rejects: Vec<Record>,
}

impl Last {
    pub(crate) const fn new(joint: Joint, node: Node, sink: Box<dyn Sink>) -> Self {
        Self { joint, node, sink, held: Vec::new(), rejects: Vec::new() }
    }

    /// Takes records, and writes them as far as they fill batches.
    fn work(&mut self, mut records: Vec<Record>) -> Result<(), NodeError> {
        self.joint.pass(&self.node.account, records.len());
        self.node.admit_now(&mut records, &mut self.rejects);
        self.held.append(&mut records);
        let size = self.node.hints.batch_size;
        while self.held.len() >= size {
            let rest = self.held.split_off(size);
            let batch = std::mem::replace(&mut self.held, rest);
            self.write(batch)?;
        }
        Ok(())
    }

    /// Writes what is left.
    fn finish(&mut self) -> Result<(), NodeError> {
        let rest = std::mem::take(&mut self.held);
        self.write(rest)
    }

    fn write(&mut self, batch: Vec<Record>) -> Result<(), NodeError> {
        let count = batch.len();
        let results = sink::write(self.sink.as_mut(), self.node.page.as_ref(), vec![(0, batch)]);
        let settled = sink::settle(&self.node, results, count, &mut self.rejects);
        if settled.is_err() {
            self.node.account.leave(self.held.len() as u64);
        }
        settled
    }
}

/// What is worked together, below a source or behind a queue.
pub(crate) struct Line {
    pub(crate) steps: Vec<Step>,
    pub(crate) last: Option<Last>,
    /// The place of the first of `steps`: behind a source 1, else 0.
    pub(crate) first: usize,
    /// The place of the node at work, to be named when it breaks.
    pub(crate) at: Arc<AtomicUsize>,
}

impl Line {
    /// Works on records from the node above; what leaves the last map comes back, or is written.
    pub(crate) fn work(&mut self, mut records: Vec<Record>) -> Result<Vec<Record>, NodeError> {
        for (place, step) in (self.first..).zip(&mut self.steps) {
            self.at.store(place, Ordering::Relaxed);
            step.work(&mut records);
        }
        if let Some(last) = &mut self.last {
            self.at.store(self.first + self.steps.len(), Ordering::Relaxed);
            last.work(std::mem::take(&mut records))?;
        }
        self.at.store(0, Ordering::Relaxed);
        Ok(records)
    }

    /// Writes what is left.
    pub(crate) fn finish(&mut self) -> Result<(), NodeError> {
        let Some(last) = &mut self.last else { return Ok(()) };
        self.at.store(self.first + self.steps.len(), Ordering::Relaxed);
        last.finish()?;
        self.at.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// Whether there is nothing in it.
    pub(crate) const fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.last.is_none()
    }

    /// Whether a map of it wants no more.
    pub(crate) fn has_enough(&self) -> bool {
        self.steps.iter().any(|step| !step.wants_more)
    }

    /// Whether nobody wants anything of it any more, its rejects neither.
    pub(crate) fn is_unwanted(&self) -> bool {
        let enough = self.has_enough() || self.steps.last().is_some_and(|step| step.node.is_left());
        enough && !self.steps.iter().any(|step| step.node.failed.is_read())
    }

    /// Whether rejects wait to be sent.
    pub(crate) fn has_rejects(&self) -> bool {
        let last = self.last.as_ref().is_some_and(|last| !last.rejects.is_empty());
        last || self.steps.iter().any(|step| !step.rejects.is_empty())
    }

    /// Sends what the last map has passed, and the rejects of all.
    pub(crate) async fn send(&mut self, records: Vec<Record>) {
        if let Some(step) = self.steps.last_mut()
            && self.last.is_none()
        {
            step.node.emit(records).await;
        }
        for step in &mut self.steps {
            step.node.failed.send(std::mem::take(&mut step.rejects)).await;
        }
        if let Some(last) = &mut self.last {
            last.node.failed.send(std::mem::take(&mut last.rejects)).await;
        }
    }

    /// Tells all readers that nothing more will come; gives the sink back for its last act.
    pub(crate) async fn end(mut self, whole: bool) -> Option<Box<dyn Sink>> {
        for step in &mut self.steps {
            step.node.end(whole).await;
        }
        let mut last = self.last?;
        last.node.end(whole).await;
        Some(last.sink)
    }
}

/// Drives a line behind a queue, batch after batch, on the task of its first node.
pub(crate) async fn drive(mut line: Line, mut inlet: Inlet) -> Result<(), NodeError> {
    while !line.is_unwanted() {
        match inlet.next(BATCHING).await {
            Next::Batch(_, records) => {
                let passed = line.work(records)?;
                line.send(passed).await;
            }
            Next::End { whole } => {
                line.end(whole).await;
                return Ok(());
            }
        }
    }
    inlet.leave();
    line.end(true).await;
    Ok(())
}
