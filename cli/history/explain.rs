//! `flow explain --run`: why a node had to ask about its records, or did not.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::ArgMatches;
use flow_engine::ledger::{Cause, Change, FateRow, Filter, Ledger};

use super::{find, ledger, node, record, text};
use crate::exit::{Exit, Trouble};
use crate::number::{count, counted};
use crate::table::{Align, Table};
use crate::{state, terminal};

/// Runs the command.
pub(crate) fn explain(matches: &ArgMatches, run: &str) -> Result<Exit, Trouble> {
    let ledger = ledger(matches)?;
    let past = find(&ledger, run)?;
    let word = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let Some(name) = word("code") else {
        return Err(Trouble::wrong(
            "`--run` explains the records of a node, and none is named",
            format!("Name one, as in `flow explain --run {run} entities`."),
        ));
    };
    let text = if let Some(which) = word("which") {
        one(&ledger, &record::find(&ledger, &past, name, which)?)?
    } else {
        node::exists(&ledger, &past, name)?;
        let filter = Filter { run: Some(past.run), node: Some(name), ..Filter::default() };
        all(&ledger, &ledger.fates(&filter).map_err(state::trouble)?)?
    };
    terminal::out(&text)?;
    Ok(Exit::Done)
}

/// How many records there are of each cause, and an example of each.
fn all(ledger: &Ledger, rows: &[FateRow]) -> Result<String, Trouble> {
    let mut causes: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let mut changed: Vec<Change> = Vec::new();
    for row in rows {
        let cause = ledger.cause(row).map_err(state::trouble)?;
        if let Cause::Changed { changes, .. } = &cause {
            let of_node = changes.iter().filter(|change| change.of_node);
            let new: Vec<Change> =
                of_node.filter(|change| !changed.contains(change)).cloned().collect();
            changed.extend(new);
        }
        let example = || format!("{} {}", node::short(row), row.origin());
        causes.entry(words(&cause)).or_insert_with(|| (0, example())).0 += 1;
    }
    if causes.is_empty() {
        return Ok("nothing was noted of single records at this node\n".to_owned());
    }
    let mut table =
        Table::new(&[("records", Align::Right), ("such as", Align::Left), ("why", Align::Left)]);
    for (words, (records, example)) in causes {
        table.row([count(records), example, words]);
    }
    let mut text = table.text("");
    for change in &changed {
        let _ = write!(text, "\n{}", difference(ledger, change)?);
    }
    Ok(text)
}

/// Why it had to ask about a record, with what differs.
fn one(ledger: &Ledger, row: &FateRow) -> Result<String, Trouble> {
    let mut text =
        format!("record {} from {}\n  {}\n", row.record, row.origin(), sentence(ledger, row)?);
    if let Cause::Changed { changes, .. } = ledger.cause(row).map_err(state::trouble)? {
        for change in changes.iter().filter(|change| change.of_node) {
            let _ = write!(text, "\n{}", difference(ledger, change)?);
        }
        if changes.iter().any(|change| !change.of_node) {
            let before = ledger.fate_before(row).map_err(state::trouble)?;
            let (old, new) = (before.map(|before| before.input), Some(row.input));
            let record = Change { factor: "record".to_owned(), of_node: false, old, new };
            let _ = write!(text, "\n{}", difference(ledger, &record)?);
        }
    }
    let factors = ledger.factors(row.run, &row.node).map_err(state::trouble)?;
    let names: Vec<&str> = factors.keys().chain(row.factors.keys()).map(String::as_str).collect();
    let _ = writeln!(text, "\nwhat decides here: {}", names.join(", "));
    Ok(text)
}

/// Why it had to ask, in a sentence.
pub(super) fn sentence(ledger: &Ledger, row: &FateRow) -> Result<String, Trouble> {
    let cause = ledger.cause(row).map_err(state::trouble)?;
    let asked = counted(u64::from(row.asked), "question");
    Ok(match &cause {
        Cause::Known => format!("hit: {}", words(&cause)),
        Cause::Silent => words(&cause),
        _ => format!("miss, {asked} asked: {}", words(&cause)),
    })
}

fn words(cause: &Cause) -> String {
    match cause {
        Cause::Known => "everything was answered before".to_owned(),
        Cause::Silent => "nobody had to be asked".to_owned(),
        Cause::First => "no earlier run has seen the record here".to_owned(),
        Cause::Again { since, reason } => {
            format!("it was rejected in run {since} and tried again: {reason}")
        }
        Cause::Missing { since } => format!(
            "nothing changed since run {since}, but no answer was there: it was not kept, was \
             taken away, or was not to be used (`--fresh`, `--from`, `cache`)"
        ),
        Cause::Changed { since, changes } => {
            let names: Vec<String> =
                changes.iter().map(|change| format!("`{}`", change.factor)).collect();
            let verb =
                if names.len() == 1 { "is not what it was" } else { "are not what they were" };
            format!("{} {verb} in run {since}", names.join(" and "))
        }
    }
}

/// What a factor said and says now.
pub(super) fn difference(ledger: &Ledger, change: &Change) -> Result<String, Trouble> {
    let kept = |hash: Option<flow_engine::factor::Hash>| -> Result<Option<String>, Trouble> {
        let Some(hash) = hash else { return Ok(Some(String::new())) };
        Ok(ledger.text(hash).map_err(state::trouble)?.map(|text| text.text))
    };
    let (Some(old), Some(new)) = (kept(change.old)?, kept(change.new)?) else {
        return Ok(format!("`{}` changed; what it was is not kept\n", change.factor));
    };
    let lines = text::differences(&old, &new, "  ");
    let lines = if lines.is_empty() { "  (beyond what is kept of it)\n".to_owned() } else { lines };
    Ok(format!("`{}`:\n{lines}", change.factor))
}
