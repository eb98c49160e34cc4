//! Records in a JSONL, JSON or CSV file.

use std::path::{Path, PathBuf};

use flow_engine::prelude::*;

use super::cell;
use super::row::{Columns, Row};
use crate::part::Part;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// What a file is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A line for each record.
    Jsonl,
    /// One list.
    Json,
    /// A row for each record, with this between cells.
    Csv(u8),
}

/// Writes records to a file.
pub(super) struct FileSink {
    to: String,
    kind: Kind,
    columns: Columns,
    part: Part,
    /// Of CSV, once they are known.
    header: Option<Vec<String>>,
    buffer: Vec<u8>,
    records: u64,
}

impl FileSink {
    /// Touches nothing yet.
    pub(super) fn new(to: String, target: PathBuf, kind: Kind, columns: Columns) -> Self {
        let part = Part::new(&to, target);
        Self { to, kind, columns, part, header: None, buffer: Vec::new(), records: 0 }
    }

    fn put_json(&mut self, record: &Record) -> Result<(), String> {
        let row = if self.columns.is_plain() { None } else { Some(self.columns.row(record)?) };
        if self.kind == Kind::Json {
            self.buffer.extend_from_slice(if self.records == 0 { b"[\n" } else { b",\n" });
        }
        let written = match row {
            None => serde_json::to_writer(&mut self.buffer, record),
            Some(row) => {
                let object: serde_json::Map<_, _> = row
                    .into_iter()
                    .map(|(name, value)| (name.into_owned(), value.into_owned()))
                    .collect();
                serde_json::to_writer(&mut self.buffer, &object)
            }
        };
        written.map_err(|error| error.to_string())?;
        if self.kind == Kind::Jsonl {
            self.buffer.push(b'\n');
        }
        self.records += 1;
        Ok(())
    }

    fn put_csv(&mut self, batch: Vec<Record>, delimiter: u8) -> Vec<(Record, Failure)> {
        let rows: Vec<Result<Row<'_>, String>> =
            batch.iter().map(|record| self.columns.row(record)).collect();
        let mut csv = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        let columns = if let Some(columns) = &self.header {
            columns
        } else {
            let columns = self.columns.only.clone().unwrap_or_else(|| union(&rows));
            if columns.is_empty() {
                return refuse_all(batch, "has no fields, so the CSV file would have no columns");
            }
            // Into memory, which does not fail.
            let _ = csv.write_record(&columns);
            self.header.insert(columns)
        };
        let mut results = Vec::with_capacity(rows.len());
        for row in rows {
            let cells = row.and_then(|row| cells(&row, columns, &self.to));
            results.push(cells.map(|cells| {
                let _ = csv.write_record(cells.iter().map(String::as_bytes));
            }));
        }
        if let Ok(bytes) = csv.into_inner() {
            self.buffer.extend_from_slice(&bytes);
        }
        let mut refused = Vec::new();
        for (record, result) in batch.into_iter().zip(results) {
            match result {
                Ok(()) => self.records += 1,
                Err(reason) => refused.push((record, Failure::bad(reason))),
            }
        }
        refused
    }

    fn flush(&mut self) -> Result<(), StageError> {
        self.part.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// What stands in a file around the records, or in a file without records.
    fn finish(&mut self) {
        match self.kind {
            Kind::Json if self.records == 0 => self.buffer.extend_from_slice(b"[]\n"),
            Kind::Json => self.buffer.extend_from_slice(b"\n]\n"),
            Kind::Csv(delimiter) if self.header.is_none() && self.columns.only.is_some() => {
                self.put_csv(Vec::new(), delimiter);
            }
            Kind::Csv(_) | Kind::Jsonl => {}
        }
    }
}

impl Sink for FileSink {
    fn survey(&self) -> String {
        self.to.clone()
    }

    fn targets(&self) -> Vec<std::path::PathBuf> {
        vec![self.part.target().to_owned()]
    }

    fn is_light(&self) -> bool {
        true
    }

    fn row(&self, record: &Record) -> Option<String> {
        Some(record.id.to_string())
    }

    fn write(
        &mut self,
        _: usize,
        batch: Vec<Record>,
    ) -> Result<Vec<(Record, Failure)>, StageError> {
        let mut refused = Vec::new();
        if let Kind::Csv(delimiter) = self.kind {
            refused = self.put_csv(batch, delimiter);
        } else {
            for record in batch {
                if let Err(reason) = self.put_json(&record) {
                    refused.push((record, Failure::bad(reason)));
                }
            }
        }
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(refused)
    }

    /// The rejects of a run that is not whole stand beside those of the last whole one.
    fn commit(&mut self, outcome: &Outcome) -> Result<Vec<Written>, StageError> {
        if !outcome.whole && self.records == 0 {
            self.part.abort();
            return Ok(Vec::new());
        }
        self.finish();
        self.flush()?;
        let beside = partial(self.part.target());
        if outcome.whole {
            self.part.commit()?;
            // It is of a run before this one.
            let _ = std::fs::remove_file(beside);
            return Ok(vec![Written::new(&self.to, self.records)]);
        }
        self.part.commit_as(&beside)?;
        let to = partial(Path::new(&self.to)).display().to_string();
        Ok(vec![Written::new(to, self.records)])
    }

    fn abort(&mut self) -> Vec<Written> {
        self.part.abort();
        Vec::new()
    }
}

/// Where the rejects of a run that is not whole go: `failed.partial.jsonl`.
fn partial(target: &Path) -> PathBuf {
    let stem = target.file_stem().unwrap_or_default().to_string_lossy();
    let end = target.extension().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!("{stem}.partial.{end}"))
}

/// All columns of a batch, in the order in which they first come.
fn union(rows: &[Result<Row<'_>, String>]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for (name, _) in rows.iter().flatten().flatten() {
        if !columns.iter().any(|column| column == name) {
            columns.push(name.clone().into_owned());
        }
    }
    columns
}

fn cells(row: &Row<'_>, columns: &[String], to: &str) -> Result<Vec<String>, String> {
    if let Some((name, _)) = row.iter().find(|(name, _)| !columns.iter().any(|one| one == name)) {
        return Err(format!(
            "`{to}` has no column `{name}`: the columns are those of the first batch; list them \
             all in `columns`"
        ));
    }
    let value = |column: &String| row.iter().find(|(name, _)| name == column);
    let cell = |column| {
        value(column).map_or_else(String::new, |(_, value)| cell::text(value).into_owned())
    };
    Ok(columns.iter().map(cell).collect())
}

fn refuse_all(batch: Vec<Record>, reason: &str) -> Vec<(Record, Failure)> {
    batch.into_iter().map(|record| (record, Failure::bad(reason))).collect()
}
