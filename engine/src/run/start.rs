//! Starts a plan: makes the edges, hands each node its ends, and sets its driver to work.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use flow_dsl::pipeline::Output;
use futures::FutureExt;
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::account::Account;
use super::attempt::{Attempts, Work};
use super::control::Control;
use super::edge::{Batching, EdgeCount, Inlet, Outlet, Writer, queue};
use super::line::{self, Joint, Last, Line, Step};
use super::node::{Node, NodeError};
use super::page::Pages;
use super::results::Results;
use super::sink::Ending;
use super::{Around, Run, Running, RunningEdge, Watch, Writes, broken, gather, pool, sink, source};
use crate::door::Door;
use crate::ledger::Kept;
use crate::plan::{Plan, PlanNode, joined_to, lines};
use crate::stage::{Sink, Stage};

/// How a node ended.
pub(super) struct NodeEnd {
    pub(super) node: usize,
    /// A sink that waits for its last act.
    pub(super) sink: Option<(Box<dyn Sink>, Ending)>,
    /// Whether it ended without counting what it held.
    pub(super) panicked: bool,
}

/// The task of a line of nodes; ends with whoever waits for it. One that was aborted gives nothing.
pub(super) struct LineTask(JoinHandle<Vec<NodeEnd>>);

impl LineTask {
    /// Ends it at once; it still has to be waited for.
    pub(super) fn abort(&self) {
        self.0.abort();
    }
}

impl Future for LineTask {
    type Output = Vec<NodeEnd>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<NodeEnd>> {
        Pin::new(&mut self.0).poll(context).map(Result::unwrap_or_default)
    }
}

impl Drop for LineTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn start(mut plan: Plan, around: &Around) -> Run {
    let (mut nodes, edges) = lay_out(&plan);
    let door =
        Arc::new(Door::shared(&plan.limits, around.limits.as_deref()).within(plan.budgets()));
    let control = Arc::new(Control::new(Arc::clone(&door)));
    begin(&mut plan, &control);
    let pages = Pages::of(&plan, around, &control);
    let lines = lines(&plan.graph);
    let (mut outlets, mut inlets) = connect(&mut nodes, &edges, &plan);
    let counts: HashMap<NodeIndex, Arc<EdgeCount>> = joints(&plan, &edges);
    let mut planned: Vec<Option<PlanNode>> =
        plan.graph.into_nodes_edges().0.into_iter().map(|node| Some(node.weight)).collect();
    let mut tasks = Vec::with_capacity(lines.len());
    for line in &lines {
        let mut parts = Vec::with_capacity(line.len());
        for index in line {
            let Some(PlanNode { name, stage, hints, .. }) = planned[index.index()].take() else {
                continue;
            };
            let (main, failed) = std::mem::take(&mut outlets[index.index()]);
            let account = Arc::clone(&nodes[index.index()].account);
            let control = Arc::clone(&control);
            let above = parts.last().map(|part: &Part| Arc::clone(&part.node.account));
            let joint = above.zip(counts.get(index).cloned());
            parts.push(Part {
                index: index.index(),
                joint: joint.map(|(above, count)| Joint { above, count }),
                node: Node {
                    page: pages.page(index.index()),
                    name: name.into(),
                    hints,
                    account,
                    control,
                    main,
                    failed,
                },
                stage,
            });
        }
        tasks.push(spawn(parts, inlets[line[0].index()].take(), &door, around));
    }
    let watch = Watch { pipeline: plan.name, started: Instant::now(), nodes, edges, control };
    Run { watch: Arc::new(watch), tasks }
}

/// Tells the sinks that the run begins. One that must not write ends the run before anything is paid.
fn begin(plan: &mut Plan, control: &Control) {
    for node in plan.graph.node_weights_mut() {
        if let Stage::Sink(sink) = &mut node.stage
            && let Err(error) = sink.begin()
        {
            control.end(broken(&node.name, error.into()));
        }
    }
}

/// A node of a line, about to be set to work.
struct Part {
    index: usize,
    /// How records come from the node before it in the line.
    joint: Option<Joint>,
    node: Node,
    stage: Stage,
}

/// The counters of the edges inside lines, by the node that they lead to.
fn joints(plan: &Plan, edges: &[RunningEdge]) -> HashMap<NodeIndex, Arc<EdgeCount>> {
    let counts = edges.iter().map(|edge| (NodeIndex::new(edge.to), Arc::clone(&edge.count)));
    counts.filter(|(node, _)| joined_to(&plan.graph, *node).is_some()).collect()
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
    let of_rejects = of_rejects(plan);
    let nodes = plan.graph.node_indices().map(|index| {
        let node = &plan.graph[index];
        let writes = match &node.stage {
            Stage::Sink(sink) => Some(Writes {
                to: sink.survey(),
                files: !sink.targets().is_empty(),
                rejects: of_rejects[index.index()],
            }),
            _ => None,
        };
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
            writes,
        }
    });
    (nodes.collect(), edges)
}

