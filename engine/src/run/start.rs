//! Starts a plan: makes the edges, hands each node its ends, and sets its driver to work.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use flow_dsl::pipeline::Output;
use futures::FutureExt;
use petgraph::Direction;
use petgraph::visit::EdgeRef;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::account::Account;
use super::attempt::{Attempts, Work};
use super::control::Control;
use super::edge::{Batching, EdgeCount, Inlet, Outlet, Writer, queue};
use super::node::{Node, NodeError};
use super::{Run, Running, RunningEdge, broken, gather, light, pool, sink, source};
use crate::door::Door;
use crate::plan::{Plan, PlanNode};
use crate::stage::{Sink, Stage};

/// How a node ended.
pub(super) struct NodeEnd {
    pub(super) node: usize,
    /// A sink that waits for its last act, and whether its inputs were whole.
    pub(super) sink: Option<(Box<dyn Sink>, bool)>,
    /// Whether it ended without counting what it held.
    pub(super) panicked: bool,
}

/// The task of a node; ends with whoever waits for it. A task that was aborted gives nothing.
pub(super) struct NodeTask(JoinHandle<NodeEnd>);

impl NodeTask {
    /// Ends it at once; it still has to be waited for.
    pub(super) fn abort(&self) {
        self.0.abort();
    }
}

impl Future for NodeTask {
    type Output = Option<NodeEnd>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<NodeEnd>> {
        Pin::new(&mut self.0).poll(context).map(Result::ok)
    }
}

impl Drop for NodeTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn start(plan: Plan, limits: Option<&Path>) -> Run {
    let (mut nodes, edges) = lay_out(&plan);
    let door = Arc::new(Door::shared(&plan.limits, limits));
    let control = Arc::new(Control::new(Arc::clone(&door)));
    let (mut outlets, mut inlets) = connect(&mut nodes, &edges, &plan);
    let mut tasks = Vec::with_capacity(nodes.len());
    for (index, planned) in plan.graph.into_nodes_edges().0.into_iter().enumerate() {
        let PlanNode { name, stage, hints, .. } = planned.weight;
        let (main, failed) = std::mem::take(&mut outlets[index]);
        let node = Node {
            name: name.into(),
            hints,
            account: Arc::clone(&nodes[index].account),
            control: Arc::clone(&control),
            main,
            failed,
        };
        tasks.push(spawn(index, node, inlets[index].take(), stage, &door));
    }
    Run { pipeline: plan.name, started: Instant::now(), nodes, edges, control, tasks: tasks.into() }
}

fn lay_out(plan: &Plan) -> (Vec<Running>, Vec<RunningEdge>) {
    let edges: Vec<RunningEdge> = plan
        .graph
        .edge_references()
        .map(|edge| RunningEdge {
            from: edge.source().index(),
            output: edge.weight().output,
            to: edge.target().index(),
            count: Arc::new(EdgeCount::default()),
        })
        .collect();
    let nodes = plan.graph.node_indices().map(|index| {
        let node = &plan.graph[index];
        Running {
            name: node.name.clone(),
            stage: node.uses.clone(),
            account: Arc::new(Account::default()),
            room: None,
            above: plan
                .graph
                .neighbors_directed(index, Direction::Incoming)
                .map(petgraph::graph::NodeIndex::index)
                .collect(),
        }
    });
    (nodes.collect(), edges)
}

type Outlets = Vec<(Outlet, Outlet)>;

/// Makes the queue of each node and gives its writers to the nodes above.
fn connect(
    nodes: &mut [Running],
    edges: &[RunningEdge],
    plan: &Plan,
) -> (Outlets, Vec<Option<Inlet>>) {
    let mut outlets: Outlets = nodes.iter().map(|_| Default::default()).collect();
    let ports: Vec<usize> = plan.graph.edge_weights().map(|edge| edge.port).collect();
    let mut leading: Vec<Vec<usize>> = nodes.iter().map(|_| Vec::new()).collect();
    for (edge, running) in edges.iter().enumerate() {
        leading[running.to].push(edge);
    }
    let mut inlets = Vec::with_capacity(nodes.len());
    for (index, (node, into)) in nodes.iter_mut().zip(leading).enumerate() {
        if into.is_empty() {
            inlets.push(None);
            continue;
        }
        let counts: Vec<_> =
            into.iter().map(|edge| (ports[*edge], Arc::clone(&edges[*edge].count))).collect();
        let last_port = counts.iter().map(|(port, _)| *port).max().unwrap_or(0);
        let buffer = plan.graph[petgraph::graph::NodeIndex::new(index)].hints.buffer;
        let (writers, inlet) = queue(buffer, last_port + 1, &counts, &node.account);
        node.room = Some((inlet.room(), buffer));
        inlets.push(Some(inlet));
        give(&mut outlets, edges, into.into_iter().zip(writers));
    }
    (outlets, inlets)
}

