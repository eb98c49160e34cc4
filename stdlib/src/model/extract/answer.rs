//! From what a model wrote to the entities in it, as they are written, or to what is wrong with it.

use flow_engine::prelude::*;

use super::repair;
use crate::model::chat::start;

/// The entities in what a model wrote: without thoughts, fences and words around them, with broken
/// JSON set right.
pub(super) fn read(text: &str) -> Result<Vec<Value>, String> {
    let text = text.rsplit_once("</think>").map_or(text, |(_, answer)| answer);
    let mut values = repair::values(text);
    if let Some(at) = values.iter().rposition(|value| value.get("entities").is_some()) {
        return match values[at]["entities"].take() {
            Value::Array(entities) => Ok(entities),
            _ => Err("has `entities` that are not a list".to_owned()),
        };
    }
    let is_entity = |value: &Value| value.get("kind").is_some();
    if values.iter().any(is_entity) {
        return Ok(values.into_iter().filter(is_entity).collect());
    }
    let is_list =
        |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_object));
    match values.into_iter().rfind(is_list) {
        Some(Value::Array(entities)) => Ok(entities),
        _ if text.contains(['{', '[']) => Err("has no `entities`".to_owned()),
        _ => Err(format!("is not JSON: {}", start(text))),
    }
}
