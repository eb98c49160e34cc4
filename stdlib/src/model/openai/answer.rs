//! From the body of an answer to the list of entities in it, or to a reason why there is none.

use flow_engine::prelude::*;

use super::wire::Answer;

/// Characters of an answer that go into a reason.
const SHOWN: usize = 120;

/// The entities as the model wrote them. What asking again can mend is a transient failure.
pub(super) fn read(body: &[u8]) -> Result<Vec<Value>, Failure> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| {
        Failure::transient(format!(
            "the server's answer is not JSON: {}",
            start(&String::from_utf8_lossy(body))
        ))
    })?;
    if !answer.error.is_null() {
        let message = answer.error.get("message").unwrap_or(&answer.error);
        let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
        return Err(Failure::transient(format!(
            "the server answers with an error: {}",
            start(&message)
        )));
    }
    let Some(choice) = answer.choices.first() else {
        return Err(Failure::transient("the server's answer holds no choice"));
    };
    if let Some(refusal) = choice.message.refusal.as_deref().filter(|refusal| !refusal.is_empty()) {
        return Err(Failure::bad(format!("the model refuses: {}", start(refusal))));
    }
    match choice.finish_reason.as_deref() {
        Some("length") => {
            return Err(Failure::bad(
                "the model's answer was cut off at its most tokens; raise `max_tokens` of the \
                 model, or cut the text into chunks",
            ));
        }
        Some("content_filter") => {
            return Err(Failure::bad("the server withheld the model's answer (content filter)"));
        }
        _ => {}
    }
    let text = choice.message.text();
    if text.trim().is_empty() {
        return Err(Failure::transient("the model's answer is empty"));
    }
    entities(&text)
}

fn entities(text: &str) -> Result<Vec<Value>, Failure> {
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

fn start(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.join(" ");
    match words.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &words[..at]),
        None => words,
    }
}
