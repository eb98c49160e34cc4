//! Texts that many rows of the ledger speak of: each is kept once, by what it says.

use rusqlite::{Connection, Error, OptionalExtension, params};
use xxhash_rust::xxh3::xxh3_128;

use crate::factor::Hash;

/// The most bytes of a text that are kept; of a longer one the beginning is.
const MOST: usize = 64 * 1024;

/// A text, or the beginning of a long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Of the whole text.
    pub hash: Hash,
    /// Bytes of the whole text.
    pub size: u64,
    /// What is kept of it.
    pub text: String,
}

impl Text {
    /// A text that may be cut.
    pub fn new(mut text: String) -> Self {
        let (hash, size) = (xxh3_128(text.as_bytes()), text.len() as u64);
        text.truncate(text.floor_char_boundary(MOST));
        Self { hash, size, text }
    }

    /// Whether only the beginning is there.
    pub fn is_cut(&self) -> bool {
        self.size > self.text.len() as u64
    }
}

/// Keeps a text, if it is not there yet.
pub(super) fn keep(connection: &Connection, text: &Text) -> Result<(), Error> {
    // Most texts are there: a look costs less than an attempt to insert.
    let mut look = connection.prepare_cached("SELECT 1 FROM texts WHERE hash = ?1")?;
    if look.exists([text.hash.to_le_bytes()])? {
        return Ok(());
    }
    let sql = "INSERT OR IGNORE INTO texts (hash, size, text) VALUES (?1, ?2, ?3)";
    let row = params![text.hash.to_le_bytes(), text.size, text.text];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

/// The text with a hash.
pub(super) fn of(connection: &Connection, hash: Hash) -> Result<Option<Text>, Error> {
    let sql = "SELECT size, text FROM texts WHERE hash = ?1";
    let mut query = connection.prepare_cached(sql)?;
    let row = |row: &rusqlite::Row<'_>| Ok(Text { hash, size: row.get(0)?, text: row.get(1)? });
    query.query_row([hash.to_le_bytes()], row).optional()
}
