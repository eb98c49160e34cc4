//! `flow diff A B`: what is not the same in two runs: the file, what was given, counts, cost, and
//! what they stored.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::ArgMatches;
use flow_engine::ledger::{Ledger, Past, differences};
use flow_engine::report::NodeReport;
use serde_json::json;

use super::outputs::{Difference, How, Side, compare};
use super::{explain, find, ledger, show, standing, text};
use crate::exit::{Exit, Trouble};
use crate::number::{self, count, counted};
use crate::table::{Align, Table};
use crate::{state, terminal};

/// Rows that are shown of each kind and cause.
const SHOWN: usize = 3;
/// Longest name of a row, in characters.
const LONGEST: usize = 100;

/// Runs the command.
pub(crate) fn diff(matches: &ArgMatches) -> Result<Exit, Trouble> {
    let ledger = ledger(matches)?;
    let word = |name: &str| matches.get_one::<String>(name).map_or("last", String::as_str);
    let (a, b) = (find(&ledger, word("a"))?, find(&ledger, word("b"))?);
    let (before, after) = (Side::of(&ledger, a.run)?, Side::of(&ledger, b.run)?);
    let rows = compare(&before, &after)?;
    if matches.get_flag("json") {
        terminal::out(&format!("{:#}\n", to_json(&ledger, &a, &b, &rows)?))?;
        return Ok(Exit::Done);
    }
    let mut out =
        format!("run {} ({}) against run {} ({})\n", a.run, standing(&a), b.run, standing(&b));
    for section in [given(&a, &b), nodes(&ledger, &a, &b)?, counts(&ledger, &a, &b)?] {
        if !section.is_empty() {
            let _ = write!(out, "\n{section}");
        }
    }
    if before.is_empty() || after.is_empty() {
        out.push_str("\nwhat was stored was not noted in both runs, so it cannot be compared\n");
    } else if rows.is_empty() {
        out.push_str("\nboth stored the same\n");
    } else {
        let _ = write!(out, "\n{}", stored(&ledger, &rows)?);
    }
    terminal::out(&out)?;
    Ok(Exit::Done)
}

/// What was given on the command line, and which program ran.
fn given(a: &Past, b: &Past) -> String {
    let lines = |past: &Past| -> String {
        let given = show::given(past).into_iter().map(|(name, words)| format!("{name} {words}\n"));
        format!("file {}\nflow {}\n{}", past.file, past.flow, given.collect::<String>())
    };
    let differences = text::differences(&lines(a), &lines(b), "  ");
    if differences.is_empty() { differences } else { format!("given\n{differences}") }
}

/// What changed of the nodes.
fn nodes(ledger: &Ledger, a: &Past, b: &Past) -> Result<String, Trouble> {
    let accounts = |past: &Past| ledger.accounts(past.run).map_err(state::trouble);
    let (old, new) = (accounts(a)?, accounts(b)?);
    let is_in = |name: &str, nodes: &[NodeReport]| nodes.iter().any(|node| node.node == name);
    let mut text = String::new();
    for node in old.iter().filter(|node| !is_in(&node.node, &new)) {
        let _ = writeln!(text, "- `{}` ({})", node.node, node.stage);
    }
    for node in &new {
        if !is_in(&node.node, &old) {
            let _ = writeln!(text, "+ `{}` ({})", node.node, node.stage);
            continue;
        }
        let then = ledger.factors(a.run, &node.node).map_err(state::trouble)?;
        let now = ledger.factors(b.run, &node.node).map_err(state::trouble)?;
        for change in differences(&then, &now, true) {
            let _ = write!(text, "`{}`, {}", node.node, explain::difference(ledger, &change)?);
        }
    }
    Ok(text)
}

/// What was counted, where it differs.
fn counts(ledger: &Ledger, a: &Past, b: &Past) -> Result<String, Trouble> {
    let old = ledger.accounts(a.run).map_err(state::trouble)?;
    let new = ledger.accounts(b.run).map_err(state::trouble)?;
    let numbers = ["in", "passed", "filtered", "rejected", "pending", "out", "calls", "cost"];
    let mut columns = vec![("node", Align::Left)];
    columns.extend(numbers.map(|name| (name, Align::Right)));
    let mut table = Table::new(&columns);
    let mut any = false;
    for node in &new {
        let Some(was) = old.iter().find(|was| was.node == node.node) else { continue };
        let of = |node: &NodeReport| {
            let NodeReport { received, passed, filtered, rejected, pending, out, usage, .. } = node;
            let all = [*received, *passed, *filtered, *rejected, *pending, *out, usage.calls];
            all.map(count).into_iter().chain([usage.cost.to_string()]).collect::<Vec<_>>()
        };
        let (was, is) = (of(was), of(node));
        if was != is {
            any = true;
            let cell = |(was, is): (String, String)| {
                if was == is { is } else { format!("{was} > {is}") }
            };
            let cells = was.into_iter().zip(is).map(cell);
            table.row([node.node.clone()].into_iter().chain(cells));
        }
    }
    Ok(if any { format!("counted\n{}", table.text("  ")) } else { String::new() })
}

/// Rows that differ, by store, kind and cause.
fn stored(ledger: &Ledger, rows: &[Difference]) -> Result<String, Trouble> {
    let mut groups: BTreeMap<(&str, How, &str), Vec<&Difference>> = BTreeMap::new();
    for row in rows {
        groups.entry((&row.node, row.how, &row.cause)).or_default().push(row);
    }
    let mut text = String::from("stored\n");
    for ((node, how, cause), rows) in groups {
        let how = match how {
            How::Added => "added",
            How::Removed => "removed",
            How::Changed => "changed",
        };
        let records = counted(rows.len() as u64, "record");
        let _ = writeln!(text, "  `{node}`: {records} {how}, since {cause}");
        for row in rows.iter().take(SHOWN) {
            let _ = writeln!(text, "    {} of {}", number::cut(&row.row, LONGEST), row.from);
            if how == "changed" {
                let kept = |hash: Option<_>| hash.map_or(Ok(None), |hash| ledger.text(hash));
                let (old, new) = (kept(row.old), kept(row.new));
                if let (Some(old), Some(new)) =
                    (old.map_err(state::trouble)?, new.map_err(state::trouble)?)
                {
                    text.push_str(&self::text::differences(&old.text, &new.text, "      "));
                }
            }
        }
        if rows.len() > SHOWN {
            let _ = writeln!(text, "    and {} more", rows.len() - SHOWN);
        }
    }
    Ok(text)
}

fn to_json(
    ledger: &Ledger,
    a: &Past,
    b: &Past,
    rows: &[Difference],
) -> Result<serde_json::Value, Trouble> {
    let side = |past: &Past| -> Result<serde_json::Value, Trouble> {
        let nodes = ledger.accounts(past.run).map_err(state::trouble)?;
        Ok(json!({"run": past.run, "standing": standing(past), "file": past.file,
            "inputs": past.inputs, "flow": past.flow, "nodes": nodes}))
    };
    Ok(json!({"a": side(a)?, "b": side(b)?, "stored": rows}))
}
