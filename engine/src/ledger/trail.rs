//! What became of the records of runs, looked up: one by one, node by node, from run to run.

use std::collections::BTreeMap;

use rusqlite::types::Value as Sql;
use rusqlite::{Error, OptionalExtension, Row, params, params_from_iter};

use super::texts::{self, Text};
use super::{Fate, Ledger};
use crate::factor::Hash;
use crate::record::RecordId;
use crate::stage::StageError;

/// What became of a record at a node of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FateRow {
    /// The run.
    pub run: u64,
    /// The node.
    pub node: String,
    /// The record.
    pub record: RecordId,
    /// The file that it came from.
    pub path: Option<String>,
    /// The line in it, or 0.
    pub line: u32,
    /// What became of it.
    pub fate: Fate,
    /// Attempts; none when it was not tried.
    pub attempts: u32,
    /// Questions that had to be asked.
    pub asked: u32,
    /// Questions that were answered before.
    pub reused: u32,
    /// Time of its batch, in microseconds.
    pub micros: u64,
    /// Over all that decided.
    pub key: Option<Hash>,
    /// What decided about this record.
    pub factors: BTreeMap<String, Hash>,
    /// The record as it came.
    pub input: Hash,
    /// What it gave.
    pub made: Vec<(RecordId, Hash)>,
    /// Where a store has put it.
    pub row: Option<String>,
    /// Why it could not be used.
    pub reason: Option<String>,
    /// What somebody answered and nobody could use.
    pub answer: Option<String>,
    /// Whether it was given up.
    pub dropped: bool,
}

/// Which of them.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Of this run.
    pub run: Option<u64>,
    /// At this node.
    pub node: Option<&'a str>,
    /// With this fate.
    pub fate: Option<Fate>,
    /// Whose reason holds this.
    pub reason: Option<&'a str>,
    /// A record by its id, or the beginning of it, by the file that it came from, or the end of its
    /// path, perhaps with `:` and a line.
    pub record: Option<&'a str>,
    /// Given up, or not.
    pub dropped: Option<bool>,
    /// At most so many.
    pub most: Option<u64>,
}

const COLUMNS: &str = "fates.run, nodes.node, record, path, line, fate, attempts, asked, reused, \
     micros, key, fates.factors, input, made, row, reason, answer, dropped, fate_id";
const FROM: &str = "fates JOIN nodes ON nodes.run = fates.run AND nodes.place = fates.node";

impl FateRow {
    /// Where the record came from, for people.
    pub fn origin(&self) -> String {
        match (&self.path, self.line) {
            (Some(path), 0) => path.clone(),
            (Some(path), line) => format!("{path}:{line}"),
            (None, _) => self.record.to_string(),
        }
    }
}

impl Filter<'_> {
    fn condition(&self) -> (String, Vec<Sql>) {
        let (mut parts, mut values) = (vec!["1".to_owned()], Vec::new());
        // Each part counts its own values from 1.
        let mut add = |part: &str, more: Vec<Sql>| {
            let mut part = part.to_owned();
            for place in (1..=more.len()).rev() {
                part = part.replace(&format!("?{place}"), &format!("?{}", values.len() + place));
            }
            values.extend(more);
            parts.push(part);
        };
        if let Some(run) = self.run {
            add("fates.run = ?1", vec![Sql::Integer(i64::try_from(run).unwrap_or(i64::MAX))]);
        }
        if let Some(node) = self.node {
            add("nodes.node = ?1", vec![Sql::Text(node.to_owned())]);
        }
        if let Some(fate) = self.fate {
            add("fates.fate = ?1", vec![Sql::Text(fate.word().to_owned())]);
        }
        if let Some(dropped) = self.dropped {
            add("fates.dropped = ?1", vec![Sql::Integer(i64::from(dropped))]);
        }
        if let Some(reason) = self.reason {
            add("instr(lower(fates.reason), lower(?1)) > 0", vec![Sql::Text(reason.to_owned())]);
        }
        if let Some(record) = self.record {
            let origin = "coalesce(CASE fates.line WHEN 0 THEN fates.path ELSE fates.path || ':' || \
                          fates.line END, '')";
            let path = "coalesce(fates.path, '')";
            let named = [origin, path].map(|name| format!("{name} = ?1 OR {name} LIKE '%/' || ?1"));
            let named = named.join(" OR ");
            // What is no id lies between no two ids.
            let (low, high) = ids(record).unwrap_or((RecordId(1), RecordId(0)));
            let sql = Sql::Blob;
            add(
                &format!("({named} OR fates.record BETWEEN ?2 AND ?3)"),
                vec![Sql::Text(record.to_owned()), sql(bytes(low)), sql(bytes(high))],
            );
        }
        (parts.join(" AND "), values)
    }
}

