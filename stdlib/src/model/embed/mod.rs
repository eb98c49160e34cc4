//! Embedding models: many texts and a vector for each, whatever the provider's wire format.

mod embed;
mod gemini;
mod ollama;
mod openai;

use std::collections::HashSet;
use std::ops::Range;

use flow_dsl::pipeline::Model;
use flow_engine::door::{Endpoint, Operation, Request, Tokens};
use flow_engine::prelude::*;
use flow_engine::preview::Band;
use flow_engine::stage::{Asked, Estimate, FailureKind};

use super::chat::counter::Counter;
use super::chat::{Gemini, Ollama, OpenAi};
use super::provider::{self, Provider};

pub(crate) use embed::Embed;

/// Bytes that make about one token.
const BYTES_PER_TOKEN: u64 = 4;
/// Bytes that make a token at the least, as far as a call is to be kept below what a server takes.
const FEWEST_BYTES_PER_TOKEN: u64 = 3;
/// Bad texts of a batch that are found one by one; what is still refused then is so together.
const MOST_BAD: usize = 4;

/// An embedding model, ready to be asked.
pub(crate) struct Embedder {
    /// As the file calls it.
    name: String,
    price_as_of: Option<&'static str>,
    counter: Counter,
    wire: Box<dyn Wire>,
    endpoint: Endpoint,
    /// The length of vectors that is asked for.
    dimensions: Option<usize>,
    /// Tokens of a call.
    most_tokens: u64,
}

/// The wire format of a provider, with the settings of one model.
trait Wire: Send + Sync {
    /// The body of a request.
    fn body(&self, texts: &[&str], dimensions: Option<usize>) -> Value;

    /// The vectors, in the order of the texts, or why there are none.
    fn vectors(&self, answer: Value) -> Result<Vec<Value>, Failure>;

    /// Reads the tokens that the server counted; zeros where it does not say.
    fn used(&self) -> fn(&Value) -> Tokens;

    /// Texts that the server takes in a call.
    fn most_texts(&self) -> usize {
        usize::MAX
    }

    /// Tokens that the server takes in a call.
    fn most_tokens(&self) -> u64 {
        u64::MAX
    }
}

impl Embedder {
    /// A declared model; one that cannot embed is refused.
    pub(crate) fn new(
        model: &Model,
        build: &Build<'_>,
        dimensions: Option<usize>,
        most_tokens: Option<u64>,
    ) -> Result<Self, BuildError> {
        let mut embedder = match model.provider.value.as_str() {
            Gemini::NAME => Self::of::<Gemini>(model, build),
            Ollama::NAME => Self::of::<Ollama>(model, build),
            OpenAi::NAME => Self::of::<OpenAi>(model, build),
            _ => Err(Self::cannot(model)),
        }?;
        embedder.dimensions = dimensions;
        embedder.most_tokens = most_tokens.unwrap_or(embedder.most_tokens);
        Ok(embedder)
    }

    /// What speaks against a model, whatever its settings.
    pub(crate) fn refusal(model: &Model) -> Option<BuildError> {
        let can = [Gemini::NAME, Ollama::NAME, OpenAi::NAME];
        (!can.contains(&model.provider.value.as_str())).then(|| Self::cannot(model))
    }

    fn cannot(model: &Model) -> BuildError {
        let (name, provider) = (&model.name.value, &model.provider.value);
        let message = format!("`{name}` is of `{provider}`, which cannot embed");
        BuildError::setting("model", message)
            .help("name a model of `openai` (or a compatible server), `gemini` or `ollama`")
    }

