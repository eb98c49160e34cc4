//! The books of `sync`: which rows a node has written. They stand in the database of the rows and
//! are kept in the same transactions, so that they are exact after any kill.

use std::collections::{BTreeMap, HashMap};

use flow_engine::ledger::key_of;
use flow_engine::outcome::Failed;
use flow_engine::prelude::*;
use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, Error, OptionalExtension, params, params_from_iter};

use super::table::{Table, Trouble, quoted};

/// A writer is a node of a pipeline with its key; a row is known by the last run that wrote it.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS _flow_writers (
    id INTEGER PRIMARY KEY,
    pipeline TEXT NOT NULL,
    node TEXT NOT NULL,
    key TEXT NOT NULL,
    run INTEGER NOT NULL,
    UNIQUE (pipeline, node, key)
);
CREATE TABLE IF NOT EXISTS _flow_rows (
    writer INTEGER NOT NULL,
    \"table\" TEXT NOT NULL,
    key TEXT NOT NULL,
    path TEXT,
    run INTEGER NOT NULL,
    PRIMARY KEY (writer, \"table\", key)
) WITHOUT ROWID;
";
const BEGIN: &str = "INSERT INTO _flow_writers (pipeline, node, key, run) VALUES (?1, ?2, ?3, 1)
    ON CONFLICT DO UPDATE SET run = run + 1 RETURNING id, run";
// Of two runs at once, the later one keeps the row.
const NOTE: &str = "INSERT INTO _flow_rows VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO UPDATE SET path = excluded.path, run = max(run, excluded.run)";
const OLD: &str = "SELECT \"table\", key, path FROM _flow_rows
    WHERE writer = ?1 AND run < ?2 AND (\"table\", key) > (?3, ?4) ORDER BY 1, 2 LIMIT 1000";
const FORGET: &str = "DELETE FROM _flow_rows WHERE writer = ?1 AND \"table\" = ?2 AND key = ?3";
const OTHERS: &str = "SELECT 1 FROM _flow_rows WHERE \"table\" = ?2 AND key = ?3 AND writer IN
    (SELECT id FROM _flow_writers WHERE id <> ?1)";

/// The key of a row as it stands in its table, as a JSON list. A real number, which JSON does not
/// keep to the last bit, is an object with its bits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept(String);

impl Kept {
    /// From the first columns of a row.
    pub(super) fn of(row: &rusqlite::Row<'_>, columns: usize) -> Result<Self, Error> {
        let values = (0..columns).map(|at| {
            Ok(match row.get_ref(at)? {
                ValueRef::Integer(integer) => json!(integer),
                ValueRef::Real(real) => json!({"bits": real.to_bits()}),
                ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                ValueRef::Null | ValueRef::Blob(_) => Value::Null,
            })
        });
        let values: Value = values.collect::<Result<_, Error>>()?;
        Ok(Self(values.to_string()))
    }

    /// The values of a key.
    fn values(key: &str) -> Vec<Stored> {
        let values: Vec<Value> = serde_json::from_str(key).unwrap_or_default();
        let stored = |value: Value| match value {
            Value::String(text) => Stored::Text(text),
            Value::Object(real) => {
                let bits = real.get("bits").and_then(Value::as_u64);
                bits.map_or(Stored::Null, |bits| Stored::Real(f64::from_bits(bits)))
            }
            other => other.as_i64().map_or(Stored::Null, Stored::Integer),
        };
        values.into_iter().map(stored).collect()
    }
}

/// The books of one node.
#[derive(Debug)]
pub(super) struct Books {
    pipeline: String,
    node: String,
    key: Vec<String>,
    /// The writer and its run, once it has written.
    entry: Option<(i64, i64)>,
}

/// What became of the rows of earlier runs, by table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Vanished {
    pub(super) removed: BTreeMap<String, u64>,
    pub(super) spared: BTreeMap<String, u64>,
}

impl Books {
    /// Touches nothing yet.
    pub(super) fn new(pipeline: &str, node: &str, key: &[String]) -> Self {
        let (pipeline, node, key) = (pipeline.to_owned(), node.to_owned(), key.to_vec());
        Self { pipeline, node, key, entry: None }
    }

    /// Who writes: a node of a pipeline with its key.
    pub(super) fn writer(&self) -> u128 {
        key_of(&json!([self.pipeline, self.node, self.key]).to_string())
    }

    /// Notes a row that was written.
    pub(super) fn note(
        &mut self,
        connection: &Connection,
        table: &str,
        key: &Kept,
        path: Option<&str>,
    ) -> Result<(), Error> {
        let (writer, run) = self.entry(connection)?;
        let row = params![writer, table, key.0, path, run];
        connection.prepare_cached(NOTE)?.execute(row).map(drop)
    }

    fn entry(&mut self, connection: &Connection) -> Result<(i64, i64), Error> {
        if let Some(entry) = self.entry {
            return Ok(entry);
        }
        connection.execute_batch(TABLES)?;
        let writer = params![self.pipeline, self.node, json!(self.key).to_string()];
        let entry = connection.query_row(BEGIN, writer, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(*self.entry.insert(entry))
    }

    /// Removes the rows that earlier runs wrote and this one did not, unless what they were made of
    /// failed in it.
    pub(super) fn settle(
        &mut self,
        connection: &Connection,
        failed: &Failed,
    ) -> Result<Vanished, Error> {
        let (writer, run) = self.entry(connection)?;
        let mut vanished = Vanished::default();
        let mut tables: HashMap<String, Option<String>> = HashMap::new();
        let mut last = (String::new(), String::new());
        loop {
            let old = old(connection, writer, run, &last)?;
            let Some((table, key, _)) = old.last() else { return Ok(vanished) };
            last = (table.clone(), key.clone());
            for (table, key, path) in &old {
                if failed.may_be_of(path.as_deref()) {
                    *vanished.spared.entry(table.clone()).or_default() += 1;
                    continue;
                }
                connection.prepare_cached(FORGET)?.execute(params![writer, table, key])?;
                let others = params![writer, table, key];
                let others =
                    connection.prepare_cached(OTHERS)?.query_row(others, |_| Ok(())).optional()?;
                if !tables.contains_key(table) {
                    tables.insert(table.clone(), self.removal(connection, table)?);
                }
                if let (Some(Some(removal)), None) = (tables.get(table), others) {
                    let mut removal = connection.prepare_cached(removal)?;
                    let gone = removal.execute(params_from_iter(Kept::values(key)))? as u64;
                    if gone > 0 {
                        *vanished.removed.entry(table.clone()).or_default() += gone;
                    }
                }
            }
        }
    }

    /// The statement that removes a row, when the table still is what it was.
    fn removal(&self, connection: &Connection, table: &str) -> Result<Option<String>, Error> {
        let found = match Table::find(connection, table) {
            Ok(found) => found.has(&self.key),
            Err(Trouble::Record(_)) => false,
            Err(Trouble::World(error)) => return Err(error),
        };
        let same: Vec<String> = self.key.iter().map(|key| format!("{} = ?", quoted(key))).collect();
        let sql = || format!("DELETE FROM {} WHERE {}", quoted(table), same.join(" AND "));
        Ok(found.then(sql))
    }
}

type Old = Vec<(String, String, Option<String>)>;

/// The next rows that only earlier runs wrote.
fn old(
    connection: &Connection,
    writer: i64,
    run: i64,
    (table, key): &(String, String),
) -> Result<Old, Error> {
    let mut query = connection.prepare_cached(OLD)?;
    let rows = query.query_map(params![writer, run, table, key], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    rows.collect()
}
