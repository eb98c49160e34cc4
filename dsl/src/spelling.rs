//! How values stand in the text of a template: `true`, `false` and `null`, as in a pipeline file.

use minijinja::value::ValueKind;
use minijinja::{Error, Output, State, Value, escape_formatter};

/// Writes a value; the formatter of every environment that renders templates.
pub fn spelling(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let word = match value.kind() {
        ValueKind::Bool if value.is_true() => "true",
        ValueKind::Bool => "false",
        ValueKind::None => "null",
        _ => return escape_formatter(out, state, value),
    };
    escape_formatter(out, state, &Value::from(word))
}
