//! Embeddings by Ollama's own wire format.

use flow_engine::door::Tokens;
use flow_engine::prelude::*;

use super::Wire;
use crate::model::chat::{Ollama, count};
use crate::model::provider::Provider;

impl Wire for Ollama {
    fn body(&self, texts: &[&str], dimensions: Option<usize>) -> Value {
        // Without it, the server would cut a text that is too long, and not say so.
        let mut body = json!({"model": self.model(), "input": texts, "truncate": false});
        if let Some(dimensions) = dimensions {
            body["dimensions"] = json!(dimensions);
        }
        if !self.options().is_empty() {
            body["options"] = json!(self.options());
        }
        body
    }

    fn vectors(&self, mut answer: Value) -> Result<Vec<Value>, Failure> {
        match answer["embeddings"].take() {
            Value::Array(vectors) => Ok(vectors),
            _ => Err(Failure::transient("the server's answer holds no vectors")),
        }
    }

    fn used(&self) -> fn(&Value) -> Tokens {
        |answer| Tokens { input: count(&answer["prompt_eval_count"]), ..Tokens::default() }
    }
}
