//! Gemini by its own wire format, `generateContent`.

use flow_engine::door::{Key, Secret};
use flow_engine::prelude::*;

use super::{Ask, Operation, Structured, Tokens, Turn, Wire, count, cut_off, error_in};
use crate::model::price::ModelPrice;
use crate::model::provider::Provider;

/// Where the hosted models are.
const HOSTED: &str = "https://generativelanguage.googleapis.com/v1beta";
/// Tokens that an answer is thought to have when nothing limits it.
const USUAL_ANSWER: u64 = 1000;

/// A Gemini model of Google.
///
/// Thoughts are counted as tokens of the answer, and `max_tokens` limits both together.
///
/// ```yaml
/// secrets: {GEMINI_API_KEY: env}
/// models:
///   analyst: {provider: gemini, model: gemini-2.5-flash}
///   vectors: {provider: gemini, model: gemini-embedding-001}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gemini {
    /// The model, as the server calls it, without `models/`.
    model: String,
    /// The server, up to and with the version.
    #[serde(default = "hosted")]
    base_url: String,
    /// How freely it words its answer, from 0 to 2; `null` leaves it to the model.
    #[serde(default = "super::cool")]
    temperature: Option<f64>,
    /// The most tokens of an answer; without it, the server decides.
    #[serde(default)]
    max_tokens: Option<u32>,
    /// How the server is made to answer in JSON.
    #[serde(default)]
    structured: Structured,
    /// What a million tokens cost in US dollars: `{input, cached, output}`, or `free`. Without it,
    /// the built-in table says it of hosted models.
    #[serde(default)]
    price: Option<ModelPrice>,
}

fn hosted() -> String {
    HOSTED.to_owned()
}

impl Provider for Gemini {
    const NAME: &'static str = "gemini";
    const SECRET: Option<&'static str> = Some("GEMINI_API_KEY");
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

    fn path(&self, operation: Operation) -> String {
        let method = match operation {
            Operation::Chat => "generateContent",
            Operation::Embeddings => "batchEmbedContents",
        };
        format!("/models/{}:{method}", self.model)
    }

    fn key(secret: Secret) -> Key {
        Key::Header("x-goog-api-key", secret)
    }
}

impl Wire for Gemini {
    fn body(&self, _: &str, ask: &Ask<'_>) -> Value {
        let contents: Vec<Value> = ask.turns.iter().map(content).collect();
        let mut config = json!({});
        if let Some(temperature) = self.temperature {
            config["temperature"] = json!(temperature);
        }
        if let Some(most) = self.max_tokens {
            config["maxOutputTokens"] = json!(most);
        }
        if self.structured != Structured::None {
            config["responseMimeType"] = json!("application/json");
        }
        if self.structured == Structured::JsonSchema {
            config["responseJsonSchema"] = dialect(ask.schema);
        }
        json!({
            "systemInstruction": {"parts": [{"text": ask.system}]},
            "contents": contents,
            "generationConfig": config,
        })
    }

    fn reply(&self, answer: &Value) -> Result<String, Failure> {
        if let Some(failure) = error_in(answer) {
            return Err(failure);
        }
        if let Some(reason) = answer["promptFeedback"]["blockReason"].as_str() {
            return Err(Failure::bad(format!("the server blocked the text ({reason})")));
        }
        let candidate = &answer["candidates"][0];
        if candidate.is_null() {
            return Err(Failure::transient("the server's answer holds no candidate"));
        }
        match candidate["finishReason"].as_str() {
            None | Some("STOP" | "FINISH_REASON_UNSPECIFIED") => {
                Ok(text(&candidate["content"]["parts"]))
            }
            Some("MAX_TOKENS") => cut_off(&text(&candidate["content"]["parts"])),
            Some(reason @ ("OTHER" | "MALFORMED_FUNCTION_CALL" | "MALFORMED_RESPONSE")) => {
                Err(Failure::transient(format!("the model stopped without an answer ({reason})")))
            }
            Some(reason) => {
                Err(Failure::bad(format!("the server withheld the model's answer ({reason})")))
            }
        }
    }

    fn used(&self) -> fn(&Value) -> Tokens {
        used
    }

    fn sends_schema(&self) -> bool {
        self.structured == Structured::JsonSchema
    }

    fn answer_tokens(&self) -> u64 {
        self.max_tokens.map_or(USUAL_ANSWER, u64::from)
    }

    fn most_answer(&self) -> Option<u64> {
        self.max_tokens.map(u64::from)
    }
}

fn content(turn: &Turn) -> Value {
    let (role, text) = match turn {
        Turn::User(text) => ("user", text),
        Turn::Model(text) => ("model", text),
    };
    json!({"role": role, "parts": [{"text": text}]})
}

