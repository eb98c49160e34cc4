//! Whether a run goes on: one state that every node watches, and the first reason to end it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::door::Door;
use crate::outcome::Failed;
use crate::record::Record;
use crate::report::Status;

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// All nodes work.
    Running,
    /// Sources have stopped, no call is begun; what is in flight is finished and stored.
    Draining,
    /// Everything ends at once.
    Stopped,
}

/// The state of a run, shared by its nodes.
#[derive(Debug)]
pub(crate) struct Control {
    state: watch::Sender<State>,
    door: Arc<Door>,
    status: Mutex<Status>,
    failed: Mutex<Failed>,
}

impl Control {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        let (state, status) = (watch::Sender::new(State::Running), Mutex::new(Status::Done));
        Self { state, door, status, failed: Mutex::default() }
    }

    /// Ends the run in order. The first reason stays.
    pub(crate) fn end(&self, reason: Status) {
        {
            let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            if *status == Status::Done {
                let (node, why) = reason.of_node().unzip();
                tracing::warn!(node, why, "the run ends before its time");
                *status = reason;
            }
        }
        self.raise(State::Draining);
        self.door.close();
    }

    /// Ends the run at once.
    pub(crate) fn stop(&self) {
        self.end(Status::Cancelled);
        self.raise(State::Stopped);
    }

    fn raise(&self, to: State) {
        self.state.send_if_modified(|state| {
            let raised = *state < to;
            *state = (*state).max(to);
            raised
        });
    }

    /// How the run stands, or ended.
    pub(crate) fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a record that failed for good.
    pub(crate) fn note(&self, failed: &Record) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).note(failed);
    }

    /// What failed for good.
    pub(crate) fn failed(&self) -> Failed {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether no new work should begin.
    pub(crate) fn is_draining(&self) -> bool {
        *self.state.borrow() >= State::Draining
    }

    /// Waits until the state is at least `wanted`.
    pub(crate) async fn reached(&self, wanted: State) {
        let mut state = self.state.subscribe();
        // The sender lives in `self`, so that the wait cannot fail.
        let _ = state.wait_for(|state| *state >= wanted).await;
    }
}
