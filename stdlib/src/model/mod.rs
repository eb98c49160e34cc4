//! Stages that ask a model, and the models that they may ask.

mod carry;
mod chat;
mod confidence;
mod entity;
mod extract;
mod name;
mod phrases;
mod plain;
mod price;
mod prices;
mod provider;
mod rules;
pub(crate) mod schema;
mod sentences;
mod value;

use flow_dsl::catalog::ProviderSpec;
use flow_engine::prelude::json;

pub(crate) use extract::Extract;

/// The models that a file may declare.
pub(crate) const PROVIDERS: &[fn() -> ProviderSpec] = &[rules_spec, chat::PROVIDERS[0]];

/// The embedded default: deterministic, no key, no network.
fn rules_spec() -> ProviderSpec {
    ProviderSpec {
        name: "rules",
        doc: "Goes by the cue phrases, patterns and word lists of the schema. Deterministic, \
              needs no key and no network; it is no language model and understands nothing."
            .to_owned(),
        settings: json!({"type": "object", "properties": {}, "additionalProperties": false}),
        secret: None,
    }
}

#[cfg(test)]
mod tests;
