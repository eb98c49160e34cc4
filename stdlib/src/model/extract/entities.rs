//! From an entity as a model wrote it to one as it should be, with all that is wrong with it.

use flow_engine::prelude::*;
use serde_json::Map;

use crate::model::entity::Entity;
use crate::model::schema::{Field, FieldType, Kind};

/// The confidence of an entity about which the model does not say how sure it is.
const UNSAID: f64 = 0.5;

/// An entity as a model wrote it.
pub(super) struct Checked {
    /// As good as can be made of it; nothing when it says neither what it is nor what it is about.
    pub(super) entity: Option<Entity>,
    /// What is wrong with it, in words for the model.
    pub(super) wrong: Vec<String>,
}

/// Checks an entity against the kinds that were asked for.
pub(super) fn check(kinds: &[&Kind], written: &Value) -> Checked {
    let mut wrong = Vec::new();
    let Value::Object(written) = written else {
        return Checked { entity: None, wrong: vec!["is not an object".to_owned()] };
    };
    let kind = text(written, "kind", &mut wrong);
    let name = text(written, "name", &mut wrong);
    let quote = text(written, "quote", &mut wrong);
    let confidence = confidence(written, &mut wrong);
    let known = kinds.iter().find(|known| Some(&known.name) == kind.as_ref());
    if let (None, Some(kind)) = (known, &kind) {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
        wrong.push(format!("has the `kind` `{kind}`, which is none of: {}", names.join(", ")));
    }
    let asked: &[Field] = known.map_or(&[], |kind| &kind.fields);
    let fields = fields(asked, written.get("fields"), &mut wrong);
    let entity = kind.zip(name.or_else(|| quote.clone())).map(|(kind, name)| Entity {
        kind,
        name,
        fields,
        quote: quote.unwrap_or_default(),
        span: None,
        confidence,
        mentions: 1,
    });
    Checked { entity, wrong }
}

fn text(written: &Map<String, Value>, name: &str, wrong: &mut Vec<String>) -> Option<String> {
    match written.get(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => {
            return Some(text.trim().to_owned());
        }
        Some(Value::String(_) | Value::Null) | None => wrong.push(format!("has no `{name}`")),
        Some(_) => wrong.push(format!("has a `{name}` that is not a text")),
    }
    None
}

fn confidence(written: &Map<String, Value>, wrong: &mut Vec<String>) -> f64 {
    let value = written.get("confidence").unwrap_or(&Value::Null);
    if let Some(sure) = value.as_f64().filter(|sure| (0.0..=1.0).contains(sure)) {
        return sure;
    }
    wrong.push(match value {
        Value::Null => "has no `confidence`".to_owned(),
        _ => format!("has the `confidence` {value}, not a number from 0 to 1"),
    });
    UNSAID
}

/// Every field of the kind, null where the model says nothing of use, and then what it says besides.
fn fields(asked: &[Field], written: Option<&Value>, wrong: &mut Vec<String>) -> Map<String, Value> {
    let mut written = match written {
        Some(Value::Object(fields)) => fields.clone(),
        Some(Value::Null) | None => {
            if !asked.is_empty() {
                wrong.push("has no `fields`".to_owned());
            }
            Map::new()
        }
        Some(_) => {
            wrong.push("has `fields` that are not an object".to_owned());
            Map::new()
        }
    };
    let mut fields = Map::new();
    for field in asked {
        let mut value = written.remove(&field.name).unwrap_or_default();
        if !fits(field, &value) {
            wrong.push(format!("has the `{}` {value}, which is not {}", field.name, field.of));
            value = Value::Null;
        }
        fields.insert(field.name.clone(), value);
    }
    fields.extend(written);
    fields
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
