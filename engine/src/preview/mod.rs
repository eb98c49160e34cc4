//! What a run would meet, found out by running the part of it that calls nobody and writes nothing.

mod cut;
mod need;
mod predict;
#[cfg(test)]
mod tests;
mod time;

pub use need::{Asked, Band, Estimate};
pub use predict::{Basis, Foreseen, Need, Prediction, predict};
pub use time::{Binds, Bottleneck, FIRST_TOKEN, TOKENS_PER_SECOND};

use std::sync::{Arc, Mutex, PoisonError};

use crate::plan::Plan;
use crate::record::Record;
use crate::report::Status;
use crate::run::Run;
use crate::stage::{Failure, Light, Stage, Verdict};

/// Why there is nothing to look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreviewError {
    /// No such node.
    #[error("no node called `{0}`")]
    Unknown(String),
    /// A source brings records; none enters it.
    #[error("`{0}` is a source: no record enters it")]
    Source(String),
    /// What enters depends on a node that calls or writes.
    #[error("what enters `{node}` depends on what becomes of it at `{above}`")]
    Below {
        /// The node.
        node: String,
        /// The node above it that would have to work for real.
        above: String,
    },
    /// A node above stopped the run, as it would stop a real one.
    #[error("`{node}`: {message}")]
    Stopped {
        /// That node.
        node: String,
        /// What happened.
        message: String,
    },
}

/// The first records that would enter a node, up to `most`. Runs what lies above it for real:
/// sources read, maps that need only this machine work, gathers answer. Calls nobody, writes
/// nothing.
pub async fn entering(plan: Plan, node: &str, most: usize) -> Result<Vec<Record>, PreviewError> {
    let at = cut::find(&plan, node)?;
    if let Some(above) = cut::unforeseen(&plan, at) {
        return Err(PreviewError::Below { node: node.to_owned(), above });
    }
    let kept = Arc::new(Mutex::new(Vec::new()));
    let part = cut::above(plan, &[at], |place, stage| {
        if place != at {
            return stage;
        }
        Stage::Light(Box::new(Keep { most, kept: Arc::clone(&kept) }))
    });
    look(part).await?;
    Ok(std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// Runs a part of a plan to its end.
async fn look(part: Plan) -> Result<(), PreviewError> {
    match Run::start(part).finish().await.status {
        Status::Done | Status::Cancelled => Ok(()),
        Status::TooManyFailures { node, message }
        | Status::RecordFailed { node, message }
        | Status::OverBudget { node, message }
        | Status::Broken { node, message, .. }
        | Status::Bug { node, message } => Err(PreviewError::Stopped { node, message }),
    }
}

/// Keeps what passes, and wants no more when it has enough.
struct Keep {
    most: usize,
    kept: Arc<Mutex<Vec<Record>>>,
}

impl Light for Keep {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict, Failure> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(record.clone());
        Ok(if kept.len() < self.most { Verdict::Pass } else { Verdict::PassLast })
    }

    fn done(&self) -> bool {
        self.most == 0
    }
}
