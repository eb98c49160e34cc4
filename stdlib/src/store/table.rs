//! A table of SQLite that grows the columns that its records need.

use std::borrow::Cow;
use std::fmt::Write as _;

use rusqlite::{Connection, ErrorCode};

use super::books::Kept;
use super::cell::Cell;
use super::row::Row;

/// Columns that a table of SQLite can have.
const MOST_COLUMNS: usize = 2000;

/// How the names of tables begin that are not for records.
const OURS: &str = "_flow_";

/// Why a row was not written.
pub(super) enum Trouble {
    /// It is the record.
    Record(String),
    /// It is the database.
    World(rusqlite::Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::ConstraintViolation
                | ErrorCode::TooBig
                | ErrorCode::TypeMismatch
                | ErrorCode::Unknown,
            ) => Self::Record(format!("SQLite refuses it: {error}")),
            _ => Self::World(error),
        }
    }
}

/// A table and what is known of it. The schema cannot change under it: it is only looked at and
/// altered inside write transactions, and forgotten when another connection has altered it.
pub(super) struct Table {
    /// As it was first written.
    pub(super) name: String,
    /// As they stand in the database.
    columns: Vec<String>,
    /// Columns of the last row, and the statement for rows with just these.
    last: Vec<String>,
    insert: String,
}

impl Table {
    /// Finds out about a table that may or may not be there.
    pub(super) fn find(connection: &Connection, name: &str) -> Result<Self, Trouble> {
        if name.is_empty() {
            return Err(Trouble::Record("the name of the table is empty".to_owned()));
        }
        let lower = name.to_ascii_lowercase();
        let taken = ["sqlite_", OURS].iter().any(|start| lower.starts_with(start));
        if name.contains('\0') || taken {
            let name = name.escape_debug();
            return Err(Trouble::Record(format!("a table cannot be called `{name}`")));
        }
        let actual: Option<String> = {
            let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') \
                       AND name = ?1 COLLATE NOCASE";
            let mut query = connection.prepare_cached(sql)?;
            query.query_map([name], |row| row.get(0))?.next().transpose()?
        };
        let mut query = connection.prepare_cached("SELECT name FROM pragma_table_xinfo(?1)")?;
        let columns = query.query_map([name], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let name = actual.unwrap_or_else(|| name.to_owned());
        Ok(Self { name, columns, last: Vec::new(), insert: String::new() })
    }

    /// Whether it is there, with these columns.
    pub(super) fn has(&self, columns: &[String]) -> bool {
        columns.iter().all(|column| self.columns.contains(column))
    }

    /// Writes one row; one with the same key is changed instead. Gives the key as it stands in the
    /// table when it is wanted.
    pub(super) fn put(
        &mut self,
        connection: &Connection,
        row: &Row<'_>,
        key: &[String],
        wanted: bool,
    ) -> Result<Option<Kept>, Trouble> {
        let same = self.last.len() == row.len()
            && self.last.iter().zip(row).all(|(last, (name, _))| last == name);
        if !same {
            self.last.clear();
            self.fit(connection, row, key)?;
            self.insert = upsert(&self.name, row, key, wanted);
            self.last = row.iter().map(|(name, _)| name.clone().into_owned()).collect();
        }
        let mut statement = connection.prepare_cached(&self.insert)?;
        let cells = rusqlite::params_from_iter(row.iter().map(|(_, value)| Cell(value)));
        if wanted {
            return Ok(Some(statement.query_row(cells, |row| Kept::of(row, key.len()))?));
        }
        statement.execute(cells)?;
        Ok(None)
    }

    /// Makes the table and its columns fit for a row.
    fn fit(
        &mut self,
        connection: &Connection,
        row: &Row<'_>,
        key: &[String],
    ) -> Result<(), Trouble> {
        let new = self.new_columns(row).map_err(Trouble::Record)?;
        let table = quoted(&self.name);
        if self.columns.is_empty() {
            let columns: Vec<Cow<'_, str>> = new.iter().map(|name| quoted(name).into()).collect();
            connection.execute_batch(&format!("CREATE TABLE {table} ({})", columns.join(", ")))?;
            self.columns = new;
        } else {
            for name in new {
                let column = quoted(&name);
                connection.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column}"))?;
                self.columns.push(name);
            }
        }
        let index = quoted(&format!("flow key: {} ({})", self.name, key.join(", ")));
        let sql = format!("CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {table} ({})", list(key));
        connection.execute_batch(&sql).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Trouble::World(error),
            _ => error.into(),
        })
    }

    /// The columns of a row that the table does not have. SQLite does not tell capitals of ASCII
    /// apart, so two names may be one column.
    fn new_columns(&self, row: &Row<'_>) -> Result<Vec<String>, String> {
        let mut new: Vec<String> = Vec::new();
        for (name, _) in row {
            if name.contains('\0') {
                let name = name.escape_debug();
                return Err(format!("a column cannot be called `{name}`"));
            }
            let known = self.columns.iter().chain(&new);
            match known.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
                Some(known) if known == name => {}
                Some(known) => {
                    return Err(format!(
                        "field `{name}` would fall into column `{known}` of table `{}`: SQLite \
                         does not tell capital letters apart",
                        self.name
                    ));
                }
                None => new.push(name.clone().into_owned()),
            }
        }
        let columns = self.columns.len() + new.len();
        if columns > MOST_COLUMNS {
            return Err(format!(
                "table `{}` would have {columns} columns, but SQLite has at most {MOST_COLUMNS}",
                self.name
            ));
        }
        Ok(new)
    }
}

fn upsert(table: &str, row: &Row<'_>, key: &[String], wanted: bool) -> String {
    let names: Vec<&str> = row.iter().map(|(name, _)| &**name).collect();
    let marks = vec!["?"; names.len()].join(", ");
    let mut sql = format!(
        "INSERT INTO {} ({}) VALUES ({marks}) ON CONFLICT ({}) DO ",
        quoted(table),
        list(&names),
        list(key)
    );
    let rest = names.iter().filter(|name| !key.iter().any(|key| key == *name));
    let sets: Vec<String> = rest
        .map(|name| {
            let name = quoted(name);
            format!("{name} = excluded.{name}")
        })
        .collect();
    // Into a string, which does not fail.
    let _ = match sets.as_slice() {
        // What is not changed is not returned.
        [] if wanted => write!(sql, "UPDATE SET {0} = {0}", quoted(&key[0])),
        [] => write!(sql, "NOTHING"),
        sets => write!(sql, "UPDATE SET {}", sets.join(", ")),
    };
    if wanted {
        let _ = write!(sql, " RETURNING {}", list(key));
    }
    sql
}

fn list<T: AsRef<str>>(names: &[T]) -> String {
    names.iter().map(|name| quoted(name.as_ref())).collect::<Vec<_>>().join(", ")
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
