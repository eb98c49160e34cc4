//! What goes over the wire, in the chat format of OpenAI.

use flow_engine::prelude::*;
use flow_engine::report::Usage;

use super::{HOSTED, OpenAi, Structured};

/// The body of a request.
pub(super) fn request(settings: &OpenAi, system: &str, user: &str, schema: &Value) -> Value {
    let mut body = json!({
        "model": settings.model,
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ],
    });
    if let Some(temperature) = settings.temperature {
        body["temperature"] = json!(temperature);
    }
    if let Some(most) = settings.max_tokens {
        // The hosted models have given up the older name, the other servers have not.
        let hosted = settings.base_url.trim_end_matches('/') == HOSTED;
        body[if hosted { "max_completion_tokens" } else { "max_tokens" }] = json!(most);
    }
    match settings.structured {
        Structured::JsonSchema => {
            let schema = json!({"name": "entities", "strict": true, "schema": schema});
            body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
        }
        Structured::JsonObject => body["response_format"] = json!({"type": "json_object"}),
        Structured::None => {}
    }
    body
}

/// The body of an answer, as far as anybody asks; a server may leave out anything.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    /// What it says; the first is the one that was asked for.
    #[serde(default)]
    pub(super) choices: Vec<Choice>,
    /// Instead of all else, from servers that answer 200 to everything.
    #[serde(default)]
    pub(super) error: Value,
}

/// One of the things that a model says.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    /// What it says.
    #[serde(default)]
    pub(super) message: Message,
    /// Why it stopped: `stop`, `length`, `content_filter`.
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
}

/// What a model says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Message {
    /// A text, or a list of parts with a text each.
    #[serde(default)]
    content: Value,
    /// Why it does not do what it was asked.
    #[serde(default)]
    pub(super) refusal: Option<String>,
}

impl Message {
    /// The whole text.
    pub(super) fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
            }
            _ => String::new(),
        }
    }
}

#[derive(Deserialize)]
struct Used {
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

/// The tokens that the server counted; none when it does not say.
pub(super) fn usage(body: &[u8]) -> Usage {
    let used: Option<Used> = serde_json::from_slice(body).ok();
    used.and_then(|used| used.usage).map_or_else(Usage::default, |tokens| Usage {
        calls: 0,
        input_tokens: tokens.prompt_tokens,
        output_tokens: tokens.completion_tokens,
    })
}
