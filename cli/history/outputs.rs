//! What two runs have stored, compared by key, each difference with its cause.

use std::collections::{BTreeMap, HashMap};

use flow_engine::factor::Hash;
use flow_engine::ledger::{Fate, FateRow, Filter, Ledger, differences};
use flow_engine::record::RecordId;

use crate::exit::Trouble;
use crate::state;

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    Added,
    Removed,
    Changed,
}

/// A row that is not the same in two runs.
#[derive(Debug, serde::Serialize)]
pub(super) struct Difference {
    pub(super) node: String,
    /// Where the store has it.
    pub(super) row: String,
    pub(super) how: How,
    pub(super) cause: String,
    /// Where its record comes from.
    pub(super) from: String,
    #[serde(skip)]
    pub(super) old: Option<Hash>,
    #[serde(skip)]
    pub(super) new: Option<Hash>,
}

/// A run with all that was noted of its records.
pub(super) struct Side<'a> {
    ledger: &'a Ledger,
    run: u64,
    rows: Vec<FateRow>,
    /// Who made a record.
    makers: HashMap<RecordId, usize>,
    /// By node and record.
    seen: HashMap<(String, RecordId), usize>,
}

impl<'a> Side<'a> {
    pub(super) fn of(ledger: &'a Ledger, run: u64) -> Result<Self, Trouble> {
        let filter = Filter { run: Some(run), ..Filter::default() };
        let rows = ledger.fates(&filter).map_err(state::trouble)?;
        let (mut makers, mut seen) = (HashMap::new(), HashMap::new());
        for (at, row) in rows.iter().enumerate() {
            for (made, _) in row.made.iter().filter(|(made, _)| *made != row.record) {
                makers.insert(*made, at);
            }
            seen.insert((row.node.clone(), row.record), at);
        }
        Ok(Self { ledger, run, rows, makers, seen })
    }

    /// Whether anything was noted of single records.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What was stored, by node and place.
    fn stored(&self) -> BTreeMap<(String, String), &FateRow> {
        let written = self.rows.iter().filter(|row| row.fate == Fate::Written);
        let place = |row: &FateRow| row.row.clone().unwrap_or_else(|| row.record.to_string());
        written.map(|row| ((row.node.clone(), place(row)), row)).collect()
    }

    /// The records that a record was made of, the first one first, each at the node that made
    /// something of it; and those nodes that gave it on under its own id.
    fn ancestors(&self, record: RecordId) -> Vec<&FateRow> {
        let (mut found, mut at) = (Vec::new(), record);
        while let Some(maker) = self.makers.get(&at).map(|maker| &self.rows[*maker]) {
            found.push(maker);
            at = maker.record;
            if found.len() > 64 {
                break;
            }
        }
        let same = self
            .rows
            .iter()
            .filter(|row| row.record == record && row.made.iter().any(|(made, _)| *made == record));
        found.extend(same);
        found.reverse();
        found
    }

    fn at(&self, node: &str, record: RecordId) -> Option<&FateRow> {
        self.seen.get(&(node.to_owned(), record)).map(|at| &self.rows[*at])
    }

    fn has_file(&self, path: Option<&str>) -> bool {
        path.is_some() && self.rows.iter().any(|row| row.path.as_deref() == path)
    }
}

/// What is not the same in two runs, the later one second.
pub(super) fn compare(before: &Side<'_>, after: &Side<'_>) -> Result<Vec<Difference>, Trouble> {
    let (old, new) = (before.stored(), after.stored());
    let settings = changed_nodes(before, after)?;
    let mut found = Vec::new();
    let mut add = |key: &(String, String), how, old: Option<&FateRow>, new: Option<&FateRow>| {
        let cause = match (old, new) {
            (_, Some(row)) => cause(row, after, before, &settings, false),
            (Some(row), None) => cause(row, before, after, &settings, true),
            (None, None) => String::new(),
        };
        let from = new.or(old).map(FateRow::origin).unwrap_or_default();
        let (node, row) = key.clone();
        let (old, new) = (old.map(|row| row.input), new.map(|row| row.input));
        found.push(Difference { node, row, how, cause, from, old, new });
    };
    for (key, row) in &new {
        match old.get(key) {
            None => add(key, How::Added, None, Some(row)),
            Some(was) if was.input != row.input => add(key, How::Changed, Some(was), Some(row)),
            Some(_) => {}
        }
    }
    for (key, row) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        add(key, How::Removed, Some(row), None);
    }
    found.sort_by(|one, other| {
        (&one.node, one.how, &one.cause, &one.row).cmp(&(
            &other.node,
            other.how,
            &other.cause,
            &other.row,
        ))
    });
    Ok(found)
}

/// What changed of the nodes that are in both runs, by name.
fn changed_nodes(
    before: &Side<'_>,
    after: &Side<'_>,
) -> Result<BTreeMap<String, Vec<String>>, Trouble> {
    let ledger = after.ledger;
    let names = |run| -> Result<Vec<String>, Trouble> {
        let nodes = ledger.accounts(run).map_err(state::trouble)?;
        Ok(nodes.into_iter().map(|node| node.node).collect())
    };
    let (old, mut changed) = (names(before.run)?, BTreeMap::new());
    for name in names(after.run)?.into_iter().filter(|name| old.contains(name)) {
        let then = ledger.factors(before.run, &name).map_err(state::trouble)?;
        let now = ledger.factors(after.run, &name).map_err(state::trouble)?;
        let factors: Vec<String> =
            differences(&then, &now, true).into_iter().map(|change| change.factor).collect();
        if !factors.is_empty() {
            changed.insert(name, factors);
        }
    }
    Ok(changed)
}

/// Why a row of one run is not the same in another. `gone` says that the other is the later one,
/// and has no such row.
fn cause(
    row: &FateRow,
    here: &Side<'_>,
    there: &Side<'_>,
    settings: &BTreeMap<String, Vec<String>>,
    gone: bool,
) -> String {
    let missing = if gone { "the input has gone" } else { "the input is new" };
    let path = row.path.as_deref();
    if path.is_some() && !there.has_file(path) {
        return missing.to_owned();
    }
    for ancestor in here.ancestors(row.record) {
        if let Some(factors) = settings.get(&ancestor.node) {
            return format!("`{}` of `{}` changed", factors.join("`, `"), ancestor.node);
        }
        let Some(other) = there.at(&ancestor.node, ancestor.record) else {
            return missing.to_owned();
        };
        match (other.fate, &other.reason) {
            (Fate::Rejected, Some(reason)) if gone => {
                return format!("the record was rejected at `{}`: {reason}", other.node);
            }
            (Fate::Rejected, _) => return "the record was rejected before".to_owned(),
            (Fate::Pending, _) => return "the record was left for another run".to_owned(),
            _ => {}
        }
        if let Some(change) = differences(&other.factors, &ancestor.factors, false).first() {
            return format!("`{}` of the record changed", change.factor);
        }
        if ancestor.made != other.made {
            return "the answers about the record were others".to_owned();
        }
    }
    // Light nodes leave no trace of single records.
    match settings.iter().next() {
        Some((node, factors)) => format!("`{}` of `{node}` changed", factors.join("`, `")),
        None => "the record changed".to_owned(),
    }
}
