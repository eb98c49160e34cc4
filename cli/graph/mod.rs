//! The graph of a plan, drawn for terminals, Markdown, Graphviz, browsers and programs.

mod dot;
mod json;
mod layout;
mod mermaid;
mod svg;
mod tree;

use flow_dsl::catalog::Shape;
use flow_dsl::pipeline::{OnError, Output};
use flow_engine::plan::{Plan, PlanNode, Resolved};
use flow_engine::stage::Stage;
use serde::Serialize;

use crate::number;

pub(crate) use tree::tree;

/// How a graph can be drawn.
pub(crate) const FORMATS: [&str; 5] = ["tree", "mermaid", "dot", "svg", "json"];

/// What all drawings show of a plan.
#[derive(Debug, Serialize)]
pub(crate) struct Drawing {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
}

/// A node as it is drawn.
#[derive(Debug, Serialize)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) stage: String,
    #[serde(serialize_with = "shape_word")]
    pub(crate) shape: Shape,
    /// What the engine was told, where it is not the usual: `parallelism 4`, `timeout 2m`.
    pub(crate) hints: Vec<String>,
    /// What it reads: `12 files matching data/*.json`.
    pub(crate) reads: Option<String>,
    /// Where it writes: `sqlite:intelligence.db`.
    pub(crate) writes: Option<String>,
}

/// An edge as it is drawn; the ends are places in the list of nodes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Whether it carries the rejects of the upper node.
    pub(crate) failed: bool,
    /// Place of the port at the lower node.
    pub(crate) port: usize,
}

impl Drawing {
    /// What is to be drawn of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let edges = plan.graph.raw_edges().iter().map(|edge| Edge {
            from: edge.source().index(),
            to: edge.target().index(),
            failed: edge.weight.output == Output::Failed,
            port: edge.weight.port,
        });
        Self {
            name: plan.name.clone(),
            title: plan.title.clone(),
            nodes: plan.graph.node_weights().map(Node::of).collect(),
            edges: edges.collect(),
        }
    }

    /// The drawing in one of [`FORMATS`].
    pub(crate) fn draw(&self, format: &str) -> String {
        match format {
            "mermaid" => mermaid::mermaid(self),
            "dot" => dot::dot(self),
            "svg" => svg::svg(self),
            "json" => json::json(self),
            _ => tree(self),
        }
    }
}

impl Node {
    fn of(node: &PlanNode) -> Self {
        Self {
            name: node.name.clone(),
            stage: node.uses.clone(),
            shape: match node.stage {
                Stage::Source(_) => Shape::Source,
                Stage::Light(_) | Stage::Heavy(_) | Stage::Call(_) => Shape::Map,
                Stage::Gather(_) => Shape::Gather,
                Stage::Sink(_) => Shape::Sink,
            },
            hints: hints(&node.hints),
            reads: node.reads.as_ref().map(|survey| survey.what.clone()),
            writes: node.writes.clone(),
        }
    }

    /// What it reads or where it writes, in one line.
    pub(crate) fn world(&self) -> Option<String> {
        let reads = self.reads.clone();
        reads.or_else(|| self.writes.as_ref().map(|writes| format!("to {writes}")))
    }
}

/// The hints that say something beyond the usual.
pub(crate) fn hints(hints: &Resolved) -> Vec<String> {
    let mut words = Vec::new();
    let auto = if hints.parallelism_auto { " (auto)" } else { "" };
    if hints.parallelism > 1 {
        words.push(format!("parallelism {}{auto}", hints.parallelism));
    }
    words.extend(hints.timeout.map(|timeout| format!("timeout {}", number::duration(timeout))));
    words.extend((hints.retry > 0).then(|| format!("retry {}", hints.retry)));
    words.extend(on_error(&hints.on_error));
    words.extend(hints.limit.as_ref().map(|limit| format!("limit {limit}")));
    words.extend(hints.when.as_ref().map(|when| format!("when {}", when.text())));
    words
}

/// What becomes of failed records, unless that is to be rejected.
pub(crate) fn on_error(on_error: &OnError) -> Option<String> {
    match on_error {
        OnError::Reject => None,
        OnError::Keep(field) => Some(format!("keeps errors in {field}")),
        OnError::Skip => Some("skips errors".to_owned()),
        OnError::Stop => Some("stops on errors".to_owned()),
    }
}

/// The word for a shape.
pub(crate) const fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Source => "source",
        Shape::Map => "map",
        Shape::Gather => "gather",
        Shape::Sink => "sink",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields by reference")]
fn shape_word<S: serde::Serializer>(value: &Shape, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(shape(*value))
}

#[cfg(test)]
pub(crate) mod samples {
    //! Graphs for the tests of the drawings.

    use super::*;

    /// The interviews pipeline, by hand.
    pub(crate) fn interviews() -> Drawing {
        let node = |name: &str, stage: &str, shape, hints: &[&str]| Node {
            name: name.to_owned(),
            stage: stage.to_owned(),
            shape,
            hints: hints.iter().map(|&hint| hint.to_owned()).collect(),
            reads: (shape == Shape::Source).then(|| "12 files matching data/*.json".to_owned()),
            writes: (shape == Shape::Sink).then(|| format!("out/{name}.jsonl")),
        };
        let edge = |from, to, failed| Edge { from, to, failed, port: 0 };
        Drawing {
            name: "interviews".to_owned(),
            title: Some("Business intelligence from <interviews> & \"calls\"".to_owned()),
            nodes: vec![
                node("interviews", "read", Shape::Source, &[]),
                node("pieces", "chunk", Shape::Map, &["parallelism 2 (auto)"]),
                node(
                    "entities",
                    "extract",
                    Shape::Map,
                    &["parallelism 4", "timeout 2m", "retry 3"],
                ),
                node("confident", "filter", Shape::Map, &[]),
                node("merged", "consolidate", Shape::Gather, &[]),
                node("saved", "store", Shape::Sink, &[]),
                node("summary", "report", Shape::Sink, &[]),
                node("dead", "store", Shape::Sink, &[]),
            ],
            edges: vec![
                edge(0, 1, false),
                edge(1, 2, false),
                edge(2, 3, false),
                edge(3, 4, false),
                edge(4, 5, false),
                edge(3, 6, false),
                edge(0, 7, true),
                edge(2, 7, true),
            ],
        }
    }
}
