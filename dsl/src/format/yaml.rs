//! YAML laid out, touched as little as possible: no blanks at the ends of lines, one empty line
//! where there were several, one line end at the end.

use std::sync::Arc;

use crate::source::{SourceFile, Span};
use crate::tree::{Node, Value};

/// The text of a file that has no mistake.
pub(super) fn laid_out(source: &Arc<SourceFile>, root: &Node) -> String {
    let mut texts = Vec::new();
    long_texts(&source.text, root, &mut texts);
    texts.sort_unstable();
    let (mut out, mut at, mut next) = (String::new(), 0, 0);
    let mut was_empty = true;
    for line in source.text.split_inclusive('\n') {
        let end = at + line.len();
        while texts.get(next).is_some_and(|text| text.end <= at) {
            next += 1;
        }
        // Where a text of several lines goes on behind this line, blanks may be part of it.
        let inside = texts.get(next).is_some_and(|text| text.start < end && end <= text.end);
        let text = line.trim_end_matches(['\n', '\r']);
        let ending = &line[text.len()..];
        let text = if inside { text } else { text.trim_end_matches([' ', '\t']) };
        let empty = text.is_empty();
        if inside || !empty || !was_empty {
            out.push_str(text);
            out.push_str(ending);
        }
        was_empty = empty && !inside;
        at = end;
    }
    let ending = if out.ends_with("\r\n") { "\r\n" } else { "\n" };
    let length = out.trim_end_matches(['\n', '\r']).len();
    out.truncate(length);
    if length > 0 {
        out.push_str(ending);
    }
    out
}

/// Places of texts that have several lines.
fn long_texts(text: &str, node: &Node, found: &mut Vec<Span>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| long_texts(text, item, found)),
        Value::Map(entries) => {
            for entry in entries {
                if text[entry.key.span.start..entry.key.span.end].contains('\n') {
                    found.push(entry.key.span);
                }
                long_texts(text, &entry.value, found);
            }
        }
        _ if text[node.span.start..node.span.end].contains('\n') => found.push(node.span),
        _ => {}
    }
}
