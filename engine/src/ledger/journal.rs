//! The journal of a run: what became of its records, written down while it goes on.

use std::collections::HashSet;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::params;
use tokio::time::Instant;

use super::texts::{self, Text};
use super::{Ledger, runs, trail};
use crate::factor::Hash;
use crate::record::{Record, RecordId};
use crate::stage::StageError;

/// Notes that are written together at the most.
const MOST: usize = 512;
/// Bytes that wait to be written at the most.
const MOST_BYTES: usize = 1 << 20;
/// How long a note waits to be written, when another one comes.
const WAIT: Duration = Duration::from_secs(1);
/// Bytes of records that are kept of a run; beyond, only their hashes are.
const MOST_CONTENT: u64 = 256 << 20;
/// Texts that are known to be kept.
const KNOWN: usize = 65_536;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It gave something.
    Passed,
    /// It gave nothing, on purpose.
    Filtered,
    /// It could not be used.
    Rejected,
    /// It passed in spite of an error.
    Kept,
    /// A store has it.
    Written,
    /// The run ended, or left it for the next one.
    Pending,
}

impl Fate {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Passed, "passed"),
        (Self::Filtered, "filtered"),
        (Self::Rejected, "rejected"),
        (Self::Kept, "kept"),
        (Self::Written, "written"),
        (Self::Pending, "pending"),
    ];

    /// In a word.
    pub fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(fate, _)| *fate == self).map_or("", |(_, word)| word)
    }

    /// From its word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == word).map(|(fate, _)| fate)
    }
}

/// What it took to find out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// Attempts; none when it was not tried.
    pub attempts: u32,
    /// Questions that had to be asked.
    pub asked: u32,
    /// Questions that were answered before.
    pub reused: u32,
    /// Time of its batch, in microseconds.
    pub micros: u64,
    /// What decided about this record, besides what decides about all records of the node.
    pub factors: Vec<(&'static str, Hash)>,
    /// Over all that decided.
    pub key: Option<Hash>,
    /// Whether it was not tried since somebody gave it up.
    pub dropped: bool,
}

impl Trial {
    /// One attempt that asked nobody.
    pub fn once() -> Self {
        Self { attempts: 1, ..Self::default() }
    }
}

/// What became of a record at a node.
#[derive(Debug, Clone)]
pub struct Note {
    /// The node's place in the file.
    pub node: usize,
    /// The record.
    pub record: RecordId,
    /// The file that it came from.
    pub path: Option<Arc<str>>,
    /// The line in it, or 0.
    pub line: u32,
    /// What became of it.
    pub fate: Fate,
    /// What that took.
    pub trial: Trial,
    /// The record as it came.
    pub input: Text,
    /// What it gave.
    pub made: Vec<(RecordId, Text)>,
    /// Where a store has put it.
    pub row: Option<String>,
    /// Why it could not be used.
    pub reason: Option<String>,
    /// What somebody answered and nobody could use.
    pub answer: Option<String>,
}

impl Note {
    /// What became of a record, and what that took.
    pub fn new(node: usize, record: &Record, fate: Fate, trial: Trial) -> Self {
        Self {
            node,
            record: record.id,
            path: record.path.clone(),
            line: record.line,
            fate,
            trial,
            input: Text::new(crate::factor::json(record)),
            made: Vec::new(),
            row: None,
            reason: None,
            answer: None,
        }
    }

    /// With what the record gave.
    #[must_use]
    pub fn made(self, records: &[Record]) -> Self {
        let text = |record: &Record| (record.id, Text::new(crate::factor::json(record)));
        Self { made: records.iter().map(text).collect(), ..self }
    }

    fn bytes(&self) -> usize {
        let made: usize = self.made.iter().map(|(_, text)| text.text.len()).sum();
        made + self.input.text.len() + self.answer.as_ref().map_or(0, String::len)
    }
}

/// The journal of a run.
#[derive(Debug)]
pub struct Journal {
    ledger: Arc<Ledger>,
    current: runs::Current,
    pending: Mutex<Pending>,
    /// Bytes of records that were kept.
    content: AtomicU64,
}

#[derive(Debug, Default)]
struct Pending {
    notes: Vec<Note>,
    bytes: usize,
    since: Option<Instant>,
    known: HashSet<Hash>,
}

impl Journal {
    /// The journal of a run that has begun.
    pub fn new(ledger: Arc<Ledger>, current: runs::Current) -> Self {
        Self { ledger, current, pending: Mutex::default(), content: AtomicU64::new(0) }
    }

    /// The number of the run.
    pub const fn run(&self) -> u64 {
        self.current.run
    }

    /// The run that it goes on with, which did not come to its end.
    pub const fn continues(&self) -> Option<u64> {
        self.current.continues
    }

    /// The ledger that it is a part of.
    pub const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Notes what became of records. Now and then this writes what has come together.
    pub fn note(&self, notes: impl Iterator<Item = Note>) -> Result<(), StageError> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for note in notes {
            pending.bytes += note.bytes();
            pending.notes.push(note);
            let since = *pending.since.get_or_insert_with(Instant::now);
            let full = pending.notes.len() >= MOST || pending.bytes >= MOST_BYTES;
            if full || since.elapsed() >= WAIT {
                self.write(&mut pending)?;
            }
        }
        Ok(())
    }

    /// Writes what has not been written yet.
    pub fn flush(&self) -> Result<(), StageError> {
        self.write(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, pending: &mut Pending) -> Result<(), StageError> {
        let notes = mem::take(&mut pending.notes);
        (pending.bytes, pending.since) = (0, None);
        if notes.is_empty() {
            return Ok(());
        }
        if pending.known.len() > KNOWN {
            pending.known.clear();
        }
        let known = &mut pending.known;
        self.ledger.write(|connection| {
            let transaction = connection.transaction()?;
            for note in &notes {
                for text in note.made.iter().map(|(_, text)| text).chain([&note.input]) {
                    if self.content.load(Ordering::Relaxed) < MOST_CONTENT
                        && known.insert(text.hash)
                    {
                        texts::keep(&transaction, text)?;
                        self.content.fetch_add(text.text.len() as u64, Ordering::Relaxed);
                    }
                }
                insert(&transaction, self.current.run, note)?;
            }
            transaction.commit()
        })
    }
}

fn insert(connection: &rusqlite::Connection, run: u64, note: &Note) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO fates (run, node, record, path, line, fate, attempts, asked, reused, \
               micros, key, factors, input, made, row, reason, answer, dropped) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
               ?18)";
    let Trial { attempts, asked, reused, micros, factors, key, dropped } = &note.trial;
    // Their names are words of ours.
    let hex = |(name, hash): &(&'static str, Hash)| format!("\"{name}\":\"{hash:032x}\"");
    let factors: Vec<String> = factors.iter().map(hex).collect();
    let factors = (!factors.is_empty()).then(|| format!("{{{}}}", factors.join(",")));
    let made: Vec<u8> = note
        .made
        .iter()
        .flat_map(|(id, text)| [id.0.to_be_bytes(), text.hash.to_le_bytes()].concat())
        .collect();
    connection.prepare_cached(sql)?.execute(params![
        run,
        note.node,
        trail::bytes(note.record),
        note.path.as_deref(),
        note.line,
        note.fate.word(),
        attempts,
        asked,
        reused,
        micros,
        key.map(u128::to_le_bytes),
        factors,
        note.input.hash.to_le_bytes(),
        made,
        note.row,
        note.reason,
        note.answer,
        dropped,
    ])?;
    Ok(())
}