/// The least and the greatest id that begin with these hexadecimal digits.
fn ids(start: &str) -> Option<(RecordId, RecordId)> {
    let digits = u32::try_from(start.len()).ok().filter(|digits| (4..=32).contains(digits))?;
    let first = u128::from_str_radix(start, 16).ok().filter(|_| !start.starts_with('+'))?;
    let rest = 128 - 4 * digits;
    let low = if rest == 0 { first } else { first << rest };
    Some((RecordId(low), RecordId(low | (1_u128 << rest).wrapping_sub(1))))
}

/// An id as it is kept, so that ids that begin alike lie together.
pub(super) fn bytes(id: RecordId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}

impl Ledger {
    /// What became of records, in the order in which it was found out.
    pub fn fates(&self, filter: &Filter<'_>) -> Result<Vec<FateRow>, StageError> {
        let (condition, values) = filter.condition();
        let most = filter.most.map(|most| format!(" LIMIT {most}")).unwrap_or_default();
        let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE {condition} ORDER BY fate_id{most}");
        self.read(|connection| {
            let mut query = connection.prepare(&sql)?;
            let rows = query.query_map(params_from_iter(values), fate)?;
            rows.collect()
        })
    }

    /// How many there are.
    pub fn count_fates(&self, filter: &Filter<'_>) -> Result<u64, StageError> {
        let (condition, values) = filter.condition();
        let sql = format!("SELECT count(*) FROM {FROM} WHERE {condition}");
        self.read(|connection| {
            connection.query_row(&sql, params_from_iter(values), |row| row.get(0))
        })
    }

    /// What became of the record at the same node in the last run before that tried it.
    pub fn fate_before(&self, now: &FateRow) -> Result<Option<FateRow>, StageError> {
        // Run after run, so that the index on their records serves.
        let sql = format!(
            "SELECT {COLUMNS} FROM nodes CROSS JOIN fates ON fates.run = nodes.run AND \
             fates.node = nodes.place AND record = ?1 WHERE nodes.run < ?2 AND nodes.node = ?3 \
             AND fate <> 'pending' ORDER BY nodes.run DESC, fate_id DESC LIMIT 1"
        );
        self.read(|connection| {
            connection
                .query_row(&sql, params![bytes(now.record), now.run, now.node], fate)
                .optional()
        })
    }

