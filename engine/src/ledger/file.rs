//! The file of the ledger: opened, brought up to date, or put aside when it is damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode, OpenFlags, TransactionBehavior, params};

use super::Salvaged;
use crate::stage::StageError;

/// How long a writer waits for another run's turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the name of a file that says that the ledger was found damaged while it was in use.
const MARK: &str = "-damaged";

/// What each version of the file adds to the one before.
const VERSIONS: &[&str] = &[
    "
    CREATE TABLE answers (
        key BLOB PRIMARY KEY,
        node TEXT NOT NULL,
        text TEXT NOT NULL,
        at INTEGER NOT NULL,
        used INTEGER NOT NULL
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE past (
        node TEXT NOT NULL,
        model TEXT NOT NULL,
        calls INTEGER NOT NULL,
        output INTEGER NOT NULL,
        p50 INTEGER NOT NULL,
        p95 INTEGER NOT NULL,
        PRIMARY KEY (node, model)
    ) WITHOUT ROWID;
",
];

/// A connection to the file, which is made when it is not there.
pub(super) fn connect(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    // It is done beside the calls, and when the last connection closes.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// Opens the file for writing and brings it to this version; puts it aside when it is damaged.
pub(super) fn open(path: &Path) -> Result<(Connection, Option<Salvaged>), StageError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| {
            StageError::new(format!("the folder `{}` cannot be made: {error}", folder.display()))
                .help("Choose another one with `--state DIR`, or go without with `--state none`.")
        })?;
    }
    if with_end(path, MARK).exists() {
        let (connection, salvaged) = salvage(path).map_err(|error| broke(path, &error))?;
        return Ok((connection, Some(salvaged)));
    }
    match current(path) {
        Ok(connection) => Ok((connection, None)),
        Err(Old::Newer(version)) => Err(StageError::new(format!(
            "`{}` is of a newer flow (version {version} of the ledger, known is {})",
            path.display(),
            VERSIONS.len()
        ))
        .help("Use that flow, or another folder with `--state DIR`.")),
        Err(Old::File(error)) if is_damage(&error) => {
            let (connection, salvaged) = salvage(path).map_err(|error| broke(path, &error))?;
            Ok((connection, Some(salvaged)))
        }
        Err(Old::File(error)) => Err(broke(path, &error)),
    }
}

/// Why a file is not of this version.
enum Old {
    File(Error),
    Newer(usize),
}

impl From<Error> for Old {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

fn current(path: &Path) -> Result<Connection, Old> {
    let mut connection = connect(path)?;
    let version = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, usize>(0))
    };
    if version(&connection)? < VERSIONS.len() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another run may have been faster.
        for more in VERSIONS.iter().skip(version(&transaction)?) {
            transaction.execute_batch(more)?;
        }
        transaction.pragma_update(None, "user_version", VERSIONS.len())?;
        transaction.commit()?;
    }
    let version = version(&connection)?;
    if version > VERSIONS.len() {
        return Err(Old::Newer(version));
    }
    // A page of the table is read, so that a file that is damaged there is found now.
    connection.query_row("SELECT count(*) FROM (SELECT 1 FROM answers LIMIT 1)", [], |_| Ok(()))?;
    Ok(connection)
}

fn is_damage(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Puts a damaged file aside and takes over what can be read of it.
fn salvage(path: &Path) -> Result<(Connection, Salvaged), Error> {
    let aside = (1_u32..1000)
        .map(|number| path.with_extension(format!("damaged-{number}.db")))
        .find(|aside| !aside.exists())
        .unwrap_or_else(|| path.with_extension("damaged.db"));
    let moved = |from: PathBuf, to: PathBuf| match fs::rename(&from, &to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::InvalidPath(from)),
        _ => Ok(()),
    };
    moved(path.to_owned(), aside.clone())?;
    for end in ["-wal", "-shm"] {
        moved(with_end(path, end), with_end(&aside, end))?;
    }
    let _ = fs::remove_file(with_end(path, MARK));
    let mut connection = current(path).map_err(|old| match old {
        Old::File(error) => error,
        Old::Newer(_) => Error::InvalidPath(path.to_owned()),
    })?;
    let answers = take_over(&mut connection, &aside)?;
    Ok((connection, Salvaged { aside, answers }))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Reads what it can from both ends of the table, since a page that cannot be read stops a reader.
fn take_over(connection: &mut Connection, aside: &Path) -> Result<u64, Error> {
    let Ok(old) = Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_ONLY) else {
        return Ok(0);
    };
    let transaction = connection.transaction()?;
    let mut taken = 0;
    for order in ["ASC", "DESC"] {
        let sql = format!("SELECT key, node, text, at, used FROM answers ORDER BY key {order}");
        let Ok(mut query) = old.prepare(&sql) else { continue };
        let Ok(mut rows) = query.query([]) else { continue };
        while let Ok(Some(row)) = rows.next() {
            let read = (|| {
                let key: Vec<u8> = row.get(0)?;
                let (node, text): (String, String) = (row.get(1)?, row.get(2)?);
                let (at, used): (u64, u64) = (row.get(3)?, row.get(4)?);
                Ok::<_, Error>((key, node, text, at, used))
            })();
            let Ok((key, node, text, at, used)) = read else { continue };
            let sql = "INSERT OR IGNORE INTO answers VALUES (?1, ?2, ?3, ?4, ?5)";
            taken += transaction.execute(sql, params![key, node, text, at, used])? as u64;
        }
    }
    transaction.commit()?;
    Ok(taken)
}

/// What went wrong with the file, and what to do.
pub(super) fn broke(path: &Path, error: &(dyn std::error::Error + 'static)) -> StageError {
    let code = error.downcast_ref::<Error>().and_then(Error::sqlite_error_code);
    let help = match code {
        Some(ErrorCode::DiskFull) => "Make room on the disk and run again; what is kept is kept.",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "Choose a folder that may be written to with `--state DIR`, or go without with \
             `--state none`."
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "Another program holds it; close it, or wait for it to end."
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            // Without the mark, the next run would stumble over it as this one did.
            let _ = fs::write(with_end(path, MARK), "");
            "It is damaged; the next run puts it aside and takes over what can be read."
        }
        _ => "Check the file and the disk; what is kept is kept.",
    };
    StageError::new(format!("the ledger `{}`: {error}", path.display())).help(help)
}
