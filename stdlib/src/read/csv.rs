//! CSV: a record for each row, all values strings.

use std::sync::Arc;

use flow_engine::prelude::*;

use super::bytes;
use super::lines::Lines;
use super::origin::{Origin, Records};
use super::rows::Rows;

/// How the cells of a file are told apart and called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// What stands between cells.
    pub(super) delimiter: u8,
    /// Whether the first row names the columns.
    pub(super) header: bool,
}

/// Brings the rows of one CSV file.
pub(super) struct Csv {
    origin: Origin,
    dialect: Dialect,
    /// Of the columns, once they are known.
    names: Vec<Arc<str>>,
    /// Nothing when the file is at its end, or beyond help.
    rows: Option<Rows>,
}

impl Csv {
    /// Opens the file.
    pub(super) fn new(origin: Origin, dialect: Dialect) -> std::io::Result<Self> {
        let most = usize::try_from(origin.most).unwrap_or(usize::MAX);
        let lines = Lines::new(bytes::open(&origin.path, &origin.count)?, most);
        let rows = Some(Rows::new(lines, dialect.delimiter, most)?);
        Ok(Self { origin, dialect, names: Vec::new(), rows })
    }

    /// Reads the names of the columns; without them, the file is of no use.
    fn start(&mut self) -> Result<(), Found> {
        let Some(mut rows) = self.rows.take() else { return Ok(()) };
        let origin = &self.origin;
        let (line, row) = match rows.next() {
            Ok(None) => return Err(origin.reject(0, 0, "is empty: not even a header")),
            Ok(Some(found)) => found,
            Err(error) => return Err(origin.reject(0, 0, bytes::reason(&error))),
        };
        let names = row.map_err(|reason| format!("header {reason}")).and_then(|()| header(&rows));
        self.names = names.map_err(|reason| origin.reject(0, line, reason))?;
        self.rows = Some(rows);
        Ok(())
    }

    fn found(&mut self, line: u64, rows: &Rows) -> Found {
        if self.names.is_empty() {
            let cells = 1..=rows.cells().count();
            self.names = cells.map(|n| format!("column_{n}").into()).collect();
        }
        let mut fields = Vec::with_capacity(self.names.len());
        let mut cells = rows.cells();
        for (name, cell) in self.names.iter().zip(cells.by_ref()) {
            match bytes::utf8(&cell) {
                Ok(text) => fields.push((Arc::clone(name), Value::from(text))),
                Err(reason) => {
                    let reason = format!("cell `{name}` {reason}");
                    return self.origin.reject_line(line, reason, rows.text());
                }
            }
        }
        let found = fields.len() + cells.count();
        if found != self.names.len() {
            let count =
                |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
            let columns = count(self.names.len(), "column");
            let reason = format!("has {} for {columns}", count(found, "cell"));
            return self.origin.reject_line(line, reason, rows.text());
        }
        self.origin.found(line, line, fields)
    }
}

impl Records for Csv {
    fn next(&mut self) -> Option<(Found, usize)> {
        if self.dialect.header
            && self.names.is_empty()
            && let Err(reject) = self.start()
        {
            return Some((reject, 0));
        }
        let mut rows = self.rows.take()?;
        let (line, row) = match rows.next() {
            Ok(row) => row?,
            Err(error) => {
                let line = rows.line() + 1;
                return Some((self.origin.reject(line, line, bytes::reason(&error)), 0));
            }
        };
        let found = match row {
            Ok(()) => self.found(line, &rows),
            Err(reason) => self.origin.reject_line(line, reason, rows.text()),
        };
        let bytes = rows.text().len();
        self.rows = Some(rows);
        Some((found, bytes))
    }
}

fn header(row: &Rows) -> Result<Vec<Arc<str>>, String> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for (at, cell) in row.cells().enumerate() {
        let name = bytes::utf8(&cell).map_err(|reason| format!("header {reason}"))?.trim();
        let name: Arc<str> =
            if name.is_empty() { format!("column_{}", at + 1).into() } else { name.into() };
        if names.contains(&name) {
            return Err(format!("header names `{name}` twice"));
        }
        names.push(name);
    }
    Ok(names)
}