    /// What a node of a run made a record of, if it noted that.
    pub fn maker(&self, run: u64, made: RecordId) -> Result<Option<FateRow>, StageError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {FROM} WHERE fates.run = ?1 AND instr(made, ?2) % 32 = 1 LIMIT 1"
        );
        self.read(|connection| {
            connection.query_row(&sql, params![run, bytes(made)], fate).optional()
        })
    }

    /// What decided about all records of a node of a run.
    pub fn factors(&self, run: u64, node: &str) -> Result<BTreeMap<String, Hash>, StageError> {
        let sql = "SELECT factors FROM nodes WHERE run = ?1 AND node = ?2";
        self.read(|connection| {
            let text: Option<String> =
                connection.query_row(sql, params![run, node], |row| row.get(0)).optional()?;
            Ok(hashes(text))
        })
    }

    /// A text that a row speaks of, if it was kept.
    pub fn text(&self, hash: Hash) -> Result<Option<Text>, StageError> {
        self.read(|connection| texts::of(connection, hash))
    }

    /// The last word on a record that a node has seen, with a key or with any: why it was rejected
    /// and whether it was given up then; nothing when it was not rejected.
    pub fn rejected(
        &self,
        node: &str,
        record: RecordId,
        key: Option<Hash>,
    ) -> Result<Option<Rejected>, StageError> {
        let with_key = if key.is_some() { "key = ?3 AND" } else { "?3 IS NULL AND" };
        let sql = format!(
            "SELECT reason, answer, dropped FROM {FROM} WHERE {with_key} fate = 'rejected' AND \
             nodes.node = ?1 AND record = ?2 AND NOT EXISTS (SELECT 1 FROM nodes AS there \
             CROSS JOIN fates AS later ON later.run = there.run AND later.node = there.place AND \
             later.record = fates.record WHERE there.run > fates.run AND there.node = ?1 AND \
             later.fate NOT IN ('rejected', 'pending')) ORDER BY fate_id DESC LIMIT 1"
        );
        self.read(|connection| {
            let mut query = connection.prepare_cached(&sql)?;
            let row = |row: &Row<'_>| {
                let reason: Option<String> = row.get(0)?;
                let (answer, dropped) = (row.get(1)?, row.get(2)?);
                Ok(Rejected { reason: reason.unwrap_or_default(), answer, dropped })
            };
            let key = key.map(u128::to_le_bytes);
            query.query_row(params![node, bytes(record), key], row).optional()
        })
    }

    /// Whether any run has rejected anything.
    pub fn has_rejects(&self) -> Result<bool, StageError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM fates WHERE fate = 'rejected')";
        self.read(|connection| connection.query_row(sql, [], |row| row.get(0)))
    }

    /// Gives rejects up, or takes that back. Those that are given up are listed no more, and not
    /// tried again as long as nothing about them changes. Says how many changed.
    pub fn drop_rejects(&self, filter: &Filter<'_>, dropped: bool) -> Result<u64, StageError> {
        let rejected = Some(Fate::Rejected);
        let filter = Filter { fate: rejected, dropped: Some(!dropped), ..filter.clone() };
        let changed = self.count_fates(&filter)?;
        let (condition, values) = filter.condition();
        // The same reject of other runs, too: the last word on it counts.
        let sql = format!(
            "UPDATE fates SET dropped = {} WHERE fate = 'rejected' AND fate_id IN \
             (SELECT same.fate_id FROM {FROM} JOIN fates AS same ON same.record = fates.record \
             AND same.fate = 'rejected' AND (same.fate_id = fates.fate_id OR same.key = fates.key) JOIN nodes AS there ON \
             there.run = same.run AND there.place = same.node AND there.node = nodes.node \
             WHERE {condition})",
            u8::from(dropped),
        );
        self.write(|connection| connection.execute(&sql, params_from_iter(values)))?;
        Ok(changed)
    }
}

/// Why a record was rejected before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Why.
    pub reason: String,
    /// What somebody answered and nobody could use.
    pub answer: Option<String>,
    /// Whether it was given up.
    pub dropped: bool,
}

fn fate(row: &Row<'_>) -> Result<FateRow, Error> {
    let word: String = row.get(5)?;
    let made: Vec<u8> = row.get(13)?;
    let key: Option<[u8; 16]> = row.get(10)?;
    let (record, input): ([u8; 16], [u8; 16]) = (row.get(2)?, row.get(12)?);
    Ok(FateRow {
        run: row.get(0)?,
        node: row.get(1)?,
        record: RecordId(u128::from_be_bytes(record)),
        path: row.get(3)?,
        line: row.get(4)?,
        fate: Fate::of(&word).unwrap_or(Fate::Pending),
        attempts: row.get(6)?,
        asked: row.get(7)?,
        reused: row.get(8)?,
        micros: row.get(9)?,
        key: key.map(u128::from_le_bytes),
        factors: hashes(row.get(11)?),
        input: u128::from_le_bytes(input),
        made: made.chunks_exact(32).map(made_one).collect(),
        row: row.get(14)?,
        reason: row.get(15)?,
        answer: row.get(16)?,
        dropped: row.get(17)?,
    })
}

/// The id and the hash of a record that was made.
fn made_one(bytes: &[u8]) -> (RecordId, Hash) {
    let half = |half: &[u8]| <[u8; 16]>::try_from(half).unwrap_or_default();
    (RecordId(u128::from_be_bytes(half(&bytes[..16]))), u128::from_le_bytes(half(&bytes[16..])))
}

fn hashes(text: Option<String>) -> BTreeMap<String, Hash> {
    let named: Option<BTreeMap<String, String>> =
        text.and_then(|text| serde_json::from_str(&text).ok());
    let hash = |(name, hex): (String, String)| Some((name, Hash::from_str_radix(&hex, 16).ok()?));
    named.unwrap_or_default().into_iter().filter_map(hash).collect()
}
