//! JSON values as SQLite and CSV hold them.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use serde_json::Value;

/// A value on its way into a column.
pub(super) struct Cell<'a>(pub(super) &'a Value);

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Bool(flag) => ToSqlOutput::from(*flag),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => ToSqlOutput::from(integer),
                (None, Some(real)) if number.is_f64() => ToSqlOutput::from(real),
                // An integer beyond SQLite's: its text is exact.
                _ => ToSqlOutput::from(number.to_string()),
            },
            Value::String(text) => ToSqlOutput::from(text.as_str()),
            nested => ToSqlOutput::from(nested.to_string()),
        })
    }
}

/// A value as the text of a CSV cell.
pub(super) fn text(value: &Value) -> std::borrow::Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}
