//! JSON files: one object is a record; of a list, each object is one.

use std::sync::Arc;
use std::vec::IntoIter;

use flow_engine::prelude::*;
use serde_json::error::Category;

use super::bytes;
use super::origin::{Origin, Records};

/// Brings the records of one JSON file.
pub(super) struct Json {
    origin: Origin,
    /// The way to the list inside the file.
    records: Option<Arc<str>>,
    items: Option<IntoIter<Value>>,
    /// Of the item that comes next.
    position: u64,
    /// About what one item has.
    bytes: usize,
}

impl Json {
    /// Reads nothing yet.
    pub(super) const fn new(origin: Origin, records: Option<Arc<str>>) -> Self {
        Self { origin, records, items: None, position: 0, bytes: 0 }
    }

    fn open(&self) -> Result<(Vec<Value>, usize), (u64, String)> {
        let origin = &self.origin;
        let read = bytes::read_whole(&origin.path, &origin.count, origin.most)
            .map_err(|error| (0, bytes::reason(&error)))?;
        if read.trim_ascii().is_empty() {
            return Err((0, "is empty".to_owned()));
        }
        let whole: Value = serde_json::from_slice(&read).map_err(|error| {
            bytes::utf8(&read)
                .err()
                .map_or_else(|| (error.line() as u64, reason_of(&error)), |reason| (0, reason))
        })?;
        let items = match (&self.records, whole) {
            (Some(way), whole) => at(whole, way).map_err(|reason| (0, reason))?,
            (None, Value::Array(items)) => items,
            (None, object @ Value::Object(_)) => vec![object],
            (None, other) => {
                return Err((0, format!("holds {}, not an object or a list", kind(&other))));
            }
        };
        let bytes = read.len() / items.len().max(1);
        Ok((items, bytes))
    }
}

impl Records for Json {
    fn next(&mut self) -> Option<(Found, usize)> {
        if self.items.is_none() {
            match self.open() {
                Ok((items, bytes)) => {
                    self.bytes = bytes;
                    self.items = Some(items.into_iter());
                }
                Err((line, reason)) => {
                    self.items = Some(Vec::new().into_iter());
                    return Some((self.origin.reject(0, line, reason), 0));
                }
            }
        }
        let item = self.items.as_mut()?.next()?;
        let position = self.position;
        self.position += 1;
        let found = match item {
            Value::Object(object) => {
                let fields = object.into_iter().map(|(name, value)| (Arc::from(name), value));
                self.origin.found(position, 0, fields.collect())
            }
            other => {
                let reason = format!("item {} is {}, not an object", position + 1, kind(&other));
                self.origin.reject(position, 0, reason)
            }
        };
        Some((found, self.bytes))
    }
}

/// The list at a dotted path.
fn at(mut value: Value, way: &str) -> Result<Vec<Value>, String> {
    for name in way.split('.') {
        value = match value {
            Value::Object(mut object) => {
                object.swap_remove(name).ok_or_else(|| format!("has no `{way}`: no `{name}`"))?
            }
            other => {
                return Err(format!("has no `{way}`: {} where `{name}` should be", kind(&other)));
            }
        };
    }
    match value {
        Value::Array(items) => Ok(items),
        other => Err(format!("holds {} at `{way}`, not a list", kind(&other))),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Why a line is not a JSON object.
pub(super) fn reason_of_line(error: &serde_json::Error, line: &[u8]) -> String {
    if let Err(reason) = bytes::utf8(line) {
        return reason;
    }
    match serde_json::from_slice::<Value>(line) {
        Ok(value) if !value.is_object() => format!("is {}, not an object", kind(&value)),
        _ => reason_of(error),
    }
}

fn reason_of(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        Category::Eof => {
            let place = what.strip_prefix("EOF while parsing ").unwrap_or("a value");
            format!("is cut off: the JSON ends in the middle of {place}")
        }
        _ => format!("is not JSON: {what} at column {}", error.column()),
    }
}
