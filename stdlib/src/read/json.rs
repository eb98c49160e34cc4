//! JSON files: one object is a record; of a list, each object is one.

use std::ops::Range;
use std::sync::Arc;
use std::vec::IntoIter;

use flow_engine::json::{RecordReader, Unread, members};
use flow_engine::prelude::*;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::bytes;
use super::origin::{Origin, Records};

/// Brings the records of one JSON file, read one after the other out of its text.
pub(super) struct Json {
    origin: Origin,
    /// The way to the list inside the file.
    records: Option<Arc<str>>,
    reader: RecordReader,
    text: Vec<u8>,
    /// Where in the text the items are that come next.
    items: Option<IntoIter<Range<usize>>>,
    /// Whether the file is no list, but itself the only item.
    alone: bool,
    /// Of the item that comes next.
    position: u64,
    /// Up to here the lines of the text were counted.
    counted: usize,
    lines: u64,
}

impl Json {
    /// Reads nothing yet.
    pub(super) fn new(origin: Origin, records: Option<Arc<str>>) -> Self {
        Self {
            origin,
            records,
            reader: RecordReader::default(),
            text: Vec::new(),
            items: None,
            alone: false,
            position: 0,
            counted: 0,
            lines: 1,
        }
    }

    fn open(&mut self) -> Result<Vec<Range<usize>>, (u64, String)> {
        let origin = &self.origin;
        self.text = bytes::read_whole(&origin.path, &origin.count, origin.most)
            .map_err(|error| (0, bytes::reason(&error)))?;
        if self.text.trim_ascii().is_empty() {
            return Err((0, "is empty".to_owned()));
        }
        let text = bytes::utf8(&self.text).map_err(|reason| (0, reason))?;
        let whole: &RawValue = serde_json::from_str(text)
            .map_err(|error| (error.line() as u64, reason_of(&error, 0)))?;
        self.alone = self.records.is_none() && whole.get().starts_with('{');
        let items = match &self.records {
            Some(way) => at(whole, way),
            None if self.alone => Ok(vec![whole]),
            None => list(whole).ok_or_else(|| {
                format!("holds {}, not an object or a list", kind(whole.get().as_bytes()))
            }),
        };
        let range = |item: &RawValue| {
            let start = item.get().as_ptr() as usize - text.as_ptr() as usize;
            start..start + item.get().len()
        };
        Ok(items.map_err(|reason| (0, reason))?.into_iter().map(range).collect())
    }

    fn read(&mut self, item: Range<usize>) -> Found {
        let position = self.position;
        self.position += 1;
        let text = &self.text[item.clone()];
        let (line, reason) = match self.reader.read(text) {
            Ok(fields) => return self.origin.found(position, 0, fields),
            Err(Unread::Altered(reason)) => (1, reason),
            Err(Unread::NotJson(_)) if text[0] != b'{' => {
                (1, format!("is {}, not an object", kind(text)))
            }
            Err(Unread::NotJson(error)) => {
                let line_start = memchr::memrchr(b'\n', &self.text[..item.start]);
                let before = item.start - line_start.map_or(0, |newline| newline + 1);
                let before = if error.line() == 1 { before } else { 0 };
                (error.line() as u64, reason_of(&error, before))
            }
        };
        let item_number =
            if self.alone { String::new() } else { format!("item {} ", position + 1) };
        self.lines += newlines(&self.text[self.counted..item.start]);
        self.counted = item.start;
        self.origin.reject(position, self.lines + line - 1, item_number + &reason)
    }
}

impl Records for Json {
    fn next(&mut self) -> Option<(Found, usize)> {
        if self.items.is_none() {
            match self.open() {
                Ok(items) => self.items = Some(items.into_iter()),
                Err((line, reason)) => {
                    self.items = Some(Vec::new().into_iter());
                    return Some((self.origin.reject(0, line, reason), 0));
                }
            }
        }
        let item = self.items.as_mut()?.next()?;
        let bytes = item.len();
        Some((self.read(item), bytes))
    }
}

/// The list at a dotted path.
fn at<'a>(whole: &'a RawValue, way: &str) -> Result<Vec<&'a RawValue>, String> {
    let mut value = whole;
    for name in way.split('.') {
        let text = value.get().as_bytes();
        let members = members(value)
            .map_err(|_| format!("has no `{way}`: {} where `{name}` should be", kind(text)))?;
        let mut named = members.into_iter().filter(|(member, _)| member == name);
        value = match (named.next(), named.next()) {
            (Some((_, value)), None) => value,
            (None, _) => return Err(format!("has no `{way}`: no `{name}`")),
            (Some(_), Some(_)) => {
                return Err(format!("names `{name}` twice on the way to `{way}`"));
            }
        };
    }
    list(value)
        .ok_or_else(|| format!("holds {} at `{way}`, not a list", kind(value.get().as_bytes())))
}

fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

fn newlines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// What sort of value JSON text holds.
fn kind(text: &[u8]) -> &'static str {
    match text.trim_ascii_start().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "true or false",
        Some(b'"') => "a string",
        Some(b'[') => "a list",
        Some(b'{') => "an object",
        _ => "a number",
    }
}

/// Why a line is not a record.
pub(super) fn reason_of_line(error: Unread, line: &[u8]) -> String {
    let error = match error {
        Unread::Altered(reason) => return reason,
        Unread::NotJson(error) => error,
    };
    if let Err(reason) = bytes::utf8(line) {
        return reason;
    }
    let is_json = serde_json::from_slice::<&RawValue>(line).is_ok();
    if is_json && kind(line) != "an object" {
        return format!("is {}, not an object", kind(line));
    }
    reason_of(&error, 0)
}

/// Why text is not JSON; its first line may begin in the middle of a line.
fn reason_of(error: &serde_json::Error, before: usize) -> String {
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        Category::Eof => {
            let place = what.strip_prefix("EOF while parsing ").unwrap_or("a value");
            format!("is cut off: the JSON ends in the middle of {place}")
        }
        _ => format!("is not JSON: {what} at column {}", error.column() + before),
    }
}
