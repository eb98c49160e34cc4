//! The checked pipeline: every name resolved, every hint typed, no loop.

use std::sync::Arc;
use std::time::Duration;

use crate::scalar::{Rate, Share};
use crate::source::{SourceFile, Span, Spanned};
use crate::tree::Node;

/// A pipeline that may be planned. Only `check` makes one, and only from a file without errors.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The file, for diagnostics that `plan` still finds.
    pub source: Arc<SourceFile>,
    /// `flow:`.
    pub name: String,
    /// `title:`.
    pub title: Option<String>,
    /// Parameters with the values of this run; a list for `params` in templates.
    pub params: Vec<(String, serde_json::Value)>,
    /// Where secrets come from.
    pub secrets: Vec<Secret>,
    /// Named limits.
    pub limits: Vec<Limit>,
    /// What all calls may cost.
    pub budget: Budget,
    /// Named models.
    pub models: Vec<Model>,
    /// Named schemas, as they stand in the file.
    pub schemas: Vec<(Spanned<String>, Node)>,
    /// The nodes in the order of the file; edges point at places in this list.
    pub nodes: Vec<PipelineNode>,
}

/// What there is of a pipeline, right or wrong: what stages can judge although the file has
/// mistakes.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The nodes whose stage is known, and all else that could be read. What is wrong in settings
    /// is [`Value::Bad`](crate::tree::Value::Bad); edges mean nothing.
    pub pipeline: Pipeline,
    /// Models that are declared, but with mistakes.
    pub broken_models: Vec<String>,
}

/// One use of a stage.
#[derive(Debug, Clone)]
pub struct PipelineNode {
    /// Its name and where it is declared.
    pub name: Spanned<String>,
    /// The stage.
    pub uses: Spanned<String>,
    /// What flows in.
    pub inputs: Vec<Input>,
    /// What the engine reads.
    pub hints: Hints,
    /// What the stage reads: a map, templates over `params` already rendered.
    pub settings: Node,
}

/// One edge, seen from its lower end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Place of the port in the stage's [`ports`](crate::catalog::StageSpec::ports).
    pub port: usize,
    /// Place of the upper node in [`Pipeline::nodes`].
    pub from: usize,
    /// Which of its outputs.
    pub output: Output,
    /// Where the edge was written.
    pub span: Span,
}

/// The outputs of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Output {
    /// `a`: what it passes on.
    Main,
    /// `a.failed`: its rejects.
    Failed,
}

/// What the engine reads of a node; `None` where neither the node nor `defaults` says.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// Records or batches in flight at the node.
    pub parallelism: Option<Spanned<Parallelism>>,
    /// Records in a batch.
    pub batch_size: Option<Spanned<usize>>,
    /// Longest wait for a batch to fill.
    pub batch_wait: Option<Spanned<Duration>>,
    /// Capacity of the incoming edge, in records.
    pub buffer: Option<Spanned<usize>>,
    /// Whether records leave as they came.
    pub order: Option<Spanned<Order>>,
    /// Time for one attempt.
    pub timeout: Option<Spanned<Duration>>,
    /// Time for all attempts of a record and the waits between them.
    pub deadline: Option<Spanned<Duration>>,
    /// Attempts after the first.
    pub retry: Option<Spanned<u32>>,
    /// Shortest and longest wait between attempts.
    pub backoff: Option<Spanned<(Duration, Duration)>>,
    /// What becomes of a record that failed for good.
    pub on_error: Option<Spanned<OnError>>,
    /// How many failures stop the run.
    pub max_failures: Option<Spanned<MaxFailures>>,
    /// A named limit that each call of the node waits for.
    pub limit: Option<Spanned<String>>,
    /// What the calls of the node may cost in a run, in dollars.
    pub budget: Option<Spanned<f64>>,
    /// What changes with each retry; the last step repeats.
    pub on_retry: Option<Spanned<Vec<RetryStep>>>,
    /// Which answers of earlier runs may be used.
    pub cache: Option<Spanned<Cache>>,
    /// An expression; records for which it is false do not enter.
    pub when: Option<Spanned<String>>,
    /// Free words for selecting nodes.
    pub tags: Vec<String>,
}

/// `parallelism:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parallelism {
    /// From cores and kind of work.
    Auto,
    /// So many.
    Exactly(usize),
}

/// `cache:`, which answers of earlier runs may be used, and whether answers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// Earlier answers are used.
    pub reads: bool,
    /// Answers are kept for later runs.
    pub writes: bool,
    /// Only those that are not older.
    pub age: Option<Duration>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { reads: true, writes: true, age: None }
    }
}

/// `order:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they come.
    Arrival,
    /// As they entered.
    Keep,
}

/// `on_error:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnError {
    /// To `.failed`, counted as rejected.
    Reject,
    /// Passed on, with the error in this field.
    Keep(String),
    /// Dropped, counted as rejected, not sent to `.failed`.
    Skip,
    /// Stops the run.
    Stop,
}

/// `max_failures:`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFailures {
    /// More than so many stop the run.
    Count(u64),
    /// More than this share of the node's records stops the run.
    Share(Share),
}

/// What calls may cost, in US dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// In one run.
    pub run: Option<f64>,
    /// In all runs of a day.
    pub day: Option<f64>,
}

/// A step of `on_retry:`.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryStep {
    /// The model that is asked instead.
    pub model: Option<Spanned<String>>,
    /// The time that the attempt gets.
    pub timeout: Option<RetryTimeout>,
}

/// The time that a retry gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RetryTimeout {
    /// So many times the `timeout` of the node.
    Times(f64),
    /// So long.
    Exactly(Duration),
}

/// A named limit.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Its name.
    pub name: Spanned<String>,
    /// Calls per time.
    pub requests: Option<Rate>,
    /// Tokens per time.
    pub tokens: Option<Rate>,
    /// Calls at once.
    pub concurrency: Option<usize>,
}

/// A named model.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its name.
    pub name: Spanned<String>,
    /// The provider.
    pub provider: Spanned<String>,
    /// The limit that its calls share.
    pub limit: Option<Spanned<String>>,
    /// The secret that holds its key: `key:`, or the provider's usual one when that is declared.
    pub secret: Option<Spanned<String>>,
    /// Everything but `provider`, `limit` and `key`.
    pub settings: Node,
}

/// Where a secret comes from.
#[derive(Debug, Clone)]
pub struct Secret {
    /// Its name.
    pub name: Spanned<String>,
    /// `env:`, `file:` or `command:`.
    pub from: SecretFrom,
}

/// The places that a secret may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFrom {
    /// An environment variable.
    Env(String),
    /// The content of a file, trailing line end removed.
    File(String),
    /// What a program prints, run without a shell.
    Command(Vec<String>),
}
