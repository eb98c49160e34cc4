//! Values on one line, in either spelling.

use crate::parse::plain;
use crate::source::Spelling;
use crate::tree::{Entry, Node, Value};

/// A value on one line.
pub(super) fn inline(node: &Node, spelling: Spelling) -> String {
    match &node.value {
        Value::Null | Value::Bad => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(text) => text.clone(),
        Value::String(text) => string(text, spelling),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| inline(item, spelling)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Map(entries) => {
            let inner = pairs(entries, spelling);
            match spelling {
                Spelling::Yaml => format!("{{{inner}}}"),
                Spelling::Flow => format!("{{ {inner} }}"),
            }
        }
    }
}

/// `a: 1, b: 2`.
pub(super) fn pairs(entries: &[Entry], spelling: Spelling) -> String {
    let all = entries.iter().map(|entry| {
        format!("{}: {}", key(&entry.key.value, spelling), inline(&entry.value, spelling))
    });
    all.collect::<Vec<_>>().join(", ")
}

/// A key, in quotes where it must be.
pub(super) fn key(text: &str, spelling: Spelling) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(bare) {
        return text.to_owned();
    }
    quoted(text, spelling)
}

/// A text, bare where nothing in it could mean anything else.
pub(super) fn string(text: &str, spelling: Spelling) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-./*%+@".contains(c);
    let first = |c: char| c.is_ascii_alphanumeric() || "_./".contains(c);
    let plain_text = matches!(plain(text), Value::String(_));
    if plain_text && text.starts_with(first) && text.chars().all(bare) {
        return text.to_owned();
    }
    quoted(text, spelling)
}

/// A text in quotes: in single ones where that spares escapes.
fn quoted(text: &str, spelling: Spelling) -> String {
    let simple = !text.contains('\'') && !text.chars().any(char::is_control);
    if text.contains(['"', '\\']) && simple {
        return format!("'{text}'");
    }
    let json = serde_json::Value::from(text).to_string();
    match spelling {
        Spelling::Flow => json,
        // YAML takes these for line ends or leaves them out.
        Spelling::Yaml => json
            .replace('\u{85}', "\\u0085")
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029")
            .replace('\u{feff}', "\\ufeff")
            .replace('\u{7f}', "\\u007f"),
    }
}
