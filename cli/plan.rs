//! `flow plan`: what a run would do, with everything resolved.

use std::fmt::Write as _;

use clap::ArgMatches;
use flow_dsl::pipeline::{Limit, MaxFailures, OnError, Order, Output, RetryStep, RetryTimeout};
use flow_dsl::scalar::Rate;
use flow_engine::door::Money;
use flow_engine::plan::{Plan, PlanNode};
use flow_engine::run::Tries;
use flow_engine::stage::Stage;
use serde_json::{Value, json};

use crate::exit::{Exit, Trouble};
use crate::foresee::{self, Outlook};
use crate::load::Loaded;
use crate::table::{Align, Table};
use crate::{graph, number, params, state, terminal};

/// Runs the command.
pub(crate) fn plan(matches: &ArgMatches, file: &Loaded) -> Result<Exit, Trouble> {
    let inputs = params::inputs(matches)?;
    let again = || file.plan(&inputs).and_then(|plan| crate::run::anew(matches, plan));
    let plan = match again() {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let ledger = state::of_plan(matches, &file.path)?;
    let exact = matches.get_flag("exact");
    let outlook = foresee::outlook(&plan, exact, ledger.as_ref(), Tries::All, again)?;
    if matches.get_one::<String>("format").is_some_and(|format| format == "json") {
        terminal::out(&format!("{:#}\n", to_json(&plan, &outlook)))?;
    } else {
        terminal::out(&text(&plan, &outlook))?;
    }
    Ok(Exit::Done)
}

/// The plan for people.
pub(crate) fn text(plan: &Plan, outlook: &Outlook) -> String {
    let title = plan.title.as_ref().map(|title| format!(": {title}")).unwrap_or_default();
    let mut sections = vec![format!("{}{title}\n", plan.name), nodes(plan), edges(plan)];
    sections.push(world("reads", plan, |node| {
        let survey = node.reads.as_ref()?;
        let bytes = survey.bytes.map(|bytes| format!(", {}", number::bytes(bytes)));
        Some(format!("{}{}", survey.what, bytes.unwrap_or_default()))
    }));
    sections.push(world("writes", plan, |node| node.writes.clone()));
    sections.push(world("calls", plan, |node| {
        Some(notes(node).join("; ")).filter(|notes| !notes.is_empty())
    }));
    sections.push(limits(&plan.limits));
    sections.push(budget(plan));
    sections.push(foresee::text(outlook, &plan.limits));
    sections.push(unset(plan));
    sections.push(format!("memory\n  {}\n", memory(plan)));
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

fn nodes(plan: &Plan) -> String {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("stage", Align::Left),
        ("work", Align::Left),
        ("parallelism", Align::Right),
        ("batch", Align::Right),
        ("buffer", Align::Right),
        ("hints", Align::Left),
    ]);
    // Zero means that the node takes what comes.
    let number = |count: usize| if count == 0 { "-".to_owned() } else { count.to_string() };
    for node in plan.graph.node_weights() {
        let hints = &node.hints;
        let auto = if hints.parallelism_auto { "auto " } else { "" };
        table.row([
            node.name.clone(),
            node.uses.clone(),
            work(&node.stage).to_owned(),
            format!("{auto}{}", hints.parallelism),
            number(hints.batch_size),
            number(hints.buffer),
            spoken(node).join(", "),
        ]);
    }
    table.text("  ")
}

/// What a calling stage says of its calls.
fn notes(node: &PlanNode) -> Vec<String> {
    match &node.stage {
        Stage::Call(stage) => stage.notes(),
        _ => Vec::new(),
    }
}

/// The kind of work in a word.
pub(crate) const fn work(stage: &Stage) -> &'static str {
    match stage {
        Stage::Source(_) => "source",
        Stage::Light(_) => "light map",
        Stage::Heavy(_) => "heavy map",
        Stage::Call(_) => "calls",
        Stage::Gather(_) => "gather",
        Stage::Sink(_) => "sink",
    }
}

/// The hints that have no column of their own, where they are set.
fn spoken(node: &PlanNode) -> Vec<String> {
    let hints = &node.hints;
    let mut words = Vec::new();
    let time = number::duration;
    words.extend(hints.batch_wait.map(|wait| format!("batch_wait {}", time(wait))));
    words.extend((hints.order == Order::Keep).then(|| "order keep".to_owned()));
    words.extend(hints.timeout.map(|timeout| format!("timeout {}", time(timeout))));
    words.extend(hints.deadline.map(|deadline| format!("deadline {}", time(deadline))));
    if hints.retry > 0 {
        let (low, high) = hints.backoff;
        words.push(format!("retry {} after {}..{}", hints.retry, time(low), time(high)));
    }
    words.extend(graph::on_error(&hints.on_error));
    words.extend(hints.max_failures.map(|most| format!("max_failures {}", failures(most))));
    words.extend(hints.limit.as_ref().map(|limit| format!("limit {limit}")));
    words.extend(hints.budget.map(|budget| format!("budget {budget}")));
    words.extend((!hints.on_retry.is_empty()).then(|| retries(&hints.on_retry)));
    words.extend(hints.when.as_ref().map(|when| format!("when {}", when.text())));
    words
}

