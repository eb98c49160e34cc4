//! Checked pipeline to plan: stages built, hints resolved, edges in a graph.

use std::path::Path;
use std::time::Duration;

use flow_dsl::pipeline::{Limit, MaxFailures, OnError, Order, Output};
use flow_dsl::{Diagnostic, Pipeline};
use petgraph::graph::DiGraph;
use serde::Serialize;

use crate::expr::Expr;
use crate::registry::Registry;
use crate::stage::{Stage, Survey};

/// A pipeline that can be run, once.
#[derive(Debug)]
pub struct Plan {
    /// The pipeline's name.
    pub name: String,
    /// Its title.
    pub title: Option<String>,
    /// Nodes and edges; node indices are places in the order of the file.
    pub graph: DiGraph<PlanNode, PlanEdge>,
    /// The limits that calls share.
    pub limits: Vec<Limit>,
}

/// A node with everything resolved.
#[derive(Debug)]
pub struct PlanNode {
    /// Its name.
    pub name: String,
    /// The name of its stage.
    pub uses: String,
    /// The work.
    pub stage: Stage,
    /// What the engine reads.
    pub hints: Resolved,
    /// What a source will read.
    pub reads: Option<Survey>,
    /// Where a sink will write.
    pub writes: Option<String>,
    /// Free words.
    pub tags: Vec<String>,
}

/// An edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PlanEdge {
    /// Which output of the upper node.
    #[serde(skip)]
    pub output: Output,
    /// Place of the input port of the lower node.
    pub port: usize,
}

/// Hints with every default and `auto` filled in.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Batches in flight; 1 for sources, light maps, gathers and sinks.
    pub parallelism: usize,
    /// Whether `auto` chose it.
    pub parallelism_auto: bool,
    /// Records in a batch.
    pub batch_size: usize,
    /// Longest wait for a batch to fill.
    pub batch_wait: Option<Duration>,
    /// Capacity of the incoming edge, in records; 0 for a source.
    pub buffer: usize,
    /// Whether records leave as they came.
    pub order: Order,
    /// Time for one attempt.
    pub timeout: Option<Duration>,
    /// Attempts after the first.
    pub retry: u32,
    /// Shortest and longest wait between attempts.
    pub backoff: (Duration, Duration),
    /// What becomes of a record that failed for good.
    pub on_error: OnError,
    /// How many failures stop the run.
    pub max_failures: Option<MaxFailures>,
    /// A limit that each call of the node waits for.
    pub limit: Option<String>,
    /// Records for which it is false do not enter.
    pub when: Option<Expr>,
}

/// The most that a run holds in memory at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryBound {
    /// Records at rest on edges, in work, and read ahead by sources. Gather nodes hold their whole
    /// scope besides.
    pub records: u64,
    /// `records` times the largest input that is known beforehand.
    pub bytes: Option<u64>,
}

impl Plan {
    /// The most that the run holds in memory at once.
    pub fn memory_bound(&self) -> MemoryBound {
        MemoryBound { records: 0, bytes: None }
    }

    /// The names of the nodes in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.graph.node_weights().map(|node| node.name.as_str())
    }
}

/// Builds every stage and resolves every hint. All mistakes that only show here (a file that is
/// not there, a value that the stage refuses) come back at once, at their place in the file.
///
/// `folder` is where relative paths of the pipeline start.
pub fn plan(
    pipeline: &Pipeline,
    registry: &Registry,
    folder: &Path,
) -> Result<Plan, Vec<Diagnostic>> {
    let _ = (pipeline, registry, folder);
    Err(Vec::new())
}
