//! Anthropic by its own wire format, the Messages API.

use flow_engine::door::{Key, Secret};
use flow_engine::prelude::*;

use super::{Ask, Operation, Tokens, Wire, count, cut_off, error_in};
use crate::model::price::ModelPrice;
use crate::model::provider::Provider;

/// Where the hosted models are.
const HOSTED: &str = "https://api.anthropic.com";
/// The version of the wire format.
const VERSION: &str = "2023-06-01";
/// The most tokens of an answer when the file does not say; the server must be told some number.
const MOST_TOKENS: u32 = 8192;
/// Tokens that an answer is thought to have when the file does not limit it.
const USUAL_ANSWER: u64 = 1000;
/// Places with a choice of types that a schema may have, for the server to hold a model to it.
const MOST_CHOICES: usize = 16;
/// The tool that a model is made to call with its answer.
const TOOL: &str = "answer";

/// A Claude model of Anthropic.
///
/// The server holds newer models (from Claude Sonnet 4.5 on) to the schema of the answer. A schema
/// with more than 16 places that may be null is beyond it: then, and with `structured: tool`, the
/// model is made to call a tool that takes the answer, which older models can do as well.
///
/// ```yaml
/// secrets: {ANTHROPIC_API_KEY: env}
/// models:
///   analyst: {provider: anthropic, model: claude-haiku-4-5}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Anthropic {
    /// The model, as the server calls it.
    model: String,
    /// The server, without `/v1`.
    #[serde(default = "hosted")]
    base_url: String,
    /// How freely it words its answer, from 0 to 1; without it none is sent, as the newest models
    /// want it.
    #[serde(default)]
    temperature: Option<f64>,
    /// The most tokens of an answer; without it, 8192.
    #[serde(default)]
    max_tokens: Option<u32>,
    /// How the model is made to answer in JSON.
    #[serde(default)]
    structured: Structured,
    /// What a million tokens cost in US dollars: `{input, cached, output}`, or `free`. Without it,
    /// the built-in table says it of hosted models.
    #[serde(default)]
    price: Option<ModelPrice>,
}

/// How a model is made to answer in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Structured {
    /// By the schema of the answer: it can give nothing else.
    #[default]
    JsonSchema,
    /// By a tool that takes the answer.
    Tool,
    /// By the prompt alone.
    None,
}

fn hosted() -> String {
    HOSTED.to_owned()
}

impl Provider for Anthropic {
    const NAME: &'static str = "anthropic";
    const SECRET: Option<&'static str> = Some("ANTHROPIC_API_KEY");
    const SERVER: &'static str = HOSTED;

    fn model(&self) -> &str {
        &self.model
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn price(&self) -> Option<ModelPrice> {
        self.price
    }

    fn path(&self, _: Operation) -> String {
        "/v1/messages".to_owned()
    }

    fn key(secret: Secret) -> Key {
        Key::Header("x-api-key", secret)
    }

    fn headers() -> Vec<(&'static str, String)> {
        vec![("anthropic-version", VERSION.to_owned())]
    }
}

impl Wire for Anthropic {
    fn body(&self, model: &str, ask: &Ask<'_>) -> Value {
        let mut body = json!({
            "model": model,
            "max_tokens": self.max_tokens.unwrap_or(MOST_TOKENS),
            "system": ask.system,
            "messages": ask.said(),
        });
        if let Some(temperature) = self.temperature {
            body["temperature"] = json!(temperature);
        }
        match self.structured {
            Structured::JsonSchema if choices(ask.schema) <= MOST_CHOICES => {
                let format = json!({"type": "json_schema", "schema": ask.schema});
                body["output_config"] = json!({"format": format});
            }
            Structured::JsonSchema | Structured::Tool => {
                body["tools"] = json!([{
                    "name": TOOL,
                    "description": "Takes the answer.",
                    "input_schema": ask.schema,
                }]);
                body["tool_choice"] = json!({"type": "tool", "name": TOOL});
            }
            Structured::None => {}
        }
        body
    }

    fn reply(&self, answer: &Value) -> Result<String, Failure> {
        if let Some(failure) = error_in(answer) {
            return Err(failure);
        }
        let Some(blocks) = answer["content"].as_array() else {
            return Err(Failure::transient("the server's answer holds no content"));
        };
        match answer["stop_reason"].as_str() {
            Some("refusal") => Err(Failure::bad("the model refuses to answer")),
            Some("max_tokens") => cut_off(&text(blocks)),
            Some("model_context_window_exceeded") => Err(Failure::bad(
                "the text and the answer are longer than the model's window; cut the text into \
                 chunks",
            )),
            Some("pause_turn") => Err(Failure::transient("the model paused before it answered")),
            _ => Ok(text(blocks)),
        }
    }

    fn used(&self) -> fn(&Value) -> Tokens {
        used
    }

    fn sends_schema(&self) -> bool {
        self.structured != Structured::None
    }

    fn answer_tokens(&self) -> u64 {
        self.max_tokens.map_or(USUAL_ANSWER, u64::from)
    }

