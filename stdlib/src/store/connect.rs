//! A connection to a store, set up for many writers at once.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode, OpenFlags};

/// How long a writer waits for its turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// Turns that the change to WAL waits for, when others hold the database.
const WAL_TURNS: usize = 1000;
/// Memory for pages, in KiB: the inner pages of the index of a few million keys fit.
const CACHE: i64 = 16 * 1024;
/// Bytes of the write-ahead log that stay on disk when it was larger once.
const LOG: i64 = 64 << 20;

/// Opens a database, or makes it. With `durable`, each transaction waits for the disk.
pub(super) fn connect(path: &Path, durable: bool) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(128);
    // The change to WAL does not wait for its turn by itself; an empty transaction does.
    let mut turns = 0;
    while let Err(error) = connection.pragma_update(None, "journal_mode", "wal") {
        turns += 1;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) if turns < WAL_TURNS => {
                connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            _ => return Err(error),
        }
    }
    let synchronous = if durable { "full" } else { "normal" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.pragma_update(None, "journal_size_limit", LOG)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_durable_store_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        for (durable, mode) in [(false, 1), (true, 2)] {
            let connection = connect(&folder.path().join("t.db"), durable).unwrap();
            let found = connection.pragma_query_value(None, "synchronous", |row| row.get(0));
            assert_eq!(found, Ok(mode), "{durable}");
        }
    }
}