/// The steps of `on_retry`.
fn retries(steps: &[RetryStep]) -> String {
    let steps: Vec<String> = steps
        .iter()
        .map(|step| {
            let model = step.model.as_ref().map(|model| model.value.clone());
            let time = step.timeout.map(|time| match time {
                RetryTimeout::Times(times) => format!("timeout x{times}"),
                RetryTimeout::Exactly(time) => format!("timeout {}", number::duration(time)),
            });
            [model, time].into_iter().flatten().collect::<Vec<_>>().join(" ")
        })
        .collect();
    format!("on_retry {}", steps.join(" then "))
}

fn failures(most: MaxFailures) -> String {
    match most {
        MaxFailures::Count(count) => count.to_string(),
        MaxFailures::Share(share) => format!("{}%", share.0 * 100.0),
    }
}

fn edges(plan: &Plan) -> String {
    let names: Vec<&str> = plan.names().collect();
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for edge in plan.graph.raw_edges() {
        let failed = if edge.weight.output == Output::Failed { ".failed" } else { "" };
        let name = |at: usize| names.get(at).copied().unwrap_or_default();
        table.row([
            format!("{}{failed}", name(edge.source().index())),
            format!("-> {}", name(edge.target().index())),
        ]);
    }
    section("edges", &table)
}

fn world(heading: &str, plan: &Plan, of: impl Fn(&PlanNode) -> Option<String>) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for node in plan.graph.node_weights() {
        if let Some(what) = of(node) {
            table.row([node.name.clone(), what]);
        }
    }
    section(heading, &table)
}

fn limits(limits: &[Limit]) -> String {
    let rate = |rate: Rate| format!("{} in {}", rate.count, number::duration(rate.per));
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for limit in limits {
        let parts = [
            limit.requests.map(|requests| format!("requests {}", rate(requests))),
            limit.tokens.map(|tokens| format!("tokens {}", rate(tokens))),
            limit.concurrency.map(|calls| format!("{calls} at once")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        table.row([limit.name.value.clone(), parts.join(", ")]);
    }
    section("limits", &table)
}

/// What the calls may cost.
fn budget(plan: &Plan) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for (of, most) in [("this run", plan.budget.run), ("all runs of a day", plan.budget.day)] {
        if let Some(most) = most.map(Money::dollars) {
            table.row([of.to_owned(), format!("at most {most}")]);
        }
    }
    section("budget", &table)
}

/// Secrets that the plan can do without and a run cannot.
fn unset(plan: &Plan) -> String {
    let mut table = Table::new(&[("", Align::Left)]);
    for secret in &plan.unset {
        table.row([secret.message.clone()]);
    }
    section("a run is refused until these are set", &table)
}

/// A heading and a table, or nothing when the table is empty.
fn section(heading: &str, table: &Table) -> String {
    let text = table.text("  ");
    if text.is_empty() { text } else { format!("{heading}\n{text}") }
}

fn memory(plan: &Plan) -> String {
    let bound = plan.memory_bound();
    let mut text = format!("at most {} at once", number::counted(bound.records, "record"));
    if let Some(bytes) = bound.bytes {
        let _ = write!(text, ", {} if all are as large as the largest input", number::bytes(bytes));
    }
    let gathers: Vec<String> = plan
        .graph
        .node_weights()
        .filter(|node| matches!(node.stage, Stage::Gather(_)))
        .map(|node| format!("`{}`", node.name))
        .collect();
    if !gathers.is_empty() {
        let _ = write!(
            text,
            "; besides, {} must see all records before it answers",
            gathers.join(", ")
        );
    }
    text
}

/// The plan for programs.
fn to_json(plan: &Plan, outlook: &Outlook) -> Value {
    let names: Vec<&str> = plan.names().collect();
    let edges = plan.graph.raw_edges().iter().map(|edge| {
        json!({
            "from": names.get(edge.source().index()),
            "output": if edge.weight.output == Output::Failed { "failed" } else { "main" },
            "to": names.get(edge.target().index()),
            "port": edge.weight.port,
        })
    });
    json!({
        "pipeline": plan.name,
        "title": plan.title,
        "nodes": plan.graph.node_weights().map(node_json).collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
        "budget": {"run": plan.budget.run, "day": plan.budget.day},
        "prediction": foresee::to_json(outlook),
        "unset": plan.unset.iter().map(|secret| &secret.message).collect::<Vec<_>>(),
        "memory": plan.memory_bound(),
    })
}

fn node_json(node: &PlanNode) -> Value {
    let hints = &node.hints;
    let millis = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    json!({
        "node": node.name,
        "stage": node.uses,
        "work": work(&node.stage),
        "parallelism": hints.parallelism,
        "parallelism_auto": hints.parallelism_auto,
        "batch_size": hints.batch_size,
        "batch_wait_ms": hints.batch_wait.map(millis),
        "buffer": hints.buffer,
        "order": if hints.order == Order::Keep { "keep" } else { "arrival" },
        "timeout_ms": hints.timeout.map(millis),
        "deadline_ms": hints.deadline.map(millis),
        "retry": hints.retry,
        "backoff_ms": [millis(hints.backoff.0), millis(hints.backoff.1)],
        "on_error": match &hints.on_error {
            OnError::Reject => "reject",
            OnError::Keep(_) => "keep",
            OnError::Skip => "skip",
            OnError::Stop => "stop",
        },
        "max_failures": hints.max_failures.map(failures),
        "limit": hints.limit,
        "budget": hints.budget,
        "on_retry": (!hints.on_retry.is_empty()).then(|| retries(&hints.on_retry)),
        "when": hints.when.as_ref().map(flow_engine::expr::Expr::text),
        "reads": node.reads,
        "writes": node.writes,
        "calls": notes(node),
        "tags": node.tags,
    })
}
