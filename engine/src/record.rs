//! A record: what flows along the edges.

use std::fmt;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Identity of a record: 128 bits of XXH3 over where it came from. The same input gives the same
/// ids, on every machine, in every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub u128);

impl RecordId {
    /// The id of the record at a place of a source: a file (relative to the pipeline's folder) and
    /// a position in it.
    pub fn at(path: &str, position: u64) -> Self {
        let mut hash = Xxh3::new();
        hash.update(path.as_bytes());
        hash.update(&[0]);
        hash.update(&position.to_le_bytes());
        Self(hash.digest128())
    }

    /// The id of the `nth` record that a stage made of this one.
    #[must_use]
    pub fn child(self, nth: u64) -> Self {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&self.0.to_le_bytes());
        bytes[16..].copy_from_slice(&nth.to_le_bytes());
        Self(xxh3_128(&bytes))
    }

    /// The id of something that is known by its content.
    pub fn of(content: &[u8]) -> Self {
        Self(xxh3_128(content))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Named values with an identity and an origin.
///
/// Fields keep their order. Three names that no field can take are always there in templates and
/// keys: `_id`, `_path`, `_line`.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Who it is.
    pub id: RecordId,
    /// The file that it, or what it was made of, was read from.
    pub path: Option<Arc<str>>,
    /// The line in that file, from 1; 0 when the record is not a line.
    pub line: u32,
    fields: Vec<(Arc<str>, Value)>,
}

impl Record {
    /// A record without fields.
    pub const fn new(id: RecordId) -> Self {
        Self { id, path: None, line: 0, fields: Vec::new() }
    }

    /// A record with the fields of a JSON object.
    pub fn from_object(id: RecordId, object: serde_json::Map<String, Value>) -> Self {
        let fields = object.into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
        Self { id, path: None, line: 0, fields }
    }

    /// A record of fields from a [`RecordReader`](crate::json::RecordReader).
    pub const fn from_fields(id: RecordId, fields: Vec<(Arc<str>, Value)>) -> Self {
        Self { id, path: None, line: 0, fields }
    }

    /// The `nth` record made of this one: its own id, the same origin, no fields yet.
    #[must_use]
    pub fn child(&self, nth: u64) -> Self {
        Self {
            id: self.id.child(nth),
            path: self.path.clone(),
            line: self.line,
            fields: Vec::new(),
        }
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| &**field == name).map(|(_, value)| value)
    }

    /// Sets a field; a new one goes to the end.
    pub fn set(&mut self, name: &str, value: Value) {
        match self.fields.iter_mut().find(|(field, _)| &**field == name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((Arc::from(name), value)),
        }
    }

    /// Sets a field whose name is already shared.
    pub fn set_shared(&mut self, name: &Arc<str>, value: Value) {
        match self.fields.iter_mut().find(|(field, _)| field == name) {
            Some((_, old)) => *old = value,
            None => self.fields.push((Arc::clone(name), value)),
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.fields.iter().position(|(field, _)| &**field == name)?;
        Some(self.fields.remove(at).1)
    }

    /// The fields in order.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (&**name, value))
    }

    /// A field, or one of `_id`, `_path`, `_line`.
    pub fn lookup(&self, name: &str) -> Option<Value> {
        match name {
            "_id" => Some(Value::String(self.id.to_string())),
            "_path" => self.path.as_deref().map(Value::from),
            "_line" => (self.line > 0).then(|| Value::from(self.line)),
            _ => self.get(name).cloned(),
        }
    }

    /// Where it came from, for people: its file, with the line when it is one; else its id.
    pub fn origin(&self) -> String {
        match (&self.path, self.line) {
            (Some(path), 0) => path.to_string(),
            (Some(path), line) => format!("{path}:{line}"),
            (None, _) => self.id.to_string(),
        }
    }

    /// The fields as a JSON object.
    pub fn to_object(&self) -> serde_json::Map<String, Value> {
        self.fields().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }
}

/// Writes the fields as an object.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, value) in &self.fields {
            map.serialize_entry(&**name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_place_and_descent_alone() {
        let id = RecordId::at("a.jsonl", 3);
        assert_eq!(id, RecordId::at("a.jsonl", 3));
        assert_ne!(id, RecordId::at("a.jsonl", 4));
        assert_ne!(id, RecordId::at("b.jsonl", 3));
        assert_ne!(id.child(0), id.child(1));
        assert_eq!(id.to_string().len(), 32);
    }

    #[test]
    fn fields_keep_their_order() {
        let mut record = Record::new(RecordId(7));
        for (name, value) in [("b", 1), ("a", 2), ("b", 3)] {
            record.set(name, value.into());
        }
        assert_eq!(serde_json::to_string(&record).unwrap(), r#"{"b":3,"a":2}"#);
        assert_eq!(record.lookup("_id"), Some(Value::String(format!("{:032x}", 7))));
        assert_eq!(record.lookup("_path"), None);
        assert_eq!(record.remove("b"), Some(3.into()));
    }
}