    fn of<P: Provider + Wire + 'static>(
        model: &Model,
        build: &Build<'_>,
    ) -> Result<Self, BuildError> {
        let settings: P = provider::settings(model)?;
        let endpoint = provider::endpoint(&settings, model, build, Operation::Embeddings)?;
        Ok(Self {
            name: model.name.value.clone(),
            price_as_of: provider::price(&settings).and_then(|(_, as_of)| as_of),
            counter: Counter::new(endpoint.system, &endpoint.model),
            most_tokens: settings.most_tokens(),
            wire: Box::new(settings),
            endpoint,
            dimensions: None,
        })
    }

    /// All that decides on vectors besides the texts.
    pub(crate) fn factor(&self) -> Factor {
        Factor::new("model", self.question(""))
    }

    /// What a plan must know of it.
    pub(crate) fn asked(&self) -> Asked {
        let (counted, counting_error) = self.counter.way();
        Asked {
            name: self.name.clone(),
            model: self.endpoint.model.clone(),
            price: self.endpoint.price,
            price_as_of: self.price_as_of,
            limit: self.endpoint.limit.clone(),
            most_output: Some(0),
            counted,
            counting_error,
        }
    }

    /// What texts are thought to need, when no call is refused.
    pub(crate) fn estimate(&self, texts: &[&str], known: &Answers) -> Estimate {
        let mut asked = HashSet::new();
        let (old, texts): (Vec<&str>, Vec<&str>) =
            texts.iter().partition(|text| known.has(&self.question(text)) || !asked.insert(**text));
        let tokens = texts.iter().map(|text| self.counter.text(text)).sum();
        Estimate {
            calls: self.parts(&texts).len() as u64,
            reused: old.len() as u64,
            input_tokens: Band { low: tokens, high: tokens },
            output_tokens: Band::default(),
        }
    }

    /// A vector for each text, or why it has none. Those that an earlier run has are not asked for,
    /// and of equal texts one is.
    pub(crate) async fn embed(
        &self,
        texts: &[(&Record, &str)],
        context: &CallContext,
    ) -> Vec<Result<Value, Failure>> {
        let questions: Vec<(String, RecordId)> =
            texts.iter().map(|(record, text)| (self.question(text), record.id)).collect();
        match self.hear(texts, &questions, context).await {
            Ok(vectors) => vectors,
            Err(failure) => vec![Err(failure); texts.len()],
        }
    }

    async fn hear(
        &self,
        texts: &[(&Record, &str)],
        questions: &[(String, RecordId)],
        context: &CallContext,
    ) -> Result<Vec<Result<Value, Failure>>, Failure> {
        let mut vectors = vec![Err(Failure::bad("no vector came for it")); texts.len()];
        let mut together = context.together(questions)?;
        while let Some(round) = together.next().await? {
            for (at, answer) in round.known {
                let vector = serde_json::from_str(&answer);
                vectors[at] = vector.map_err(|_| Failure::bad("the vector that is kept is none"));
            }
            let asked: Vec<&str> = round.ours.iter().map(|at| texts[*at].1).collect();
            let heard = self.ask(&asked, context).await;
            let kept = heard.iter().map(|vector| vector.as_ref().ok().map(Value::to_string));
            let twins = together.heard(kept).await?;
            for ((at, twins), vector) in round.ours.into_iter().zip(twins).zip(heard) {
                for twin in twins {
                    vectors[twin].clone_from(&vector);
                }
                vectors[at] = vector;
            }
        }
        Ok(vectors)
    }

    /// All that decides on the vector of a text.
    fn question(&self, text: &str) -> String {
        format!("{}\n{}", self.endpoint.url, self.wire.body(&[text], self.dimensions))
    }

    /// A vector for each text, or why it has none. A call that the server finds bad is halved until
    /// the bad texts stand alone.
    async fn ask(&self, texts: &[&str], context: &CallContext) -> Vec<Result<Value, Failure>> {
        let mut results = Vec::with_capacity(texts.len());
        let mut parts = self.parts(texts);
        parts.reverse();
        let mut halvings = MOST_BAD * texts.len().max(1).ilog2() as usize;
        while let Some(part) = parts.pop() {
            match self.call(&texts[part.clone()], context).await {
                Ok(vectors) => results.extend(vectors.into_iter().map(Ok)),
                Err(failure) if failure.kind == FailureKind::Bad && part.len() > 1 => {
                    if halvings == 0 {
                        results.extend(part.clone().map(|_| Err(together(&failure, part.len()))));
                        continue;
                    }
                    halvings -= 1;
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
                Err(failure) => results.extend(part.map(|_| Err(failure.clone()))),
            }
        }
        results
    }

    /// The calls for texts: as few as their number and their tokens allow.
    fn parts(&self, texts: &[&str]) -> Vec<Range<usize>> {
        let (mut parts, mut start, mut tokens) = (Vec::new(), 0, 0);
        for (at, text) in texts.iter().enumerate() {
            let more = text.len() as u64 / FEWEST_BYTES_PER_TOKEN + 1;
            let full = tokens + more > self.most_tokens || at - start == self.wire.most_texts();
            if full && at > start {
                parts.push(start..at);
                (start, tokens) = (at, 0);
            }
            tokens += more;
        }
        if start < texts.len() {
            parts.push(start..texts.len());
        }
        parts
    }

    async fn call(&self, texts: &[&str], context: &CallContext) -> Result<Vec<Value>, Failure> {
        let body = self.wire.body(texts, self.dimensions).to_string();
        let bytes: u64 = texts.iter().map(|text| text.len() as u64).sum();
        let estimate = Tokens { input: bytes / BYTES_PER_TOKEN, ..Tokens::default() };
        let used = self.wire.used();
        let most_output = Some(0);
        let request = Request { endpoint: &self.endpoint, body, estimate, most_output, used };
        let answer = context.door.post_json(request, &context.meter).await?;
        if let Some(failure) = super::chat::error_in(&answer) {
            return Err(failure);
        }
        let vectors = self.wire.vectors(answer)?;
        if vectors.len() != texts.len() {
            let (had, gave) = (texts.len(), vectors.len());
            let reason = format!("the server gave {gave} vectors for {had} texts");
            return Err(Failure::transient(reason));
        }
        if vectors.iter().all(is_vector) {
            Ok(vectors)
        } else {
            Err(Failure::transient("the server's answer holds a vector without numbers"))
        }
    }
}

fn is_vector(value: &Value) -> bool {
    let numbers = value.as_array().map(Vec::as_slice).unwrap_or_default();
    !numbers.is_empty() && numbers.iter().all(Value::is_number)
}

fn together(failure: &Failure, count: usize) -> Failure {
    let reason = format!("{} (said of {count} texts together)", failure.reason);
    Failure { reason, ..failure.clone() }
}

#[cfg(test)]
mod tests;
