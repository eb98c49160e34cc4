//! Any server that speaks the chat wire format of OpenAI, as a model to extract with.

mod answer;
mod entities;
mod ground;
mod prompt;
mod wire;

use flow_dsl::catalog::ProviderSpec;
use flow_dsl::pipeline::Model;
use flow_engine::door;
use flow_engine::prelude::*;

use super::extract::Input;
use super::schema::{EntitySchema, answer_schema};

/// Where the hosted models are.
const HOSTED: &str = "https://api.openai.com/v1";
/// Tokens that an answer is thought to have when nothing limits it.
const USUAL_ANSWER: u64 = 1000;
/// Bytes that make about one token.
const BYTES_PER_TOKEN: u64 = 4;

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
    #[serde(default = "cool")]
    temperature: Option<f64>,
    /// The most tokens of an answer; without it, the server decides.
    #[serde(default)]
    max_tokens: Option<u32>,
    /// How the server is made to answer in JSON.
    #[serde(default)]
    structured: Structured,
}

/// How a server is made to answer in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Structured {
    /// By the schema of the answer: it can give nothing else.
    #[default]
    JsonSchema,
    /// By the promise of some JSON object; its form stands in the prompt.
    JsonObject,
    /// By the prompt alone.
    None,
}

fn hosted() -> String {
    HOSTED.to_owned()
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional setting")]
const fn cool() -> Option<f64> {
    Some(0.0)
}

/// What the checker may know of the provider.
pub(crate) fn spec() -> ProviderSpec {
    let settings = Value::from(schemars::schema_for!(OpenAi));
    let doc = settings.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    ProviderSpec { name: "openai", doc, settings, secret: Some("OPENAI_API_KEY") }
}

/// Extracts by asking a chat model: one call for each record.
pub(crate) struct ByChat {
    input: Input,
    schema: EntitySchema,
    instructions: Option<Template>,
    settings: OpenAi,
    /// The schema of the answer, for the wire.
    answer: Value,
    url: String,
    key: Option<door::Secret>,
    limit: Option<String>,
}

impl ByChat {
    /// Makes it from a declared model.
    pub(crate) fn new(
        model: &Model,
        build: &Build<'_>,
        schema: EntitySchema,
        input: Input,
        instructions: Option<Template>,
    ) -> Result<Self, BuildError> {
        let name = &model.name.value;
        let settings: OpenAi =
            serde_json::from_value(model.settings.to_json()).map_err(|error| {
                BuildError::setting("model", format!("`{name}` cannot be read: {error}"))
            })?;
        let base = settings.base_url.trim_end_matches('/');
        let host = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://"));
        if !host.is_some_and(|host| host.starts_with(|c: char| c.is_alphanumeric() || c == '[')) {
            let message = format!("`{name}` has the `base_url` `{base}`, which is no web address");
            return Err(BuildError::setting("model", message)
                .help("write it like `http://localhost:11434/v1`"));
        }
        let url = format!("{base}/chat/completions");
        let answer = answer_schema(&schema);
        let key = build.key(model);
        let limit = model.limit.as_ref().map(|limit| limit.value.clone());
        Ok(Self { input, schema, instructions, settings, answer, url, key, limit })
    }

    /// The body of the call for a text.
    fn body(&self, record: &Record, text: &str) -> Result<Value, Failure> {
        let further = match &self.instructions {
            Some(template) => template.render(record)?,
            None => String::new(),
        };
        let settings = &self.settings;
        let system = prompt::system(&self.schema, settings.structured, &further);
        Ok(wire::request(settings, &system, &prompt::user(text), &self.answer))
    }

    async fn ask(&self, record: &Record, context: &CallContext) -> Result<Vec<Record>, Failure> {
        let text = self.input.text(record)?;
        let origin = self.input.origin(record, &self.settings.model)?;
        let body = self.body(record, &text)?;
        let answer_tokens = self.settings.max_tokens.map_or(USUAL_ANSWER, u64::from);
        let sent = body.to_string().len() as u64 / BYTES_PER_TOKEN;
        let request = door::Request {
            url: &self.url,
            headers: &[],
            bearer: self.key.as_ref(),
            body: &body,
            limit: self.limit.as_deref(),
            estimated_tokens: sent + answer_tokens,
        };
        let answer = context.door.post_json(request, &context.meter, wire::usage).await?;
        let answer = answer::read(&answer.body)?;
        Ok(origin.records(entities::read(&self.schema, &answer, &text)?))
    }
}

#[async_trait]
impl Call for ByChat {
    async fn apply(
        &self,
        batch: &[Record],
        context: &CallContext,
    ) -> Vec<Result<Vec<Record>, Failure>> {
        let mut results = Vec::with_capacity(batch.len());
        for record in batch {
            results.push(self.ask(record, context).await);
        }
        results
    }
}

#[cfg(test)]
mod tests;
