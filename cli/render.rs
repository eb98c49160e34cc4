//! Diagnostics as text, one line each.

use std::fmt::Write as _;

use flow_dsl::{Diagnostic, Severity};

/// Drawn for people.
pub(crate) fn render(diagnostics: &[Diagnostic], colour: bool) -> String {
    let _ = colour;
    short(diagnostics)
}

/// One line each.
pub(crate) fn short(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for one in diagnostics {
        let (line, column) = one.source.line_column(one.label.span.start);
        let word = if one.severity == Severity::Error { "error" } else { "warning" };
        let _ = writeln!(
            text,
            "{}:{line}:{column}: {word}[{}]: {}",
            one.source.name,
            one.code.name(),
            one.message
        );
    }
    text
}

/// A JSON array.
pub(crate) fn json(diagnostics: &[Diagnostic]) -> String {
    let all: Vec<_> = diagnostics
        .iter()
        .map(|one| serde_json::json!({"code": one.code.name(), "message": one.message}))
        .collect();
    serde_json::Value::from(all).to_string()
}