/// The schema in the dialect of this server: its `enum` holds words and numbers alone, so that
/// what may be a word or null becomes a choice of the two.
fn dialect(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let words = map.get("enum").and_then(Value::as_array);
            if let Some(words) = words.filter(|words| words.contains(&Value::Null)) {
                let words: Vec<&Value> = words.iter().filter(|word| !word.is_null()).collect();
                let word = json!({"type": "string", "enum": words});
                let mut choice = json!({"anyOf": [word, {"type": "null"}]});
                if let Some(description) = map.get("description") {
                    choice["description"] = description.clone();
                }
                return choice;
            }
            map.iter().map(|(name, value)| (name.clone(), dialect(value))).collect()
        }
        Value::Array(items) => items.iter().map(dialect).collect(),
        other => other.clone(),
    }
}

/// The parts of an answer but for its thoughts.
fn text(parts: &Value) -> String {
    let parts = parts.as_array().into_iter().flatten();
    let said = parts.filter(|part| part["thought"] != true);
    said.filter_map(|part| part["text"].as_str()).collect()
}

fn used(answer: &Value) -> Tokens {
    let usage = &answer["usageMetadata"];
    let output = count(&usage["candidatesTokenCount"]) + count(&usage["thoughtsTokenCount"]);
    let (input, cached) =
        (count(&usage["promptTokenCount"]), count(&usage["cachedContentTokenCount"]));
    Tokens { input, cached, output }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chat::tests::{asked, asked_for, judged};

    #[test]
    fn the_request_is_what_the_server_takes() {
        insta::assert_json_snapshot!(asked::<Gemini>(&json!({"max_tokens": 500})));
    }

    #[test]
    fn the_request_follows_the_settings() {
        for (more, name, expected) in [
            (json!({}), "temperature", json!(0.0)),
            (json!({"temperature": null}), "temperature", json!(null)),
            (json!({"structured": "json_object"}), "responseMimeType", json!("application/json")),
            (json!({"structured": "json_object"}), "responseJsonSchema", json!(null)),
            (json!({"structured": "none"}), "responseMimeType", json!(null)),
        ] {
            let body = asked::<Gemini>(&more);
            let found = body["generationConfig"].get(name).cloned().unwrap_or_default();
            assert_eq!(found, expected, "{more}");
        }
    }

    #[test]
    fn a_word_or_null_is_a_choice() {
        let word = json!({
            "type": ["string", "null"], "enum": ["low", "high", null], "description": "how bad",
        });
        let schema = json!({
            "type": "object",
            "properties": {"a": word, "b": {"type": ["number", "null"]}},
            "required": ["a", "b"],
            "additionalProperties": false,
        });
        let body = asked_for::<Gemini>(&json!({}), &schema);
        let sent = &body["generationConfig"]["responseJsonSchema"];
        let choice = json!({
            "anyOf": [{"type": "string", "enum": ["low", "high"]}, {"type": "null"}],
            "description": "how bad",
        });
        assert_eq!(sent["properties"]["a"], choice);
        assert_eq!(sent["properties"]["b"], schema["properties"]["b"]);
        assert_eq!(sent["required"], schema["required"]);
    }

    #[test]
    fn every_answer_has_its_text_or_its_reason() {
        let parts = json!([{"text": "hm", "thought": true}, {"text": "y"}, {"text": "es"}]);
        let ended =
            |why: &str| json!({"candidates": [{"content": {"parts": parts}, "finishReason": why}]});
        for (answer, expected) in [
            (ended("STOP"), Ok("yes")),
            (json!({"candidates": [{"finishReason": "STOP"}]}), Ok("")),
            (ended("MAX_TOKENS"), Ok("yes\u{18}")),
            (ended("SAFETY"), Err("the server withheld the model's answer (SAFETY)")),
            (ended("RECITATION"), Err("the server withheld the model's answer (RECITATION)")),
            (ended("OTHER"), Err("again: the model stopped without an answer (OTHER)")),
            (
                json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}),
                Err("the server blocked the text (PROHIBITED_CONTENT)"),
            ),
            (json!({"candidates": []}), Err("again: the server's answer holds no candidate")),
            (
                json!({"error": {"code": 503, "message": "The model is overloaded."}}),
                Err("again: the server answers with an error: The model is overloaded."),
            ),
        ] {
            let reply = judged::<Gemini>(&answer);
            assert_eq!(reply.as_deref().map_err(String::as_str), expected, "{answer}");
        }
    }

    #[test]
    fn thoughts_are_tokens_of_the_answer() {
        for (usage, expected) in [
            (
                json!({"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 9}),
                (5, 0, 16),
            ),
            (json!({"promptTokenCount": 50, "cachedContentTokenCount": 40}), (50, 40, 0)),
            (json!(null), (0, 0, 0)),
        ] {
            let tokens = used(&json!({"usageMetadata": usage}));
            assert_eq!((tokens.input, tokens.cached, tokens.output), expected, "{usage}");
        }
    }
}
