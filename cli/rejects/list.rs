//! `flow rejects list`: by node and reason, with where each record came from.

use std::fmt::Write as _;

use clap::ArgMatches;
use flow_engine::ledger::FateRow;
use serde_json::json;

use super::{Chosen, flags, short};
use crate::exit::{Exit, Trouble};
use crate::number::{counted, cut};
use crate::table::{Align, Table};
use crate::terminal;

/// Groups that are shown.
const GROUPS: usize = 20;
/// Records of a group that are shown.
const RECORDS: usize = 10;
/// Longest reason that is shown, in characters.
const LONGEST: usize = 300;

pub(super) fn list(matches: &ArgMatches, chosen: &Chosen) -> Result<Exit, Trouble> {
    let dropped = matches.get_flag("dropped");
    let rows = chosen.rows(Some(dropped))?;
    if matches.get_flag("json") {
        let rejects: Vec<_> = rows.iter().map(super::json).collect();
        let all = json!({"run": chosen.run.run, "file": chosen.run.file, "rejects": rejects});
        terminal::out(&format!("{all:#}\n"))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        let nothing = if dropped {
            format!("no reject of {} was given up", chosen.name())
        } else {
            chosen.nothing()?
        };
        terminal::out(&format!("{nothing}\n"))?;
        return Ok(Exit::Done);
    }
    let mut text = format!("{}: {}\n", chosen.name(), counted(rows.len() as u64, "reject"));
    let groups = groups(&rows);
    for group in groups.iter().take(GROUPS) {
        text.push_str(&of_group(group));
    }
    if groups.len() > GROUPS {
        let more = counted((groups.len() - GROUPS) as u64, "more reason");
        let _ =
            writeln!(text, "\n{more}; narrow them down with `--node` and `--reason`, or `--json`");
    }
    let flags = flags(matches);
    let next = if dropped {
        format!("\ntaken back with `flow rejects drop --undo{flags}`\n")
    } else {
        format!(
            "\none whole: `flow rejects show RECORD{flags}`\nagain: `flow rejects retry{flags}`, \
             at what cost: `--plan`; no more: `flow rejects drop{flags}`\n"
        )
    };
    terminal::out(&(text + &next))?;
    Ok(Exit::Done)
}

/// Those with the same node and reason, the largest group first.
fn groups(rows: &[FateRow]) -> Vec<Vec<&FateRow>> {
    let mut groups = std::collections::BTreeMap::<_, Vec<&FateRow>>::new();
    for row in rows {
        groups.entry((&row.node, &row.reason)).or_default().push(row);
    }
    let mut groups: Vec<Vec<&FateRow>> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups
}

fn of_group(group: &[&FateRow]) -> String {
    let Some(first) = group.first() else { return String::new() };
    let reason = cut(first.reason.as_deref().unwrap_or_default(), LONGEST);
    let count = counted(group.len() as u64, "reject");
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
    for row in group.iter().take(RECORDS) {
        let attempts = (row.attempts > 1).then(|| format!("{} attempts", row.attempts));
        table.row([row.origin(), short(row), attempts.unwrap_or_default()]);
    }
    let mut text = format!("\n{}: {reason} ({count})\n{}", first.node, table.text("  "));
    if group.len() > RECORDS {
        let _ = writeln!(text, "  and {} more", group.len() - RECORDS);
    }
    text
}
