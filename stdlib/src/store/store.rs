//! `store`: write records to a SQLite database or to a JSONL, JSON or CSV file.

use std::path::Path;

use flow_engine::prelude::*;

use super::books::Books;
use super::file::{FileSink, Kind};
use super::row::Columns;
use super::shared::Shared;
use super::sqlite::{SqliteSettings, SqliteSink};
use crate::settings::{OneOrMany, texts};

/// Writes records to a SQLite database, or to a JSONL, JSON or CSV file.
///
/// `to: sqlite:PATH` is a **SQLite** database. Folder, file, tables and columns are made as they
/// are needed: a column for each field, in the order in which they come. `table` may depend on the
/// record. Rows are written in one transaction for each batch, and several runs may write to the
/// same file at once. With a `key`, a record changes the row that has the same key, in the columns
/// that the record has; without one, the record's `_id` is the key. So a run that is repeated
/// leaves one row for each record. A record without its key is rejected, as is one that the
/// database refuses (a constraint of a table that you made yourself); the others are stored.
///
/// When a later run reads less or finds less (fewer files, a stricter filter), the rows that only
/// the earlier run found stay in the table. With **`sync: true`** they go: at the end of a run that
/// is whole, each row is removed that earlier runs of this node wrote and this one did not, and the
/// account says how many. The node is known by the name of the pipeline and its own; which rows it
/// wrote stands in two tables of the database, `_flow_writers` and `_flow_rows`. Rows that it never
/// wrote are not touched, nor those that another node with `sync` wrote too. Rows stay as long as a
/// record of the same input (`_path`) fails anywhere in the run, since they may be of that record;
/// the account counts them as well. A run in which nothing comes to be stored removes nothing and
/// ends as broken, unless `allow_empty` is set. Two runs of such a node into one database at once are
/// refused.
///
/// Records of one run that have the same key take each other's place, and the last one stays. The
/// account says how many did, as far as they meet one of the first 262,144 keys of the run.
///
/// With **`backup: 5`** the database is copied before the first write of a run, however many nodes
/// write to it, to `NAME.backups/0001.db` and so on, and the newest five are kept. A run whose
/// backup fails writes nothing. `flow restore NAME` lists them and puts one back.
///
/// Columns have no declared type: a value is kept as it is, text `007` stays text. Numbers are
/// INTEGER or REAL, true and false are 1 and 0, lists and objects are JSON text, and integers
/// beyond 64 bits are text. SQLite does not tell capital letters apart: a field `Name` where there
/// is a column `name` is rejected.
///
/// A **file** is known by its ending: `.jsonl` (or `.ndjson`) has a line for each record, `.json`
/// one list, `.csv` (or `.tsv`) a row for each record. It is written beside its place as
/// `.NAME.part` and put there when the whole run has ended well; a run that is broken leaves the
/// old file as it was. The columns of CSV are the fields of the first batch, unless `columns`
/// lists them; a record with any other field is rejected. In a cell, a list or an object is JSON,
/// null is nothing. A file holds what the last whole run made, so that it is in sync without
/// asking. The rejects of a run that is not whole go to a file beside it, `NAME.partial.jsonl`,
/// which the next whole run removes.
///
/// ```yaml
/// saved:
///   uses: store
///   from: entities
///   batch_size: 100
///   with: {to: "sqlite:out/intelligence.db", table: "{{ kind }}", key: [kind, name]}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    /// Where to write: `sqlite:PATH`, or a file that ends in `.jsonl`, `.json` or `.csv`.
    #[schemars(extend("format" = "path"))]
    to: String,
    /// The table of SQLite, which may depend on the record: `{{ kind }}`. The default is the name
    /// of the node.
    table: Option<Template>,
    /// The field, or the fields, that make a row of SQLite the same; `_id`, `_path` and `_line` may
    /// be among them.
    key: Option<OneOrMany>,
    /// Only these fields, in this order; `_id`, `_path` and `_line` may be among them.
    columns: Option<Vec<String>>,
    /// Remove the rows of earlier runs that a whole run does not make again. Needs a `key`.
    #[serde(default)]
    sync: bool,
    /// Let `sync` remove all rows when nothing comes to be stored.
    #[serde(default)]
    allow_empty: bool,
    /// Have each transaction wait until it is on the disk, so that it survives a loss of power.
    /// Files always do.
    #[serde(default)]
    durable: bool,
    /// Take a backup of the database before the first write of a run, and keep so many of the
    /// newest.
    #[schemars(range(min = 1))]
    backup: Option<usize>,
    /// Fields that hold an object whose members become columns of their own. One whose name is
    /// taken gets the field's name before its own: `fields_name`.
    #[serde(default)]
    expand: Vec<String>,
}

impl Config for Store {
    const NAME: &'static str = "store";
    const SHAPE: Shape = Shape::Sink;

    fn weigh(settings: &Value, _: &Build<'_>) -> Vec<BuildError> {
        let mut refused = Vec::new();
        if let Some(to) = settings.get("to").and_then(Value::as_str) {
            match to.strip_prefix("sqlite:") {
                Some(path) => {
                    refused.extend(database(path).err());
                    refused.extend(rows(settings));
                }
                None => match kind(to) {
                    Ok(_) => refused.extend(not_of_files(to, settings)),
                    Err(error) => refused.push(error),
                },
            }
        }
        refused.extend(columns(settings));
        refused
    }

