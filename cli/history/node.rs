//! The records of a node of a run, one in a line.

use std::fmt::Write as _;

use clap::ArgMatches;
use flow_engine::ledger::{FateRow, Filter, Ledger, Past};
use serde_json::{Value, json};

use crate::exit::Trouble;
use crate::number::{self, count, counted};
use crate::state;
use crate::table::{Align, Table};

/// Longest reason or row that is shown, in characters.
const LONGEST: usize = 80;
/// Digits of an id that tell a record from the others.
const DIGITS: usize = 8;

/// The records of a node.
pub(super) fn text(
    ledger: &Ledger,
    past: &Past,
    name: &str,
    matches: &ArgMatches,
) -> Result<String, Trouble> {
    exists(ledger, past, name)?;
    let most = matches.get_one::<u64>("most").copied().unwrap_or(50);
    let all = Filter { run: Some(past.run), node: Some(name), ..Filter::default() };
    let total = ledger.count_fates(&all).map_err(state::trouble)?;
    let rows = ledger.fates(&Filter { most: Some(most), ..all }).map_err(state::trouble)?;
    if matches.get_flag("json") {
        let rows: Vec<Value> = rows.iter().map(to_json).collect();
        return Ok(format!("{:#}\n", json!(rows)));
    }
    if rows.is_empty() {
        return Ok(format!(
            "nothing was noted of single records at `{name}` in run {}: of light nodes and of \
             pipelines without heavy or calling nodes, only what failed is\n",
            past.run
        ));
    }
    let mut table = Table::new(&[
        ("record", Align::Left),
        ("from", Align::Left),
        ("fate", Align::Left),
        ("attempts", Align::Right),
        ("asked", Align::Right),
        ("reused", Align::Right),
        ("gave", Align::Right),
        ("", Align::Left),
    ]);
    for row in &rows {
        let numbers = [row.attempts, row.asked, row.reused].map(u64::from);
        let numbers = numbers.into_iter().chain([row.made.len() as u64]).map(count);
        let about = row.reason.as_ref().or(row.row.as_ref());
        let about = about.map(|about| number::cut(about, LONGEST)).unwrap_or_default();
        let first = [short(row), row.origin(), row.fate.word().to_owned()];
        table.row(first.into_iter().chain(numbers).chain([about]));
    }
    let mut text = table.text("");
    if total > rows.len() as u64 {
        let more = counted(total - rows.len() as u64, "record");
        let _ = writeln!(text, "and {more} more: `--most N` shows them");
    }
    Ok(text)
}

/// A node that is in the run, or what is there instead.
pub(super) fn exists(ledger: &Ledger, past: &Past, name: &str) -> Result<(), Trouble> {
    let nodes = ledger.accounts(past.run).map_err(state::trouble)?;
    if nodes.iter().any(|node| node.node == name) {
        return Ok(());
    }
    let names: Vec<&str> = nodes.iter().map(|node| node.node.as_str()).collect();
    let message = format!("run {} has no node `{name}`", past.run);
    Err(Trouble::wrong(message, format!("It has: {}.", names.join(", "))))
}

/// The beginning of a record's id.
pub(super) fn short(row: &FateRow) -> String {
    row.record.to_string().chars().take(DIGITS).collect()
}

fn to_json(row: &FateRow) -> Value {
    json!({
        "record": row.record.to_string(),
        "from": row.origin(),
        "fate": row.fate.word(),
        "attempts": row.attempts,
        "asked": row.asked,
        "reused": row.reused,
        "gave": row.made.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        "row": row.row,
        "reason": row.reason,
    })
}
