//! Records in a SQLite database: one transaction for each batch, many writers at once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use flow_engine::prelude::*;
use flow_engine::room::{self, PAGE};
use flow_engine::words::counted;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::books::{Books, Vanished};
use super::claim::Claim;
use super::connect::connect;
use super::replaced::Seen;
use super::row::{self, Columns, Row};
use super::shared::Shared;
use super::table::{Table, Trouble};
use crate::part::folder_of;

/// Where and how to write.
#[derive(Debug)]
pub(super) struct SqliteSettings {
    /// As the user wrote it.
    pub(super) to: String,
    /// The database.
    pub(super) path: PathBuf,
    /// The table of a record.
    pub(super) table: Template,
    /// Columns that make a row the same; `_id` when the user names none.
    pub(super) key: Vec<String>,
    /// Which columns a record has.
    pub(super) columns: Columns,
    /// Whether the rows of earlier runs go that a run does not make again.
    pub(super) sync: bool,
    /// Whether they go even when it makes none.
    pub(super) allow_empty: bool,
    /// Whether each transaction waits for the disk.
    pub(super) durable: bool,
    /// What it shares with other nodes that write to the database.
    pub(super) shared: Arc<Shared>,
}

/// Writes records to a SQLite database.
pub(super) struct SqliteSink {
    settings: SqliteSettings,
    connection: Option<Connection>,
    tables: Tables,
    written: BTreeMap<String, u64>,
    seen: Seen,
    books: Option<Books>,
    /// With `sync`, what keeps other runs of the node away.
    claim: Option<Claim>,
}

/// The tables that were written to, by their names in small letters.
#[derive(Default)]
struct Tables {
    known: HashMap<String, Table>,
    /// SQLite's count of changes to the schema when they were looked at.
    version: i64,
}

impl SqliteSink {
    /// Touches nothing yet.
    pub(super) fn new(settings: SqliteSettings, books: Books) -> Self {
        let books = settings.sync.then_some(books);
        let (tables, written, seen) = (Tables::default(), BTreeMap::new(), Seen::default());
        Self { settings, connection: None, tables, written, seen, books, claim: None }
    }

    fn broke(&self, error: &rusqlite::Error) -> StageError {
        self.broke_with(error, &[])
    }

