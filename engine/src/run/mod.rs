//! Plan to report: a task for each node, bounded edges between them, one account for every record.

mod account;
mod attempt;
mod control;
mod edge;
mod gather;
mod line;
mod node;
mod page;
mod pool;
mod progress;
mod results;
mod sink;
mod source;
mod start;
#[cfg(test)]
pub(crate) mod tests;
mod tries;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flow_dsl::pipeline::Output;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::ledger::{Journal, Ledger};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::{EdgeReport, NodeReport, Report, Status, by_model};
use crate::stage::{Sink, Written};
use account::Account;
use control::{Control, State};
use edge::EdgeCount;
use node::NodeError;
pub(crate) use node::blocking;
pub use progress::{NodeProgress, Progress};
pub(crate) use sink::BATCHES;
use sink::Ending;
pub(crate) use source::PULL;
pub(crate) use start::MOST_HEAVY;
use start::{LineTask, NodeEnd};
pub use tries::{Only, Tries};
pub(crate) use tries::{Turn, Turns};

/// A run under way, on the current tokio runtime. Dropping it, or the future that waits for its
/// end, ends it at once.
pub struct Run {
    watch: Arc<Watch>,
    tasks: Vec<LineTask>,
}

/// What a run has in common with other runs.
#[derive(Debug, Default)]
pub struct Around {
    /// Limits hold for all runs that name the same folder.
    pub limits: Option<PathBuf>,
    /// What was paid for in one run is not paid for in another.
    pub ledger: Option<Arc<Ledger>>,
    /// Where it is noted what becomes of the records.
    pub journal: Option<Arc<Journal>>,
    /// Which records of earlier runs are tried again.
    pub tries: Tries,
}

/// A run as it is seen from outside: where it is, and the way to stop it.
pub struct Watch {
    pipeline: String,
    started: Instant,
    nodes: Vec<Running>,
    edges: Vec<RunningEdge>,
    control: Arc<Control>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watch({}, {:?})", self.pipeline, self.control.status())
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Run({:?})", self.watch)
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
    /// What it writes, when it is a sink.
    writes: Option<Writes>,
}

/// What a sink writes.
#[derive(Debug)]
struct Writes {
    /// Where to, in words.
    to: String,
    /// Whole files, put in place at the end; otherwise batch after batch, for good.
    files: bool,
    /// Nothing but rejects, which are wanted most when a run is not whole.
    rejects: bool,
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
        start::start(plan, &Around::default())
    }

    /// Starts a plan among other runs.
    pub fn start_among(plan: Plan, around: &Around) -> Self {
        start::start(plan, around)
    }

    /// A view that outlives it.
    pub fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// Waits for the end and lets the sinks commit, if every record found its end.
    pub async fn finish(self) -> Report {
        let mut tasks: FuturesUnordered<LineTask> = self.tasks.into_iter().collect();
        let watch = self.watch;
        let mut ends: Vec<NodeEnd> = Vec::new();
        let mut stopped = false;
        loop {
            tokio::select! {
                biased;
                ended = tasks.next() => match ended {
                    Some(more) => ends.extend(more),
                    None => break,
                },
                () = watch.control.reached(State::Stopped), if !stopped => {
                    stopped = true;
                    tasks.iter().for_each(LineTask::abort);
                }
            }
        }
        ends.sort_by_key(|end| end.node);
        for end in ends.iter().filter(|end| end.panicked) {
            watch.nodes[end.node].account.abandon();
        }
        if watch.control.status() != Status::Done {
            watch.settle_unfinished(&ends);
        }
        watch.check_sums();
        let mut left = watch.left_behind(&ends);
        left.extend(watch.commit(ends).await);
        watch.report(left)
    }
}

impl Watch {
    /// Asks it to stop. The first time, sources stop, and calls in flight are finished and stored;
    /// the second time, everything ends at once.
    pub fn cancel(&self) {
        if self.control.is_draining() {
            self.control.stop();
        } else {
            self.control.end(Status::Cancelled);
        }
    }

