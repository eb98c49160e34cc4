//! Checked pipeline to plan: stages built, hints resolved, edges in a graph.

mod hints;
mod line;
mod models;
mod settings;
mod targets;

use std::path::Path;
use std::time::Duration;

use flow_dsl::pipeline::{
    Budget, Cache, Limit, MaxFailures, OnError, Order, Output, Parts, PipelineNode, RetryStep,
    RetryTimeout,
};
use flow_dsl::{Code, Diagnostic, Pipeline, Severity};
use petgraph::graph::{DiGraph, NodeIndex};
use serde::Serialize;

use crate::door::{Budgets, Day, Money, Secrets, state};
use crate::expr::Expr;
use crate::factor::Factor;
use crate::registry::{Build, Registry};
use crate::run::{BATCHES, MOST_HEAVY, PULL};
use crate::stage::{Stage, Survey};
pub(crate) use line::{joined_to, lines};

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
    /// What the calls may cost.
    pub budget: Budget,
    /// What a run would stumble over and a plan need not: secrets that are not set.
    pub unset: Vec<Diagnostic>,
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
    /// Its settings, as they were checked.
    pub settings: serde_json::Value,
    /// The version of its stage's behaviour.
    pub version: u32,
}

impl PlanNode {
    /// What decides on what becomes of its records, all of them.
    pub fn factors(&self) -> Vec<Factor> {
        let stage = format!("{} {}", self.uses, self.version);
        let mut factors =
            vec![Factor::new("stage", stage), Factor::new("settings", self.settings.to_string())];
        match &self.stage {
            Stage::Heavy(stage) => factors.extend(stage.factors()),
            Stage::Call(stage) => factors.extend(stage.factors()),
            _ => {}
        }
        factors
    }
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
    /// Records in a batch; 0 where the engine takes what is there.
    pub batch_size: usize,
    /// Longest wait for a batch to fill.
    pub batch_wait: Option<Duration>,
    /// Capacity of the incoming edge, in records; 0 for a source, and where there is none.
    pub buffer: usize,
    /// Whether it may be worked together with the node above, without an edge between them: the
    /// file asks for no edge of its own.
    pub joins: bool,
    /// Whether records leave as they came.
    pub order: Order,
    /// Time for one attempt.
    pub timeout: Option<Duration>,
    /// Time for all attempts of a record and the waits between them.
    pub deadline: Option<Duration>,
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
    /// What the calls of the node may cost.
    pub budget: Option<Money>,
    /// What changes with each retry; the last step repeats.
    pub on_retry: Vec<RetryStep>,
    /// Which answers of earlier runs may be used.
    pub cache: Cache,
    /// Records for which it is false do not enter.
    pub when: Option<Expr>,
}

impl Resolved {
    /// The step of `on_retry` for an attempt, which counts from 1.
    pub fn step_of(&self, attempt: u32) -> Option<usize> {
        let retry = usize::try_from(attempt).ok()?.checked_sub(2)?;
        self.on_retry.len().checked_sub(1).map(|last| retry.min(last))
    }

    /// The time for an attempt, which counts from 1.
    pub fn time_of(&self, attempt: u32) -> Option<Duration> {
        let step = self.step_of(attempt).and_then(|step| self.on_retry[step].timeout);
        match step {
            None => self.timeout,
            Some(RetryTimeout::Exactly(time)) => Some(time),
            Some(RetryTimeout::Times(times)) => {
                let longer = |time: Duration| time.as_secs_f64() * times;
                self.timeout
                    .map(|time| Duration::try_from_secs_f64(longer(time)).unwrap_or(Duration::MAX))
            }
        }
    }
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
    /// What its sinks write for good is to survive a loss of power.
    pub fn make_durable(&mut self) {
        for node in self.graph.node_weights_mut() {
            if let Stage::Sink(sink) = &mut node.stage {
                sink.make_durable();
            }
        }
    }

