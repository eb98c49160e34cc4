//! The runs of a folder: what they ran, when, how they ended, and whether they still go on.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{OptionalExtension, Row, params};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::texts::{self, Text};
use super::{Ledger, file};
use crate::factor::Factor;
use crate::plan::Plan;
use crate::report::{NodeReport, Report, Status, Usage};
use crate::stage::StageError;

/// A run that is about to begin.
#[derive(Debug, Clone, Copy)]
pub struct Beginning<'a> {
    /// The pipeline file, as whoever started the run would name it from the ledger's folder.
    pub file: &'a str,
    /// The text of the file.
    pub source: &'a str,
    /// What was given besides: params, profiles, overrides.
    pub inputs: &'a Value,
    /// The program's version.
    pub flow: &'a str,
}

/// A run under way. While it lives, others can tell that the run does.
#[derive(Debug)]
pub struct Current {
    /// Its number.
    pub run: u64,
    /// The run that it goes on with, which did not come to its end.
    pub continues: Option<u64>,
    path: PathBuf,
    _lock: File,
}

impl Drop for Current {
    fn drop(&mut self) {
        // What is left of it is found to be dead by the next who looks.
        let _ = fs::remove_file(&self.path);
    }
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It goes on.
    Running,
    /// It ended without a word.
    Killed,
    /// It ended in order.
    Ended(Status),
}

/// A run that was noted.
#[derive(Debug, Clone)]
pub struct Past {
    /// Its number.
    pub run: u64,
    /// The pipeline's name.
    pub pipeline: String,
    /// The pipeline file.
    pub file: String,
    /// The run that it goes on with.
    pub continues: Option<u64>,
    /// When it began, in milliseconds since 1970.
    pub started: u64,
    /// When it ended.
    pub ended: Option<u64>,
    /// Where it stands.
    pub standing: Standing,
    /// The program's version.
    pub flow: String,
    /// Params, profiles, overrides.
    pub inputs: Value,
    /// Its account, when it ended in order.
    pub report: Option<Report>,
}

const COLUMNS: &str =
    "run, pipeline, file, continues, started, ended, status, flow, inputs, report";

impl Ledger {
    /// Notes that a run begins.
    pub fn begin(&self, plan: &Plan, beginning: &Beginning<'_>) -> Result<Current, StageError> {
        let source = Text::new(beginning.source.to_owned());
        let nodes: Vec<(String, String, Vec<Factor>)> = plan
            .graph
            .node_weights()
            .map(|node| (node.name.clone(), node.uses.clone(), node.factors()))
            .collect();
        let begun = self.write(|connection| {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let last = "SELECT run FROM runs WHERE file = ?1 ORDER BY run DESC LIMIT 1";
            let last: Option<u64> =
                transaction.query_row(last, [beginning.file], |row| row.get(0)).optional()?;
            texts::keep(&transaction, &source)?;
            let sql = "INSERT INTO runs (pipeline, file, started, flow, source, inputs) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let (hash, inputs) = (source.hash.to_le_bytes(), beginning.inputs.to_string());
            let row = params![plan.name, beginning.file, now(), beginning.flow, hash, inputs];
            transaction.execute(sql, row)?;
            let run = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
            for (place, (node, stage, factors)) in nodes.iter().enumerate() {
                let mut hashes = serde_json::Map::new();
                for factor in factors {
                    let text = Text::new(factor.text.to_string());
                    texts::keep(&transaction, &text)?;
                    hashes.insert(factor.name.to_owned(), format!("{:032x}", text.hash).into());
                }
                let sql = "INSERT INTO nodes (run, place, node, stage, factors) \
                           VALUES (?1, ?2, ?3, ?4, ?5)";
                let hashes = Value::Object(hashes).to_string();
                transaction.execute(sql, params![run, place, node, stage, hashes])?;
            }
            // Whoever sees the run must see that it lives.
            let path = self.lock_of(run);
            let lock = File::create(&path).and_then(|lock| {
                lock.try_lock()?;
                Ok(lock)
            });
            Ok(match lock {
                Ok(lock) => {
                    transaction.commit()?;
                    Ok((run, last, path, lock))
                }
                Err(error) => Err(file::broke(&path, &error)),
            })
        })?;
        let (run, last, path, lock) = begun?;
        let last = last.map_or(Ok(None), |last| self.run(last))?;
        let continues = last.filter(Past::is_left_off).map(|last| last.run);
        if let Some(continues) = continues {
            self.write(|connection| {
                let sql = "UPDATE runs SET continues = ?2 WHERE run = ?1";
                connection.execute(sql, params![run, continues])
            })?;
        }
        Ok(Current { run, continues, path, _lock: lock })
    }

    /// Notes that a run has ended, and how.
    pub fn end(&self, run: u64, report: &Report) -> Result<(), StageError> {
        let status = serde_json::to_string(&report.status).unwrap_or_default();
        let text = serde_json::to_string(report).unwrap_or_default();
        self.write(|connection| {
            let transaction = connection.transaction()?;
            for (place, node) in report.nodes.iter().enumerate() {
                account(&transaction, run, place, node)?;
            }
            let sql = "UPDATE runs SET ended = ?2, status = ?3, report = ?4 WHERE run = ?1";
            transaction.execute(sql, params![run, now(), status, text])?;
            transaction.commit()
        })
    }

