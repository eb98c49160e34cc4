//! `flow show`: what a node would ask its model about a record, without asking.

use std::fmt::Write as _;

use clap::ArgMatches;
use flow_engine::preview::entering;
use flow_engine::stage::{Question, Stage};

use crate::exit::{Exit, Trouble};
use crate::load::Loaded;
use crate::run::runtime;
use crate::{number, params, terminal};

/// Runs the command.
pub(crate) fn show(matches: &ArgMatches, file: &Loaded) -> Result<Exit, Trouble> {
    let plan = match file.plan(&params::inputs(matches)?) {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let Some(name) = matches.get_one::<String>("node").map(String::as_str) else {
        return Err(Trouble::wrong(
            "no node is named",
            "Name one that asks a model; `flow plan FILE` says which nodes call.",
        ));
    };
    let place = matches.get_one::<usize>("record").copied().unwrap_or(1);
    let node = plan.graph.node_weights().find(|node| node.name == name);
    let stage = match node.map(|node| &node.stage) {
        Some(Stage::Call(stage)) => Some(std::sync::Arc::clone(stage)),
        _ => None,
    };
    let entering = runtime()?.block_on(entering(plan, name, place));
    let records = entering.map_err(|error| {
        Trouble::wrong(error.to_string(), "`flow graph FILE` draws the nodes of a pipeline.")
    })?;
    let Some(stage) = stage else {
        return Err(silent(name));
    };
    let Some(record) = records.get(place.saturating_sub(1)) else {
        let count = number::counted(records.len() as u64, "record");
        return Err(Trouble::wrong(
            format!("no record {place} enters `{name}`, only {count}"),
            "Name an earlier one with `--record`.",
        ));
    };
    let questions = stage.questions(record).map_err(|failure| {
        Trouble::wrong(
            format!("record {place} ({}) would be rejected: {}", record.origin(), failure.reason),
            "Name another one with `--record`.",
        )
    })?;
    if questions.is_empty() {
        return Err(silent(name));
    }
    terminal::out(&text(&questions))?;
    Ok(Exit::Done)
}

fn silent(name: &str) -> Trouble {
    Trouble::wrong(
        format!("`{name}` asks no chat model"),
        "Name a node that does; `flow plan FILE` says which nodes call.",
    )
}

fn text(questions: &[Question]) -> String {
    let mut text = String::new();
    for (nth, Question { system, user, schema, .. }) in questions.iter().enumerate() {
        let _ = writeln!(text, "--- call {} of {}: system\n{system}", nth + 1, questions.len());
        let _ = writeln!(text, "--- user\n{user}\n\n--- schema of the answer\n{schema:#}\n");
    }
    text
}
