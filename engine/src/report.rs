//! What became of a run: every record of every node accounted for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::door::Money;
use crate::stage::Written;

/// The account of a whole run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The pipeline's name.
    pub pipeline: String,
    /// How it ended.
    pub status: Status,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// One account for each node, in the order of the file.
    pub nodes: Vec<NodeReport>,
    /// What all calls used.
    pub usage: Usage,
    /// The same by model, of the calls that were answered.
    pub models: BTreeMap<String, Usage>,
    /// One account for each edge.
    pub edges: Vec<EdgeReport>,
    /// The first rejects of each node, in the order they came; `nodes` counts all of them.
    pub rejects: Vec<Reject>,
    /// What was written where.
    pub written: Vec<Written>,
    /// Files that were not written, since the run is not whole; what stood there stands still.
    pub unwritten: Vec<String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// Every record found its end.
    Done,
    /// Somebody asked it to stop; what was whole is kept.
    Cancelled,
    /// More records failed at a node than it allows.
    TooManyFailures {
        /// The node.
        node: String,
        /// What was allowed and what happened.
        message: String,
    },
    /// A record failed at a node where none may (`on_error: stop`).
    RecordFailed {
        /// The node.
        node: String,
        /// Why it failed.
        message: String,
    },
    /// The next call might have passed a budget; what was whole is kept.
    OverBudget {
        /// The node whose call it was.
        node: String,
        /// What is spent, of what, and what the call may cost.
        message: String,
    },
    /// The world broke.
    Broken {
        /// The node that noticed.
        node: String,
        /// What happened.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// A stage panicked, or a sum did not balance: our fault.
    Bug {
        /// The node.
        node: String,
        /// What it said.
        message: String,
    },
}

impl Status {
    /// The node that ended the run, and why.
    pub(crate) fn of_node(&self) -> Option<(&str, &str)> {
        match self {
            Self::Done | Self::Cancelled => None,
            Self::TooManyFailures { node, message }
            | Self::RecordFailed { node, message }
            | Self::OverBudget { node, message }
            | Self::Broken { node, message, .. }
            | Self::Bug { node, message } => Some((node, message)),
        }
    }
}

/// The account of a node. At the end `in = passed + filtered + rejected + pending`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// The node.
    pub node: String,
    /// Its stage.
    pub stage: String,
    /// Records that entered; for a source, that it came upon.
    #[serde(rename = "in")]
    pub received: u64,
    /// Records that were worked on and gave something; for a sink, that are written.
    pub passed: u64,
    /// Records that were left out on purpose.
    pub filtered: u64,
    /// Records that could not be used.
    pub rejected: u64,
    /// Records on which the run ended before they were worked on.
    pub pending: u64,
    /// Records that the node gave to its readers: more than `passed` where one becomes many.
    pub out: u64,
    /// Of those passed: kept in spite of an error (`on_error: keep`).
    pub kept: u64,
    /// Attempts that were made again: at a record, or at what is left of a batch.
    pub retries: u64,
    /// What its calls used.
    pub usage: Usage,
    /// The same by model, of the calls that were answered.
    pub models: BTreeMap<String, Usage>,
    /// How long its calls waited, added up, and for what.
    pub waits: Waits,
    /// How long its answered calls took.
    pub latency: Latency,
    /// Rejects by reason, the first ten that came up; the rest under `other reasons`.
    pub reasons: BTreeMap<String, u64>,
    /// Time that the node's work took, added up over everything in flight.
    pub busy: Duration,
}

impl NodeReport {
    /// Whether nothing was lost: in = passed + filtered + rejected + pending.
    pub const fn balances(&self) -> bool {
        self.received == self.passed + self.filtered + self.rejected + self.pending
    }
}

/// What model calls used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Calls that went out, failed ones too.
    pub calls: u64,
    /// Calls that were not needed: an earlier run had the answer.
    pub reused: u64,
    /// Tokens sent, as the server counted them.
    pub input_tokens: u64,
    /// Of those sent, read from a cache of the server.
    pub cached_tokens: u64,
    /// Tokens received, as the server counted them.
    pub output_tokens: u64,
    /// What the calls of priced models cost.
    pub cost: Money,
    /// Calls of models whose price is not known: what they cost is not in `cost`.
    pub unpriced: u64,
    /// Calls that went out and brought no answer (their time was up, the connection broke, what came
    /// could not be read): the server may have done its work and want money for it.
    pub lost: u64,
    /// What the lost calls cost at most. It is not in `cost`.
    pub lost_cost: Money,
    /// Lost calls of which nobody knows what they cost at most.
    pub lost_unpriced: u64,
}

