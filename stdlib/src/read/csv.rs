//! CSV: a record for each row, all values strings.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder};
use flow_engine::prelude::*;

use super::bytes::{self, Bytes};
use super::origin::{Origin, Records};

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
    names: Vec<Arc<str>>,
    row: ByteRecord,
    bounded: Arc<AtomicU64>,
    /// Nothing when the file is at its end, or beyond help.
    rows: Option<Reader<Bounded>>,
    started: bool,
}

impl Csv {
    /// Opens the file.
    pub(super) fn new(origin: Origin, dialect: Dialect) -> std::io::Result<Self> {
        let bounded = Arc::new(AtomicU64::new(0));
        let from = bytes::open(&origin.path, &origin.count)?;
        let from = Bounded { from, read: Arc::clone(&bounded), most: origin.most };
        let rows = ReaderBuilder::new()
            .delimiter(dialect.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(from);
        Ok(Self {
            origin,
            dialect,
            names: Vec::new(),
            row: ByteRecord::new(),
            bounded,
            rows: Some(rows),
            started: false,
        })
    }

    /// The next row, or the reject that ends the file.
    fn row(&mut self) -> Option<Result<(), Found>> {
        let rows = self.rows.as_mut()?;
        self.bounded.store(0, Ordering::Relaxed);
        let line = rows.position().line();
        match rows.read_byte_record(&mut self.row) {
            Ok(true) => Some(Ok(())),
            Ok(false) => {
                self.rows = None;
                None
            }
            Err(error) => {
                self.rows = None;
                let reason = match error.into_kind() {
                    csv::ErrorKind::Io(error) => bytes::reason(&error),
                    other => format!("is not CSV: {other:?}"),
                };
                Some(Err(self.origin.reject(line, line, reason)))
            }
        }
    }

    /// Reads the names of the columns.
    fn start(&mut self) -> Result<(), Found> {
        self.started = true;
        match self.row() {
            None if !self.dialect.header => return Ok(()),
            None => return Err(self.origin.reject(0, 0, "is empty: not even a header")),
            Some(row) => row?,
        }
        if !self.dialect.header {
            self.names = (1..=self.row.len()).map(|n| format!("column_{n}").into()).collect();
            return Ok(());
        }
        let names = header(&self.row).map_err(|reason| {
            self.rows = None;
            self.origin.reject(0, 1, reason)
        })?;
        self.names = names;
        Ok(())
    }

    fn found(&self) -> (Found, usize) {
        let line = self.row.position().map_or(0, csv::Position::line);
        let bytes = self.row.as_slice().len();
        if self.row.len() != self.names.len() {
            let raw = self.row.iter().collect::<Vec<_>>().join(&self.dialect.delimiter);
            let count =
                |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
            let cells = count(self.row.len(), "cell");
            let reason = format!("has {cells} for {}", count(self.names.len(), "column"));
            return (self.origin.reject_line(line, reason, &raw), bytes);
        }
        let mut fields = Vec::with_capacity(self.names.len());
        for (name, cell) in self.names.iter().zip(&self.row) {
            match bytes::utf8(cell) {
                Ok(text) => fields.push((Arc::clone(name), Value::from(text))),
                Err(reason) => {
                    let reason = format!("cell `{name}` {reason}");
                    return (self.origin.reject_line(line, reason, self.row.as_slice()), bytes);
                }
            }
        }
        (self.origin.found(line, line, fields), bytes)
    }
}

impl Records for Csv {
    fn next(&mut self) -> Option<(Found, usize)> {
        if !self.started {
            if let Err(reject) = self.start() {
                return Some((reject, 0));
            }
            if !self.dialect.header && self.rows.is_some() {
                return Some(self.found());
            }
        }
        match self.row()? {
            Ok(()) => Some(self.found()),
            Err(reject) => Some((reject, 0)),
        }
    }
}

fn header(row: &ByteRecord) -> Result<Vec<Arc<str>>, String> {
    let mut names: Vec<Arc<str>> = Vec::with_capacity(row.len());
    for (at, cell) in row.iter().enumerate() {
        let name = bytes::utf8(cell).map_err(|reason| format!("header {reason}"))?.trim();
        let name: Arc<str> =
            if name.is_empty() { format!("column_{}", at + 1).into() } else { name.into() };
        if names.contains(&name) {
            return Err(format!("header names `{name}` twice"));
        }
        names.push(name);
    }
    Ok(names)
}

/// Refuses to go on when one row never ends, as after a quotation mark that is not closed.
struct Bounded {
    from: Bytes,
    /// Bytes read since the last row ended.
    read: Arc<AtomicU64>,
    most: u64,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.read.load(Ordering::Relaxed) > self.most {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                format!(
                    "is given up here: the row has more than {} bytes, the most that `max_bytes` \
                     allows; is a quotation mark not closed?",
                    self.most
                ),
            ));
        }
        let read = self.from.read(into)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
