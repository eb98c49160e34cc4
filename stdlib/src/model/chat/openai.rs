//! Any server that speaks the chat wire format of OpenAI.

use flow_engine::prelude::*;

use super::{Ask, Operation, Structured, Tokens, Wire, count, cut_off, error_in};
use crate::model::price::ModelPrice;
use crate::model::provider::Provider;

/// Where the hosted models are.
const HOSTED: &str = "https://api.openai.com/v1";
/// Tokens that an answer is thought to have when nothing limits it.
const USUAL_ANSWER: u64 = 1000;

/// A chat model behind the wire format of OpenAI: hosted, or any server that speaks it (Ollama,
/// vLLM, llama.cpp and others), by `base_url`.
///
/// ```yaml
/// models:
///   analyst: {provider: openai, model: gpt-4o-mini, limit: openai}
///   local: {provider: openai, model: qwen3:8b, base_url: "http://localhost:11434/v1"}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenAi {
    /// The model, as the server calls it.
    model: String,
    /// The server, up to and with `/v1`.
    #[serde(default = "hosted")]
    base_url: String,
    /// How freely it words its answer, from 0 to 2; `null` sends none, as some models want it.
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

impl Provider for OpenAi {
    const NAME: &'static str = "openai";
    const SECRET: Option<&'static str> = Some("OPENAI_API_KEY");
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
        match operation {
            Operation::Chat => "/chat/completions".to_owned(),
            Operation::Embeddings => "/embeddings".to_owned(),
        }
    }
}

impl Wire for OpenAi {
    fn body(&self, model: &str, ask: &Ask<'_>) -> Value {
        let mut body = json!({"model": model, "messages": ask.messages()});
        if let Some(temperature) = self.temperature {
            body["temperature"] = json!(temperature);
        }
        if let Some(most) = self.max_tokens {
            // The hosted models have given up the older name, the other servers have not.
            body[if self.is_at_home() { "max_completion_tokens" } else { "max_tokens" }] =
                json!(most);
        }
        match self.structured {
            Structured::JsonSchema => {
                let schema = json!({"name": "answer", "strict": true, "schema": ask.schema});
                body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
            }
            Structured::JsonObject => body["response_format"] = json!({"type": "json_object"}),
            Structured::None => {}
        }
        body
    }

    fn reply(&self, answer: &Value) -> Result<String, Failure> {
        if let Some(failure) = error_in(answer) {
            return Err(failure);
        }
        let choice = &answer["choices"][0];
        if choice.is_null() {
            return Err(Failure::transient("the server's answer holds no choice"));
        }
        if let Some(refusal) =
            choice["message"]["refusal"].as_str().filter(|words| !words.is_empty())
        {
            return Ok(refusal.to_owned());
        }
        match choice["finish_reason"].as_str() {
            Some("length") => cut_off(&text(&choice["message"]["content"])),
            Some("content_filter") => {
                Err(Failure::bad("the server withheld the model's answer (content filter)"))
            }
            _ => Ok(text(&choice["message"]["content"])),
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

/// A text, or a list of parts with a text each.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
        }
        _ => String::new(),
    }
}

fn used(answer: &Value) -> Tokens {
    let usage = &answer["usage"];
    Tokens {
        input: count(&usage["prompt_tokens"]),
        cached: count(&usage["prompt_tokens_details"]["cached_tokens"]),
        output: count(&usage["completion_tokens"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chat::tests::{asked, judged};

    #[test]
    fn the_request_is_what_a_strict_server_takes() {
        insta::assert_json_snapshot!(asked::<OpenAi>(&json!({"max_tokens": 500})));
    }

    #[test]
    fn the_request_follows_the_settings() {
        for (more, name, expected) in [
            (json!({}), "temperature", json!(0.0)),
            (json!({"temperature": null}), "temperature", json!(null)),
            (json!({"max_tokens": 5}), "max_completion_tokens", json!(5)),
            (json!({"max_tokens": 5, "base_url": "http://h/v1"}), "max_tokens", json!(5)),
            (
                json!({"structured": "json_object"}),
                "response_format",
                json!({"type": "json_object"}),
            ),
            (json!({"structured": "none"}), "response_format", json!(null)),
        ] {
            assert_eq!(
                asked::<OpenAi>(&more).get(name).cloned().unwrap_or_default(),
                expected,
                "{more}"
            );
        }
    }

    #[test]
    fn every_answer_has_its_text_or_its_reason() {
        let said = |content: &Value| json!({"choices": [{"message": {"content": content}}]});
        let stopped =
            |why: &str| json!({"choices": [{"message": {"content": "{"}, "finish_reason": why}]});
        for (answer, expected) in [
            (said(&json!("yes")), Ok("yes")),
            (said(&json!([{"type": "text", "text": "y"}, {"text": "es"}])), Ok("yes")),
            (said(&json!(null)), Ok("")),
            (stopped("stop"), Ok("{")),
            (json!({}), Err("again: the server's answer holds no choice")),
            (json!([]), Err("again: the server's answer holds no choice")),
            (
                json!({"error": {"message": "overloaded"}}),
                Err("again: the server answers with an error: overloaded"),
            ),
            (
                json!({"error": {"message": "filtered", "code": "content_filter"}}),
                Err("the server withheld the model's answer (content filter)"),
            ),
            (json!({"choices": [{"message": {"content": null, "refusal": "no"}}]}), Ok("no")),
            (stopped("length"), Ok("{\u{18}")),
            (
                json!({"choices": [{"message": {"content": " "}, "finish_reason": "length"}]}),
                Err("the model's answer was cut off at its most tokens; raise `max_tokens` of \
                     the model, or cut the text into chunks"),
            ),
            (
                stopped("content_filter"),
                Err("the server withheld the model's answer (content filter)"),
            ),
        ] {
            let reply = judged::<OpenAi>(&answer);
            assert_eq!(reply.as_deref().map_err(String::as_str), expected, "{answer}");
        }
    }

    #[test]
    fn tokens_are_counted_where_the_server_says() {
        let details = json!({"cached_tokens": 4});
        for (usage, expected) in [
            (json!({"prompt_tokens": 7, "completion_tokens": 2}), (7, 0, 2)),
            (json!({"prompt_tokens": 7, "prompt_tokens_details": details}), (7, 4, 0)),
            (json!(null), (0, 0, 0)),
        ] {
            let tokens = used(&json!({"usage": usage}));
            assert_eq!((tokens.input, tokens.cached, tokens.output), expected, "{usage}");
        }
    }
}
