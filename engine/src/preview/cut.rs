//! A plan cut off at some nodes: what lies above them, and a tap in the place of each.

use std::collections::HashMap;

use flow_dsl::pipeline::OnError;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed};

use super::PreviewError;
use crate::plan::{Plan, PlanNode};
use crate::stage::Stage;

/// A node that records enter.
pub(super) fn find(plan: &Plan, name: &str) -> Result<NodeIndex, PreviewError> {
    let mut nodes = plan.graph.node_indices();
    let at = nodes
        .find(|at| plan.graph[*at].name == name)
        .ok_or_else(|| PreviewError::Unknown(name.to_owned()))?;
    match plan.graph[at].stage {
        Stage::Source(_) => Err(PreviewError::Source(name.to_owned())),
        _ => Ok(at),
    }
}

/// The nodes above a node, with itself.
fn with_above(plan: &Plan, at: NodeIndex) -> Vec<NodeIndex> {
    let reversed = Reversed(&plan.graph);
    let mut walk = Dfs::new(reversed, at);
    std::iter::from_fn(|| walk.next(reversed)).collect()
}

/// A node above that calls or writes, so that nobody can say what it gives without doing so.
pub(super) fn unforeseen(plan: &Plan, at: NodeIndex) -> Option<String> {
    with_above(plan, at)
        .into_iter()
        .filter(|above| *above != at)
        .map(|above| &plan.graph[above])
        .find(|node| matches!(node.stage, Stage::Call(_) | Stage::Sink(_)))
        .map(|node| node.name.clone())
}

/// The part of a plan above some nodes; each of them becomes what `tap` makes of it.
pub(super) fn above(
    plan: Plan,
    cuts: &[NodeIndex],
    mut tap: impl FnMut(NodeIndex, Stage) -> Stage,
) -> Plan {
    let mut wanted: Vec<NodeIndex> = cuts.iter().flat_map(|at| with_above(&plan, *at)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut part = Plan { graph: DiGraph::new(), ..plan };
    let (nodes, edges) = plan.graph.into_nodes_edges();
    let mut places = HashMap::new();
    for (at, node) in nodes.into_iter().enumerate().map(|(at, node)| (NodeIndex::new(at), node)) {
        if wanted.binary_search(&at).is_err() {
            continue;
        }
        let node =
            if cuts.contains(&at) { tapped(node.weight, |it| tap(at, it)) } else { node.weight };
        places.insert(at, part.graph.add_node(node));
    }
    for edge in edges {
        let ends = (places.get(&edge.source()), places.get(&edge.target()));
        if let (Some(from), Some(to)) = ends
            && !cuts.contains(&edge.source())
        {
            part.graph.add_edge(*from, *to, edge.weight);
        }
    }
    part
}

/// A node whose work is replaced, and that fails nobody.
fn tapped(node: PlanNode, tap: impl FnOnce(Stage) -> Stage) -> PlanNode {
    let mut hints = node.hints;
    (hints.limit, hints.max_failures, hints.on_error) = (None, None, OnError::Skip);
    PlanNode { stage: tap(node.stage), hints, ..node }
}
