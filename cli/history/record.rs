//! All that is known of one record at a node of a run: what it was, what was asked about it and
//! answered, what it gave, what it was made of and what became of that.

use std::fmt::Write as _;
use std::time::Duration;

use flow_engine::factor::Hash;
use flow_engine::ledger::{FateRow, Filter, Ledger, Past};
use flow_engine::record::{Record, RecordId};
use flow_engine::stage::{Question, Stage};

use super::node::{exists, short};
use super::{explain, text};
use crate::exit::Trouble;
use crate::load::Loaded;
use crate::number::{self, counted};
use crate::{params, state};

/// Records made of one that are shown.
const SHOWN: usize = 20;

/// The record that a word means.
pub(super) fn find(
    ledger: &Ledger,
    past: &Past,
    node: &str,
    which: &str,
) -> Result<FateRow, Trouble> {
    exists(ledger, past, node)?;
    let filter = Filter {
        run: Some(past.run),
        node: Some(node),
        record: Some(which),
        most: Some(5),
        ..Filter::default()
    };
    let mut found = ledger.fates(&filter).map_err(state::trouble)?;
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => Err(Trouble::wrong(
            format!("nothing was noted of a record `{which}` at `{node}` in run {}", past.run),
            format!("`flow show {} {node}` lists those that were.", past.run),
        )),
        _ => {
            let ids: Vec<String> = found.iter().map(short).collect();
            Err(Trouble::wrong(
                format!("`{which}` may be one of several records at `{node}`"),
                format!("Name one by its id: {}.", ids.join(", ")),
            ))
        }
    }
}

/// All that is known of it.
pub(super) fn text(
    ledger: &Ledger,
    past: &Past,
    node: &str,
    which: &str,
) -> Result<String, Trouble> {
    let row = find(ledger, past, node, which)?;
    let mut text = format!("record {} at `{node}` in run {}\n", row.record, past.run);
    let _ = writeln!(text, "  from {}", lineage(ledger, &row)?);
    let time = number::duration(Duration::from_micros(row.micros));
    let attempts = counted(u64::from(row.attempts), "attempt");
    let fate = row.fate.word();
    let _ = writeln!(
        text,
        "  {fate} after {attempts} in {time}; {} asked, {} answered before",
        counted(u64::from(row.asked), "question"),
        row.reused
    );
    if let Some(place) = &row.row {
        let _ = writeln!(text, "  stored as {place}");
    }
    if let Some(reason) = &row.reason {
        let _ = writeln!(text, "  why: {reason}");
    }
    let _ = writeln!(text, "  {}", explain::sentence(ledger, &row)?);
    let _ = write!(text, "\n--- the record\n{}", content(ledger, row.input)?);
    text.push_str(&questions(ledger, past, &row)?);
    if let Some(answer) = &row.answer {
        let _ = write!(text, "\n--- an answer of no use\n{answer}\n");
    }
    for (nth, (id, hash)) in row.made.iter().take(SHOWN).enumerate() {
        let went = went(ledger, past.run, *id, node)?;
        let _ = write!(text, "\n--- gave {}: {id}{went}\n{}", nth + 1, content(ledger, *hash)?);
    }
    if row.made.len() > SHOWN {
        let more = counted((row.made.len() - SHOWN) as u64, "record");
        let _ = writeln!(text, "\nand {more} more");
    }
    Ok(text)
}

/// A text of the ledger, on lines of its own.
fn content(ledger: &Ledger, hash: Hash) -> Result<String, Trouble> {
    Ok(match ledger.text(hash).map_err(state::trouble)? {
        None => "(its content was not kept: too much came together in this run)\n".to_owned(),
        Some(kept) if kept.is_cut() => {
            let rest = number::bytes(kept.size - kept.text.len() as u64);
            format!("{}\n(and {rest} more)\n", kept.text)
        }
        Some(kept) => text::pretty(&kept.text) + "\n",
    })
}

/// Where a record came from: its file, and the records that it was made of on the way.
fn lineage(ledger: &Ledger, row: &FateRow) -> Result<String, Trouble> {
    let (mut text, mut record) = (row.origin(), row.record);
    let mut steps = Vec::new();
    while let Some(maker) = ledger.maker(row.run, record).map_err(state::trouble)? {
        // A stage that gives a record back under its own id ends the search, too.
        if maker.record == record || steps.len() > 64 {
            break;
        }
        steps.push(format!("{} at `{}`", short(&maker), maker.node));
        record = maker.record;
    }
    for step in steps.iter().rev() {
        let _ = write!(text, ", by way of {step}");
    }
    Ok(text)
}

/// What became of a record further down.
fn went(ledger: &Ledger, run: u64, record: RecordId, maker: &str) -> Result<String, Trouble> {
    let id = record.to_string();
    let filter = Filter { run: Some(run), record: Some(&id), ..Filter::default() };
    let rows = ledger.fates(&filter).map_err(state::trouble)?;
    let below = rows.iter().filter(|row| row.node != maker);
    let words: Vec<String> =
        below.map(|row| format!("{} at `{}`", row.fate.word(), row.node)).collect();
    let words = words.join(", ");
    Ok(if words.is_empty() { words } else { format!(", {words}") })
}

/// What was asked about a record, and the answers that are still kept. What was told to the model
/// is not kept but made anew, so it can only be shown as long as all that decides is the same.
fn questions(ledger: &Ledger, past: &Past, row: &FateRow) -> Result<String, Trouble> {
    let Some(stage) = stage(ledger, past, row)? else { return Ok(String::new()) };
    let input = ledger.text(row.input).map_err(state::trouble)?.filter(|input| !input.is_cut());
    let fields = input.and_then(|input| serde_json::from_str(&input.text).ok());
    let Some(fields) = fields else { return Ok(String::new()) };
    let mut record = Record::from_object(row.record, fields);
    record.path = row.path.as_deref().map(Into::into);
    record.line = row.line;
    let questions = stage.questions(&record).unwrap_or_default();
    let mut text = String::new();
    for (nth, question) in questions.iter().enumerate() {
        let Question { system, user, kept_under, .. } = question;
        let (nth, of) = (nth + 1, questions.len());
        let answer = ledger.answer(*kept_under, None).map_err(state::trouble)?;
        let answer = answer.as_deref().map_or("(no answer is kept)", |answer| answer);
        let _ = write!(
            text,
            "\n--- call {nth} of {of}: system\n{system}\n--- user\n{user}\n--- answer\n{}\n",
            text::pretty(answer)
        );
    }
    Ok(text)
}

/// The stage that asked, if it would ask the same today.
fn stage(
    ledger: &Ledger,
    past: &Past,
    row: &FateRow,
) -> Result<Option<std::sync::Arc<dyn flow_engine::stage::Call>>, Trouble> {
    let source = ledger.source(past.run).map_err(state::trouble)?;
    let Some(source) = source.filter(|source| !source.is_cut()) else { return Ok(None) };
    let file = Loaded::of(&state::file_of(&past.file, ledger), source.text.into_bytes());
    let Some(plan) = file.plan_quietly(&params::from_json(&past.inputs)) else { return Ok(None) };
    let then = ledger.factors(row.run, &row.node).map_err(state::trouble)?;
    let node = plan.graph.node_weights().find(|node| node.name == row.node);
    let same = node.filter(|node| {
        let factors = node.factors();
        factors.len() == then.len()
            && factors.iter().all(|factor| then.get(factor.name) == Some(&factor.hash()))
    });
    Ok(match same.map(|node| &node.stage) {
        Some(Stage::Call(stage)) => Some(std::sync::Arc::clone(stage)),
        _ => None,
    })
}
