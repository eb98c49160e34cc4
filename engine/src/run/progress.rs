//! Where a run is, for a progress display.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use super::Watch;
use crate::report::NodeReport;

/// Where a run is.
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
    /// The account so far.
    pub account: NodeReport,
    /// Records that wait on its incoming edge.
    pub queued: u64,
    /// Records in work.
    pub in_flight: u64,
    /// Capacity of its incoming edge.
    pub buffer: u64,
    /// How much of all that it will see is done, from 0 to 1, where the sources know how far they
    /// are.
    pub fraction: Option<f32>,
    /// Whether it has ended.
    pub done: bool,
}

impl Watch {
    /// Where it is.
    pub fn progress(&self) -> Progress {
        let mut nodes: Vec<NodeProgress> = (0..self.nodes.len()).map(|at| self.look(at)).collect();
        let mut known = HashMap::new();
        for at in 0..nodes.len() {
            nodes[at].fraction = self.fraction(at, &nodes, &mut known);
        }
        Progress { elapsed: self.started.elapsed(), nodes }
    }

    fn look(&self, at: usize) -> NodeProgress {
        let node = &self.nodes[at];
        let (queued, buffer) = match &node.room {
            Some((room, buffer)) => (buffer.saturating_sub(room.available_permits()), *buffer),
            None => (0, 0),
        };
        NodeProgress {
            account: node.account.report(&node.name, &node.stage),
            queued: queued as u64,
            in_flight: node.account.in_flight.load(Ordering::Relaxed),
            buffer: buffer as u64,
            fraction: node.account.fraction(),
            done: node.account.done.load(Ordering::Relaxed),
        }
    }

    /// The share of what has come that is dealt with, of the share of all that has come.
    fn fraction(
        &self,
        at: usize,
        nodes: &[NodeProgress],
        known: &mut HashMap<usize, Option<f32>>,
    ) -> Option<f32> {
        if let Some(fraction) = known.get(&at) {
            return *fraction;
        }
        let node = &nodes[at];
        let above = &self.nodes[at].above;
        let fraction = if node.done {
            Some(1.0)
        } else if above.is_empty() {
            node.fraction
        } else {
            let shares: Option<Vec<f32>> =
                above.iter().map(|upper| self.fraction(*upper, nodes, known)).collect();
            let account = &node.account;
            let dealt = account.passed + account.filtered + account.rejected;
            let come = account.received.max(dealt) + node.queued;
            #[expect(clippy::cast_precision_loss, reason = "a rough share for people")]
            let share = if come == 0 { 1.0 } else { dealt as f32 / come as f32 };
            shares.map(|shares| shares.into_iter().fold(1.0, f32::min) * share)
        };
        known.insert(at, fraction);
        fraction
    }
}
