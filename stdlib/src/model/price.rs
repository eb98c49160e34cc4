//! What a model costs, as a file says it.

use flow_engine::door::Price;
use flow_engine::prelude::*;

/// What a model costs, in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelPrice {
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
        let cached = price.cached.unwrap_or(price.input);
        Self { input: price.input, cached, output: price.output }
    }
}
