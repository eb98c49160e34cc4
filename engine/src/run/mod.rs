//! Plan to report: a task for each node, bounded edges between them, one account for every record.

mod account;
mod attempt;
mod control;
mod edge;
mod gather;
mod light;
mod node;
mod pool;
mod progress;
mod sink;
mod source;
mod start;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use flow_dsl::pipeline::Output;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::plan::Plan;
use crate::report::{EdgeReport, NodeReport, Report, Status};
use crate::stage::{Sink, Written};
use account::Account;
use control::{Control, State};
use edge::EdgeCount;
use node::{NodeError, blocking};
pub use progress::{NodeProgress, Progress};
pub(crate) use sink::BATCHES;
pub(crate) use source::PULL;
pub(crate) use start::MOST_HEAVY;
use start::{NodeEnd, NodeTask};

/// A run under way, on the current tokio runtime. Dropping it ends it at once.
pub struct Run {
    pipeline: String,
    started: Instant,
    nodes: Vec<Running>,
    edges: Vec<RunningEdge>,
    control: Arc<Control>,
    tasks: Mutex<Vec<NodeTask>>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({}, {:?})", self.pipeline, self.control.status())
    }
}

/// What is known of a node from outside its task.
#[derive(Debug)]
struct Running {
    name: String,
    stage: String,
    account: Arc<Account>,
    /// Room on its incoming edge, free and in all; a source has none.
    room: Option<(Arc<Semaphore>, usize)>,
    /// The nodes above.
    above: Vec<usize>,
}

#[derive(Debug)]
struct RunningEdge {
    from: usize,
    output: Output,
    to: usize,
    count: Arc<EdgeCount>,
}

impl Run {
    /// Starts a plan.
    pub fn start(plan: Plan) -> Self {
        start::start(plan, None)
    }

    /// Starts a plan whose limits hold for all runs that name the same folder.
    pub fn start_sharing(plan: Plan, limits: &std::path::Path) -> Self {
        start::start(plan, Some(limits))
    }

    /// Asks it to stop. The first time, sources stop, and calls in flight are finished and stored;
    /// the second time, everything ends at once.
    pub fn cancel(&self) {
        if self.control.is_draining() {
            self.control.stop();
        } else {
            self.control.end(Status::Cancelled);
        }
    }

    /// Waits for the end and lets the sinks commit, if every record found its end.
    pub async fn finish(&self) -> Report {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let mut tasks: FuturesUnordered<NodeTask> = tasks.into_iter().collect();
        let mut ends: Vec<NodeEnd> = Vec::new();
        let mut stopped = false;
        loop {
            tokio::select! {
                biased;
                end = tasks.next() => match end {
                    Some(end) => ends.extend(end),
                    None => break,
                },
                () = self.control.reached(State::Stopped), if !stopped => {
                    stopped = true;
                    tasks.iter().for_each(NodeTask::abort);
                }
            }
        }
        ends.sort_by_key(|end| end.node);
        for end in ends.iter().filter(|end| end.panicked) {
            self.nodes[end.node].account.abandon();
        }
        if self.control.status() != Status::Done {
            self.settle_unfinished(&ends);
        }
        self.check_sums();
        let (written, unwritten) = self.commit(ends).await;
        self.report(written, unwritten)
    }

    /// Nodes that were ended at once have not counted what they held.
    fn settle_unfinished(&self, ends: &[NodeEnd]) {
        for (index, node) in self.nodes.iter().enumerate() {
            if !ends.iter().any(|end| end.node == index) {
                node.account.abandon();
            }
        }
    }

    fn check_sums(&self) {
        let report = self.report(Vec::new(), Vec::new());
        if let Some(imbalance) = report.imbalances().into_iter().next() {
            self.control.end(Status::Bug {
                node: self.pipeline.clone(),
                message: format!("a record was lost: {imbalance}"),
            });
        }
    }

    /// Commit is the last act, and only of a run that is whole.
    async fn commit(&self, ends: Vec<NodeEnd>) -> (Vec<Written>, Vec<String>) {
        let (mut written, mut unwritten) = (Vec::new(), Vec::new());
        for end in ends {
            let Some((mut sink, whole)) = end.sink else { continue };
            let name = self.nodes[end.node].name.clone();
            let commits = whole && self.control.status() == Status::Done;
            if !commits && !sink.targets().is_empty() {
                unwritten.push(sink.survey());
            }
            let accounts = if commits { self.accounts() } else { Vec::new() };
            let act = blocking(move || act_last(sink.as_mut(), commits, &accounts)).await;
            match act {
                Ok((more, None)) => written.extend(more),
                Ok((more, Some(error))) => {
                    written.extend(more);
                    self.control.end(broken(&name, NodeError::Broken(error)));
                }
                Err(error) => self.control.end(broken(&name, error)),
            }
        }
        (written, unwritten)
    }

    fn accounts(&self) -> Vec<NodeReport> {
        self.nodes.iter().map(|node| node.account.report(&node.name, &node.stage)).collect()
    }

    fn report(&self, written: Vec<Written>, unwritten: Vec<String>) -> Report {
        let edges = self.edges.iter().map(|edge| EdgeReport {
            from: self.nodes[edge.from].name.clone(),
            output: match edge.output {
                Output::Main => "main",
                Output::Failed => "failed",
            },
            to: self.nodes[edge.to].name.clone(),
            sent: edge.count.sent.load(Ordering::Relaxed),
            received: edge.count.received.load(Ordering::Relaxed),
            unread: edge.count.unread.load(Ordering::Relaxed),
        });
        Report {
            pipeline: self.pipeline.clone(),
            status: self.control.status(),
            elapsed: self.started.elapsed(),
            nodes: self.accounts(),
            edges: edges.collect(),
            rejects: self.nodes.iter().flat_map(|node| node.account.rejects()).collect(),
            written,
            unwritten,
        }
    }
}

fn act_last(
    sink: &mut dyn Sink,
    commits: bool,
    accounts: &[NodeReport],
) -> (Vec<Written>, Option<crate::stage::StageError>) {
    if !commits {
        return (sink.abort(), None);
    }
    match sink.commit(accounts) {
        Ok(written) => (written, None),
        Err(error) => (sink.abort(), Some(error)),
    }
}

/// How a run stands after a node has ended badly.
fn broken(node: &str, error: NodeError) -> Status {
    let node = node.to_owned();
    match error {
        NodeError::Broken(error) => {
            Status::Broken { node, message: error.message, help: error.help }
        }
        NodeError::Bug(message) => Status::Bug { node, message },
    }
}
