//! Rows that take each other's place within a run, seen with bounded memory.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use flow_engine::stage::Replaced;

use super::row::{self, Row};

/// Keys that are remembered: the first of a run.
const MOST: usize = 262_144;

/// The keys of a run, and which came again.
#[derive(Default)]
pub(super) struct Seen {
    /// Hashes of tables with keys.
    keys: HashSet<u64>,
    replaced: BTreeMap<String, Replaced>,
}

impl Seen {
    /// Notes a row that was written.
    pub(super) fn note(&mut self, table: &str, row: &Row<'_>, key: &[String]) {
        let values = || key.iter().filter_map(|name| row::column(row, name).map(|at| &row[at].1));
        let mut hasher = DefaultHasher::new();
        table.hash(&mut hasher);
        values().for_each(|value| value.hash(&mut hasher));
        let hash = hasher.finish();
        if self.keys.contains(&hash) {
            let replaced = self.replaced.entry(table.to_owned()).or_default();
            replaced.records += 1;
            if replaced.records == 1 {
                let names = key.iter().zip(values());
                let words = names.map(|(name, value)| format!("{name} {value}"));
                replaced.example = words.collect::<Vec<_>>().join(", ");
            }
        } else if self.keys.len() < MOST {
            self.keys.insert(hash);
        }
    }

    /// Which rows of a table came again.
    pub(super) fn of(&self, table: &str) -> Option<Replaced> {
        self.replaced.get(table).cloned()
    }
}
