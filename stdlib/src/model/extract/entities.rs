//! From what a model wrote to entities: all that was asked is there, and each quote is looked for
//! in the text.

use flow_engine::prelude::*;
use serde_json::Map;

use super::ground::Ground;
use crate::model::entity::Entity;
use crate::model::schema::{EntitySchema, Field, FieldType, Kind};

/// What is left of the confidence when a quote stands nowhere in the text, or the kind is none.
const UNGROUNDED: f64 = 0.5;

/// The entities of an answer. One that lacks something, or has it wrong, fails the whole answer,
/// so that the model is asked again; the reason names it.
pub(super) fn read(
    schema: &EntitySchema,
    answer: &[Value],
    text: &str,
) -> Result<Vec<Entity>, Failure> {
    let mut ground = Ground::new(text);
    let mut entities: Vec<Entity> = Vec::new();
    for (nth, written) in answer.iter().enumerate() {
        let entity = entity(schema, written, &mut ground).map_err(|wrong| {
            Failure::transient(format!("entity {} of the model's answer {wrong}", nth + 1))
        })?;
        let same = |old: &&mut Entity| {
            (&old.kind, &old.name, &old.quote) == (&entity.kind, &entity.name, &entity.quote)
        };
        match entities.iter_mut().find(same) {
            Some(old) => old.mentions += 1,
            None => entities.push(entity),
        }
    }
    Ok(entities)
}

fn entity(schema: &EntitySchema, written: &Value, ground: &mut Ground) -> Result<Entity, String> {
    let Value::Object(written) = written else { return Err("is not an object".to_owned()) };
    let kind = text(written, "kind")?;
    let name = text(written, "name")?;
    let quote = text(written, "quote")?;
    let confidence = confidence(written)?;
    let known = schema.kinds.iter().find(|known| known.name == kind);
    let fields = match written.get("fields") {
        Some(Value::Object(fields)) => fields.clone(),
        Some(Value::Null) | None if known.is_none_or(|kind| kind.fields.is_empty()) => Map::new(),
        Some(Value::Null) | None => return Err("has no `fields`".to_owned()),
        Some(_) => return Err("has `fields` that are not an object".to_owned()),
    };
    let fields = match known {
        Some(known) => declared(known, fields)?,
        None => fields,
    };
    let mut entity = Entity { kind, name, fields, quote, span: None, confidence, mentions: 1 };
    if let Some((span, quote)) = known.and_then(|_| ground.find(&entity.quote)) {
        entity.span = Some(span);
        entity.quote = quote;
    } else {
        entity.confidence *= UNGROUNDED;
    }
    Ok(entity)
}

fn text(written: &Map<String, Value>, name: &str) -> Result<String, String> {
    match written.get(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Some(Value::String(_) | Value::Null) | None => Err(format!("has no `{name}`")),
        Some(_) => Err(format!("has a `{name}` that is not a text")),
    }
}

fn confidence(written: &Map<String, Value>) -> Result<f64, String> {
    let value = written.get("confidence").ok_or("has no `confidence`")?;
    let sure = value.as_f64().filter(|sure| (0.0..=1.0).contains(sure));
    sure.ok_or_else(|| format!("has the `confidence` {value}, not a number from 0 to 1"))
}

/// Every field of the kind, null where the model says nothing, and then what it says besides.
fn declared(kind: &Kind, mut written: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut fields = Map::new();
    for field in &kind.fields {
        let value = written.remove(&field.name).unwrap_or_default();
        if !fits(field, &value) {
            return Err(format!(
                "has the `{}` {value}, which a `{}` cannot have",
                field.name, kind.name
            ));
        }
        fields.insert(field.name.clone(), value);
    }
    fields.extend(written);
    Ok(fields)
}

fn fits(field: &Field, value: &Value) -> bool {
    match (&field.of, value) {
        (_, Value::Null)
        | (FieldType::Text, Value::String(_))
        | (FieldType::Number, Value::Number(_))
        | (FieldType::Boolean, Value::Bool(_)) => true,
        (FieldType::Integer, Value::Number(number)) => !number.is_f64(),
        (FieldType::Texts, Value::Array(items)) => items.iter().all(Value::is_string),
        (FieldType::Choice(choices), Value::String(choice)) => choices.contains(choice),
        _ => false,
    }
}