    fn build(self, build: &Build<'_>) -> Result<Stage, BuildError> {
        if let Some(path) = self.to.strip_prefix("sqlite:") {
            let path = database(path)?.to_owned();
            return self.sqlite(&path, build);
        }
        let kind = kind(&self.to)?;
        let target = build.path(&self.to);
        let columns = Columns { only: self.columns, expand: self.expand };
        Ok(Stage::Sink(Box::new(FileSink::new(build.shown(&self.to), target, kind, columns))))
    }
}

impl Store {
    fn sqlite(self, path: &str, build: &Build<'_>) -> Result<Stage, BuildError> {
        let table = match self.table {
            Some(table) => table,
            None => Template::new(build.node).map_err(|error| {
                let message = format!("`{}` is no name for a table: {error}", build.node);
                BuildError::setting("table", message)
            })?,
        };
        if self.sync && self.key.is_none() {
            return Err(BuildError::setting("sync", "needs a `key`").help(
                "Name the fields that make a row the same from run to run, as in `key: [kind, \
                 name]`.",
            ));
        }
        if self.allow_empty && !self.sync {
            return Err(BuildError::setting("allow_empty", "says nothing without `sync: true`"));
        }
        let key = self.key.map_or_else(|| vec!["_id".to_owned()], |key| key.0);
        let books = Books::new(build.pipeline, build.node, &key);
        let settings = SqliteSettings {
            path: build.path(path),
            to: format!("sqlite:{}", build.shown(path)),
            table,
            key,
            columns: Columns { only: self.columns, expand: self.expand },
            sync: self.sync,
            allow_empty: self.allow_empty,
            durable: self.durable,
            shared: Shared::of(&build.path(path), self.backup.unwrap_or_default()),
        };
        Ok(Stage::Sink(Box::new(SqliteSink::new(settings, books))))
    }
}

/// What only a database has.
fn not_of_files(to: &str, settings: &Value) -> Vec<BuildError> {
    let given = ["table", "key", "backup"].into_iter();
    let given = given.filter(|name| settings.get(name).is_some_and(|value| !value.is_null()));
    let refused = given.map(|name| {
        let message = format!("`{to}` is a file, which has no {name}");
        BuildError::setting(name, message).help(
            "Leave it out, or write to a database with `to: sqlite:PATH`. A file is written anew \
             by each run.",
        )
    });
    refused.collect()
}

/// What speaks against `columns`.
fn columns(settings: &Value) -> Option<BuildError> {
    let refuse = |message: String| BuildError::setting("columns", message);
    settings.get("columns")?.as_array()?;
    let columns = texts(settings, "columns");
    if columns.is_empty() {
        let help = "Leave it out to write all fields.";
        return Some(refuse("names no column".to_owned()).help(help));
    }
    let twice = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name));
    if let Some((at, name)) = twice {
        let error = refuse(format!("names `{name}` twice")).help("Name each column once.");
        return Some(error.at(&format!("columns.{at}")));
    }
    let key = texts(settings, "key");
    let lacking = key.iter().find(|name| !columns.contains(name))?;
    Some(refuse(format!("lacks the key `{lacking}`")).help(format!("Add `{lacking}`.")))
}

/// What speaks against the settings of a database.
fn rows(settings: &Value) -> Vec<BuildError> {
    let mut refused = Vec::new();
    if settings.get("table").and_then(Value::as_str).is_some_and(|table| table.trim().is_empty()) {
        refused.push(
            BuildError::setting("table", "is empty")
                .help("Leave it out to call the table as the node."),
        );
    }
    if settings.get("key").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        let error = BuildError::setting("key", "names no field");
        refused.push(error.help("Leave it out to have a row for each record."));
    }
    refused
}

/// The path of a database, which stands behind `sqlite:`.
fn database(path: &str) -> Result<&str, BuildError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains('\0') {
        return Err(BuildError::setting("to", "names no file")
            .help("Write `sqlite:` and a path, such as `sqlite:out/records.db`."));
    }
    Ok(path)
}

fn kind(to: &str) -> Result<Kind, BuildError> {
    let ending = Path::new(to).extension().unwrap_or_default().to_string_lossy();
    match &*ending.to_ascii_lowercase() {
        _ if to.contains('\0') => Err(BuildError::setting("to", "holds a null character")),
        "jsonl" | "ndjson" => Ok(Kind::Jsonl),
        "json" => Ok(Kind::Json),
        "csv" => Ok(Kind::Csv(b',')),
        "tsv" => Ok(Kind::Csv(b'\t')),
        "db" | "sqlite" | "sqlite3" => {
            let message = format!("`{to}` does not say that it is a database");
            Err(BuildError::setting("to", message).help(format!("Write `sqlite:{to}`.")))
        }
        _ => {
            let message = format!("`{to}` is no place that `store` can write to");
            Err(BuildError::setting("to", message).help(
                "Write `sqlite:PATH`, or a file that ends in `.jsonl`, `.json`, `.csv` or `.tsv`.",
            ))
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod sqlite_tests;

#[cfg(test)]
#[path = "sync_tests.rs"]
mod sync_tests;