    /// The same, when these records could not be written.
    fn broke_with(&self, error: &rusqlite::Error, batch: &[Record]) -> StageError {
        let help = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "Make room on the disk; what was stored whole is kept.",
            Some(ErrorCode::NotADatabase) => "It is a file of another kind; choose another name.",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "Another program holds the database; close it, or wait for it to end."
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                "Choose a file in a folder that exists and may be written to."
            }
            Some(ErrorCode::ConstraintViolation) => {
                "The table already holds rows with the same key; remove them, or choose another key."
            }
            _ => "Check the file and the disk; what was stored whole is kept.",
        };
        let mut message = format!("`{}` cannot be written: {error}", self.settings.to);
        if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
            let texts = batch.iter().filter_map(|record| serde_json::to_string(record).ok());
            let needed = texts.map(|text| text.len() as u64).sum::<u64>().max(PAGE);
            message = format!("{message}; {}", room::wanted(&self.settings.path, needed));
        }
        StageError::new(message).help(help)
    }

    /// Makes the folder of the database.
    fn make_folder(&self) -> Result<(), StageError> {
        let to = &self.settings.to;
        std::fs::create_dir_all(folder_of(&self.settings.path)).map_err(|error| {
            StageError::new(format!("the folder of `{to}` cannot be made: {error}"))
                .help("Choose a folder that may be written to.")
        })
    }

    fn open(&self) -> Result<Connection, StageError> {
        let path = &self.settings.path;
        let to = &self.settings.to;
        if path.is_dir() {
            return Err(StageError::new(format!("`{to}` is a folder"))
                .help("Name a file in it, such as `sqlite:out/records.db`."));
        }
        self.make_folder()?;
        let connection =
            connect(path, self.settings.durable).map_err(|error| self.broke(&error))?;
        self.settings.shared.before_first_write(path, &connection).map_err(|error| {
            StageError::new(format!("no backup of `{to}` can be taken: {error}")).help(
                "Nothing was written. Make room, or let its folder be written to; or leave \
                 `backup` out.",
            )
        })?;
        Ok(connection)
    }

    fn write_batch(
        &mut self,
        connection: &mut Connection,
        batch: &[Record],
    ) -> Result<Vec<(usize, Failure)>, rusqlite::Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = schema_version(&transaction)?;
        if version != self.tables.version {
            self.tables.known.clear();
        }
        let mut refused = Vec::new();
        let mut written: BTreeMap<String, u64> = BTreeMap::new();
        for (place, record) in batch.iter().enumerate() {
            let books = self.books.as_mut();
            match self.tables.put(&transaction, &self.settings, record, &mut self.seen, books) {
                Ok(table) => match written.get_mut(table) {
                    Some(records) => *records += 1,
                    None => drop(written.insert(table.to_owned(), 1)),
                },
                Err(Trouble::Record(reason)) => refused.push((place, Failure::bad(reason))),
                Err(Trouble::World(error)) => return Err(error),
            }
        }
        self.tables.version = schema_version(&transaction)?;
        transaction.commit()?;
        for (table, records) in written {
            *self.written.entry(table).or_default() += records;
        }
        Ok(refused)
    }

    /// Removes the rows of earlier runs that this one has not made again.
    fn settle(&mut self, outcome: &Outcome) -> Result<Vanished, StageError> {
        let Some(mut books) = self.books.take().filter(|_| outcome.whole) else {
            return Ok(Vanished::default());
        };
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None if self.settings.path.exists() => self.open()?,
            None => return Ok(Vanished::default()),
        };
        let settled = settled(&mut connection, &mut books, outcome);
        let (vanished, transaction) = settled.map_err(|error| self.broke(&error))?;
        let removed: u64 = vanished.removed.values().sum();
        if removed > 0 && self.written.is_empty() && !self.settings.allow_empty {
            let rows = counted(removed, "row");
            let to = &self.settings.to;
            return Err(StageError::new(format!(
                "nothing came to be stored, and `sync` would remove all {rows} from `{to}`"
            ))
            .help("They stay. Check the input; if it may be empty, set `allow_empty: true`."));
        }
        transaction.commit().map_err(|error| self.broke(&error))?;
        Ok(vanished)
    }

    fn written(&self, vanished: &Vanished) -> Vec<Written> {
        let counts = [&self.written, &vanished.removed, &vanished.spared];
        let tables: BTreeSet<&String> = counts.iter().flat_map(|count| count.keys()).collect();
        let written = tables.into_iter().map(|table| {
            let [records, removed, spared] =
                counts.map(|count| count.get(table).copied().unwrap_or_default());
            let to = format!("{}, table {table}", self.settings.to);
            Written { replaced: self.seen.of(table), removed, spared, ..Written::new(to, records) }
        });
        written.collect()
    }
}

impl Tables {
    /// Writes a record and gives the name of its table.
    fn put(
        &mut self,
        connection: &Connection,
        settings: &SqliteSettings,
        record: &Record,
        seen: &mut Seen,
        books: Option<&mut Books>,
    ) -> Result<&str, Trouble> {
        let name =
            settings.table.render(record).map_err(|failed| Trouble::Record(failed.reason))?;
        let mut row = settings.columns.row(record).map_err(Trouble::Record)?;
        add_key(&mut row, record, &settings.key).map_err(Trouble::Record)?;
        let lower = name.to_ascii_lowercase();
        if !self.known.contains_key(&lower) {
            self.known.insert(lower.clone(), Table::find(connection, &name)?);
        }
        let Some(table) = self.known.get_mut(&lower) else {
            return Err(Trouble::Record(format!("there is no table `{name}`")));
        };
        if table.name != name {
            return Err(Trouble::Record(format!(
                "table `{name}` would be the same as table `{}`: SQLite does not tell capital \
                 letters apart",
                table.name
            )));
        }
        let kept = table.put(connection, &row, &settings.key, books.is_some())?;
        if let (Some(books), Some(kept)) = (books, kept) {
            let noted = books.note(connection, &table.name, &kept, record.path.as_deref());
            noted.map_err(Trouble::World)?;
        }
        seen.note(&table.name, &row, &settings.key);
        Ok(&table.name)
    }
}

