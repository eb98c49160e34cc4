//! `embed`: give each record the vector of its text.

use std::sync::{Arc, OnceLock};

use flow_engine::prelude::*;
use flow_engine::stage::{Asked, Estimate};

use super::Embedder;
use crate::model::input;
use crate::settings::RESERVED;

/// Gives each record the vector of its text, many texts in a call.
///
/// The model is one of those declared under `models`, of `openai` (or any server that speaks its
/// wire format), `gemini` or `ollama`. Texts of different documents go in one call: `batch_size`
/// (without it, 96) says how many, `parallelism` how many calls go at once.
///
/// A text that the server refuses, say because it is too long, is rejected alone: a call that is
/// refused is halved until the bad texts are found. After four of them in a batch, what is still
/// refused together is rejected together. One that is empty, or is no text, is rejected without a
/// call.
///
/// All vectors of a run have one length, that of `dimensions` or else of the first; a record whose
/// vector has another is rejected.
///
/// ```yaml
/// vectors:
///   uses: embed
///   from: pieces
///   parallelism: 8
///   with: {model: embedder, text: text, into: vector}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Embed {
    /// The model that embeds, as it is called under `models`.
    #[schemars(extend("format" = "model"))]
    model: String,
    /// Where the text is: a field, or an expression over fields. Without it, the field `text`.
    #[serde(default)]
    text: Option<Expr>,
    /// The field that takes the vector, a list of numbers.
    #[serde(default = "embedding")]
    into: String,
    /// The length of the vectors; asked of the server, and checked.
    #[serde(default)]
    #[schemars(range(min = 1))]
    dimensions: Option<usize>,
    /// The most tokens of a call, about; without it, what the provider takes.
    #[serde(default)]
    #[schemars(range(min = 1))]
    batch_tokens: Option<u64>,
}

fn embedding() -> String {
    "embedding".to_owned()
}

impl Config for Embed {
    const NAME: &'static str = "embed";
    const SHAPE: Shape = Shape::Map;

    fn fields(settings: &Value) -> Fields {
        let into = settings.get("into").and_then(Value::as_str).unwrap_or("embedding");
        Fields::Changed { added: vec![into.to_owned()], removed: Vec::new() }
    }

    fn weigh(settings: &Value, build: &Build<'_>) -> Vec<BuildError> {
        let text = |name| settings.get(name).and_then(Value::as_str);
        let mut refused = Vec::new();
        if let Some(into) = text("into").filter(|into| RESERVED.contains(into)) {
            let message = format!("`{into}` is what a record has of its own");
            refused.push(BuildError::setting("into", message).help("take another name"));
        }
        let model = text("model").and_then(|name| build.model(name).ok());
        refused.extend(model.and_then(Embedder::refusal));
        refused
    }

    fn build(self, build: &Build<'_>) -> Result<Stage, BuildError> {
        let text = match self.text {
            Some(text) => text,
            None => {
                Expr::new("text").map_err(|error| BuildError::setting("text", error.to_string()))?
            }
        };
        let model = build.model(&self.model)?;
        let embedder = Embedder::new(model, build, self.dimensions, self.batch_tokens)?;
        let length = self.dimensions.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Stage::Call(Arc::new(ByModel { embedder, text, into: self.into, length })))
    }
}

struct ByModel {
    embedder: Embedder,
    text: Expr,
    into: String,
    /// The length of all vectors of the run.
    length: OnceLock<usize>,
}

impl ByModel {
    fn with_vector(&self, record: &Record, vector: Value) -> Result<Record, Failure> {
        let length = vector.as_array().map_or(0, Vec::len);
        let expected = *self.length.get_or_init(|| length);
        if length != expected {
            let reason =
                format!("the vector has {length} numbers, where all of the run have {expected}");
            return Err(Failure::bad(reason));
        }
        let mut record = record.clone();
        record.set(&self.into, vector);
        Ok(record)
    }
}

#[async_trait]
impl Call for ByModel {
    async fn apply(
        &self,
        batch: &[Record],
        context: &CallContext,
    ) -> Vec<Result<Vec<Record>, Failure>> {
        let texts: Vec<Result<String, Failure>> =
            batch.iter().map(|record| input::text(&self.text, record)).collect();
        let good: Vec<(&Record, &str)> = batch
            .iter()
            .zip(&texts)
            .filter_map(|(record, text)| Some((record, text.as_deref().ok()?)))
            .collect();
        let mut vectors = self.embedder.embed(&good, context).await.into_iter();
        let results = batch.iter().zip(&texts).map(|(record, text)| {
            text.as_ref().map_err(Clone::clone)?;
            let vector = vectors.next().unwrap_or_else(|| Err(Failure::transient("no vector")))?;
            self.with_vector(record, vector).map(|record| vec![record])
        });
        results.collect()
    }

    fn factors(&self) -> Vec<Factor> {
        vec![self.embedder.factor()]
    }

    fn factors_of(&self, record: &Record) -> Vec<Factor> {
        let text = input::text(&self.text, record).map(|text| Factor::new("text", text));
        vec![text.unwrap_or_else(|_| Factor::record(record))]
    }

    fn models(&self) -> Vec<Asked> {
        vec![self.embedder.asked()]
    }

    fn estimate(&self, batch: &[Record], known: &Answers) -> Option<Estimate> {
        let texts = batch.iter().map(|record| input::text(&self.text, record));
        // A record without a text takes no call.
        let texts: Vec<String> = texts.filter_map(Result::ok).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        Some(self.embedder.estimate(&texts, known))
    }

    fn batch_size(&self) -> usize {
        96
    }
}
