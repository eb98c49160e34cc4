//! A model that knows the true entities of documents and answers every question with them, or
//! first in one of the ways in which models and servers go wrong.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use crate::model_server::{ModelServer, Reply};

/// A text with what is to be found in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    pub(crate) text: String,
    /// What is said where, in the order of the text.
    pub(crate) entities: Vec<Entity>,
}

/// A name of a kind, and the bytes of the sentence that has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Entity {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) sentence: (usize, usize),
}

impl Document {
    /// Adds a sentence with its entities; the same is said once in a sentence.
    pub(crate) fn say(&mut self, sentence: &str, entities: &[(String, String)]) {
        let start = self.text.len();
        self.text.push_str(sentence);
        for (kind, name) in entities {
            let sentence = (start, self.text.len());
            let entity = Entity { kind: kind.clone(), name: name.clone(), sentence };
            if !self.entities.contains(&entity) {
                self.entities.push(entity);
            }
        }
        self.text.push('\n');
    }
}

/// Ways to go wrong.
const FAULTS: u64 = 14;

/// Starts the model.
pub(crate) fn start(documents: Vec<Document>) -> ModelServer {
    let asked: Mutex<HashMap<String, u64>> = Mutex::default();
    ModelServer::start(move |_, body| {
        let first = body["messages"][1]["content"].as_str().expect("a first question");
        let (_, window) = first.split_once("\n\n").expect("the text comes last");
        let kinds = kinds(body);
        let question = format!("{kinds:?} {window}");
        let mut asked = asked.lock().expect("a lock");
        let times = asked.entry(question.clone()).or_default();
        *times += 1;
        let mut hasher = DefaultHasher::new();
        question.hash(&mut hasher);
        let right = entities(&documents, window, &kinds);
        let turns = body["messages"].as_array().map_or(0, Vec::len);
        (Duration::ZERO, reply(hasher.finish() % FAULTS, *times, turns, &right))
    })
}

/// The kinds that are asked for, from the schema of the answer.
fn kinds(body: &Value) -> Vec<String> {
    let schema = &body["response_format"]["json_schema"]["schema"];
    let of = &schema["properties"]["entities"]["items"]["anyOf"];
    let kinds = of.as_array().expect("kinds").iter();
    let name = |kind: &Value| kind["properties"]["kind"]["enum"][0].as_str().map(str::to_owned);
    kinds.map(|kind| name(kind).expect("a name")).collect()
}

/// The true entities in a window. Of a sentence that it cuts, what is in it is quoted.
fn entities(documents: &[Document], window: &str, kinds: &[String]) -> Vec<Value> {
    let document = documents.iter().find(|document| document.text.contains(window));
    let document = document.expect("a window of a document");
    let from = document.text.find(window).expect("a place");
    let to = from + window.len();
    let seen = document.entities.iter().filter_map(|entity| {
        let (start, end) = (entity.sentence.0.max(from), entity.sentence.1.min(to));
        let quote = document.text.get(start..end)?;
        let asked = kinds.contains(&entity.kind) && quote.contains(&entity.name);
        asked.then(|| written(entity, quote))
    });
    seen.collect()
}

fn written(entity: &Entity, quote: &str) -> Value {
    json!({
        "kind": entity.kind,
        "name": entity.name,
        "quote": quote,
        "confidence": 0.9,
        "fields": {"role": "high"},
    })
}

fn answer(entities: &[Value]) -> String {
    json!({"entities": entities}).to_string()
}

/// What is said the first time, or at a later turn, in answer to a question.
fn reply(fault: u64, times: u64, turns: usize, right: &[Value]) -> Reply {
    let text = answer(right);
    let mut wrong = right.to_vec();
    match (fault, times, wrong.last_mut()) {
        (0, 1, _) => Reply::error(429, "slow down"),
        (1, 1, _) => Reply::Close,
        (2, 1, _) => Reply::error(500, "oops"),
        (3, 1, _) => Reply::Truncate(b"{\"choices\": [".to_vec()),
        (4, 1, _) => refusal(),
        (5, 1, _) => Reply::content("I am sorry, but I cannot help with that."),
        // Cut off, and gone on with.
        (6, 1, _) => Reply::content(&text[..text.floor_char_boundary(text.len() / 2)]),
        // Without its last brackets, with commas too many, with comments, as Python writes it.
        (7, 1, _) => Reply::content(text.trim_end_matches(['}', ']'])),
        (8, _, _) => Reply::content(&text.replace("},", "},,").replace("}}]", "},}, ] // all")),
        (9, _, _) => Reply::content(&format!(
            "<think>{{what}} is [it]?</think>\nHere you are:\n```json\n{text}\n```\nAnything else?"
        )),
        (10, 1, Some(last)) => {
            last["quote"] = Value::Null;
            Reply::content(&answer(&wrong))
        }
        (11, 1, Some(last)) => {
            last["fields"]["role"] = json!("enormous");
            Reply::content(&answer(&wrong))
        }
        // Only what was wrong is said again.
        (10 | 11, _, Some(last)) if turns > 2 => {
            *last = right[right.len() - 1].clone();
            Reply::content(&answer(&wrong[right.len() - 1..]))
        }
        // Never a confidence: what is there is taken.
        (12, _, Some(last)) => {
            last["confidence"] = Value::Null;
            Reply::content(&answer(&wrong))
        }
        _ => Reply::content(&text),
    }
}

fn refusal() -> Reply {
    let message = json!({"role": "assistant", "content": null, "refusal": "I cannot do that."});
    let body = json!({"choices": [{"index": 0, "finish_reason": "stop", "message": message}]});
    Reply::Answer(200, Vec::new(), body.to_string().into_bytes())
}
