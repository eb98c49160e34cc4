//! From what a model wrote to the entities in it, as they are written, or to what is wrong with it.

use flow_engine::prelude::*;

use super::repair;
use crate::model::chat::{Said, start};

/// The entities of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// As they are written.
    pub(super) entities: Vec<Value>,
    /// Whether there may be more, which the answer does not reach.
    pub(super) cut: bool,
}

/// The entities in what a model wrote: without thoughts, fences and words around them, with broken
/// JSON set right; or else what is wrong with it.
///
/// The last entity of an answer that was cut off may be cut off, too, and is passed over.
pub(super) fn read(said: &Said) -> Result<Answer, String> {
    let mut answer = entities(&said.text)?;
    if said.cut {
        answer.entities.pop();
        answer.cut = true;
    }
    Ok(answer)
}

fn entities(text: &str) -> Result<Answer, String> {
    let text = text.rsplit_once("</think>").map_or(text, |(_, answer)| answer);
    let (mut values, cut) = repair::values(text);
    let answer = |entities| Ok(Answer { entities, cut });
    if let Some(at) = values.iter().rposition(|value| value.get("entities").is_some()) {
        return match values[at]["entities"].take() {
            Value::Array(entities) => answer(entities),
            _ => Err("has `entities` that are not a list".to_owned()),
        };
    }
    let is_entity = |value: &Value| value.get("kind").is_some();
    if values.iter().any(is_entity) {
        return answer(values.into_iter().filter(is_entity).collect());
    }
    let is_list =
        |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_object));
    match values.into_iter().rfind(is_list) {
        Some(Value::Array(entities)) => answer(entities),
        _ if text.contains(['{', '[']) => Err("has no `entities`".to_owned()),
        _ => Err(format!("is not JSON: {}", start(text))),
    }
}