    fn most_answer(&self) -> Option<u64> {
        Some(u64::from(self.max_tokens.unwrap_or(MOST_TOKENS)))
    }
}

/// Places of a schema where a value may be of several types.
fn choices(schema: &Value) -> usize {
    let below = match schema {
        Value::Object(map) => map.values().map(choices).sum(),
        Value::Array(items) => items.iter().map(choices).sum(),
        _ => 0,
    };
    let here = schema.get("type").is_some_and(Value::is_array) || schema.get("anyOf").is_some();
    below + usize::from(here)
}

/// What the tool was given, else what was said; thoughts are passed over.
fn text(blocks: &[Value]) -> String {
    let given = blocks.iter().find(|block| block["type"] == "tool_use" && block["name"] == TOOL);
    if let Some(call) = given {
        return call["input"].to_string();
    }
    let said = blocks.iter().filter(|block| block["type"] == "text");
    said.filter_map(|block| block["text"].as_str()).collect()
}

/// What was read from a cache, or written into one, is not in `input_tokens`.
fn used(answer: &Value) -> Tokens {
    let usage = &answer["usage"];
    let (fresh, cached) = (count(&usage["input_tokens"]), count(&usage["cache_read_input_tokens"]));
    let written = count(&usage["cache_creation_input_tokens"]);
    Tokens { input: fresh + cached + written, cached, output: count(&usage["output_tokens"]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chat::tests::{asked, asked_for, judged};

    #[test]
    fn the_request_is_what_the_server_takes() {
        let more = json!({"max_tokens": 500, "temperature": 0});
        insta::assert_json_snapshot!(asked::<Anthropic>(&more));
        let more = json!({"structured": "tool"});
        insta::assert_json_snapshot!("by_a_tool", asked::<Anthropic>(&more));
    }

    #[test]
    fn a_schema_beyond_the_server_goes_by_a_tool() {
        let place = |nth: usize| (nth.to_string(), json!({"type": ["string", "null"]}));
        for (places, by_tool) in [(0, false), (MOST_CHOICES, false), (MOST_CHOICES + 1, true)] {
            let properties: serde_json::Map<_, _> = (0..places).map(place).collect();
            let schema = json!({"type": "object", "properties": properties});
            let body = asked_for::<Anthropic>(&json!({}), &schema);
            assert_eq!(body.get("tools").is_some(), by_tool, "{places}");
            assert_eq!(body.get("output_config").is_none(), by_tool, "{places}");
        }
        let body = asked::<Anthropic>(&json!({"structured": "none"}));
        assert!(body.get("tools").is_none() && body.get("output_config").is_none());
    }

    #[test]
    fn every_answer_has_its_text_or_its_reason() {
        let said = |blocks: Value| json!({"content": blocks, "stop_reason": "end_turn"});
        let stopped =
            |why: &str| json!({"content": [{"type": "text", "text": "{"}], "stop_reason": why});
        let error =
            |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "Overloaded"}});
        for (answer, expected) in [
            (said(json!([{"type": "text", "text": "y"}, {"type": "text", "text": "es"}])), "yes"),
            (
                said(json!([
                    {"type": "thinking", "thinking": "hm", "signature": "x"},
                    {"type": "redacted_thinking", "data": "x"},
                    {"type": "text", "text": "yes"},
                ])),
                "yes",
            ),
            (
                said(json!([
                    {"type": "text", "text": "Here it is."},
                    {"type": "tool_use", "id": "t", "name": "answer", "input": {"a": 1}},
                ])),
                r#"{"a":1}"#,
            ),
            (said(json!([])), ""),
            (stopped("stop_sequence"), "{"),
            (stopped("refusal"), "bad: the model refuses to answer"),
            (stopped("max_tokens"), "{\u{18}"),
            (
                stopped("model_context_window_exceeded"),
                "bad: the text and the answer are longer than the model's window; cut the text \
                 into chunks",
            ),
            (stopped("pause_turn"), "again: the model paused before it answered"),
            (json!({}), "again: the server's answer holds no content"),
            (error("overloaded_error"), "again: the server answers with an error: Overloaded"),
        ] {
            let expected = match expected.strip_prefix("bad: ") {
                Some(reason) => Err(reason),
                None if expected.starts_with("again: ") => Err(expected),
                None => Ok(expected),
            };
            let reply = judged::<Anthropic>(&answer);
            assert_eq!(reply.as_deref().map_err(String::as_str), expected, "{answer}");
        }
    }

    #[test]
    fn cached_tokens_are_part_of_those_sent() {
        for (usage, expected) in [
            (json!({"input_tokens": 7, "output_tokens": 2}), (7, 0, 2)),
            (json!({"input_tokens": 7, "cache_read_input_tokens": 90}), (97, 90, 0)),
            (
                json!({"input_tokens": 7, "cache_creation_input_tokens": 100, "output_tokens": 1}),
                (107, 0, 1),
            ),
            (json!(null), (0, 0, 0)),
        ] {
            let tokens = used(&json!({"usage": usage}));
            assert_eq!((tokens.input, tokens.cached, tokens.output), expected, "{usage}");
        }
    }
}
