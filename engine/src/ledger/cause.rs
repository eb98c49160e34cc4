//! Why a node had to ask about a record, or did not: what it sees now against what an earlier run
//! has seen.

use std::collections::BTreeMap;

use super::{Fate, FateRow, Ledger};
use crate::factor::Hash;
use crate::stage::StageError;

/// Why a node had to ask about a record, or did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// All questions were answered before.
    Known,
    /// Nobody had to be asked: the node asks no model, or the record was not tried.
    Silent,
    /// No earlier run has seen the record at this node.
    First,
    /// What decides is not what it was in the run before.
    Changed {
        /// The run that saw the record last.
        since: u64,
        /// What changed.
        changes: Vec<Change>,
    },
    /// It was rejected in the run before, and tried again.
    Again {
        /// That run.
        since: u64,
        /// Why it was rejected.
        reason: String,
    },
    /// Nothing changed, but no answer was there: it was not kept, was taken away, or was not to be
    /// used.
    Missing {
        /// The run that saw the record last.
        since: u64,
    },
}

/// One thing that decides, and changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is: `schema`, `text`.
    pub factor: String,
    /// Whether it decides about all records of the node.
    pub of_node: bool,
    /// As it was.
    pub old: Option<Hash>,
    /// As it is.
    pub new: Option<Hash>,
}

impl Ledger {
    /// Why the node had to ask about the record, or did not.
    pub fn cause(&self, now: &FateRow) -> Result<Cause, StageError> {
        if now.asked == 0 {
            return Ok(if now.reused > 0 { Cause::Known } else { Cause::Silent });
        }
        let Some(before) = self.fate_before(now)? else { return Ok(Cause::First) };
        let since = before.run;
        let changes = self.changes(&before, now)?;
        Ok(match before.reason {
            _ if !changes.is_empty() => Cause::Changed { since, changes },
            Some(reason) if before.fate == Fate::Rejected => Cause::Again { since, reason },
            _ => Cause::Missing { since },
        })
    }

    /// What decided otherwise about a record in one run than in another.
    pub fn changes(&self, before: &FateRow, now: &FateRow) -> Result<Vec<Change>, StageError> {
        let old = self.factors(before.run, &before.node)?;
        let new = self.factors(now.run, &now.node)?;
        let mut changes = differences(&old, &new, true);
        changes.extend(differences(&before.factors, &now.factors, false));
        Ok(changes)
    }
}

/// The factors that are not the same.
pub fn differences(
    old: &BTreeMap<String, Hash>,
    new: &BTreeMap<String, Hash>,
    of_node: bool,
) -> Vec<Change> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let change = |name: &String| {
        let (old, new) = (old.get(name).copied(), new.get(name).copied());
        (old != new).then(|| Change { factor: name.clone(), of_node, old, new })
    };
    names.into_iter().filter_map(change).collect()
}