fn give(
    outlets: &mut Outlets,
    edges: &[RunningEdge],
    writers: impl Iterator<Item = (usize, Writer)>,
) {
    for (edge, writer) in writers {
        let (main, failed) = &mut outlets[edges[edge].from];
        match edges[edge].output {
            Output::Main => main.add(writer),
            Output::Failed => failed.add(writer),
        }
    }
}

fn spawn(
    index: usize,
    node: Node,
    inlet: Option<Inlet>,
    stage: Stage,
    door: &Arc<Door>,
) -> NodeTask {
    let (name, account, control) =
        (Arc::clone(&node.name), Arc::clone(&node.account), Arc::clone(&node.control));
    let door = Arc::clone(door);
    let work = async move {
        let driven = AssertUnwindSafe(drive(node, inlet, stage, door)).catch_unwind().await;
        let (sink, error) = match driven {
            Ok((sink, error)) => (sink, error),
            Err(panic) => (None, Some(NodeError::Bug(super::node::words_of(&*panic)))),
        };
        account.done.store(true, Ordering::Relaxed);
        let panicked = matches!(error, Some(NodeError::Bug(_)));
        if let Some(error) = error {
            control.end(broken(&name, error));
        }
        NodeEnd { node: index, sink, panicked }
    };
    #[expect(clippy::disallowed_methods, reason = "one of the places that start tasks")]
    NodeTask(tokio::spawn(work))
}

type Driven = (Option<(Box<dyn Sink>, bool)>, Option<NodeError>);

async fn drive(node: Node, inlet: Option<Inlet>, stage: Stage, door: Arc<Door>) -> Driven {
    let result = match (stage, inlet) {
        (Stage::Source(stage), _) => source::drive(node, stage).await,
        (Stage::Light(stage), Some(inlet)) => light::drive(node, inlet, stage).await,
        (Stage::Heavy(stage), Some(inlet)) => {
            let (most, share) = match node.hints.batch_size {
                // Its time is that of a record, so each record is its own attempt.
                0 if node.hints.timeout.is_some() => (1, 1),
                0 => (MOST_HEAVY, 2 * node.hints.parallelism),
                size => (size, 1),
            };
            let attempts = attempts(&node, Work::Heavy(stage), door);
            pool::drive(node, inlet, attempts, Batching::Eager { most, share }).await
        }
        (Stage::Call(stage), Some(inlet)) => {
            let batching =
                Batching::Full { size: node.hints.batch_size, wait: node.hints.batch_wait };
            let attempts = attempts(&node, Work::Call(stage), door);
            pool::drive(node, inlet, attempts, batching).await
        }
        (Stage::Gather(stage), Some(inlet)) => gather::drive(node, inlet, stage).await,
        (Stage::Sink(stage), Some(inlet)) => {
            return match sink::drive(node, inlet, stage).await {
                Ok(written) => (Some((written.sink, written.whole)), None),
                Err((sink, error)) => (sink.map(|sink| (sink, false)), Some(error)),
            };
        }
        (stage, None) => Err(NodeError::Bug(format!("{stage:?} has no input"))),
    };
    (None, result.err())
}

/// Records that a heavy map takes at once when the file does not say.
pub(crate) const MOST_HEAVY: usize = 32;

fn attempts(node: &Node, work: Work, door: Arc<Door>) -> Arc<Attempts> {
    Arc::new(Attempts {
        work,
        hints: node.hints.clone(),
        door,
        account: Arc::clone(&node.account),
        control: Arc::clone(&node.control),
    })
}
