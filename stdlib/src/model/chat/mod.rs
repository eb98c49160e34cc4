//! Chat models: one question and one reply, whatever the provider's wire format.

mod openai;

use flow_dsl::catalog::ProviderSpec;
use flow_dsl::pipeline::Model;
use flow_engine::door::{Endpoint, Operation, Request, Tokens};
use flow_engine::prelude::*;

use super::provider::{self, Provider};
use openai::OpenAi;

/// Bytes that make about one token.
const BYTES_PER_TOKEN: u64 = 4;
/// Characters of what a server or model wrote that go into a reason.
const SHOWN: usize = 120;

/// The chat models that a file may declare.
pub(crate) const PROVIDERS: &[fn() -> ProviderSpec] = &[provider::spec::<OpenAi>];

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

    #[expect(dead_code, reason = "asked when a plan says what a run will cost")]
    /// The tokens that a question and its answer will have, about.
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

/// The beginning of a text, in one line.
pub(crate) fn start(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.join(" ");
    match words.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &words[..at]),
        None => words,
    }
}
