//! Embeddings by Gemini's wire format, `batchEmbedContents`.

use flow_engine::door::Tokens;
use flow_engine::prelude::*;

use super::Wire;
use crate::model::chat::{Gemini, count};
use crate::model::provider::Provider;

impl Wire for Gemini {
    fn body(&self, texts: &[&str], dimensions: Option<usize>) -> Value {
        let model = format!("models/{}", self.model());
        let request = |text: &&str| {
            let mut request = json!({"model": model, "content": {"parts": [{"text": text}]}});
            if let Some(dimensions) = dimensions {
                request["outputDimensionality"] = json!(dimensions);
            }
            request
        };
        json!({"requests": texts.iter().map(request).collect::<Vec<_>>()})
    }

    fn vectors(&self, mut answer: Value) -> Result<Vec<Value>, Failure> {
        let Some(embeddings) = answer["embeddings"].as_array_mut() else {
            return Err(Failure::transient("the server's answer holds no vectors"));
        };
        Ok(embeddings.iter_mut().map(|one| one["values"].take()).collect())
    }

    fn used(&self) -> fn(&Value) -> Tokens {
        |answer| {
            let input = count(&answer["usageMetadata"]["promptTokenCount"]);
            Tokens { input, ..Tokens::default() }
        }
    }

    fn most_texts(&self) -> usize {
        100
    }
}
