//! `flow show RUN`: what became of a run, of the records at one of its nodes, of one record.

use std::fmt::Write as _;

use clap::ArgMatches;
use flow_engine::ledger::{Ledger, Past, Standing};
use flow_engine::report::Report;

use super::{find, ledger, node, record, standing, when};
use crate::exit::{Exit, Trouble};
use crate::number::{self, counted};
use crate::{account, state, terminal};

/// Runs the command.
pub(crate) fn show(matches: &ArgMatches, run: &str) -> Result<Exit, Trouble> {
    let ledger = ledger(matches)?;
    let past = find(&ledger, run)?;
    let word = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let text = match (word("node"), word("which")) {
        (None, _) if matches.get_flag("json") => as_json(&ledger, &past)?,
        (None, _) if matches.get_flag("file-text") => file(&ledger, &past)?,
        (None, _) => whole(&ledger, &past)?,
        (Some(name), None) => node::text(&ledger, &past, name, matches)?,
        (Some(name), Some(which)) => record::text(&ledger, &past, name, which)?,
    };
    terminal::out(&text)?;
    Ok(Exit::Done)
}

fn whole(ledger: &Ledger, past: &Past) -> Result<String, Trouble> {
    let mut text = format!("run {} of {}: {}\n", past.run, past.file, standing(past));
    let ended = past.ended.map(|ended| format!(", ended {}", when(ended))).unwrap_or_default();
    let _ = writeln!(text, "  began {}{ended}, flow {}", when(past.started), past.flow);
    for (name, words) in given(past) {
        let _ = writeln!(text, "  {name} {words}");
    }
    let (earlier, usage) = ledger.usage_with_earlier(past.run).map_err(state::trouble)?;
    if let Some(before) = past.continues {
        let runs = counted(earlier + 1, "run");
        let calls = counted(usage.calls, "call");
        let _ = writeln!(
            text,
            "  goes on with run {before}: {calls}, {} in {runs} together",
            usage.spent()
        );
    }
    let report = report(ledger, past)?;
    let account = match past.report {
        Some(_) => account::text(&report),
        None => account::usage(&report) + "its counts are noted at its end, which has not come\n",
    };
    let _ = write!(text, "\n{account}");
    Ok(text)
}

/// Params, profiles and overrides that were given.
pub(super) fn given(past: &Past) -> Vec<(&'static str, String)> {
    let mut given = Vec::new();
    for (name, key) in [("param", "params"), ("set", "sets")] {
        for pair in past.inputs[key].as_array().into_iter().flatten() {
            if let (Some(name_of), Some(value)) = (pair[0].as_str(), pair[1].as_str()) {
                given.push((name, format!("{name_of}={value}")));
            }
        }
    }
    for profile in past.inputs["profiles"].as_array().into_iter().flatten() {
        given.push(("profile", profile.as_str().unwrap_or_default().to_owned()));
    }
    given
}

/// The account of a run: its own, or what was last noted of it.
pub(super) fn report(ledger: &Ledger, past: &Past) -> Result<Report, Trouble> {
    if let Some(report) = &past.report {
        return Ok(report.clone());
    }
    let nodes = ledger.accounts(past.run).map_err(state::trouble)?;
    let status = match &past.standing {
        Standing::Ended(status) => status.clone(),
        Standing::Running | Standing::Killed => flow_engine::report::Status::Cancelled,
    };
    Ok(Report::of_nodes(past.pipeline.clone(), status, nodes))
}

fn as_json(ledger: &Ledger, past: &Past) -> Result<String, Trouble> {
    let report = report(ledger, past)?;
    let json = serde_json::json!({
        "run": past.run,
        "file": past.file,
        "inputs": past.inputs,
        "standing": standing(past),
        "started": when(past.started),
        "ended": past.ended.map(when),
        "continues": past.continues,
        "report": report,
    });
    Ok(format!("{json:#}\n"))
}

/// The pipeline file, as it was run.
fn file(ledger: &Ledger, past: &Past) -> Result<String, Trouble> {
    let source = ledger.source(past.run).map_err(state::trouble)?;
    match source {
        Some(source) if source.is_cut() => {
            let rest = number::bytes(source.size - source.text.len() as u64);
            Ok(format!("{}\n# and {rest} more, which were not kept\n", source.text))
        }
        Some(source) => Ok(source.text),
        None => Err(Trouble::wrong("the file of this run was not kept", "Look at a later run.")),
    }
}
