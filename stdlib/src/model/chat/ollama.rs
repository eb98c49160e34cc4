//! Ollama by its own wire format.

use flow_engine::prelude::*;
use serde_json::Map;

use super::{Ask, Operation, Structured, Tokens, Wire, count, cut_off, error_in};
use crate::model::price::ModelPrice;
use crate::model::provider::Provider;

/// Where it listens.
const SERVER: &str = "http://localhost:11434";
/// Tokens that an answer is thought to have when nothing limits it.
const USUAL_ANSWER: u64 = 1000;

/// A model of an Ollama server, by its own wire format.
///
/// Ollama reads only the end of a prompt that is longer than its window, and does not say so: set
/// `num_ctx` under `options` to what your texts need. It costs nothing unless `price` says so. For
/// `embed`, texts are never cut.
///
/// ```yaml
/// models:
///   analyst: {provider: ollama, model: qwen3:8b, options: {num_ctx: 16384}}
///   vectors: {provider: ollama, model: nomic-embed-text}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ollama {
    /// The model, as the server calls it.
    model: String,
    /// The server.
    #[serde(default = "server")]
    base_url: String,
    /// How freely it words its answer, from 0 on; `null` leaves it to the model.
    #[serde(default = "super::cool")]
    temperature: Option<f64>,
    /// The most tokens of an answer; without it, the server decides.
    #[serde(default)]
    max_tokens: Option<u32>,
    /// Whether a model that can think does so before it answers; without it, the server decides.
    #[serde(default)]
    think: Option<bool>,
    /// Further options of the server, such as `num_ctx`, `seed` or `top_p`.
    #[serde(default)]
    options: Map<String, Value>,
    /// How the server is made to answer in JSON.
    #[serde(default)]
    structured: Structured,
    /// What a million tokens cost in US dollars: `{input, cached, output}`; without it, nothing.
    #[serde(default)]
    price: Option<ModelPrice>,
}

fn server() -> String {
    SERVER.to_owned()
}

impl Provider for Ollama {
    const NAME: &'static str = "ollama";
    const SECRET: Option<&'static str> = None;
    const SERVER: &'static str = SERVER;
    const IS_HOSTED: bool = false;

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
        match operation {
            Operation::Chat => "/api/chat".to_owned(),
            Operation::Embeddings => "/api/embed".to_owned(),
        }
    }
}

impl Ollama {
    /// Further options of the server.
    pub(crate) const fn options(&self) -> &Map<String, Value> {
        &self.options
    }
}

impl Wire for Ollama {
    fn body(&self, model: &str, ask: &Ask<'_>) -> Value {
        let mut options = self.options.clone();
        if let Some(temperature) = self.temperature {
            options.entry("temperature").or_insert_with(|| json!(temperature));
        }
        if let Some(most) = self.max_tokens {
            options.insert("num_predict".to_owned(), json!(most));
        }
        let mut body = json!({
            "model": model,
            "messages": ask.messages(),
            "stream": false,
            "options": options,
        });
        match self.structured {
            Structured::JsonSchema => body["format"] = ask.schema.clone(),
            Structured::JsonObject => body["format"] = json!("json"),
            Structured::None => {}
        }
        if let Some(think) = self.think {
            body["think"] = json!(think);
        }
        body
    }

    fn reply(&self, answer: &Value) -> Result<String, Failure> {
        if let Some(failure) = error_in(answer) {
            return Err(failure);
        }
        let message = &answer["message"];
        if message.is_null() {
            return Err(Failure::transient("the server's answer holds no message"));
        }
        let content = message["content"].as_str().unwrap_or_default();
        match (answer["done_reason"].as_str(), answer["done"].as_bool()) {
            (Some("length"), _) => cut_off(content),
            (Some("load"), _) => Err(Failure::transient("the server only loaded the model")),
            (_, Some(false)) => Err(Failure::transient("the server's answer is not whole")),
            _ => Ok(content.to_owned()),
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

/// A prompt that the server has in its cache is not counted at all.
fn used(answer: &Value) -> Tokens {
    let (input, output) = (count(&answer["prompt_eval_count"]), count(&answer["eval_count"]));
    Tokens { input, cached: 0, output }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chat::tests::{asked, judged};

    #[test]
    fn the_request_is_what_the_server_takes() {
        let more = json!({"max_tokens": 500, "think": false, "options": {"num_ctx": 8192}});
        insta::assert_json_snapshot!(asked::<Ollama>(&more));
    }

    #[test]
    fn the_request_follows_the_settings() {
        for (more, pointer, expected) in [
            (json!({}), "/options/temperature", json!(0.0)),
            (json!({"temperature": null}), "/options/temperature", json!(null)),
            (json!({"options": {"temperature": 1}}), "/options/temperature", json!(1)),
            (json!({}), "/think", json!(null)),
            (json!({}), "/stream", json!(false)),
            (json!({"structured": "json_object"}), "/format", json!("json")),
            (json!({"structured": "none"}), "/format", json!(null)),
        ] {
            let found = asked::<Ollama>(&more).pointer(pointer).cloned().unwrap_or_default();
            assert_eq!(found, expected, "{more}");
        }
    }

    #[test]
    fn every_answer_has_its_text_or_its_reason() {
        let said = |more: Value| {
            let mut answer =
                json!({"message": {"role": "assistant", "content": "{", "thinking": "hm"}});
            answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            answer
        };
        for (answer, expected) in [
            (said(json!({"done": true, "done_reason": "stop"})), Ok("{")),
            (said(json!({})), Ok("{")),
            (said(json!({"done": true, "done_reason": "length"})), Ok("{\u{18}")),
            (
                said(json!({"done": true, "done_reason": "load"})),
                Err("again: the server only loaded the model"),
            ),
            (said(json!({"done": false})), Err("again: the server's answer is not whole")),
            (json!({}), Err("again: the server's answer holds no message")),
            (
                json!({"error": "model runner has stopped"}),
                Err("again: the server answers with an error: model runner has stopped"),
            ),
        ] {
            let reply = judged::<Ollama>(&answer);
            assert_eq!(reply.as_deref().map_err(String::as_str), expected, "{answer}");
        }
    }

    #[test]
    fn tokens_are_counted_where_the_server_says() {
        let tokens = used(&json!({"prompt_eval_count": 7, "eval_count": 2}));
        assert_eq!((tokens.input, tokens.cached, tokens.output), (7, 0, 2));
        assert_eq!(used(&json!({"eval_count": 2})).input, 0);
    }
}
