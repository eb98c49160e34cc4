//! What the sinks of a run have in common that write to one database: one backup, before the first
//! of them writes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rusqlite::Connection;

use super::backup::{BackupError, copy, list, remove, turn};

/// What the sinks of a run have in common that write to one database.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Wish>);

#[derive(Debug, Default)]
struct Wish {
    /// How many backups are to be kept; the most that a sink asks for.
    keep: usize,
    done: bool,
}

/// The databases that sinks write to which have been built and not yet dropped.
static DATABASES: Mutex<Vec<(PathBuf, Weak<Shared>)>> = Mutex::new(Vec::new());

impl Shared {
    /// Of the sinks of a database.
    pub(super) fn of(database: &Path, keep: usize) -> Arc<Self> {
        let path = std::path::absolute(database).unwrap_or_else(|_| database.to_owned());
        let mut databases = DATABASES.lock().unwrap_or_else(PoisonError::into_inner);
        databases.retain(|(_, shared)| shared.strong_count() > 0);
        let known = databases.iter().find(|(other, _)| *other == path);
        let shared = known.and_then(|(_, shared)| shared.upgrade()).unwrap_or_default();
        databases.push((path, Arc::downgrade(&shared)));
        drop(databases);
        let mut wish = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        wish.keep = wish.keep.max(keep);
        drop(wish);
        shared
    }

    /// Whether a backup is wished for.
    pub(super) fn takes_backups(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keep > 0
    }

    /// Takes a backup before the first write of the run, when one is wished for.
    pub(super) fn before_first_write(
        &self,
        database: &Path,
        connection: &Connection,
    ) -> Result<(), BackupError> {
        let mut wish = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wish.keep == 0 || wish.done {
            return Ok(());
        }
        let tables = "SELECT count(*) FROM sqlite_schema";
        let tables: u64 = connection.query_row(tables, [], |row| row.get(0))?;
        if tables > 0 {
            let _turn = turn(database)?;
            copy(connection, database)?;
            let backups = list(database)?;
            let old = backups.len().saturating_sub(wish.keep);
            for backup in &backups[..old] {
                remove(&backup.path)?;
            }
        }
        wish.done = true;
        Ok(())
    }
}
