//! Providers of models: what their settings have in common, and where their calls go.

use flow_dsl::catalog::ProviderSpec;
use flow_dsl::pipeline::Model;
use flow_engine::door::{Endpoint, Key, Operation, Price, Secret};
use flow_engine::prelude::*;
use serde::de::DeserializeOwned;

use super::price::ModelPrice;
use super::prices;

/// The settings of a provider's models. The doc comment of the struct is the provider's manual.
pub(super) trait Provider: DeserializeOwned + JsonSchema {
    /// The word after `provider:`.
    const NAME: &'static str;
    /// The secret that holds the key when a model names none.
    const SECRET: Option<&'static str>;
    /// Where its servers are when a model does not say.
    const SERVER: &'static str;
    /// Whether those take money, so that the table of prices is about them.
    const IS_HOSTED: bool = true;

    /// The model, as the server calls it.
    fn model(&self) -> &str;

    /// The server.
    fn base_url(&self) -> &str;

    /// What the file says that it costs.
    fn price(&self) -> Option<ModelPrice>;

    /// What comes behind the server's address.
    fn path(&self, operation: Operation) -> String;

    /// How a call shows its key.
    fn key(secret: Secret) -> Key {
        Key::Bearer(secret)
    }

    /// Further headers of every call.
    fn headers() -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Whether the server is the one where the provider's own prices hold.
    fn is_at_home(&self) -> bool {
        self.base_url().trim_end_matches('/') == Self::SERVER
    }
}

/// What the checker may know of a provider.
pub(super) fn spec<P: Provider>() -> ProviderSpec {
    let settings = Value::from(schemars::schema_for!(P));
    let doc = settings.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    ProviderSpec { name: P::NAME, doc, settings, secret: P::SECRET }
}

/// The settings of a declared model.
pub(super) fn settings<P: Provider>(model: &Model) -> Result<P, BuildError> {
    serde_json::from_value(model.settings.to_json()).map_err(|error| {
        let message = format!("`{}` cannot be read: {error}", model.name.value);
        BuildError::setting("model", message)
    })
}

/// Where the calls of a declared model go.
pub(super) fn endpoint<P: Provider>(
    settings: &P,
    model: &Model,
    build: &Build<'_>,
    operation: Operation,
) -> Result<Endpoint, BuildError> {
    let base = address(model, settings.base_url())?;
    Ok(Endpoint {
        system: P::NAME,
        model: settings.model().to_owned(),
        operation,
        url: format!("{base}{}", settings.path(operation)),
        headers: P::headers(),
        key: build.key(model).map(P::key),
        limit: model.limit.as_ref().map(|limit| limit.value.clone()),
        price: price(settings).map(|(price, _)| price),
    })
}

/// What a model costs and, where that is of the table, the day for which the table holds.
pub(super) fn price<P: Provider>(settings: &P) -> Option<(Price, Option<&'static str>)> {
    match settings.price() {
        Some(price) => Some((price.into(), None)),
        None if !P::IS_HOSTED => Some((ModelPrice::Free.into(), None)),
        None if settings.is_at_home() => {
            prices::hosted(P::NAME, settings.model()).map(|price| (price, Some(prices::AS_OF)))
        }
        None => None,
    }
}

/// The address of a server without a slash at its end; refused when it is none.
fn address<'a>(model: &Model, base: &'a str) -> Result<&'a str, BuildError> {
    let base = base.trim_end_matches('/');
    let host = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://"));
    if host.is_some_and(|host| host.starts_with(|c: char| c.is_alphanumeric() || c == '[')) {
        return Ok(base);
    }
    let message =
        format!("`{}` has the `base_url` `{base}`, which is no web address", model.name.value);
    Err(BuildError::setting("model", message).help("write it like `http://localhost:11434/v1`"))
}
