//! The file of the ledger: opened, brought up to date, or put aside when it is damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Error, ErrorCode, OpenFlags, TransactionBehavior};

use super::Salvaged;
use super::group::Trouble;
use crate::room::{self, PAGE};
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
    "
    CREATE TABLE texts (hash BLOB PRIMARY KEY, size INTEGER NOT NULL, text TEXT NOT NULL);
    CREATE TABLE runs (
        run INTEGER PRIMARY KEY AUTOINCREMENT,
        pipeline TEXT NOT NULL,
        file TEXT NOT NULL,
        continues INTEGER,
        started INTEGER NOT NULL,
        ended INTEGER,
        status TEXT,
        flow TEXT NOT NULL,
        source BLOB NOT NULL,
        inputs TEXT NOT NULL,
        report TEXT
    );
    CREATE TABLE nodes (
        run INTEGER NOT NULL,
        place INTEGER NOT NULL,
        node TEXT NOT NULL,
        stage TEXT NOT NULL,
        factors TEXT NOT NULL,
        account TEXT,
        usage TEXT,
        PRIMARY KEY (run, place)
    ) WITHOUT ROWID;
    CREATE TABLE fates (
        fate_id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        node INTEGER NOT NULL,
        record BLOB NOT NULL,
        path TEXT,
        line INTEGER NOT NULL,
        fate TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        asked INTEGER NOT NULL,
        reused INTEGER NOT NULL,
        micros INTEGER NOT NULL,
        key BLOB,
        factors TEXT,
        input BLOB NOT NULL,
        made BLOB NOT NULL,
        row TEXT,
        reason TEXT,
        answer TEXT,
        dropped INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX fates_of_records ON fates (run, node, record);
    CREATE INDEX rejects ON fates (record) WHERE fate = 'rejected';
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
        // What runs leave there is nobody's source; where it cannot be said, it need not be.
        let ignore = folder.join(".gitignore");
        if folder.ends_with(super::FOLDER) && !ignore.exists() {
            let _ = fs::write(ignore, "*\n");
        }
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

/// The tables, what is worth most first, with what their rows are in order of.
const TABLES: &[(&str, &str)] = &[
    ("answers", "key"),
    ("past", "node"),
    ("runs", "run"),
    ("nodes", "run"),
    ("texts", "rowid"),
    ("fates", "fate_id"),
];

/// Takes over what can be read; says how many answers that were.
fn take_over(connection: &mut Connection, aside: &Path) -> Result<u64, Error> {
    let Ok(old) = Connection::open_with_flags(aside, OpenFlags::SQLITE_OPEN_READ_ONLY) else {
        return Ok(0);
    };
    let transaction = connection.transaction()?;
    let mut answers = 0;
    for (table, order) in TABLES {
        let taken = take_table(&transaction, &old, table, order)?;
        answers += if *table == "answers" { taken } else { 0 };
    }
    transaction.commit()?;
    Ok(answers)
}

/// Reads what it can from both ends of a table, since a page that cannot be read stops a reader. A
/// table that is read to its end from one side is not read from the other.
fn take_table(new: &Connection, old: &Connection, table: &str, order: &str) -> Result<u64, Error> {
    let mut taken = 0;
    for direction in ["ASC", "DESC"] {
        let sql = format!("SELECT * FROM {table} ORDER BY {order} {direction}");
        let Ok(mut query) = old.prepare(&sql) else { continue };
        let columns = query.column_count();
        let places: Vec<String> = (1..=columns).map(|place| format!("?{place}")).collect();
        let insert = format!("INSERT OR IGNORE INTO {table} VALUES ({})", places.join(", "));
        let Ok(mut insert) = new.prepare(&insert) else { continue };
        let Ok(mut rows) = query.query([]) else { continue };
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    let values: Result<Vec<rusqlite::types::Value>, Error> =
                        (0..columns).map(|at| row.get(at)).collect();
                    let Ok(values) = values else { continue };
                    taken += insert.execute(rusqlite::params_from_iter(values))? as u64;
                }
                Ok(None) => return Ok(taken),
                Err(_) => break,
            }
        }
    }
    Ok(taken)
}

/// What went wrong with the file, and what to do.
pub(super) fn broke(path: &Path, error: &(dyn std::error::Error + 'static)) -> StageError {
    broke_with(path, error, PAGE)
}

/// The same, when so many bytes could not be written.
pub(super) fn broke_with(
    path: &Path,
    error: &(dyn std::error::Error + 'static),
    needed: u64,
) -> StageError {
    let of_sqlite = match error.downcast_ref::<Trouble>() {
        Some(Trouble::File(error)) => Some(error),
        _ => error.downcast_ref::<Error>(),
    };
    let code = of_sqlite.and_then(Error::sqlite_error_code);
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
    let mut message = format!("the ledger `{}`: {error}", path.display());
    if code == Some(ErrorCode::DiskFull) {
        message = format!("{message}; {}", room::wanted(path, needed.max(PAGE)));
    }
    StageError::new(message).help(help)
}