impl Usage {
    /// What it cost, in words: calls whose price nobody knows are named, and what lost calls may
    /// have cost.
    pub fn spent(&self) -> String {
        let mut spent = match (self.unpriced, self.cost) {
            (0, cost) => cost.to_string(),
            (_, Money::ZERO) => "unknown price".to_owned(),
            (unpriced, cost) => format!("{cost}, and {unpriced} of unknown price"),
        };
        if self.lost_cost > Money::ZERO {
            let lost = self.lost - self.lost_unpriced;
            spent = format!("{spent}, and up to {} for {lost} lost", self.lost_cost);
        }
        if self.lost_unpriced > 0 {
            let lost = self.lost_unpriced;
            spent = format!("{spent}, and an unknown price for {lost} lost");
        }
        spent
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.reused += other.reused;
        self.input_tokens += other.input_tokens;
        self.cached_tokens += other.cached_tokens;
        self.output_tokens += other.output_tokens;
        self.cost += other.cost;
        self.unpriced += other.unpriced;
        self.lost += other.lost;
        self.lost_cost += other.lost_cost;
        self.lost_unpriced += other.lost_unpriced;
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        let mut sum = Self::default();
        usages.for_each(|usage| sum += usage);
        sum
    }
}

/// How long calls waited, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// For their turn under a named limit.
    pub limit: Duration,
    /// Because the server asked for patience.
    pub patience: Duration,
    /// So as not to overload a server that says nothing of what it can take.
    pub gate: Duration,
    /// For calls in flight, which may leave something of a budget.
    pub budget: Duration,
    /// Between two attempts.
    pub backoff: Duration,
    /// For the answer to the same question, which another record asked just then.
    pub answer: Duration,
}

impl Waits {
    /// All of them together.
    pub fn total(&self) -> Duration {
        self.limit + self.patience + self.gate + self.budget + self.backoff + self.answer
    }
}

/// How long calls took from going out to the last byte of the answer, to within a tenth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the calls were faster.
    pub p50: Duration,
    /// One call in twenty was slower.
    pub p95: Duration,
}

/// The account of an edge: `sent = received + unread`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeReport {
    /// Upper node.
    pub from: String,
    /// `main` or `failed`.
    pub output: String,
    /// Lower node.
    pub to: String,
    /// Records put in.
    pub sent: u64,
    /// Records taken out.
    pub received: u64,
    /// Records left over when the reader had had enough, or the run was stopped at once.
    pub unread: u64,
}

impl EdgeReport {
    /// Whether nothing was lost on the way.
    pub const fn balances(&self) -> bool {
        self.sent == self.received + self.unread
    }
}

/// A record that a stage could not use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reject {
    /// The node.
    pub node: String,
    /// The record's id.
    pub id: String,
    /// The file it came from.
    pub path: Option<String>,
    /// The line in it, when it has one.
    pub line: Option<u32>,
    /// Why.
    pub reason: String,
    /// Attempts that were made.
    pub attempts: u32,
    /// Its fields, long texts cut.
    pub fields: Map<String, Value>,
}

/// What the calls of some nodes used, by model.
pub fn by_model(nodes: &[NodeReport]) -> BTreeMap<String, Usage> {
    let mut models: BTreeMap<String, Usage> = BTreeMap::new();
    for (model, usage) in nodes.iter().flat_map(|node| &node.models) {
        *models.entry(model.clone()).or_default() += *usage;
    }
    models
}

impl Report {
    /// What is known of a run from the accounts of its nodes alone.
    pub fn of_nodes(pipeline: String, status: Status, nodes: Vec<NodeReport>) -> Self {
        Self {
            pipeline,
            status,
            elapsed: Duration::ZERO,
            usage: nodes.iter().map(|node| node.usage).sum(),
            models: by_model(&nodes),
            nodes,
            edges: Vec::new(),
            rejects: Vec::new(),
            written: Vec::new(),
            unwritten: Vec::new(),
        }
    }

    /// The nodes and edges whose sums are off: none, or there is a bug.
    pub fn imbalances(&self) -> Vec<String> {
        let nodes = self.nodes.iter().filter(|node| !node.balances()).map(|node| {
            format!(
                "`{}`: in {} is not passed {} + filtered {} + rejected {} + pending {}",
                node.node, node.received, node.passed, node.filtered, node.rejected, node.pending
            )
        });
        let edges = self.edges.iter().filter(|edge| !edge.balances()).map(|edge| {
            format!(
                "`{}` to `{}`: sent {} is not received {} + unread {}",
                edge.from, edge.to, edge.sent, edge.received, edge.unread
            )
        });
        nodes.chain(edges).collect()
    }
}
