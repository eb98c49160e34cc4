//! What goes wrong with a record, and what goes wrong with the world.

use std::time::Duration;

/// Why a record came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A lowercase fragment: what is wrong with the record, or with the call.
    pub reason: String,
    /// Whether trying again can help.
    pub kind: FailureKind,
    /// The server asked for this much patience.
    pub retry_after: Option<Duration>,
    /// What somebody answered and nobody could use; goes along with the reject.
    pub answer: Option<Box<str>>,
    /// A sentence that says what to do, where the run stops for it.
    pub help: Option<Box<str>>,
}

/// A record is rejected as it was before.
impl From<crate::ledger::Rejected> for Failure {
    fn from(rejected: crate::ledger::Rejected) -> Self {
        let answer = rejected.answer.map(String::into_boxed_str);
        Self { answer, ..Self::bad(rejected.reason) }
    }
}

/// The most bytes of an answer that a [`Failure`] keeps.
const MOST_ANSWER: usize = 64 * 1024;

/// What can be done about a [`Failure`].
/// The first ones outweigh the later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// Nothing will work any more (key refused, server unknown): the run stops in order.
    Fatal,
    /// It would cost more than is left of a budget: the run stops in order before it.
    OverBudget,
    /// The record is bad; it will be as bad the next time.
    Bad,
    /// The run ended before its turn came; neither the record nor the world is to blame.
    Ended,
    /// Nobody has ever answered there in this run, or not for long: worth the attempts that are
    /// left, and after the last one the run stops in order.
    Gone,
    /// Nobody is there who was there a moment ago: worth waiting for, however many attempts it takes.
    Away,
    /// The world was in a bad mood; worth another attempt.
    Transient,
}

impl Failure {
    fn new(kind: FailureKind, reason: String) -> Self {
        Self { reason, kind, retry_after: None, answer: None, help: None }
    }

    /// The record is bad.
    pub fn bad(reason: impl Into<String>) -> Self {
        Self::new(FailureKind::Bad, reason.into())
    }

    /// Worth another attempt.
    pub fn transient(reason: impl Into<String>) -> Self {
        Self::new(FailureKind::Transient, reason.into())
    }

    /// The run ended before its turn came.
    pub(crate) fn ended() -> Self {
        Self::new(FailureKind::Ended, "the run ended before its turn came".to_owned())
    }

    /// It would cost more than is left of a budget.
    pub(crate) fn over_budget(reason: impl Into<String>) -> Self {
        Self::new(FailureKind::OverBudget, reason.into())
    }

    /// Nothing will work any more.
    pub fn fatal(reason: impl Into<String>) -> Self {
        Self::new(FailureKind::Fatal, reason.into())
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<Box<str>>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Keeps the answer that could not be used, up to 64 KiB of it.
    #[must_use]
    pub fn answer(mut self, answer: &str) -> Self {
        self.answer = Some(answer[..answer.floor_char_boundary(MOST_ANSWER)].into());
        self
    }
}

/// The world broke: disk full, database gone. Stops the run in order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StageError {
    /// A lowercase fragment that names the thing (file, table, server) and what happened.
    pub message: String,
    /// A sentence that says what to do.
    pub help: Option<String>,
}

impl StageError {
    /// What happened, to what.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
