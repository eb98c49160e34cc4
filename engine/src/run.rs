//! Plan to report: tasks on bounded edges.

use std::time::Duration;

use serde::Serialize;

use crate::plan::Plan;
use crate::report::{NodeReport, Report};

/// A run under way. Started on the current tokio runtime.
#[derive(Debug)]
pub struct Run {}

/// Where a run is, for a progress display.
#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    /// Since the start.
    pub elapsed: Duration,
    /// One for each node, in the order of the file.
    pub nodes: Vec<NodeProgress>,
}

/// Where a node is.
#[derive(Debug, Clone, Serialize)]
pub struct NodeProgress {
    /// The account so far; `pending` is what it holds right now.
    #[serde(flatten)]
    pub account: NodeReport,
    /// Records that wait on its incoming edge.
    pub queued: u64,
    /// Records in work.
    pub in_flight: u64,
    /// Capacity of its incoming edge.
    pub buffer: u64,
    /// How far a source is, from 0 to 1; for other nodes, the least of the nodes above.
    pub fraction: Option<f32>,
    /// Whether it has ended.
    pub done: bool,
}

impl Run {
    /// Starts a plan.
    pub fn start(plan: Plan) -> Self {
        let _ = plan;
        Self {}
    }

    /// Where it is.
    pub fn progress(&self) -> Progress {
        Progress { elapsed: Duration::ZERO, nodes: Vec::new() }
    }

    /// Asks it to stop: sources stop, calls in flight are finished and stored. A second time: stops
    /// at once.
    pub fn cancel(&self) {}

    /// Waits for the end.
    pub async fn finish(&mut self) -> Report {
        std::future::pending().await
    }
}
