//! `flow rejects show`: one reject, whole.

use std::fmt::Write as _;
use std::time::Duration;

use clap::ArgMatches;
use flow_engine::ledger::{FateRow, Text};
use serde_json::{Value, json};

use super::{Chosen, flags, short};
use crate::exit::{Exit, Trouble};
use crate::number::{bytes, counted, duration};
use crate::{state, terminal};

pub(super) fn show(matches: &ArgMatches, chosen: &Chosen) -> Result<Exit, Trouble> {
    let rows = chosen.rows(None)?;
    let Some(row) = rows.first() else {
        return Err(Trouble::wrong(chosen.nothing()?, "`flow rejects list` lists what there is."));
    };
    let input = chosen.ledger.text(row.input).map_err(state::trouble)?;
    if matches.get_flag("json") {
        let mut one = super::json(row);
        one["input"] = input.as_ref().map_or(Value::Null, |text| {
            serde_json::from_str(&text.text).unwrap_or_else(|_| json!(text.text))
        });
        terminal::out(&format!("{one:#}\n"))?;
    } else {
        let next = next(row, chosen, &flags(matches));
        terminal::out(&(text(row, input.as_ref()) + &next))?;
    }
    if rows.len() > 1 {
        let more = counted(rows.len() as u64 - 1, "more reject");
        terminal::err(&format!(
            "{more} like this; name another by RECORD, `--node` or `--reason`\n"
        ));
    }
    Ok(Exit::Done)
}

fn text(row: &FateRow, input: Option<&Text>) -> String {
    let reason = row.reason.as_deref().unwrap_or_default();
    let mut text = format!("{}: {} ({})\n  {reason}\n", row.node, row.origin(), row.record);
    let questions = match (row.asked, row.reused) {
        (0, 0) => String::new(),
        (asked, reused) => {
            format!(", {} asked, {reused} answered before", counted(asked.into(), "question"))
        }
    };
    let time = Duration::from_micros(row.micros);
    let tried = match row.attempts {
        0 => "not tried in this run: it was rejected before".to_owned(),
        attempts => {
            format!("{}{questions}, {}", counted(attempts.into(), "attempt"), duration(time))
        }
    };
    let given_up = if row.dropped { "; given up" } else { "" };
    let _ = writeln!(text, "  {tried}{given_up}\n\nthe record");
    match input {
        Some(input) if input.is_cut() => {
            let (kept, all) = (bytes(input.text.len() as u64), bytes(input.size));
            let _ = writeln!(text, "{}\n  (the first {kept} of {all})", input.text);
        }
        Some(input) => {
            let value: Result<Value, _> = serde_json::from_str(&input.text);
            let pretty = value.map_or_else(|_| input.text.clone(), |value| format!("{value:#}"));
            let _ = writeln!(text, "{pretty}");
        }
        None => text.push_str("  was not kept: the records of a run are kept up to 256 MiB\n"),
    }
    if let Some(answer) = &row.answer {
        let _ = writeln!(text, "\nthe answer that nobody could use\n{answer}");
    }
    text
}

/// What can be done.
fn next(row: &FateRow, chosen: &Chosen, flags: &str) -> String {
    let (id, node) = (short(row), &row.node);
    let again = if row.key.is_some() {
        format!("try it again     flow rejects retry {id} --node {node}{flags}")
    } else {
        "try it again     every run does, since that costs nothing".to_owned()
    };
    let give_up = if row.dropped {
        format!("take that back   flow rejects drop {id} --node {node} --undo{flags}")
    } else {
        format!("give it up       flow rejects drop {id} --node {node}{flags}")
    };
    format!(
        "\nwhat can be done\n  {again}\n  {give_up}\n  mend it          change the record, or `{node}` \
         in {}, and run it again\n",
        chosen.run.file
    )
}