    /// The most that the run holds in memory at once: what may lie on each edge, what may be in
    /// work at each node, and what a source has pulled and not yet passed on.
    pub fn memory_bound(&self) -> MemoryBound {
        let records = self.graph.node_weights().map(|node| match &node.stage {
            Stage::Source(_) => PULL as u64,
            Stage::Light(_) | Stage::Gather(_) => node.hints.buffer as u64 * 2,
            Stage::Sink(_) if node.hints.buffer == 0 => node.hints.batch_size as u64,
            stage => {
                let at_once = match stage {
                    Stage::Sink(_) => BATCHES * node.hints.batch_size,
                    Stage::Heavy(_) if node.hints.batch_size == 0 => {
                        node.hints.parallelism * MOST_HEAVY
                    }
                    _ => node.hints.parallelism * node.hints.batch_size,
                };
                (node.hints.buffer + at_once) as u64
            }
        });
        let records = records.sum();
        let surveys = self.graph.node_weights().filter_map(|node| node.reads.as_ref());
        let largest = surveys.filter_map(|survey| survey.largest).max();
        MemoryBound { records, bytes: largest.map(|largest| largest.saturating_mul(records)) }
    }

    /// The budgets that its calls keep to.
    pub fn budgets(&self) -> Budgets {
        let nodes = self.graph.node_weights();
        let nodes = nodes.filter_map(|node| Some((node.name.clone(), node.hints.budget?)));
        let day = |most| Day::new(&self.name, Money::dollars(most), state::folder().as_deref());
        Budgets {
            run: self.budget.run.map(Money::dollars),
            day: self.budget.day.map(day),
            nodes: nodes.collect(),
        }
    }

    /// Has no answer of an earlier run used.
    pub fn forget_all(&mut self) {
        for node in self.graph.node_weights_mut() {
            node.hints.cache.reads = false;
        }
    }

