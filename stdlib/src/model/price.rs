//! What a model costs, as a file says it.

use std::fmt;

use flow_engine::door::Price;
use flow_engine::prelude::*;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// What a model costs: `free`, or so much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ModelPrice {
    /// Nothing.
    Free,
    /// By the token.
    PerMillion(PerMillion),
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerMillion {
    /// Tokens that are sent.
    #[schemars(range(min = 0))]
    input: f64,
    /// Tokens that are received.
    #[serde(default)]
    #[schemars(range(min = 0))]
    output: f64,
    /// Tokens that are sent and that the server has in its cache; without it, as `input`.
    #[serde(default)]
    #[schemars(range(min = 0))]
    cached: Option<f64>,
}

impl From<ModelPrice> for Price {
    fn from(price: ModelPrice) -> Self {
        match price {
            ModelPrice::Free => Self { input: 0.0, cached: 0.0, output: 0.0 },
            ModelPrice::PerMillion(price) => {
                let cached = price.cached.unwrap_or(price.input);
                Self { input: price.input, cached, output: price.output }
            }
        }
    }
}

impl<'de> Deserialize<'de> for ModelPrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = ModelPrice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`free`, or a map with `input` and `output`")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<ModelPrice, E> {
                match word {
                    "free" => Ok(ModelPrice::Free),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelPrice, A::Error> {
                PerMillion::deserialize(MapAccessDeserializer::new(map)).map(ModelPrice::PerMillion)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl JsonSchema for ModelPrice {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ModelPrice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let price = generator.subschema_for::<PerMillion>();
        json_schema!({"anyOf": [{"type": "string", "const": "free"}, price]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_free_or_by_the_token() {
        for (written, expected) in [
            (json!("free"), Some((0.0, 0.0, 0.0))),
            (json!({"input": 2}), Some((2.0, 2.0, 0.0))),
            (json!({"input": 2, "cached": 0.5, "output": 8}), Some((2.0, 0.5, 8.0))),
            (json!("cheap"), None),
            (json!({"output": 1}), None),
            (json!({"input": 1, "inptu": 1}), None),
            (json!(1), None),
        ] {
            let price: Option<ModelPrice> = serde_json::from_value(written.clone()).ok();
            let price = price.map(Price::from).map(|one| (one.input, one.cached, one.output));
            assert_eq!(price, expected, "{written}");
        }
    }
}
