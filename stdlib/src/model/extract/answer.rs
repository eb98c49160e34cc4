//! From what a model wrote to the list of entities in it, or to a reason why there is none.

use flow_engine::prelude::*;

use crate::model::chat::start;

/// The entities in what a model wrote. What asking again can mend is a transient failure.
pub(super) fn read(text: &str) -> Result<Vec<Value>, Failure> {
    let json = json_in(text);
    let value: Value = serde_json::from_str(json).map_err(|error| {
        let what = error.to_string();
        Failure::transient(format!("the model's answer is not JSON ({what}): {}", start(json)))
    })?;
    match value {
        Value::Array(entities) => Ok(entities),
        Value::Object(mut object) => match object.remove("entities") {
            Some(Value::Array(entities)) => Ok(entities),
            Some(_) => Err(Failure::transient("`entities` of the model's answer is not a list")),
            None => Err(Failure::transient("the model's answer has no `entities`")),
        },
        _ => Err(Failure::transient("the model's answer is not a JSON object")),
    }
}

/// The JSON in an answer: without thoughts, fences, and words around it.
fn json_in(text: &str) -> &str {
    let text = text.rsplit_once("</think>").map_or(text, |(_, answer)| answer).trim();
    if text.starts_with(['{', '[']) && text.ends_with(['}', ']']) {
        return text;
    }
    let Some(from) = text.find(['{', '[']) else { return text };
    let close = if text[from..].starts_with('{') { '}' } else { ']' };
    match text.rfind(close) {
        Some(to) if to > from => &text[from..=to],
        _ => &text[from..],
    }
}
