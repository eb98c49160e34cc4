//! CSV: a record for each row, its values texts where the column has no type.

use std::sync::Arc;

use flow_engine::prelude::*;

use super::bytes;
use super::cell::{self, CellType};
use super::lines::Lines;
use super::origin::{Origin, Records};
use super::rows::Rows;

/// How the cells of a file are told apart and called.
#[derive(Debug, Clone)]
pub(super) struct Dialect {
    /// What stands between cells.
    pub(super) delimiter: u8,
    /// Whether the first row names the columns.
    pub(super) header: bool,
    /// The columns that hold no texts.
    pub(super) types: Arc<[(Arc<str>, CellType)]>,
}

/// Brings the rows of one CSV file.
pub(super) struct Csv {
    origin: Origin,
    dialect: Dialect,
    /// Of the columns, once they are known.
    names: Vec<Arc<str>>,
    /// As many.
    types: Vec<CellType>,
    /// Nothing when the file is at its end, or beyond help.
    rows: Option<Rows>,
}

impl Csv {
    /// Opens the file.
    pub(super) fn new(origin: Origin, dialect: Dialect) -> std::io::Result<Self> {
        let most = usize::try_from(origin.most).unwrap_or(usize::MAX);
        let lines = Lines::new(bytes::open(&origin.path, &origin.count)?, most);
        let rows = Some(Rows::new(lines, dialect.delimiter, most)?);
        Ok(Self { origin, dialect, names: Vec::new(), types: Vec::new(), rows })
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
        let named = row.map_err(|reason| format!("header {reason}")).and_then(|()| header(&rows));
        let named = named.and_then(|names| self.name(names));
        named.map_err(|reason| self.origin.reject(0, line, reason))?;
        self.rows = Some(rows);
        Ok(())
    }

    /// What the columns are called, and so what they hold.
    fn name(&mut self, names: Vec<Arc<str>>) -> Result<(), String> {
        self.types = cell::of_columns(&self.dialect.types, &names)?;
        self.names = names;
        Ok(())
    }

    fn found(&self, line: u64, rows: &Rows) -> Found {
        let mut fields = Vec::with_capacity(self.names.len());
        let mut cells = rows.cells();
        let columns = self.names.iter().zip(&self.types);
        for ((name, kind), cell) in columns.zip(cells.by_ref()) {
            let value = bytes::utf8(&cell)
                .map_err(|reason| format!("cell `{name}` {reason}"))
                .and_then(|text| kind.value(text).ok_or_else(|| kind.refusal(name, text)));
            match value {
                Ok(value) => fields.push((Arc::clone(name), value)),
                Err(reason) => return self.origin.reject_line(line, reason, rows.text()),
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
        if self.names.is_empty() && row.is_ok() {
            let names = (1..=rows.cells().count()).map(|n| format!("column_{n}").into()).collect();
            if let Err(reason) = self.name(names) {
                return Some((self.origin.reject(0, line, reason), 0));
            }
        }
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