    /// All runs, the oldest first.
    pub fn runs(&self) -> Result<Vec<Past>, StageError> {
        let sql = format!("SELECT {COLUMNS} FROM runs ORDER BY run");
        let runs = self.read(|connection| {
            let mut query = connection.prepare(&sql)?;
            let rows = query.query_map([], past)?;
            rows.collect::<Result<Vec<Past>, _>>()
        })?;
        Ok(runs.into_iter().map(|run| self.look_at(run)).collect())
    }

    /// A run.
    pub fn run(&self, run: u64) -> Result<Option<Past>, StageError> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE run = ?1");
        let found = self.read(|connection| connection.query_row(&sql, [run], past).optional())?;
        Ok(found.map(|run| self.look_at(run)))
    }

    /// The accounts of a run's nodes, in the order of the file; those of a run that was killed are
    /// as they were last noted.
    pub fn accounts(&self, run: u64) -> Result<Vec<NodeReport>, StageError> {
        let sql = "SELECT node, stage, account, usage FROM nodes WHERE run = ?1 ORDER BY place";
        self.read(|connection| {
            let mut query = connection.prepare(sql)?;
            let rows = query.query_map([run], |row| {
                let (node, stage): (String, String) = (row.get(0)?, row.get(1)?);
                if let Some(account) = read::<NodeReport>(row, 2)? {
                    return Ok(account);
                }
                let usage = read::<Usage>(row, 3)?.unwrap_or_default();
                Ok(NodeReport { node, stage, usage, ..NodeReport::default() })
            })?;
            rows.collect()
        })
    }

    /// What the calls of a run and of those that it goes on with have used together.
    pub fn usage_with_earlier(&self, run: u64) -> Result<(u64, Usage), StageError> {
        let (mut usage, mut earlier, mut next) = (Usage::default(), 0, Some(run));
        while let Some(at) = next {
            usage += self.accounts(at)?.iter().map(|node| node.usage).sum();
            earlier += u64::from(at != run);
            // A run only goes on with one before it.
            next = self.run(at)?.and_then(|past| past.continues).filter(|before| *before < at);
        }
        Ok((earlier, usage))
    }

    /// The text of the pipeline file, as it was run.
    pub fn source(&self, run: u64) -> Result<Option<Text>, StageError> {
        let sql = "SELECT source FROM runs WHERE run = ?1";
        self.read(|connection| {
            let hash = connection.query_row(sql, [run], |row| row.get(0)).optional()?;
            hash.map_or(Ok(None), |hash| texts::of(connection, u128::from_le_bytes(hash)))
        })
    }

    fn lock_of(&self, run: u64) -> PathBuf {
        self.path.with_file_name(format!("run-{run}.lock"))
    }

    /// A run that has not ended goes on as long as its process holds the lock.
    fn look_at(&self, mut past: Past) -> Past {
        if past.standing == Standing::Running {
            let path = self.lock_of(past.run);
            // Shared, so that two who look do not take each other for the run.
            let lives = File::open(&path).is_ok_and(|lock| lock.try_lock_shared().is_err());
            if !lives {
                let _ = fs::remove_file(&path);
                past.standing = Standing::Killed;
            }
        }
        past
    }
}

impl Past {
    /// Whether it has ended, and a later run goes on with it.
    pub fn is_left_off(&self) -> bool {
        self.standing != Standing::Running && !self.is_whole()
    }

    /// Whether every record found its end in it.
    pub fn is_whole(&self) -> bool {
        let pending = |report: &Report| report.nodes.iter().any(|node| node.pending > 0);
        self.standing == Standing::Ended(Status::Done) && !self.report.as_ref().is_some_and(pending)
    }
}

fn account(
    connection: &rusqlite::Connection,
    run: u64,
    place: usize,
    node: &NodeReport,
) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE nodes SET account = ?3 WHERE run = ?1 AND place = ?2";
    let account = serde_json::to_string(node).unwrap_or_default();
    connection.prepare_cached(sql)?.execute(params![run, place, account]).map(drop)
}

/// Notes what the calls of a node have used by now.
pub(super) fn used(
    connection: &rusqlite::Connection,
    (run, place): (u64, usize),
    usage: &Usage,
) -> Result<(), rusqlite::Error> {
    let sql = "UPDATE nodes SET usage = ?3 WHERE run = ?1 AND place = ?2";
    let usage = serde_json::to_string(usage).unwrap_or_default();
    connection.prepare_cached(sql)?.execute(params![run, place, usage]).map(drop)
}

/// What a column holds as JSON; nothing when it is of another version.
fn read<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> Result<Option<T>, rusqlite::Error> {
    let text: Option<String> = row.get(at)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn past(row: &Row<'_>) -> Result<Past, rusqlite::Error> {
    Ok(Past {
        run: row.get(0)?,
        pipeline: row.get(1)?,
        file: row.get(2)?,
        continues: row.get(3)?,
        started: row.get(4)?,
        ended: row.get(5)?,
        standing: read(row, 6)?.map_or(Standing::Running, Standing::Ended),
        flow: row.get(7)?,
        inputs: read(row, 8)?.unwrap_or_default(),
        report: read(row, 9)?,
    })
}

/// Milliseconds since 1970; what they are when the clock jumps is only shown.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
