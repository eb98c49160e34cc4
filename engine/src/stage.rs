//! The four shapes of stage. A stage says what to do with what it is handed; the engine owns the
//! loop, the tasks, the channels, the clock, retry, order, counting.

use std::sync::Arc;

use async_trait::async_trait;

use crate::door::Door;
use crate::factor::Factor;
pub use crate::failure::{Failure, FailureKind, StageError};
use crate::ledger::{Answers, Together};
use crate::outcome::Outcome;
pub use crate::preview::{Asked, Estimate};
use crate::record::{Record, RecordId};

/// A stage, ready to run.
pub enum Stage {
    /// Brings records in.
    Source(Box<dyn Source>),
    /// A map of microseconds: done in place, one record after another, on the node's own task.
    Light(Box<dyn Light>),
    /// A map of milliseconds of CPU: done on threads for such work, several at once.
    Heavy(Arc<dyn Heavy>),
    /// A map that waits for the world: many batches at once.
    Call(Arc<dyn Call>),
    /// Sees all records, then answers.
    Gather(Box<dyn Gather>),
    /// Writes batches, then commits.
    Sink(Box<dyn Sink>),
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source(_) => "Source",
            Self::Light(_) => "Light",
            Self::Heavy(_) => "Heavy",
            Self::Call(_) => "Call",
            Self::Gather(_) => "Gather",
            Self::Sink(_) => "Sink",
        })
    }
}

/// One thing that a source came upon.
#[derive(Debug)]
pub enum Found {
    /// A record.
    Record(Record),
    /// Something that should have been a record: what is known of it (path, line) and why not.
    Reject(Record, Failure),
}

/// What one pull brought.
#[derive(Debug, Default)]
pub struct Pull {
    /// What was found, in order; may be empty although more is to come.
    pub found: Vec<Found>,
    /// Nothing more will come.
    pub done: bool,
}

/// What a source is going to read, as far as it can be known beforehand.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Survey {
    /// In words: `12 files matching data/*.json`.
    pub what: String,
    /// Records, when the number is certain (a file each).
    pub records: Option<u64>,
    /// Bytes to read.
    pub bytes: Option<u64>,
    /// Bytes of the largest record that is known beforehand (the largest file).
    pub largest: Option<u64>,
}

/// Brings records in, until there are no more or it is told to stop. May block: it runs on a
/// thread for such work.
pub trait Source: Send {
    /// What will be read. Called by `plan`; must not change what `pull` brings.
    fn survey(&self) -> Result<Survey, StageError>;

    /// The files that will be read, as far as they are known beforehand. Called by `plan`, so that
    /// no sink replaces one of them.
    fn files(&self) -> Vec<std::path::PathBuf> {
        Vec::new()
    }

    /// Brings up to `most` things (and not much more than a mebibyte).
    fn pull(&mut self, most: usize) -> Result<Pull, StageError>;

    /// How far it is, from 0 to 1.
    fn progress(&self) -> Option<f32> {
        None
    }
}

/// What becomes of a record in a [`Light`] map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes, perhaps changed.
    Pass,
    /// It is filtered out.
    Drop,
    /// It passes, and the stage wants no more.
    PassLast,
}

/// A map of microseconds.
pub trait Light: Send {
    /// Decides on a record and may change it in place; on failure it must be unchanged.
    fn apply(&mut self, record: &mut Record) -> Result<Verdict, Failure>;

    /// Wants nothing at all (`take 0`); asked once, before the first record.
    fn done(&self) -> bool {
        false
    }
}

/// A map that costs CPU.
pub trait Heavy: Send + Sync {
    /// What decides on what becomes of every record, besides stage and settings: the content of
    /// files that settings name.
    fn factors(&self) -> Vec<Factor> {
        Vec::new()
    }

    /// What decides on what becomes of this record: what the stage reads of it.
    fn factors_of(&self, record: &Record) -> Vec<Factor> {
        vec![Factor::record(record)]
    }

    /// Makes zero or more records of one; none means that it was filtered out.
    fn apply(&self, record: &Record) -> Result<Vec<Record>, Failure>;
}

/// A map that waits for the world. Cheap to call from many tasks at once.
#[async_trait]
pub trait Call: Send + Sync {
    /// One result for each record of the batch, in the same order. No records means filtered out.
    async fn apply(
        &self,
        batch: &[Record],
        context: &CallContext,
    ) -> Vec<Result<Vec<Record>, Failure>>;

    /// What decides on what becomes of every record, besides stage and settings: the model, the
    /// content of files that settings name.
    fn factors(&self) -> Vec<Factor> {
        Vec::new()
    }

    /// What decides on what becomes of this record: what the stage reads of it, what it tells the
    /// model.
    fn factors_of(&self, record: &Record) -> Vec<Factor> {
        vec![Factor::record(record)]
    }

    /// The models that it asks: the one of the first attempt, then those of the steps of `on_retry`
    /// that name one.
    fn models(&self) -> Vec<Asked> {
        Vec::new()
    }

    /// What a batch is thought to use when no call fails, told without calling anybody; nothing
    /// when that cannot be told. What is `known` is not asked.
    fn estimate(&self, batch: &[Record], known: &Answers) -> Option<Estimate> {
        let _ = (batch, known);
        None
    }

