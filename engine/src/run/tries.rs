//! Which records a run tries: all, only new ones, or only those that an earlier run has rejected.

use std::sync::Arc;

use crate::factor::{Factor, Hash, key};
use crate::ledger::{Ledger, Rejected, Trial};
use crate::plan::PlanNode;
use crate::record::Record;
use crate::stage::StageError;

/// Which records a run tries, among those that would take work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Tries {
    /// All.
    #[default]
    All,
    /// All but those that were rejected before and have not changed: they are rejected again.
    New,
    /// Only those that were rejected before. Others pass if they take no call; if they do, they are
    /// left for the next run.
    Rejected(Only),
}

/// Which of the rejected records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Only {
    /// Those of this node.
    pub node: Option<String>,
    /// Those whose reason holds this.
    pub reason: Option<String>,
    /// The one with this id, or from this file, or from this file and line.
    pub record: Option<String>,
}

/// What is done with a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is tried.
    Try,
    /// It passes if nobody needs to be asked.
    Pass,
    /// It is rejected as before.
    Leave(Rejected),
}

/// How a node finds out which of its records are tried.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    node: Arc<str>,
    /// What decides about all records of the node.
    factors: Arc<[(&'static str, Hash)]>,
    tries: Arc<Tries>,
    ledger: Arc<Ledger>,
    /// Whether any earlier run has rejected anything.
    rejects: bool,
}

impl Turns {
    pub(crate) fn of(node: &PlanNode, tries: &Arc<Tries>, ledger: &Arc<Ledger>) -> Self {
        Self {
            node: node.name.as_str().into(),
            factors: node.factors().iter().map(|factor| (factor.name, factor.hash())).collect(),
            tries: Arc::clone(tries),
            ledger: Arc::clone(ledger),
            // One that cannot be read is found out by the first record.
            rejects: ledger.has_rejects().unwrap_or(true),
        }
    }

    /// A trial of a record about which these decide, besides what decides about all of the node.
    pub(crate) fn trial(&self, of_record: &[Factor]) -> Trial {
        let factors: Vec<_> = of_record.iter().map(|factor| (factor.name, factor.hash())).collect();
        let key = key(self.factors.iter().chain(&factors).copied());
        Trial { factors, key: Some(key), ..Trial::default() }
    }

    /// What is done with a record, after what became of it in earlier runs.
    pub(crate) fn turn(&self, record: &Record, trial: &Trial) -> Result<Turn, StageError> {
        if !self.rejects {
            return Ok(self.tries.turn(&self.node, record, None));
        }
        let before = |key| self.ledger.rejected(&self.node, record.id, key);
        let mut rejected = trial.key.map_or(Ok(None), |key| before(Some(key)))?;
        if rejected.is_none() && matches!(*self.tries, Tries::Rejected(_)) {
            // The node or the record has changed since, perhaps to mend it.
            rejected = before(None)?.filter(|rejected| !rejected.dropped);
        }
        Ok(self.tries.turn(&self.node, record, rejected))
    }
}

impl Tries {
    /// What is done with a record at a node, where it was rejected before or was not.
    pub(crate) fn turn(&self, node: &str, record: &Record, rejected: Option<Rejected>) -> Turn {
        match (self, rejected) {
            (_, Some(rejected)) if rejected.dropped => Turn::Leave(rejected),
            (Self::All, _) | (Self::New, None) => Turn::Try,
            (Self::Rejected(_), None) => Turn::Pass,
            (Self::Rejected(only), Some(rejected)) if only.fits(node, record, &rejected) => {
                Turn::Try
            }
            (Self::New | Self::Rejected(_), Some(rejected)) => Turn::Leave(rejected),
        }
    }
}

impl Only {
    fn fits(&self, node: &str, record: &Record, rejected: &Rejected) -> bool {
        let holds = |word: &str| rejected.reason.to_lowercase().contains(&word.to_lowercase());
        self.node.as_ref().is_none_or(|only| only == node)
            && self.reason.as_ref().is_none_or(|word| holds(word))
            && self.record.as_ref().is_none_or(|name| is_called(record, name))
    }
}

/// Whether a record is meant by the beginning of its id, its file, or the end of its path.
fn is_called(record: &Record, name: &str) -> bool {
    let ends = |text: &str| text == name || text.ends_with(&format!("/{name}"));
    (name.len() >= 4 && record.id.to_string().starts_with(name))
        || record.path.as_deref().is_some_and(ends)
        || ends(&record.origin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordId;

    #[test]
    fn a_record_has_its_turn_as_the_run_says() {
        let rejected =
            |reason: &str, dropped| Rejected { reason: reason.to_owned(), answer: None, dropped };
        let only = |node: Option<&str>, reason: Option<&str>, record: Option<&str>| {
            let [node, reason, record] = [node, reason, record].map(|word| word.map(str::to_owned));
            Tries::Rejected(Only { node, reason, record })
        };
        let mut record = Record::new(RecordId(0xabcd << 112));
        (record.path, record.line) = (Some("mail/in/a.jsonl".into()), 7);
        let leave = |reason| Turn::Leave(rejected(reason, false));
        for (tries, before, turn) in [
            (Tries::All, None, Turn::Try),
            (Tries::All, Some(rejected("x", false)), Turn::Try),
            (Tries::All, Some(rejected("x", true)), Turn::Leave(rejected("x", true))),
            (Tries::New, None, Turn::Try),
            (Tries::New, Some(rejected("x", false)), leave("x")),
            (only(None, None, None), None, Turn::Pass),
            (only(None, None, None), Some(rejected("x", false)), Turn::Try),
            (only(Some("found"), None, None), Some(rejected("x", false)), Turn::Try),
            (only(Some("other"), None, None), Some(rejected("x", false)), leave("x")),
            (only(None, Some("TIME"), None), Some(rejected("no time", false)), Turn::Try),
            (only(None, Some("time"), None), Some(rejected("no", false)), leave("no")),
            (only(None, None, Some("in/a.jsonl")), Some(rejected("x", false)), Turn::Try),
            (only(None, None, Some("a.jsonl:7")), Some(rejected("x", false)), Turn::Try),
            (only(None, None, Some("a.jsonl:8")), Some(rejected("x", false)), leave("x")),
            (only(None, None, Some("abcd")), Some(rejected("x", false)), Turn::Try),
            (only(None, None, Some("bcd0")), Some(rejected("x", false)), leave("x")),
        ] {
            let words = format!("{tries:?} {before:?}");
            assert_eq!(tries.turn("found", &record, before), turn, "{words}");
        }
    }
}