    /// Ends it at once.
    pub fn stop(&self) {
        self.control.stop();
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
        let report = self.report(Left::default());
        if let Some(imbalance) = report.imbalances().into_iter().next() {
            self.control.end(Status::Bug {
                node: self.pipeline.clone(),
                message: format!("a record was lost: {imbalance}"),
            });
        }
    }

    /// What the sinks leave that were ended at once.
    fn left_behind(&self, ends: &[NodeEnd]) -> Left {
        let mut left = Left::default();
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(writes) = &node.writes else { continue };
            let records = node.account.passed.load(Ordering::Relaxed);
            if ends.iter().any(|end| end.node == index && end.sink.is_some()) {
            } else if writes.files {
                left.unwritten.push(writes.to.clone());
            } else if records > 0 {
                // A batch may still be on its way.
                let to = format!("{}, at least", writes.to);
                left.written.push(Written::new(to, records));
            }
        }
        left
    }

    /// Commit is the last act, and only of a run that is whole; but rejects are kept of any.
    async fn commit(&self, ends: Vec<NodeEnd>) -> Left {
        let mut left = Left::default();
        for end in ends {
            let Some((mut sink, ending)) = end.sink else { continue };
            let Running { name, writes, .. } = &self.nodes[end.node];
            let rejects = writes.as_ref().is_some_and(|writes| writes.rejects);
            let commits = match ending {
                Ending::Whole => rejects || self.control.status() == Status::Done,
                Ending::Cut => rejects,
                Ending::Broken => false,
            };
            if let Some(writes) = writes.as_ref().filter(|writes| !commits && writes.files) {
                left.unwritten.push(writes.to.clone());
            }
            let outcome = commits.then(|| self.outcome());
            match blocking(move || act_last(sink.as_mut(), outcome.as_ref())).await {
                Ok((written, broke)) => {
                    left.written.extend(written);
                    if let Some(error) = broke {
                        self.control.end(broken(name, NodeError::Broken(error)));
                    }
                }
                Err(error) => self.control.end(broken(name, error)),
            }
        }
        left
    }

    fn outcome(&self) -> Outcome {
        let nodes = self.accounts();
        let left = nodes.iter().any(|node| node.pending > 0);
        let whole = self.control.status() == Status::Done && !left;
        Outcome { nodes, whole, failed: self.control.failed() }
    }

    fn accounts(&self) -> Vec<NodeReport> {
        self.nodes.iter().map(|node| node.account.report(&node.name, &node.stage)).collect()
    }

    fn report(&self, left: Left) -> Report {
        let edges = self.edges.iter().map(|edge| EdgeReport {
            from: self.nodes[edge.from].name.clone(),
            output: match edge.output {
                Output::Main => "main".to_owned(),
                Output::Failed => "failed".to_owned(),
            },
            to: self.nodes[edge.to].name.clone(),
            sent: edge.count.sent.load(Ordering::Relaxed),
            received: edge.count.received.load(Ordering::Relaxed),
            unread: edge.count.unread.load(Ordering::Relaxed),
        });
        let nodes = self.accounts();
        Report {
            pipeline: self.pipeline.clone(),
            status: self.control.status(),
            elapsed: self.started.elapsed(),
            usage: nodes.iter().map(|node| node.usage).sum(),
            models: by_model(&nodes),
            nodes,
            edges: edges.collect(),
            rejects: self.nodes.iter().flat_map(|node| node.account.rejects()).collect(),
            written: left.written,
            unwritten: left.unwritten,
        }
    }
}

/// What a run leaves behind.
#[derive(Default)]
struct Left {
    written: Vec<Written>,
    unwritten: Vec<String>,
}

impl Left {
    fn extend(&mut self, more: Self) {
        self.written.extend(more.written);
        self.unwritten.extend(more.unwritten);
    }
}

fn act_last(
    sink: &mut dyn Sink,
    outcome: Option<&Outcome>,
) -> (Vec<Written>, Option<crate::stage::StageError>) {
    let Some(outcome) = outcome else { return (sink.abort(), None) };
    match sink.commit(outcome) {
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
