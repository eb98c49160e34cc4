//! The ledger: a SQLite file beside the pipeline that outlives its runs. It holds what was paid for
//! (answers of models, by what was asked), what was rejected, and what every run did.
//!
//! What is kept is committed before it is passed on: [`Ledger::keep`] returns when its transaction
//! has ended. Many who keep at once share one. The write-ahead log makes it survive the end of the
//! process at any moment; for the loss of power see `docs/guarantees.md`.

mod answers;
mod asking;
mod cause;
mod file;
mod group;
mod journal;
mod needed;
mod runs;
mod size;
mod texts;
mod together;
mod trail;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Row, params};
use xxhash_rust::xxh3::xxh3_128;

use crate::door::UsageCount;
use crate::stage::StageError;
pub use answers::{Answers, Kept};
pub use cause::{Cause, Change, differences};
use group::Group;
pub use journal::{Fate, Journal, Note, Trial};
pub use needed::Needed;
pub use runs::{Beginning, Current, Past, Standing};
pub use size::Pruned;
pub use texts::Text;
pub use together::{Round, Together};
pub use trail::{FateRow, Filter, Rejected};

/// The folder beside the pipeline that holds it.
pub const FOLDER: &str = ".flow";
/// Its file.
const FILE: &str = "ledger.db";

/// How exactly it is known when an answer was last used, in seconds.
const DAY: u64 = 86_400;
/// Answers of which it is noted at the end of a run that they were used.
const MOST_STALE: usize = 65_536;

/// What an answer is kept under: 128 bits over all that was asked.
pub type Key = u128;

/// What the answer to a question is kept under.
pub fn key_of(question: &str) -> Key {
    xxh3_128(question.as_bytes())
}

/// The ledger of a folder.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    reader: Mutex<Connection>,
    writer: Arc<Mutex<Connection>>,
    answers: Group<Answered>,
    /// Answers that were used today and that the file does not know of yet.
    stale: Mutex<Vec<Key>>,
    /// The questions that this run asks just now.
    asking: asking::Asking,
    salvaged: Option<Salvaged>,
}

/// What was saved of a damaged ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// Where the damaged file was put.
    pub aside: PathBuf,
    /// Answers that could be read.
    pub answers: u64,
}

/// An answer on its way into the ledger.
#[derive(Debug)]
struct Answered {
    key: Key,
    node: Arc<str>,
    text: Arc<str>,
    at: u64,
    spender: Option<Spender>,
}

/// The node of a run whose calls are paid for.
#[derive(Debug, Clone)]
pub struct Spender {
    /// The run.
    pub run: u64,
    /// The node's place in the file.
    pub place: usize,
    /// What it has used so far.
    pub usage: Arc<UsageCount>,
}

/// What the answers take.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// The node that asked, as it was called then.
    pub node: String,
    /// Answers.
    pub answers: u64,
    /// Their length in bytes.
    pub bytes: u64,
    /// The oldest, in seconds since 1970.
    pub oldest: u64,
    /// When one was last used, in seconds since 1970.
    pub used: u64,
}

impl Ledger {
    /// The ledger in a folder, made when it is not there. A damaged one is put aside, and what can
    /// be read of it is taken over.
    pub fn open(folder: &Path) -> Result<Self, StageError> {
        let path = folder.join(FILE);
        let (writer, salvaged) = file::open(&path)?;
        let reader = file::connect(&path).map_err(|error| file::broke(&path, &error))?;
        let reader = Mutex::new(reader);
        let writer = Arc::new(Mutex::new(writer));
        let (answers, stale) = (Group::new(Arc::clone(&writer)), Mutex::default());
        let asking = asking::Asking::default();
        Ok(Self { path, reader, writer, answers, stale, asking, salvaged })
    }

