//! Embeddings by the wire format of `OpenAI`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flow_engine::door::Tokens;
use flow_engine::prelude::*;

use super::Wire;
use crate::model::chat::{OpenAi, count};
use crate::model::provider::Provider;

impl Wire for OpenAi {
    fn body(&self, texts: &[&str], dimensions: Option<usize>) -> Value {
        let mut body = json!({"model": self.model(), "input": texts});
        if let Some(dimensions) = dimensions {
            body["dimensions"] = json!(dimensions);
        }
        // A third of the bytes; other servers may not know it.
        if self.is_at_home() {
            body["encoding_format"] = json!("base64");
        }
        body
    }

    fn vectors(&self, mut answer: Value) -> Result<Vec<Value>, Failure> {
        let Some(data) = answer["data"].as_array_mut() else {
            return Err(Failure::transient("the server's answer holds no vectors"));
        };
        let mut vectors = vec![Value::Null; data.len()];
        for (at, item) in data.iter_mut().enumerate() {
            let index =
                item["index"].as_u64().map_or(Some(at), |index| usize::try_from(index).ok());
            let place = index.and_then(|index| vectors.get_mut(index));
            match place {
                Some(place) if place.is_null() => *place = vector(item["embedding"].take())?,
                _ => {
                    return Err(Failure::transient(
                        "the server's answer numbers its vectors wrong",
                    ));
                }
            }
        }
        Ok(vectors)
    }

    fn used(&self) -> fn(&Value) -> Tokens {
        |answer| Tokens { input: count(&answer["usage"]["prompt_tokens"]), ..Tokens::default() }
    }

    fn most_texts(&self) -> usize {
        2048
    }

    fn most_tokens(&self) -> u64 {
        300_000
    }
}

/// Numbers as they are, or four bytes each in base64.
fn vector(written: Value) -> Result<Value, Failure> {
    let Value::String(text) = written else { return Ok(written) };
    let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() % 4 == 0);
    let Some(bytes) = bytes else {
        return Err(Failure::transient("the server's answer holds a vector that cannot be read"));
    };
    let number = |four: &[u8; 4]| Value::from(f32::from_le_bytes(*four));
    Ok(bytes.as_chunks().0.iter().map(number).collect())
}
