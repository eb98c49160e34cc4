//! Which nodes are worked together: a line is a chain of cheap nodes that pass records on by hand,
//! without an edge between them.

use flow_dsl::pipeline::Output;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::{PlanEdge, PlanNode};
use crate::stage::Stage;

type Graph = DiGraph<PlanNode, PlanEdge>;

/// The node above, when this one is worked together with it: a light map below a source or a light
/// map, or a light sink at the end of a line that a source begins; each the only one that reads
/// from the other, and reading from nothing else.
pub(crate) fn joined_to(graph: &Graph, node: NodeIndex) -> Option<NodeIndex> {
    let PlanNode { stage, hints, .. } = &graph[node];
    let mut edges = graph.edges_directed(node, Direction::Incoming);
    let (Some(edge), None, true) = (edges.next(), edges.next(), hints.joins) else {
        return None;
    };
    let above = edge.source();
    let alone = edge.weight().output == Output::Main && readers(graph, above) == 1;
    let cheap = matches!(graph[above].stage, Stage::Source(_) | Stage::Light(_));
    let fits = match stage {
        Stage::Light(_) => true,
        Stage::Sink(sink) => {
            sink.is_light() && matches!(graph[head(graph, above)].stage, Stage::Source(_))
        }
        _ => false,
    };
    (alone && cheap && fits).then_some(above)
}

/// The node that begins the line of this one.
fn head(graph: &Graph, mut node: NodeIndex) -> NodeIndex {
    while let Some(above) = joined_to(graph, node) {
        node = above;
    }
    node
}

/// Edges that leave the main output.
fn readers(graph: &Graph, node: NodeIndex) -> usize {
    graph.edges(node).filter(|edge| edge.weight().output == Output::Main).count()
}

/// All nodes, in lines, each in the order in which records pass.
pub(crate) fn lines(graph: &Graph) -> Vec<Vec<NodeIndex>> {
    let below = |node: NodeIndex| {
        graph.neighbors(node).find(|below| joined_to(graph, *below) == Some(node))
    };
    let heads = graph.node_indices().filter(|node| joined_to(graph, *node).is_none());
    heads.map(|head| std::iter::successors(Some(head), |node| below(*node)).collect()).collect()
}
