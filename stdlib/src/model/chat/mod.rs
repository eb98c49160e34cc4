//! Chat models: one question and one reply, whatever the provider's wire format.

mod openai;

use flow_dsl::catalog::ProviderSpec;
use flow_dsl::pipeline::Model;
use flow_engine::door::{Endpoint, Key, Operation, Request, Tokens};
use flow_engine::prelude::*;

/// Bytes that make about one token.
const BYTES_PER_TOKEN: u64 = 4;
/// Characters of what a server or model wrote that go into a reason.
const SHOWN: usize = 120;

/// The chat models that a file may declare.
pub(crate) const PROVIDERS: &[fn() -> ProviderSpec] = &[openai::spec];

/// A question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// What the model is and what it is to do.
    pub(crate) system: &'a str,
    /// What was said so far; the last is the user's.
    pub(crate) turns: &'a [Turn],
    /// The JSON Schema of the answer.
    pub(crate) schema: &'a Value,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    /// By us.
    User(String),
    /// By the model.
    Model(String),
}

impl Turn {
    /// What was said, and by whom, as the wire formats call it.
    const fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::User(text) => ("user", text.as_str()),
            Self::Model(text) => ("assistant", text.as_str()),
        }
    }
}

/// A chat model, ready to be asked.
pub(crate) struct Chat {
    wire: Box<dyn Wire>,
    endpoint: Endpoint,
}

/// The wire format of a provider, with the settings of one model.
trait Wire: Send + Sync {
    /// The body of a request.
    fn body(&self, model: &str, ask: &Ask<'_>) -> Value;

    /// What the model said, or why it said nothing of use.
    fn reply(&self, answer: &Value) -> Result<String, Failure>;

    /// Reads the tokens that the server counted; zeros where it does not say.
    fn used(&self) -> fn(&Value) -> Tokens;

    /// Whether the schema of the answer goes along; else it must stand in the prompt.
    fn sends_schema(&self) -> bool;

    /// Tokens that an answer has at most, or else is thought to have.
    fn answer_tokens(&self) -> u64;
}

impl Chat {
    /// A declared model; one that cannot chat is refused.
    pub(crate) fn new(model: &Model, build: &Build<'_>) -> Result<Self, BuildError> {
        match model.provider.value.as_str() {
            "openai" => openai::chat(model, build),
            other => {
                let message = format!("`{}` is of `{other}`, which cannot chat", model.name.value);
                Err(BuildError::setting("model", message))
            }
        }
    }

    /// The model, as its server calls it.
    pub(crate) fn name(&self) -> &str {
        &self.endpoint.model
    }

    /// Whether the schema of the answer goes along; else it must stand in the prompt.
    pub(crate) fn sends_schema(&self) -> bool {
        self.wire.sends_schema()
    }

    /// Asks, once. The reply is the text that the model wrote, never empty. What an earlier attempt
    /// was answered is not asked again.
    pub(crate) async fn ask(
        &self,
        ask: &Ask<'_>,
        context: &CallContext,
    ) -> Result<String, Failure> {
        let body = self.wire.body(&self.endpoint.model, ask);
        let question = body.to_string();
        if let Some(answer) = context.answers.get(question.as_bytes()) {
            return Ok(answer.to_string());
        }
        let input = question.len() as u64 / BYTES_PER_TOKEN;
        let estimate = Tokens { input, cached: 0, output: self.wire.answer_tokens() };
        let used = self.wire.used();
        let request = Request { endpoint: &self.endpoint, body: &body, estimate, used };
        let answer = context.door.post_json(request, &context.meter).await?;
        let text = self.wire.reply(&answer)?;
        if text.trim().is_empty() {
            return Err(Failure::transient("the model's answer is empty"));
        }
        context.answers.keep(question.as_bytes(), &text);
        Ok(text)
    }
}

/// The settings of a declared model.
fn settings<T: serde::de::DeserializeOwned>(model: &Model) -> Result<T, BuildError> {
    serde_json::from_value(model.settings.to_json()).map_err(|error| {
        let message = format!("`{}` cannot be read: {error}", model.name.value);
        BuildError::setting("model", message)
    })
}

/// The address of a server without a slash at its end; refused when it is none.
fn base_url<'a>(model: &Model, base: &'a str) -> Result<&'a str, BuildError> {
    let base = base.trim_end_matches('/');
    let host = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://"));
    if host.is_some_and(|host| host.starts_with(|c: char| c.is_alphanumeric() || c == '[')) {
        return Ok(base);
    }
    let message =
        format!("`{}` has the `base_url` `{base}`, which is no web address", model.name.value);
    Err(BuildError::setting("model", message).help("write it like `http://localhost:11434/v1`"))
}

/// The beginning of a text, in one line.
pub(crate) fn start(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.join(" ");
    match words.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &words[..at]),
        None => words,
    }
}