/// What vanishes when the transaction is committed.
fn settled<'c>(
    connection: &'c mut Connection,
    books: &mut Books,
    outcome: &Outcome,
) -> Result<(Vanished, Transaction<'c>), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let vanished = books.settle(&transaction, &outcome.failed)?;
    Ok((vanished, transaction))
}

/// Makes sure that a row has its key.
fn add_key(row: &mut Row<'_>, record: &Record, key: &[String]) -> Result<(), String> {
    for (at, name) in key.iter().enumerate() {
        match row::look(row, record, name) {
            Some(value) if value.is_null() => {
                return Err(format!("the key `{name}` is null"));
            }
            Some(_) if row::column(row, name).is_some() => {}
            Some(value) => row.insert(at, (Cow::Owned(name.clone()), value)),
            None => {
                let fields: Vec<&str> = row.iter().map(|(name, _)| &**name).collect();
                let fields = fields.join(", ");
                return Err(format!("has no field `{name}`, which is the key, only: {fields}"));
            }
        }
    }
    Ok(())
}

fn schema_version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))
}

impl Sink for SqliteSink {
    fn survey(&self) -> String {
        let SqliteSettings { to, table, key, sync, shared, .. } = &self.settings;
        let sync = if *sync { ", in sync with the input" } else { "" };
        let backup = if shared.takes_backups() { ", after a backup" } else { "" };
        format!("{to}, table {}, key {}{sync}{backup}", table.text(), key.join(", "))
    }

    fn row(&self, record: &Record) -> Option<String> {
        let SqliteSettings { table, key, columns, .. } = &self.settings;
        let row = columns.row(record).ok()?;
        let values = key.iter().map(|name| row::look(&row, record, name));
        let values: Vec<Cow<'_, Value>> = values.collect::<Option<_>>()?;
        Some(format!("{} {}", table.render(record).ok()?, json!(values)))
    }

    fn make_durable(&mut self) {
        self.settings.durable = true;
    }

    fn begin(&mut self) -> Result<(), StageError> {
        let Some(books) = &self.books else { return Ok(()) };
        self.make_folder()?;
        let to = &self.settings.to;
        self.claim = Some(Claim::of(&self.settings.path, books.writer(), to)?);
        Ok(())
    }

    fn write(
        &mut self,
        _: usize,
        batch: Vec<Record>,
    ) -> Result<Vec<(Record, Failure)>, StageError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.open()?,
        };
        let result = self.write_batch(&mut connection, &batch);
        if result.is_err() {
            self.tables = Tables::default();
        }
        self.connection = Some(connection);
        let refused = result.map_err(|error| self.broke_with(&error, &batch))?;
        let mut refused = refused.into_iter().peekable();
        let failures = batch.into_iter().enumerate().filter_map(|(place, record)| {
            refused.next_if(|(at, _)| *at == place).map(|(_, failure)| (record, failure))
        });
        Ok(failures.collect())
    }

    fn commit(&mut self, outcome: &Outcome) -> Result<Vec<Written>, StageError> {
        let vanished = self.settle(outcome)?;
        (self.connection, self.claim) = (None, None);
        Ok(self.written(&vanished))
    }

    fn abort(&mut self) -> Vec<Written> {
        (self.connection, self.claim) = (None, None);
        self.written(&Vanished::default())
    }
}
