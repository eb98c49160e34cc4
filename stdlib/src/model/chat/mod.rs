//! Chat models: one question and one reply, whatever the provider's wire format.

mod anthropic;
pub(super) mod counter;
mod gemini;
mod ollama;
mod openai;

use flow_dsl::pipeline::Model;
use flow_engine::door::{Endpoint, Operation, Request, Tokens};
use flow_engine::ledger::{Key, key_of};
use flow_engine::prelude::*;
use flow_engine::preview::Band;
use flow_engine::stage::{Asked, Estimate};

use super::provider::{self, Provider};
use counter::Counter;

pub(super) use anthropic::Anthropic;
pub(super) use gemini::Gemini;
pub(super) use ollama::Ollama;
pub(super) use openai::OpenAi;

/// Bytes that make about one token.
const BYTES_PER_TOKEN: u64 = 4;
/// Characters of what a server or model wrote that go into a reason.
const SHOWN: usize = 120;

/// Ends an answer that was cut off, here and in the ledger: a sign for that which no text has.
const CUT: char = '\u{18}';

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

/// What a model answered.
#[derive(Debug)]
pub(crate) struct Said {
    /// The text that it wrote, never empty.
    pub(crate) text: String,
    /// Whether its most tokens cut it off.
    pub(crate) cut: bool,
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

/// How long answers are, in tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// When there is nothing to say.
    pub(crate) least: u64,
    /// At most, for each token of the text,
    pub(crate) for_each: u64,
    /// and besides.
    pub(crate) besides: u64,
}

/// A chat model, ready to be asked.
pub(crate) struct Chat {
    /// As the file calls it.
    name: String,
    wire: Box<dyn Wire>,
    endpoint: Endpoint,
    price_as_of: Option<&'static str>,
    counter: Counter,
    /// By the steps of `on_retry`: who is asked instead.
    steps: Vec<Option<Self>>,
}

/// The wire format of a provider, with the settings of one model.
trait Wire: Send + Sync {
    /// The body of a request.
    fn body(&self, model: &str, ask: &Ask<'_>) -> Value;

    /// What the model said, with a mark where it was cut off, or why it said nothing of use.
    fn reply(&self, answer: &Value) -> Result<String, Failure>;

    /// Reads the tokens that the server counted; zeros where it does not say.
    fn used(&self) -> fn(&Value) -> Tokens;

    /// Whether the schema of the answer goes along; else it must stand in the prompt.
    fn sends_schema(&self) -> bool;

    /// Tokens that an answer has at most, or else is thought to have.
    fn answer_tokens(&self) -> u64;

    /// The most tokens of an answer, when the server is told them.
    fn most_answer(&self) -> Option<u64> {
        None
    }
}

impl Chat {
    /// A declared model, with those that are asked instead when it fails; one that cannot chat is
    /// refused.
    pub(crate) fn new(model: &Model, build: &Build<'_>) -> Result<Self, BuildError> {
        let mut chat = Self::one(model, build)?;
        let steps = build.on_retry.iter().map(|step| match &step.model {
            Some(name) => Self::one(build.model(&name.value)?, build).map(Some),
            None => Ok(None),
        });
        chat.steps = steps.collect::<Result<_, _>>()?;
        Ok(chat)
    }

    fn one(model: &Model, build: &Build<'_>) -> Result<Self, BuildError> {
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
        let counter = Counter::new(endpoint.system, &endpoint.model);
        let name = model.name.value.clone();
        Ok(Self {
            name,
            wire: Box::new(settings),
            endpoint,
            price_as_of,
            counter,
            steps: Vec::new(),
        })
    }

    /// Who is asked in an attempt: whom its step names. In the first one it is the first who has
    /// answered all of it before, be it in a step of an earlier run.
    pub(crate) fn at(&self, step: Option<usize>, knows: impl Fn(&Self) -> bool) -> &Self {
        match step {
            Some(step) => self.steps.get(step).and_then(Option::as_ref).unwrap_or(self),
            None if self.steps.iter().all(Option::is_none) => self,
            None => self.all().find(|chat| knows(chat)).unwrap_or(self),
        }
    }

    /// Whether a question was answered before.
    pub(crate) fn knows(&self, ask: &Ask<'_>, known: &Answers) -> bool {
        known.has(&self.question(&self.wire.body(&self.endpoint.model, ask)))
    }

    /// All that decides on answers besides what is asked.
    pub(crate) fn factor(&self) -> Factor {
        let ask = Ask { system: "", turns: &[], schema: &Value::Null };
        let question = |chat: &Self| chat.question(&chat.wire.body(&chat.endpoint.model, &ask));
        Factor::new("model", self.all().map(question).collect::<Vec<_>>().join("\n"))
    }

