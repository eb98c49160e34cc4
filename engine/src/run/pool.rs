//! Drives a heavy or calling map: up to `parallelism` batches at once, each in a task of its own,
//! so that they go on while the node waits for room below.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use flow_dsl::pipeline::Order;
use futures::stream::{FuturesOrdered, FuturesUnordered, StreamExt};
use tokio::task::JoinHandle;

use super::attempt::{Attempts, Outcome, Settled};
use super::edge::{Batching, Inlet, Next};
use super::node::{Node, NodeError, panic_message};
use crate::ledger::Fate;
use crate::record::Record;

/// A task that ends when nobody waits for it any more.
struct Task(JoinHandle<Result<Outcome, NodeError>>);

impl Future for Task {
    type Output = Result<Outcome, NodeError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0)
            .poll(context)
            .map(|joined| joined.unwrap_or_else(|error| Err(NodeError::Bug(panic_message(error)))))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The batches in flight, to be had as they end or as they began.
enum InFlight {
    Arrival(FuturesUnordered<Task>),
    Keep(FuturesOrdered<Task>),
}

impl InFlight {
    fn new(order: Order) -> Self {
        match order {
            Order::Arrival => Self::Arrival(FuturesUnordered::new()),
            Order::Keep => Self::Keep(FuturesOrdered::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Arrival(tasks) => tasks.len(),
            Self::Keep(tasks) => tasks.len(),
        }
    }

    fn push(&mut self, task: Task) {
        match self {
            Self::Arrival(tasks) => tasks.push(task),
            Self::Keep(tasks) => tasks.push_back(task),
        }
    }

    async fn next(&mut self) -> Option<Result<Outcome, NodeError>> {
        match self {
            Self::Arrival(tasks) => tasks.next().await,
            Self::Keep(tasks) => tasks.next().await,
        }
    }
}

pub(crate) async fn drive(
    mut node: Node,
    inlet: Inlet,
    attempts: Arc<Attempts>,
    batching: Batching,
) -> Result<(), NodeError> {
    let mut in_flight = InFlight::new(node.hints.order);
    let mut inlet = Some(inlet);
    let (mut whole, mut left) = (true, false);
    loop {
        let may_begin = in_flight.len() < node.hints.parallelism;
        tokio::select! {
            biased;
            Some(outcome) = in_flight.next(), if in_flight.len() > 0 => {
                left |= settle(&mut node, outcome?).await;
                if node.is_unwanted() && let Some(inlet) = inlet.take() {
                    inlet.leave();
                }
            }
            next = next(&mut inlet, batching), if may_begin && inlet.is_some() => match next {
                Next::Batch(_, records) => {
                    if node.control.is_draining() {
                        node.account.leave(records.len() as u64);
                        continue;
                    }
                    let records = node.admit(records).await;
                    if !records.is_empty() {
                        node.account.in_flight.fetch_add(records.len() as u64, Ordering::Relaxed);
                        let attempts = Arc::clone(&attempts);
                        #[expect(clippy::disallowed_methods, reason = "one of the two places that start tasks")]
                        let task = tokio::spawn(async move { attempts.settle(records).await });
                        in_flight.push(Task(task));
                    }
                }
                Next::End { whole: all } => {
                    whole = all;
                    inlet = None;
                }
            },
            else => break,
        }
    }
    // What was left for the next run is missing below.
    node.end(whole && !left).await;
    Ok(())
}

async fn next(inlet: &mut Option<Inlet>, batching: Batching) -> Next {
    match inlet {
        Some(inlet) => inlet.next(batching).await,
        None => std::future::pending().await,
    }
}

/// Counts and notes what became of the records of a batch, and gives on what they gave. Says
/// whether any of them was left for another run.
async fn settle(node: &mut Node, outcome: Outcome) -> bool {
    node.account.in_flight.fetch_sub(outcome.records.len() as u64, Ordering::Relaxed);
    let (mut made, mut left) = (Vec::new(), false);
    for (record, settled, trial) in outcome.records {
        let write_down = |fate, trial, made: &[Record]| {
            if let Some(page) = &node.page {
                page.settled(&record, fate, trial, made);
            }
        };
        match settled {
            Settled::Made(records) if records.is_empty() => {
                write_down(Fate::Filtered, trial, &[]);
                node.filter(1);
            }
            Settled::Made(mut records) => {
                write_down(Fate::Passed, trial, &records);
                node.pass(1);
                made.append(&mut records);
            }
            Settled::Failed(failure) => node.fail(record, &failure, trial).await,
            Settled::Pending => {
                write_down(Fate::Pending, trial, &[]);
                node.account.leave(1);
                left = true;
            }
        }
    }
    node.emit(made).await;
    left
}