    /// Has no answer of an earlier run used at a node and below. Says whether there is such a node.
    pub fn forget_from(&mut self, name: &str) -> bool {
        let Some(first) = self.graph.node_indices().find(|at| self.graph[*at].name == name) else {
            return false;
        };
        let mut below = petgraph::visit::Dfs::new(&self.graph, first);
        while let Some(node) = below.next(&self.graph) {
            self.graph[node].hints.cache.reads = false;
        }
        true
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
    let secrets = Secrets::new(&pipeline.secrets, folder);
    let (planned, diagnostics) = plan_nodes(pipeline, registry, folder, &secrets, |_| true);
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let mut graph = DiGraph::new();
    for planned in planned.into_iter().flatten() {
        graph.add_node(planned);
    }
    for (index, node) in pipeline.nodes.iter().enumerate() {
        for input in &node.inputs {
            let edge = PlanEdge { output: input.output, port: input.port };
            graph.add_edge(NodeIndex::new(input.from), NodeIndex::new(index), edge);
        }
    }
    for node in graph.node_indices() {
        if joined_to(&graph, node).is_some() {
            let hints = &mut graph[node].hints;
            (hints.buffer, hints.batch_wait) = (0, None);
        }
    }
    let unset = secrets.unset();
    Ok(Plan {
        name: pipeline.name.clone(),
        title: pipeline.title.clone(),
        graph,
        limits: pipeline.limits.clone(),
        budget: pipeline.budget,
        unset: unset.iter().map(|secret| settings::unset(pipeline, secret)).collect(),
    })
}

/// The mistakes that [`plan`] would find, for a file that is not run here and now, or has other
/// mistakes: no secret is looked for, of nodes that wait for the value of a param or have a mistake
/// only single settings are looked at, and an input that is not there is only a warning.
pub fn judge(parts: &Parts, registry: &Registry, folder: &Path) -> Vec<Diagnostic> {
    let Parts { pipeline, broken_models } = parts;
    let waiting = pipeline.models.iter().filter(|model| settings::waits(&model.settings, &[]));
    let waiting = waiting.map(|model| &model.name.value).chain(broken_models);
    let waiting: Vec<&str> = waiting.map(String::as_str).collect();
    let ready = |node: &PipelineNode| {
        let steps = node.hints.on_retry.iter().flat_map(|steps| &steps.value);
        let mut models = steps.filter_map(|step| step.model.as_ref());
        !models.any(|model| waiting.contains(&model.value.as_str()))
            && !settings::waits(&node.settings, &waiting)
    };
    let (_, mut found) = plan_nodes(pipeline, registry, folder, &Secrets::default(), ready);
    for missing in found.iter_mut().filter(|found| found.code == Code::F0502) {
        missing.severity = Severity::Warning;
        missing.notes.push("a run would be refused".to_owned());
    }
    found
}

/// The nodes, as far as they are ready and can be built, and everything that is wrong with them.
fn plan_nodes(
    pipeline: &Pipeline,
    registry: &Registry,
    folder: &Path,
    secrets: &Secrets,
    ready: impl Fn(&PipelineNode) -> bool,
) -> (Vec<Option<PlanNode>>, Vec<Diagnostic>) {
    let params: serde_json::Value =
        pipeline.params.iter().cloned().collect::<serde_json::Map<_, _>>().into();
    let mut diagnostics = Vec::new();
    let mut planned = Vec::with_capacity(pipeline.nodes.len());
    for node in &pipeline.nodes {
        let build = Build {
            pipeline: &pipeline.name,
            node: &node.name.value,
            folder,
            params: &params,
            models: &pipeline.models,
            limits: &pipeline.limits,
            schemas: &pipeline.schemas,
            source: &pipeline.source,
            secrets,
            on_retry: node.hints.on_retry.as_ref().map_or(&[], |steps| &steps.value),
        };
        let result = if ready(node) {
            plan_node(pipeline, node, registry, &build)
        } else {
            Err(settings::weighed(pipeline, node, registry, &build))
        };
        planned.push(result.map_err(|found| diagnostics.extend(found)).ok());
    }
    let built = pipeline.nodes.iter().zip(&planned);
    let built = built.filter_map(|(node, planned)| Some((node, planned.as_ref()?)));
    diagnostics.extend(targets::check(pipeline, &built));
    (planned, diagnostics)
}

fn plan_node(
    pipeline: &Pipeline,
    node: &PipelineNode,
    registry: &Registry,
    build: &Build<'_>,
) -> Result<PlanNode, Vec<Diagnostic>> {
    let at_kind = |message: String| {
        vec![Diagnostic::new(Code::F0501, &pipeline.source, node.uses.span, message)]
    };
    let def = registry
        .stage(&node.uses.value)
        .ok_or_else(|| at_kind(format!("no stage called `{}`", node.uses.value)))?;
    let stage = (def.build)(node.settings.to_json(), build)
        .map_err(|errors| settings::refused(pipeline, node, errors))?;
    let hints = hints::resolve(pipeline, node, &stage, build)?;
    models::fit(pipeline, node, &stage)?;
    let asked = |error: crate::stage::StageError| {
        let (source, span) = settings::place(pipeline, node, "path");
        let mut diagnostic = Diagnostic::new(Code::F0502, &source, span, error.message);
        diagnostic.help = error.help;
        vec![diagnostic]
    };
    let reads = match &stage {
        Stage::Source(source) => Some(source.survey().map_err(asked)?),
        _ => None,
    };
    let writes = match &stage {
        Stage::Sink(sink) => Some(sink.survey()),
        _ => None,
    };
    Ok(PlanNode {
        name: node.name.value.clone(),
        uses: node.uses.value.clone(),
        stage,
        hints,
        reads,
        writes,
        tags: node.hints.tags.clone(),
        settings: node.settings.to_json(),
        version: def.version,
    })
}
