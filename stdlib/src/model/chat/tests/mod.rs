//! What the tests of all wire formats share.

use flow_engine::stage::FailureKind;

use super::*;

/// Settings of a provider: a model called `m`, and more.
fn settings<P: Provider>(more: &Value) -> P {
    let mut settings = json!({"model": "m"});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(settings).unwrap()
}

/// The body of a request for an answer of a schema.
pub(super) fn asked_for<P: Provider + Wire>(more: &Value, schema: &Value) -> Value {
    let turns = [
        Turn::User("hello".to_owned()),
        Turn::Model("{".to_owned()),
        Turn::User("JSON, please".to_owned()),
    ];
    let ask = Ask { system: "be brief", turns: &turns, schema };
    settings::<P>(more).body("m", &ask)
}

/// The body of a request.
pub(super) fn asked<P: Provider + Wire>(more: &Value) -> Value {
    asked_for::<P>(more, &json!({"type": "object"}))
}

/// What is made of an answer; a reason to try again says so.
pub(super) fn judged<P: Provider + Wire>(answer: &Value) -> Result<String, String> {
    settings::<P>(&json!({})).reply(answer).map_err(|failure| match failure.kind {
        FailureKind::Transient => format!("again: {}", failure.reason),
        _ => failure.reason,
    })
}
