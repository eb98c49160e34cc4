//! The text of a record that a model is to read.

use flow_engine::prelude::*;

/// The text that an expression finds in a record; anything else, and an empty one, is refused.
pub(super) fn text(of: &Expr, record: &Record) -> Result<String, Failure> {
    let is = match of.value(record)? {
        Value::String(text) if !text.trim().is_empty() => return Ok(text),
        Value::String(_) => "is empty",
        Value::Null => "is null, not a text",
        Value::Bool(_) => "is true or false, not a text",
        Value::Number(_) => "is a number, not a text",
        Value::Array(_) => "is a list, not a text",
        Value::Object(_) => "is an object, not a text",
    };
    Err(Failure::bad(format!("`{}` {is}", of.text())))
}
