//! `flow runs`: the runs of a folder.

use std::time::Duration;

use clap::ArgMatches;
use flow_engine::ledger::{Ledger, Past};
use flow_engine::report::{NodeReport, Usage};
use serde_json::json;

use super::{standing, when};
use crate::exit::{Exit, Trouble};
use crate::number::{self, count};
use crate::table::{Align, Table};
use crate::{state, terminal};

/// Runs the command.
pub(crate) fn runs(matches: &ArgMatches) -> Result<Exit, Trouble> {
    let named = matches.get_one::<std::path::PathBuf>("folder");
    let (_, ledger) = state::to_look_at(matches, named)?;
    let most = matches.get_one::<usize>("most").copied().unwrap_or(usize::MAX);
    let all = ledger.runs().map_err(state::trouble)?;
    let shown = &all[all.len().saturating_sub(most)..];
    if matches.get_flag("json") {
        let runs: Result<Vec<_>, Trouble> = shown.iter().map(|run| to_json(&ledger, run)).collect();
        terminal::out(&format!("{:#}\n", json!(runs?)))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        ("run", Align::Right),
        ("file", Align::Left),
        ("began", Align::Left),
        ("took", Align::Right),
        ("ended", Align::Left),
        ("rejects", Align::Right),
        ("calls", Align::Right),
        ("reused", Align::Right),
        ("cost", Align::Right),
    ]);
    for run in shown {
        let Sums { rejects, usage } = Sums::of(&ledger, run)?;
        let ended = match run.continues {
            Some(before) => format!("{}, goes on with {before}", standing(run)),
            None => standing(run).to_owned(),
        };
        let row = [run.run.to_string(), run.file.clone(), when(run.started), took(run), ended];
        let numbers = [rejects, usage.calls, usage.reused].map(count);
        table.row(row.into_iter().chain(numbers).chain([usage.spent()]));
    }
    terminal::out(&table.text(""))?;
    Ok(Exit::Done)
}

/// What the nodes of a run come to together.
struct Sums {
    rejects: u64,
    usage: Usage,
}

impl Sums {
    fn of(ledger: &Ledger, run: &Past) -> Result<Self, Trouble> {
        let nodes: Vec<NodeReport> = ledger.accounts(run.run).map_err(state::trouble)?;
        let rejects = nodes.iter().map(|node| node.rejected).sum();
        Ok(Self { rejects, usage: nodes.iter().map(|node| node.usage).sum() })
    }
}

/// How long a run took; of one that was killed nobody knows. What it has measured itself holds
/// whatever was done to the clock.
fn took(run: &Past) -> String {
    let between = |ended: u64| Duration::from_millis(ended.saturating_sub(run.started));
    let took = run.report.as_ref().map(|report| report.elapsed);
    took.or_else(|| run.ended.map(between)).map_or_else(String::new, number::duration)
}

fn to_json(ledger: &Ledger, run: &Past) -> Result<serde_json::Value, Trouble> {
    let Sums { rejects, usage } = Sums::of(ledger, run)?;
    Ok(json!({
        "run": run.run,
        "pipeline": run.pipeline,
        "file": run.file,
        "inputs": run.inputs,
        "flow": run.flow,
        "started": when(run.started),
        "ended": run.ended.map(when),
        "standing": standing(run),
        "continues": run.continues,
        "rejects": rejects,
        "usage": usage,
    }))
}