    /// All who may be asked, this one first.
    fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.steps.iter().flatten())
    }

    /// What a plan must know of all who may be asked.
    pub(crate) fn models(&self) -> Vec<Asked> {
        let asked = self.all().map(|chat| {
            let (counted, counting_error) = chat.counter.way();
            Asked {
                name: chat.name.clone(),
                model: chat.endpoint.model.clone(),
                price: chat.endpoint.price,
                price_as_of: chat.price_as_of,
                limit: chat.endpoint.limit.clone(),
                most_output: chat.wire.most_answer(),
                counted,
                counting_error,
            }
        });
        asked.collect()
    }

    /// What a question is thought to use whose answer has at most so many tokens for each of the
    /// text that it is about, besides some.
    pub(crate) fn estimate(
        &self,
        ask: &Ask<'_>,
        text: &str,
        answer: Share,
        known: &Answers,
    ) -> Estimate {
        if self.knows(ask, known) {
            return Estimate { reused: 1, ..Estimate::default() };
        }
        let input = self.counter.question(ask, self.wire.sends_schema());
        let input_tokens = Band { low: input, high: input };
        let high = answer.besides + answer.for_each * self.counter.text(text);
        let high = self.wire.most_answer().map_or(high, |most| most.min(high));
        let output_tokens = Band { low: answer.least.min(high), high };
        Estimate { calls: 1, reused: 0, input_tokens, output_tokens }
    }

    /// What the next question of a conversation is thought to use: all that was said before goes
    /// along, the answer too.
    pub(crate) fn after(&self, before: Estimate, more: &str) -> Estimate {
        let Estimate { calls, input_tokens: input, output_tokens: answer, .. } = before;
        let more = calls * self.counter.said(more);
        let input_tokens = Band {
            low: input.low + calls * self.counter.said("") + answer.low + more,
            high: input.high + calls * self.counter.said("") + answer.high + more,
        };
        Estimate { input_tokens, ..before }
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
        self.all().all(|chat| chat.wire.sends_schema())
    }

    /// Asks, once. What an earlier attempt or an earlier run was answered is not asked again.
    pub(crate) async fn ask(&self, ask: &Ask<'_>, context: &CallContext) -> Result<Said, Failure> {
        let body = self.wire.body(&self.endpoint.model, ask).to_string();
        let question = self.question(&body);
        // In a box, since it is handed on several times, and very many may wait for their answers.
        let reply = Box::pin(self.reply(body, self.tokens(&question), context));
        let answer = context.once(&question, reply).await?;
        let cut = answer.strip_suffix(CUT);
        Ok(Said { text: cut.unwrap_or(&answer).to_owned(), cut: cut.is_some() })
    }

    async fn reply(
        &self,
        body: String,
        estimate: Tokens,
        context: &CallContext,
    ) -> Result<String, Failure> {
        let used = self.wire.used();
        let most_output = self.wire.most_answer();
        let request = Request { endpoint: &self.endpoint, body, estimate, most_output, used };
        let answer = context.door.post_json(request, &context.meter).await?;
        let text = self.wire.reply(&answer)?;
        if text.trim().is_empty() {
            return Err(Failure::transient("the model's answer is empty"));
        }
        Ok(text)
    }

    /// Forgets answers that were of no use, so that a later run asks anew.
    pub(crate) async fn forget(
        &self,
        asks: impl Iterator<Item = Ask<'_>>,
        context: &CallContext,
    ) -> Result<(), Failure> {
        let questions = asks.map(|ask| self.question(&self.wire.body(&self.endpoint.model, &ask)));
        context.answers.forget(questions.collect()).await
    }

    /// What the answer to a question is kept under.
    pub(crate) fn kept_under(&self, ask: &Ask<'_>) -> Key {
        key_of(&self.question(&self.wire.body(&self.endpoint.model, ask)))
    }

    /// All that decides on the answer.
    fn question(&self, body: &impl std::fmt::Display) -> String {
        format!("{}\n{body}", self.endpoint.url)
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

/// What came of an answer that is longer than it may be, marked as such.
fn cut_off(text: &str) -> Result<String, Failure> {
    if text.trim().is_empty() { Err(too_long("")) } else { Ok(format!("{text}{CUT}")) }
}

/// An answer that is longer than it may be is of no use.
pub(crate) fn too_long(asked: &str) -> Failure {
    Failure::bad(format!(
        "the model's answer was cut off at its most tokens{asked}; raise `max_tokens` of the \
         model, or cut the text into chunks"
    ))
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
