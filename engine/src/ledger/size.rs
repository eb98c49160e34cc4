//! How large the ledger may get, and what goes first: what was noted of the records of old runs, as
//! it cost nothing, then the answers that were used longest ago.

use rusqlite::{Connection, Error, params};
use serde_json::Value;

use super::{Ledger, Standing, file};
use crate::stage::StageError;

/// Bytes of a fate's `made` that speak of one record: its id and the hash of its text.
const MADE: usize = 32;

/// What was taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs whose records are not known any more; that they ran still is.
    pub runs: u64,
    /// Answers.
    pub answers: u64,
}

impl Ledger {
    /// The end of a run: notes which answers were used, and prunes when there are more than `most`
    /// bytes.
    pub async fn settle(&self, most: u64) -> Result<Pruned, StageError> {
        self.note_used().await?;
        let size = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        if size > most { self.prune(most).await } else { Ok(Pruned::default()) }
    }

    /// Takes away what is worth least, until what is left takes at most so many bytes. The last run
    /// of each file is kept, and so are runs that go on.
    pub async fn prune(&self, most: u64) -> Result<Pruned, StageError> {
        let runs = self.runs()?;
        let last = |file: &str| runs.iter().rev().find(|run| run.file == file).map(|run| run.run);
        let old = runs
            .iter()
            .filter(|run| run.standing != Standing::Running && last(&run.file) != Some(run.run));
        let old: Vec<u64> = old.map(|run| run.run).collect();
        let prune = move |connection: &mut Connection| {
            let mut pruned = Pruned::default();
            for run in old {
                if taken(connection)? <= most {
                    return Ok(pruned);
                }
                pruned.runs += u64::from(forget_run(connection, run)?);
            }
            let over = taken(connection)?.saturating_sub(most);
            if over > 0 {
                let answers: u64 = connection.query_row(
                    "SELECT coalesce(sum(length(text)), 0) FROM answers",
                    [],
                    |row| row.get(0),
                )?;
                pruned.answers = forget_answers(connection, answers.saturating_sub(over))?;
            }
            Ok(pruned)
        };
        self.answers.alone(prune).await.map_err(|error| file::broke(&self.path, &error))
    }

    /// Takes all answers away.
    pub async fn clear(&self) -> Result<u64, StageError> {
        let clear = |connection: &mut Connection| forget_answers(connection, 0);
        self.answers.alone(clear).await.map_err(|error| file::broke(&self.path, &error))
    }
}

/// Bytes of the file that hold something.
fn taken(connection: &Connection) -> Result<u64, Error> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    Ok((pragma("page_count")?.saturating_sub(pragma("freelist_count")?)) * pragma("page_size")?)
}

/// Answers that were used longest ago, as long as there are more than so many bytes of them.
fn forget_answers(connection: &Connection, most: u64) -> Result<u64, Error> {
    let sql = "DELETE FROM answers WHERE key IN (SELECT key FROM (SELECT key, \
               sum(length(text)) OVER (ORDER BY used DESC, key) AS taken FROM answers) \
               WHERE taken > ?1)";
    connection.execute(sql, params![most]).map(|gone| gone as u64)
}

/// What was noted of the records of a run, with the texts that nobody else speaks of. Says whether
/// there was anything.
fn forget_run(connection: &mut Connection, run: u64) -> Result<bool, Error> {
    let transaction = connection.transaction()?;
    let gone = transaction.execute("DELETE FROM fates WHERE run = ?1", params![run])?;
    if gone > 0 {
        transaction.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS spoken_of (hash BLOB PRIMARY KEY) WITHOUT ROWID;
             DELETE FROM spoken_of;
             INSERT OR IGNORE INTO spoken_of SELECT source FROM runs;
             INSERT OR IGNORE INTO spoken_of SELECT input FROM fates;",
        )?;
        let mut speak = transaction.prepare("INSERT OR IGNORE INTO spoken_of VALUES (?1)")?;
        let mut made = transaction.prepare("SELECT made FROM fates WHERE made <> x''")?;
        let mut rows = made.query([])?;
        while let Some(row) = rows.next()? {
            let made: Vec<u8> = row.get(0)?;
            for one in made.chunks_exact(MADE) {
                speak.execute(params![&one[MADE / 2..]])?;
            }
        }
        let mut factors = transaction.prepare("SELECT factors FROM nodes")?;
        let mut rows = factors.query([])?;
        while let Some(row) = rows.next()? {
            let factors: String = row.get(0)?;
            let factors: Value = serde_json::from_str(&factors).unwrap_or_default();
            for hash in factors.as_object().into_iter().flat_map(|factors| factors.values()) {
                let hash = hash.as_str().and_then(|hex| u128::from_str_radix(hex, 16).ok());
                if let Some(hash) = hash {
                    speak.execute(params![hash.to_le_bytes()])?;
                }
            }
        }
        transaction
            .execute("DELETE FROM texts WHERE hash NOT IN (SELECT hash FROM spoken_of)", [])?;
    }
    transaction.commit()?;
    Ok(gone > 0)
}