    /// Records in a batch when the file does not say.
    fn batch_size(&self) -> usize {
        1
    }

    /// What a model would be asked about a record, before it has answered anything.
    fn questions(&self, record: &Record) -> Result<Vec<Question>, Failure> {
        let _ = record;
        Ok(Vec::new())
    }

    /// What a plan should say of it: how many calls a record takes, and why.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Calls at once that make sense when the file says `auto`.
    fn parallelism(&self) -> usize {
        8
    }
}

/// The first question of a conversation with a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// What the model is and what it is to do.
    pub system: String,
    /// What it is to work on.
    pub user: String,
    /// The JSON Schema of the answer.
    pub schema: serde_json::Value,
    /// What its answer is kept under.
    pub kept_under: crate::ledger::Key,
}

/// What a [`Call`] may use for one attempt.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The door to the world.
    pub door: Arc<Door>,
    /// Attempt, from 1.
    pub attempt: u32,
    /// The place of the attempt's step in `on_retry`; none for the first attempt, and where there
    /// are no steps.
    pub step: Option<usize>,
    /// Where the node's usage is counted, and how long the attempt has waited for limits.
    pub meter: Arc<crate::door::Meter>,
    /// What earlier attempts at the same batch, and earlier runs, were answered.
    pub answers: Arc<Answers>,
    /// The record that is asked about, where it is only one.
    pub record: Option<RecordId>,
}

impl CallContext {
    /// The same, to ask about one record of the batch.
    #[must_use]
    pub fn about(&self, record: &Record) -> Self {
        Self { record: Some(record.id), ..self.clone() }
    }

    /// The answer to a question: that of an earlier attempt or run, that of another record that
    /// asks the same just now, or that of `ask`, which is kept before it is given.
    pub async fn once(
        &self,
        question: &str,
        ask: impl Future<Output = Result<String, Failure>>,
    ) -> Result<Arc<str>, Failure> {
        self.answers.once(question, (&self.meter, self.record), ask).await
    }

    /// Begins to ask questions together, each about a record of the batch.
    pub fn together<'a>(
        &'a self,
        questions: &'a [(String, RecordId)],
    ) -> Result<Together<'a>, Failure> {
        Together::new(&self.answers, &self.meter, questions)
    }
}

/// Sees all records, then answers. May block.
pub trait Gather: Send {
    /// Takes records that came in at a port (its place among the stage's ports).
    fn take(&mut self, port: usize, records: Vec<Record>) -> Result<(), StageError>;

    /// Answers, when all have come.
    fn finish(&mut self) -> Result<Vec<Record>, StageError>;
}

/// What a sink has made of a whole run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Written {
    /// `sqlite:intelligence.db, table pain_point`, `out/failed.jsonl`.
    pub to: String,
    /// Records of this run that were written.
    pub records: u64,
    /// Of these, those that another of the same run gave way to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
    /// Rows of earlier runs that were removed, since this one has not made them again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub removed: u64,
    /// Rows of earlier runs that stay although this one has not made them again, since records of
    /// the same inputs failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spared: u64,
    /// What the sink thinks of the run, in a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
}

impl Written {
    /// So many records, without a verdict.
    pub fn new(to: impl Into<String>, records: u64) -> Self {
        Self { to: to.into(), records, replaced: None, removed: 0, spared: 0, verdict: None }
    }
}

/// Records that took the place of others of the same run, since they have the same key.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Replaced {
    /// How many.
    pub records: u64,
    /// The key of the first, in words.
    pub example: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Writes batches, then commits. Writing the same record twice leaves one. May block.
pub trait Sink: Send {
    /// Where it will write, in words; called by `plan`, touches nothing.
    fn survey(&self) -> String;

    /// The files that it replaces as a whole and that nobody else may write in the same run.
    fn targets(&self) -> Vec<std::path::PathBuf> {
        Vec::new()
    }

    /// Whether a write costs microseconds and nobody sees it before the commit: then it is done on
    /// the thread of a source above, without a queue between them.
    fn is_light(&self) -> bool {
        false
    }

    /// What it keeps a record under, for people: the same for two records of which one takes the
    /// other's place. None where it keeps no records.
    fn row(&self, record: &Record) -> Option<String> {
        let _ = record;
        None
    }

    /// From now on what it has written for good also survives a loss of power. Files that are put
    /// in place at the end always do.
    fn make_durable(&mut self) {}

    /// The run begins; nothing was read or called yet. Claims what no other run may write meanwhile.
    fn begin(&mut self) -> Result<(), StageError> {
        Ok(())
    }

    /// Writes records that came in at a port, all or none; gives back those that it could not use.
    fn write(
        &mut self,
        port: usize,
        batch: Vec<Record>,
    ) -> Result<Vec<(Record, Failure)>, StageError>;

    /// The last act of a whole run, and of any run where nothing but rejects came: rename the
    /// temporary file, write the summary, remove what has vanished from a whole run.
    fn commit(&mut self, outcome: &Outcome) -> Result<Vec<Written>, StageError>;

    /// The run was cancelled or broke: keep what was written whole (transactions), remove what
    /// was not (temporary files). Says what stays written.
    fn abort(&mut self) -> Vec<Written>;
}
