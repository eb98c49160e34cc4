//! How a run went, as its sinks are told when they commit.

use std::collections::HashSet;
use std::sync::Arc;

use crate::record::Record;
use crate::report::NodeReport;

/// Inputs whose names are kept; when more have failures, any may.
const MOST: usize = 65_536;

/// How a run went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The accounts of all nodes, complete but for sinks that commit later.
    pub nodes: Vec<NodeReport>,
    /// Whether it was to work on the whole input, and every record found its end.
    pub whole: bool,
    /// What could not be worked on.
    pub failed: Failed,
}

impl Outcome {
    /// A run in which nothing failed, and nothing is known of its nodes.
    pub fn whole() -> Self {
        Self { whole: true, ..Self::default() }
    }
}

/// The inputs that records came from that failed for good. What earlier runs made of such an input
/// has not vanished. It is not told by the line, since lines move when an input is edited.
#[derive(Debug, Clone, Default)]
pub struct Failed {
    paths: HashSet<Arc<str>>,
    anywhere: bool,
}

impl Failed {
    /// Notes where a record came from.
    pub fn note(&mut self, record: &Record) {
        match &record.path {
            Some(path) if self.paths.len() < MOST => drop(self.paths.insert(Arc::clone(path))),
            Some(path) if self.paths.contains(path) => {}
            _ => self.anywhere = true,
        }
    }

    /// Whether something failed that comes from this input, or may. A record without one may be
    /// made of any.
    pub fn may_be_of(&self, path: Option<&str>) -> bool {
        let of = |path| self.paths.contains(path);
        self.anywhere || path.map_or(!self.paths.is_empty(), of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordId;

    fn of(path: Option<&str>) -> Record {
        let mut record = Record::new(RecordId(1));
        record.path = path.map(Arc::from);
        record
    }

    #[test]
    fn what_failed_may_be_of_its_own_input_or_of_any_when_it_has_none() {
        for (failures, path, expected) in [
            (vec![], Some("a"), false),
            (vec![], None, false),
            (vec![Some("a")], Some("a"), true),
            (vec![Some("a")], Some("b"), false),
            (vec![Some("a")], None, true),
            (vec![None], Some("b"), true),
        ] {
            let mut failed = Failed::default();
            for path in &failures {
                failed.note(&of(*path));
            }
            assert_eq!(failed.may_be_of(path), expected, "{failures:?} {path:?}");
        }
    }

    #[test]
    fn the_names_of_inputs_are_bounded() {
        let mut failed = Failed::default();
        for n in 0..=MOST {
            failed.note(&of(Some(&n.to_string())));
        }
        assert_eq!(failed.paths.len(), MOST);
        assert!(failed.may_be_of(Some("never seen")));
    }
}
