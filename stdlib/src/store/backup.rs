//! Backups of a SQLite database, in a folder beside it: taken online, listed, and put back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::backup::{Backup as Copying, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::part::folder_of;

/// Ends the name of the folder.
const FOLDER: &str = ".backups";
/// Ends the name of a backup.
const END: &str = ".db";
/// A backup under way.
const PART: &str = ".part";
/// How long a backup waits for a moment in which it may read or write.
const PATIENCE: Duration = Duration::from_secs(5);

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Counts up; the newest has the highest.
    pub number: u32,
    /// Its file, a database of its own.
    pub path: PathBuf,
    /// When it was taken.
    pub at: SystemTime,
    /// Its size.
    pub bytes: u64,
}

/// What was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where what stood there is kept now.
    pub kept: Option<PathBuf>,
}

/// Why a backup was not taken or not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// No backup has this number.
    #[error("there is no backup {0}")]
    Unknown(u32),
    /// A backup does not pass SQLite's own check.
    #[error("backup {0} is damaged: {1}")]
    Damaged(u32, String),
    /// Another program has the database open.
    #[error("another program has it open")]
    InUse,
    /// The disk or the folder.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The database.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// The folder of the backups of a database: `records.db.backups`.
pub fn folder(database: &Path) -> PathBuf {
    with_end(database, FOLDER)
}

/// The backups of a database, the oldest first.
pub fn list(database: &Path) -> Result<Vec<Backup>, BackupError> {
    let mut backups = Vec::new();
    let entries = match fs::read_dir(folder(database)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(backups),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(END)?.parse().ok());
        if let (Some(number), Ok(file)) = (number, entry.metadata()) {
            let at = file.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            backups.push(Backup { number, path: entry.path(), at, bytes: file.len() });
        }
    }
    backups.sort_by_key(|backup| backup.number);
    Ok(backups)
}

/// Puts a backup in the place of the database, after it was checked. What stood there becomes a
/// backup itself; nobody else may have it open.
pub fn restore(database: &Path, number: u32) -> Result<Restored, BackupError> {
    let backups = list(database)?;
    let backup = backups.into_iter().find(|backup| backup.number == number);
    let backup = backup.ok_or(BackupError::Unknown(number))?;
    let _turn = turn(database)?;
    let from = check(&backup)?;
    if !database.exists() {
        put_file(&backup, database)?;
        return Ok(Restored { kept: None });
    }
    match alone(database) {
        Ok(mut there) => {
            let kept = copy(&there, database)?;
            // Through SQLite, so that a program that comes just now waits, and a kill in the middle
            // is rolled back by whoever opens it next.
            all_of(&from, &mut there)?;
            Ok(Restored { kept: Some(kept.path) })
        }
        Err(BackupError::Sqlite(error)) if is_damage(&error) => {
            let kept = put_aside(database)?;
            put_file(&backup, database)?;
            Ok(Restored { kept: Some(kept) })
        }
        Err(error) => Err(error),
    }
}

/// The backup as a database that SQLite finds nothing wrong with.
fn check(backup: &Backup) -> Result<Connection, BackupError> {
    let damaged = |message: String| BackupError::Damaged(backup.number, message);
    let from = Connection::open_with_flags(&backup.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let verdict = from.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(from),
        Ok(verdict) => Err(damaged(verdict)),
        Err(error) => Err(damaged(error.to_string())),
    }
}

/// A connection that nobody else has beside it: the log can only go when it is the only one.
fn alone(database: &Path) -> Result<Connection, BackupError> {
    let there = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    there.busy_timeout(Duration::from_millis(200))?;
    let alone = there
        .pragma_update(None, "journal_mode", "delete")
        .and_then(|()| there.pragma_update(None, "locking_mode", "exclusive"))
        .and_then(|()| there.execute_batch("BEGIN EXCLUSIVE; COMMIT"));
    match alone {
        Err(error) if is_busy(&error) => Err(BackupError::InUse),
        alone => Ok(alone.map(|()| there)?),
    }
}

/// A new backup of what a connection sees.
pub(super) fn copy(from: &Connection, database: &Path) -> Result<Backup, BackupError> {
    let folder = folder(database);
    let number = list(database)?.last().map_or(1, |last| last.number.saturating_add(1));
    let part = folder.join(PART);
    // One that was killed may have left it; who has the turn is alone.
    remove(&part)?;
    let copied = Connection::open(&part).map_err(BackupError::from).and_then(|mut to| {
        to.pragma_update(None, "synchronous", "off")?;
        all_of(from, &mut to)?;
        // A plain file, which can be copied and looked at without leaving anything beside it.
        to.pragma_update(None, "journal_mode", "delete")?;
        Ok(())
    });
    let placed = copied.and_then(|()| {
        let file = File::open(&part)?;
        file.set_permissions(fs::metadata(database)?.permissions())?;
        file.sync_all()?;
        let path = folder.join(format!("{number:04}{END}"));
        fs::rename(&part, &path)?;
        let _ = File::open(&folder).and_then(|folder| folder.sync_all());
        let file = file.metadata()?;
        let at = file.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Backup { number, path, at, bytes: file.len() })
    });
    if placed.is_err() {
        let _ = remove(&part);
    }
    placed
}

/// Copies a whole database as it is at this moment.
fn all_of(from: &Connection, to: &mut Connection) -> Result<(), rusqlite::Error> {
    to.busy_timeout(PATIENCE)?;
    let copying = Copying::new(from, to)?;
    match copying.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            Some("the database is locked".to_owned()),
        )),
    }
}

/// Puts the file of a backup in a place where no database stands.
fn put_file(backup: &Backup, database: &Path) -> Result<(), BackupError> {
    let part = with_end(database, ".restored");
    for end in ["-wal", "-shm", "-journal"] {
        // The log of another database; it would be played into this one.
        remove(&with_end(database, end))?;
    }
    fs::copy(&backup.path, &part)?;
    File::open(&part)?.sync_all()?;
    fs::rename(&part, database)?;
    let _ = File::open(folder_of(database)).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Moves a database that cannot be opened to its backups, with all that belongs to it.
fn put_aside(database: &Path) -> Result<PathBuf, BackupError> {
    let folder = folder(database);
    let aside = (1_u32..).map(|number| folder.join(format!("damaged-{number}")));
    let aside = aside.into_iter().find(|aside| !aside.exists()).unwrap_or(folder);
    for end in ["-wal", "-shm", "-journal"] {
        match fs::rename(with_end(database, end), with_end(&aside, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    fs::rename(database, &aside)?;
    Ok(aside)
}

/// One at a time: the turn ends when this is dropped.
pub(super) fn turn(database: &Path) -> Result<File, BackupError> {
    fs::create_dir_all(folder(database))?;
    let lock = File::create(folder(database).join(".lock"))?;
    match lock.lock() {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error.into()),
        _ => Ok(lock),
    }
}

pub(super) fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
