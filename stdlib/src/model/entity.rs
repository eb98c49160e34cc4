//! An entity that was found, and the record that is made of it.

use std::sync::Arc;

use flow_engine::prelude::*;
use serde_json::Map;

/// The fields of every entity; what is carried along comes behind them.
pub(crate) const FIELDS: [&str; 12] = [
    "id",
    "kind",
    "name",
    "fields",
    "quote",
    "start",
    "end",
    "grounded",
    "confidence",
    "mentions",
    "source",
    "method",
];

/// An entity in a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entity {
    /// The name of its kind.
    pub(crate) kind: String,
    /// A short name for it.
    pub(crate) name: String,
    /// What its kind asks.
    pub(crate) fields: Map<String, Value>,
    /// The words that say it.
    pub(crate) quote: String,
    /// Where they stand, in characters from the beginning of the text; nothing when they stand
    /// nowhere.
    pub(crate) span: Option<(usize, usize)>,
    /// How sure it is, from 0 to 1.
    pub(crate) confidence: f64,
    /// How many sentences of the text say it.
    pub(crate) mentions: u64,
}

/// What every entity of one record has besides.
#[derive(Debug)]
pub(crate) struct Origin<'a> {
    /// The record whose text it was found in.
    pub(crate) record: &'a Record,
    /// Fields of that record that go along.
    pub(crate) carried: Vec<(Arc<str>, Value)>,
    /// `rules`, or the name of the model.
    pub(crate) method: &'a str,
}

impl Origin<'_> {
    /// The records of the entities. The same text gives the same ids.
    pub(crate) fn records(&self, entities: Vec<Entity>) -> Vec<Record> {
        let numbered = (0..).zip(entities);
        numbered.map(|(nth, entity)| self.record(nth, entity)).collect()
    }

    fn record(&self, nth: u64, entity: Entity) -> Record {
        let mut record = self.record.child(nth);
        record.id = self.id(&entity);
        let (start, end) = match entity.span {
            Some((start, end)) => (json!(start), json!(end)),
            None => (Value::Null, Value::Null),
        };
        let values = [
            json!(record.id.to_string()),
            json!(entity.kind),
            json!(entity.name),
            Value::Object(entity.fields),
            json!(entity.quote),
            start,
            end,
            json!(entity.span.is_some()),
            json!(rounded(entity.confidence)),
            json!(entity.mentions),
            json!(self.record.origin()),
            json!(self.method),
        ];
        for (name, value) in FIELDS.iter().zip(values) {
            record.set(name, value);
        }
        for (name, value) in &self.carried {
            record.set_shared(name, value.clone());
        }
        record
    }

    /// From the record, the kind, the name and the place; from the quote where there is no place.
    fn id(&self, entity: &Entity) -> RecordId {
        let place = match entity.span {
            Some((start, end)) => format!("{start}..{end}"),
            None => entity.quote.clone(),
        };
        let parent = self.record.id.to_string();
        RecordId::of(
            [&parent, &entity.kind, &entity.name, &place].map(String::as_str).join("\0").as_bytes(),
        )
    }
}

/// To three places, so that the figure can be read.
fn rounded(confidence: f64) -> f64 {
    (confidence.clamp(0.0, 1.0) * 1000.0).round() / 1000.0
}