    /// Whether there is one in a folder.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).is_file()
    }

    /// The folder in which it lies.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// What was saved, when the ledger was found damaged.
    pub const fn salvaged(&self) -> Option<&Salvaged> {
        self.salvaged.as_ref()
    }

    /// The answer to a question, if it is not older than `age`.
    pub fn answer(&self, key: Key, age: Option<Duration>) -> Result<Option<Arc<str>>, StageError> {
        self.answer_at(now(), key, age)
    }

    /// The same, at a time that the clock may have been set to; one before the answer's makes it
    /// no older.
    fn answer_at(
        &self,
        now: u64,
        key: Key,
        age: Option<Duration>,
    ) -> Result<Option<Arc<str>>, StageError> {
        let oldest = age.map_or(0, |age| now.saturating_sub(age.as_secs()));
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let found = reader
            .prepare_cached("SELECT text, used FROM answers WHERE key = ?1 AND at >= ?2")
            .and_then(|mut query| {
                let key = params![key.to_le_bytes(), oldest];
                let row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?));
                query.query_row(key, row).optional()
            })
            .map_err(|error| file::broke(&self.path, &error))?;
        let Some((text, used)) = found else { return Ok(None) };
        if now.saturating_sub(used) > DAY {
            let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
            if stale.len() < MOST_STALE {
                stale.push(key);
            }
        }
        Ok(Some(Arc::from(text)))
    }

    /// Notes when answers were used.
    async fn note_used(&self) -> Result<(), StageError> {
        let stale = std::mem::take(&mut *self.stale.lock().unwrap_or_else(PoisonError::into_inner));
        if stale.is_empty() {
            return Ok(());
        }
        self.for_each("UPDATE answers SET used = ?2 WHERE key = ?1", stale).await
    }

    /// Keeps an answer; it is in the file when this returns.
    /// What its calls have used so far is noted with it, so that it is known even of a run that is
    /// killed.
    pub async fn keep(
        &self,
        key: Key,
        node: &Arc<str>,
        text: &Arc<str>,
        spender: Option<&Spender>,
    ) -> Result<(), StageError> {
        let (node, text, spender) = (Arc::clone(node), Arc::clone(text), spender.cloned());
        let answered = Answered { key, node, text, at: now(), spender };
        let size = answered.text.len() as u64;
        let written = self.answers.add(answered, write).await;
        written.map_err(|error| file::broke_with(&self.path, &error, size))
    }

    /// Takes answers away.
    pub async fn forget(&self, keys: Vec<Key>) -> Result<(), StageError> {
        self.for_each("DELETE FROM answers WHERE key = ?1 AND ?2", keys).await
    }

    /// What the answers take, by node.
    pub fn stats(&self) -> Result<Vec<Stats>, StageError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = "SELECT node, count(*), sum(length(text)), min(at), max(used) FROM answers \
                   GROUP BY node ORDER BY node";
        let stats = reader.prepare(sql).and_then(|mut query| {
            let rows = query.query_map([], |row| {
                Ok(Stats {
                    node: row.get(0)?,
                    answers: row.get(1)?,
                    bytes: row.get(2)?,
                    oldest: row.get(3)?,
                    used: row.get(4)?,
                })
            })?;
            rows.collect()
        });
        stats.map_err(|error| file::broke(&self.path, &error))
    }

    /// Does something with the connection that writes, between two groups of answers.
    fn write<R>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<R, rusqlite::Error>,
    ) -> Result<R, StageError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut writer).map_err(|error| file::broke(&self.path, &error))
    }

    /// Looks something up.
    fn read<R>(
        &self,
        work: impl FnOnce(&Connection) -> Result<R, rusqlite::Error>,
    ) -> Result<R, StageError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        work(&reader).map_err(|error| file::broke(&self.path, &error))
    }

    /// From now on each transaction waits until it is on the disk.
    pub async fn make_durable(&self) -> Result<(), StageError> {
        let full =
            |connection: &mut Connection| connection.pragma_update(None, "synchronous", "full");
        self.answers.alone(full).await.map_err(|error| file::broke(&self.path, &error))
    }

    async fn for_each(&self, sql: &'static str, keys: Vec<Key>) -> Result<(), StageError> {
        let at = now();
        let work = move |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            for key in &keys {
                transaction.prepare_cached(sql)?.execute(params![key.to_le_bytes(), at])?;
            }
            transaction.commit()
        };
        self.answers.alone(work).await.map_err(|error| file::broke(&self.path, &error))
    }
}

fn write(connection: &mut Connection, answers: &[Answered]) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare_cached(
            "INSERT OR REPLACE INTO answers (key, node, text, at, used) VALUES (?1, ?2, ?3, ?4, ?4)",
        )?;
        for Answered { key, node, text, at, .. } in answers {
            insert.execute(params![key.to_le_bytes(), node, text, at])?;
        }
    }
    let spenders: BTreeMap<(u64, usize), &Spender> = answers
        .iter()
        .filter_map(|answered| answered.spender.as_ref())
        .map(|spender| ((spender.run, spender.place), spender))
        .collect();
    for (node, spender) in spenders {
        runs::used(&transaction, node, &spender.usage.get())?;
    }
    transaction.commit()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