/// Which nodes see nothing but rejects, at first hand or through maps.
fn of_rejects(plan: &Plan) -> Vec<bool> {
    let mut flags = vec![false; plan.graph.node_count()];
    // A plan has no loop.
    for index in petgraph::algo::toposort(&plan.graph, None).unwrap_or_default() {
        let mut above = plan.graph.edges_directed(index, Direction::Incoming).peekable();
        flags[index.index()] = above.peek().is_some()
            && above.all(|edge| {
                let stage = &plan.graph[edge.source()].stage;
                let is_map = matches!(stage, Stage::Light(_) | Stage::Heavy(_) | Stage::Call(_));
                edge.weight().output == Output::Failed || is_map && flags[edge.source().index()]
            });
    }
    flags
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
        let joined = joined_to(&plan.graph, NodeIndex::new(index)).is_some();
        if into.is_empty() || joined {
            inlets.push(None);
            continue;
        }
        let counts: Vec<_> =
            into.iter().map(|edge| (ports[*edge], Arc::clone(&edges[*edge].count))).collect();
        let last_port = counts.iter().map(|(port, _)| *port).max().unwrap_or(0);
        let buffer = plan.graph[NodeIndex::new(index)].hints.buffer;
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

fn spawn(parts: Vec<Part>, inlet: Option<Inlet>, door: &Arc<Door>, around: &Around) -> LineTask {
    let around = Around { ledger: around.ledger.clone(), ..Around::default() };
    let door = Arc::clone(door);
    let names: Vec<(usize, Arc<str>, Arc<Account>)> = parts
        .iter()
        .map(|part| (part.index, Arc::clone(&part.node.name), Arc::clone(&part.node.account)))
        .collect();
    let control = parts.first().map(|part| Arc::clone(&part.node.control));
    let at = Arc::new(AtomicUsize::new(0));
    let work = async move {
        let driven = drive(parts, inlet, Arc::clone(&at), (door, around));
        let (mut sink, error) = match AssertUnwindSafe(driven).catch_unwind().await {
            Ok(driven) => driven,
            Err(panic) => (None, Some(NodeError::Bug(super::node::words_of(&*panic)))),
        };
        let panicked = matches!(error, Some(NodeError::Bug(_)));
        if let (Some(error), Some(control)) = (error, control) {
            let (_, name, _) = &names[at.load(Ordering::Relaxed).min(names.len() - 1)];
            control.end(broken(name, error));
        }
        let last = names.len() - 1;
        let ends = names.into_iter().enumerate().map(|(place, (node, _, account))| {
            account.done.store(true, Ordering::Relaxed);
            NodeEnd { node, sink: if place == last { sink.take() } else { None }, panicked }
        });
        ends.collect()
    };
    #[expect(clippy::disallowed_methods, reason = "one of the places that start tasks")]
    LineTask(tokio::spawn(work))
}

/// A sink that waits for its last act, and how it came to its end; and what went wrong.
pub(super) type Driven = (Option<(Box<dyn Sink>, Ending)>, Option<NodeError>);

/// Sets the nodes of a line to work, by the shape of the first.
async fn drive(
    parts: Vec<Part>,
    inlet: Option<Inlet>,
    at: Arc<AtomicUsize>,
    (door, around): (Arc<Door>, Around),
) -> Driven {
    let mut parts = parts.into_iter();
    let Some(Part { node, stage, .. }) = parts.next() else { return (None, None) };
    let first = usize::from(matches!(stage, Stage::Source(_)));
    let mut line = Line { steps: Vec::new(), last: None, first, at };
    for Part { joint, node, stage, .. } in parts {
        match (stage, joint) {
            (Stage::Sink(sink), Some(joint)) => line.last = Some(Last::new(joint, node, sink)),
            (Stage::Light(stage), joint) => line.steps.push(Step::new(joint, node, stage)),
            (stage, _) => {
                let message = format!("{stage:?} cannot be worked together with a node above");
                return (None, Some(NodeError::Bug(message)));
            }
        }
    }
    let result = match (stage, inlet) {
        (Stage::Source(stage), _) => return source::drive(node, stage, line).await,
        (Stage::Light(stage), Some(inlet)) => {
            line.steps.insert(0, Step::new(None, node, stage));
            line::drive(line, inlet).await
        }
        (Stage::Heavy(stage), Some(inlet)) => {
            let (most, share) = match node.hints.batch_size {
                // Its time is that of a record, so each record is its own attempt.
                0 if node.hints.timeout.is_some() => (1, 1),
                0 => (MOST_HEAVY, 2 * node.hints.parallelism),
                size => (size, 1),
            };
            let attempts = attempts(&node, Work::Heavy(stage), door, around);
            pool::drive(node, inlet, attempts, Batching::Eager { most, share }).await
        }
        (Stage::Call(stage), Some(inlet)) => {
            let batching =
                Batching::Full { size: node.hints.batch_size, wait: node.hints.batch_wait };
            let attempts = attempts(&node, Work::Call(stage), door, around);
            pool::drive(node, inlet, attempts, batching).await
        }
        (Stage::Gather(stage), Some(inlet)) => gather::drive(node, inlet, stage).await,
        (Stage::Sink(stage), Some(inlet)) => {
            return match sink::drive(node, inlet, stage).await {
                Ok(ended) => (Some(ended), None),
                Err((sink, error)) => (sink.map(|sink| (sink, Ending::Broken)), Some(error)),
            };
        }
        (stage, None) => Err(NodeError::Bug(format!("{stage:?} has no input"))),
    };
    (None, result.err())
}

/// Records that a heavy map takes at once when the file does not say.
pub(crate) const MOST_HEAVY: usize = 32;

fn attempts(node: &Node, work: Work, door: Arc<Door>, around: Around) -> Arc<Attempts> {
    let kept = around.ledger.map(|ledger| Kept {
        ledger,
        node: Arc::clone(&node.name),
        cache: node.hints.cache,
        spender: node.page.as_ref().map(|page| page.spender(&node.account.usage)),
    });
    let results = match (&work, &kept, &node.page) {
        (Work::Heavy(_), Some(kept), Some(page)) => Results::new(kept.clone(), page.clone()),
        _ => None,
    };
    Arc::new(Attempts {
        results,
        node: Arc::clone(&node.name),
        work,
        hints: node.hints.clone(),
        door,
        kept,
        account: Arc::clone(&node.account),
        control: Arc::clone(&node.control),
        page: node.page.clone(),
    })
}
