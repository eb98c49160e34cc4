//! Chat models: one question and one reply, whatever the provider's wire format.

mod anthropic;
mod gemini;
mod ollama;
mod openai;

use flow_dsl::pipeline::Model;
use flow_engine::door::{Endpoint, Operation, Request, Tokens};
use flow_engine::prelude::*;

use super::provider::{self, Provider};
pub(super) use anthropic::Anthropic;
pub(super) use gemini::Gemini;
pub(super) use ollama::Ollama;
pub(super) use openai::OpenAi;

/// Bytes that make about one token.
const BYTES_PER_TOKEN: u64 = 4;
/// Characters of what a server or model wrote that go into a reason.
const SHOWN: usize = 120;

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

/// How a server is made to answer in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Structured {
    /// By the schema of the answer: it can give nothing else.
    #[default]
    JsonSchema,
    /// By the promise of some JSON object; its form stands in the prompt.
    JsonObject,
    /// By the prompt alone.
    None,
}

impl Ask<'_> {
    /// What was said so far.
    fn said(&self) -> Vec<Value> {
        let message = |turn: &Turn| {
            let (role, content) = turn.parts();
            json!({"role": role, "content": content})
        };
        self.turns.iter().map(message).collect()
    }

    /// What was said so far, after what the model is told.
    fn messages(&self) -> Vec<Value> {
        let mut messages = vec![json!({"role": "system", "content": self.system})];
        messages.extend(self.said());
        messages
    }
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
    price_as_of: Option<&'static str>,
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
            Anthropic::NAME => Self::of::<Anthropic>(model, build),
            Gemini::NAME => Self::of::<Gemini>(model, build),
            Ollama::NAME => Self::of::<Ollama>(model, build),
            OpenAi::NAME => Self::of::<OpenAi>(model, build),
            other => {
                let message = format!("`{}` is of `{other}`, which cannot chat", model.name.value);
                Err(BuildError::setting("model", message))
            }
        }
    }

    fn of<P: Provider + Wire + 'static>(
        model: &Model,
        build: &Build<'_>,
    ) -> Result<Self, BuildError> {
        let settings: P = provider::settings(model)?;
        let endpoint = provider::endpoint(&settings, model, build, Operation::Chat)?;
        let price_as_of = provider::price(&settings).and_then(|(_, as_of)| as_of);
        Ok(Self { wire: Box::new(settings), endpoint, price_as_of })
    }

    /// Where its calls go, under which limit and at what price.
    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The day for which the price holds, when it is not the file that says it.
    #[expect(dead_code, reason = "asked when a plan says what a run will cost")]
    pub(crate) const fn price_as_of(&self) -> Option<&'static str> {
        self.price_as_of
    }

    /// The tokens that a question and its answer will have, about.
    #[expect(dead_code, reason = "asked when a plan says what a run will cost")]
    pub(crate) fn estimate(&self, ask: &Ask<'_>) -> Tokens {
        self.tokens(&self.wire.body(&self.endpoint.model, ask).to_string())
    }

    fn tokens(&self, body: &str) -> Tokens {
        let input = body.len() as u64 / BYTES_PER_TOKEN;
        Tokens { input, cached: 0, output: self.wire.answer_tokens() }
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
        let estimate = self.tokens(&question);
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

/// The temperature of models that are to say the same each time.
#[expect(clippy::unnecessary_wraps, reason = "the default of an optional setting")]
const fn cool() -> Option<f64> {
    Some(0.0)
}

/// A number of tokens; none where the server does not say.
pub(in crate::model) fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// The error that a server answers with although it calls the call a success.
pub(in crate::model) fn error_in(answer: &Value) -> Option<Failure> {
    let error = answer.get("error").filter(|error| !error.is_null())?;
    if error["code"] == "content_filter" {
        return Some(Failure::bad("the server withheld the model's answer (content filter)"));
    }
    let message = error.get("message").unwrap_or(error);
    let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    let message = start(&message);
    Some(Failure::transient(format!("the server answers with an error: {message}")))
}

/// The answer is longer than it may be.
fn cut_off() -> Failure {
    Failure::bad(
        "the model's answer was cut off at its most tokens; raise `max_tokens` of the model, or \
         cut the text into chunks",
    )
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

#[cfg(test)]
mod tests;
