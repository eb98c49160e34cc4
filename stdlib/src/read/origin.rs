//! The file that records come from: it gives them their ids, paths and lines.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use flow_engine::prelude::*;

/// Bytes of a broken line that its reject keeps.
const RAW: usize = 2000;

/// Brings what is in one file, one thing after another.
pub(super) trait Records: Send {
    /// The next thing and about how many bytes it has; nothing at the end of the file.
    fn next(&mut self) -> Option<(Found, usize)>;
}

/// A file that records are read from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// As records call it: relative to the pipeline's folder, with forward slashes.
    pub(super) name: Arc<str>,
    /// Where it is.
    pub(super) path: PathBuf,
    /// Where the bytes read are counted.
    pub(super) count: Arc<AtomicU64>,
    /// Bytes that one record may have.
    pub(super) most: u64,
}

impl Origin {
    /// A record at a position; `line` is 0 where records are no lines.
    pub(super) fn found(
        &self,
        position: u64,
        line: u64,
        mut fields: Vec<(Arc<str>, Value)>,
    ) -> Found {
        if let Err(reason) = free_reserved_names(&mut fields) {
            return self.reject(position, line, reason);
        }
        let mut record = Record::from_fields(RecordId::at(&self.name, position), fields);
        record.path = Some(Arc::clone(&self.name));
        record.line = u32::try_from(line).unwrap_or(u32::MAX);
        Found::Record(record)
    }

    /// Something at a position that is no record, and why.
    pub(super) fn reject(&self, position: u64, line: u64, reason: impl Into<String>) -> Found {
        let mut record = Record::new(RecordId::at(&self.name, position));
        record.path = Some(Arc::clone(&self.name));
        record.line = u32::try_from(line).unwrap_or(u32::MAX);
        Found::Reject(record, Failure::bad(reason))
    }

    /// A line that is no record, with its text.
    pub(super) fn reject_line(&self, line: u64, reason: impl Into<String>, raw: &[u8]) -> Found {
        let mut found = self.reject(line, line, reason);
        if let Found::Reject(record, _) = &mut found {
            let raw = String::from_utf8_lossy(&raw[..raw.len().min(RAW)]);
            record.set("raw", Value::from(raw.trim_end()));
        }
        found
    }
}

/// `_id`, `_path`, `_line` belong to every record; a field of a file that has such a name comes in
/// as `source_id`, `source_path`, `source_line`.
fn free_reserved_names(fields: &mut [(Arc<str>, Value)]) -> Result<(), String> {
    for at in 0..fields.len() {
        let name = &fields[at].0;
        if name.as_bytes().first() != Some(&b'_') {
            continue;
        }
        if crate::settings::RESERVED.contains(&&**name) {
            let free = format!("source{name}");
            if fields.iter().any(|(other, _)| **other == free) {
                return Err(format!("has both a field `{name}`, read as `{free}`, and `{free}`"));
            }
            fields[at].0 = free.into();
        }
    }
    Ok(())
}
