//! What must come of a recorded answer, read from it without our clients.

use flow_engine::stage::FailureKind;
use serde_json::Value;

use super::cassette::Exchange;

/// Sent, those of a cache among them, received.
pub(super) type Tokens = (u64, u64, u64);

#[derive(Debug)]
pub(super) enum Expected {
    Text(String),
    Vectors(usize),
    /// With these words in its reason.
    Failure(FailureKind, String),
}

/// What must come of it, and the tokens that the server counted.
pub(super) fn of(exchange: &Exchange) -> (Expected, Tokens) {
    let kind = exchange.header("content-type");
    let failure = |kind, reason: &str| Expected::Failure(kind, reason.to_owned());
    if exchange.status != 200 {
        let kind = match exchange.status {
            401 | 403 | 404 => FailureKind::Fatal,
            400 => FailureKind::Bad,
            other => panic!("{other}"),
        };
        let words = exchange.answer()["error"]["message"].as_str().unwrap().to_owned();
        let words: String = words.chars().take(60).collect();
        return (Expected::Failure(kind, words), (0, 0, 0));
    }
    if kind.starts_with("text/event-stream") || kind.starts_with("application/x-ndjson") {
        return (failure(FailureKind::Transient, "not JSON"), (0, 0, 0));
    }
    let answer = exchange.answer();
    match exchange.from.0.as_str() {
        "anthropic" => anthropic(&answer),
        "ollama" => {
            let tokens = (number(&answer, "/prompt_eval_count"), 0, number(&answer, "/eval_count"));
            (said(text(&answer, "/message/content")), tokens)
        }
        "google-generativeai" => {
            let received = number(&answer, "/usageMetadata/candidatesTokenCount")
                + number(&answer, "/usageMetadata/thoughtsTokenCount");
            let tokens = (number(&answer, "/usageMetadata/promptTokenCount"), 0, received);
            (said(text(&answer, "/candidates/0/content/parts/0/text")), tokens)
        }
        _ => openai(&answer),
    }
}

fn openai(answer: &Value) -> (Expected, Tokens) {
    let tokens = (
        number(answer, "/usage/prompt_tokens"),
        number(answer, "/usage/prompt_tokens_details/cached_tokens"),
        number(answer, "/usage/completion_tokens"),
    );
    if let Some(data) = answer["data"].as_array() {
        return (Expected::Vectors(data.len()), tokens);
    }
    let bad = |reason: &str| Expected::Failure(FailureKind::Bad, reason.to_owned());
    let expected = match text(answer, "/choices/0/finish_reason") {
        _ if answer.get("error").is_some() => bad("content filter"),
        "length" if text(answer, "/choices/0/message/content").trim().is_empty() => {
            bad("cut off at its most tokens")
        }
        "content_filter" => bad("content filter"),
        _ => match text(answer, "/choices/0/message/refusal") {
            "" => said(text(answer, "/choices/0/message/content")),
            refusal => said(refusal),
        },
    };
    (expected, tokens)
}

fn anthropic(answer: &Value) -> (Expected, Tokens) {
    let cached = number(answer, "/usage/cache_read_input_tokens");
    let sent = number(answer, "/usage/input_tokens")
        + number(answer, "/usage/cache_creation_input_tokens")
        + cached;
    let blocks = answer["content"].as_array().unwrap();
    let texts = blocks.iter().filter(|block| block["type"] == "text");
    let words: String = texts.map(|block| block["text"].as_str().unwrap()).collect();
    (said(&words), (sent, cached, number(answer, "/usage/output_tokens")))
}

/// A text, or the complaint that there is none: the model called a tool that we never offered.
fn said(words: &str) -> Expected {
    match words {
        "" => Expected::Failure(FailureKind::Transient, "is empty".to_owned()),
        words => Expected::Text(words.to_owned()),
    }
}

fn number(answer: &Value, pointer: &str) -> u64 {
    answer.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

fn text<'a>(answer: &'a Value, pointer: &str) -> &'a str {
    answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The hosted models give vectors of length one, which no vector that was read wrongly would have;
/// `e5-mistral-7b` behind vLLM gives longer ones, which no wrong reading would come near to.
pub(super) fn is_sound(vector: &str, exchange: &Exchange) {
    let numbers: Vec<f64> = serde_json::from_str(vector).unwrap();
    let length: f64 = numbers.iter().map(|number| number * number).sum::<f64>().sqrt();
    let is_longer = exchange.asked["model"].as_str().is_some_and(|name| name.contains("e5"));
    let range = if is_longer { 10.0..100.0 } else { 0.999..1.001 };
    assert!(numbers.len() >= 1024 && range.contains(&length), "{}: {length}", exchange.from.1);
}

/// How an exchange failed, for the list.
pub(super) fn in_short(exchange: &Exchange, reason: &str) -> String {
    match exchange.status {
        200 => format!("a failure: {}", reason.split(':').next().unwrap_or_default()),
        status => format!("HTTP {status}"),
    }
}
