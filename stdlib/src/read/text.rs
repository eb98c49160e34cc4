//! Plain text and Markdown: each file is one record with the field `text`.

use flow_engine::prelude::*;

use super::bytes;
use super::origin::{Origin, Records};

/// Brings one file as one record.
pub(super) struct Text {
    origin: Option<Origin>,
}

impl Text {
    /// Reads nothing yet.
    pub(super) const fn new(origin: Origin) -> Self {
        Self { origin: Some(origin) }
    }
}

impl Records for Text {
    fn next(&mut self) -> Option<(Found, usize)> {
        let origin = self.origin.take()?;
        let read = bytes::read_whole(&origin.path, &origin.count, origin.most);
        let text = read
            .map_err(|error| bytes::reason(&error))
            .and_then(|bytes| bytes::utf8(&bytes).map(str::to_owned));
        Some(match text {
            Ok(text) if text.trim().is_empty() => (origin.reject(0, 0, "is empty"), 0),
            Ok(text) => {
                let bytes = text.len();
                (origin.found(0, 0, vec![("text".into(), Value::String(text))]), bytes)
            }
            Err(reason) => (origin.reject(0, 0, reason), 0),
        })
    }
}
