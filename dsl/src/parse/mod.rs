//! Text to spanned tree, with every independent mistake of spelling.

mod anchors;
mod builder;
mod flow;
mod lines;
mod offsets;
mod patch;
mod plain;
mod seen;
mod special;
mod syntax;
mod words;
mod yaml;

use std::collections::HashMap;
use std::sync::Arc;

use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Span, Spelling};
use crate::tree::{Ast, Node, Value};

pub(crate) use flow::{Kind, Token, begins_flow, tokens};
pub use plain::plain;
pub use yaml::yaml;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// How many lists and maps may stand inside each other.
pub const MAX_DEPTH: usize = 128;

/// The bytes of a file as text. A file that is not UTF-8 is a diagnostic.
pub fn decode(name: impl Into<String>, bytes: Vec<u8>) -> Result<Arc<SourceFile>, Box<Diagnostic>> {
    let name = name.into();
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Ok(SourceFile::new(name, text)),
        Err(error) => error,
    };
    let bytes = error.as_bytes();
    let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let valid = error.utf8_error().valid_up_to();
    let readable = String::from_utf8_lossy(&bytes[..valid]).into_owned();
    let source = SourceFile::new(name, readable);
    let message = if wide {
        "the file is UTF-16, not UTF-8".to_owned()
    } else {
        format!("the file is not UTF-8 text: byte {} is none", valid + 1)
    };
    let span = Span::new(valid, valid);
    Err(Diagnostic::new(Code::F0113, &source, span, message)
        .help("save it as UTF-8 in your editor")
        .into())
}

/// What is said of a file that is too large to be read.
fn too_large(source: &Arc<SourceFile>) -> Option<Diagnostic> {
    let length = source.text.len();
    (length > MAX_BYTES).then(|| {
        let message = format!("the file has {length} bytes, more than 16 MiB");
        Diagnostic::new(Code::F0106, source, Span::new(0, 0), message)
            .help("split it: data belongs in files that a stage reads")
    })
}

/// Reads a file in the spelling that it has, whatever it holds.
pub(crate) fn read(source: &Arc<SourceFile>) -> (Node, Vec<Diagnostic>) {
    match source.spelling {
        Spelling::Yaml => yaml(source),
        Spelling::Flow => flow::flow(source),
    }
}

/// Reads a pipeline file in the spelling that it has. There is always a tree; what could not be read is [`Value::Bad`] in it
/// and a diagnostic beside it.
pub fn parse(source: &Arc<SourceFile>) -> (Ast, Vec<Diagnostic>) {
    if let Some(found) = misnamed(source) {
        let root = Node::new(Value::Bad, Span::new(0, source.text.len()));
        return (Ast { source: Arc::clone(source), root, sound: false }, vec![found]);
    }
    let (mut root, mut diagnostics) = read(source);
    let help = match source.spelling {
        Spelling::Yaml => "begin with `flow: NAME`, then `stages:` with the nodes below it",
        Spelling::Flow => "begin with `flow NAME`, then a `stage` for each node",
    };
    let what = match &root.value {
        Value::Map(_) | Value::Bad => None,
        Value::Null => Some("the file is empty"),
        Value::List(_) => Some("a pipeline file holds `key: value` lines, not a list"),
        _ => Some("a pipeline file holds `key: value` lines, not a single value"),
    };
    if let Some(message) = what {
        let length = source.text[root.span.start..root.span.end].find(['\n', '\r']);
        let end = length.map_or(root.span.end, |length| root.span.start + length);
        let span = Span::new(root.span.start, end);
        diagnostics.push(Diagnostic::new(Code::F0112, source, span, message).help(help));
        root.value = Value::Bad;
    }
    name_twice(&root, &mut diagnostics);
    let sound = diagnostics.is_empty();
    (Ast { source: Arc::clone(source), root, sound }, diagnostics)
}

/// What is said of a `.flow` file whose name does not end so: as YAML each line would be wrong.
fn misnamed(source: &Arc<SourceFile>) -> Option<Diagnostic> {
    let wrong = source.spelling == Spelling::Yaml && begins_flow(&source.text);
    wrong.then(|| {
        let blank = |c: char| c.is_whitespace() || c == '\u{feff}';
        let lines = source.text.split_inclusive('\n');
        let comment =
            |line: &&str| matches!(line.trim_start_matches(blank).get(..1), None | Some("#"));
        let above: usize = lines.take_while(comment).map(str::len).sum();
        let rest = source.text[above..].trim_start_matches(blank);
        let start = source.text.len() - rest.len();
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let message = "the file is of the `.flow` spelling, but its name does not end so";
        Diagnostic::new(Code::F0112, source, Span::new(start, start + word), message)
            .help("let its name end in `.flow`; in YAML a key has a `:`, as in `flow: NAME`")
    })
}

/// A node that is declared twice has a page of its own.
fn name_twice(root: &Node, diagnostics: &mut [Diagnostic]) {
    let nodes = root.get("stages").map_or(&[][..], Node::entries);
    let nodes: HashMap<Span, &str> =
        nodes.iter().map(|node| (node.key.span, node.key.value.as_str())).collect();
    for diagnostic in diagnostics.iter_mut().filter(|found| found.code == Code::F0102) {
        if let Some(name) = nodes.get(&diagnostic.label.span) {
            diagnostic.code = Code::F0206;
            diagnostic.message = format!("two nodes are called `{name}`");
            diagnostic.help = Some("give one of them another name".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf8_is_said_so() {
        for (bytes, expected) in [
            (&b"flow: x"[..], "read"),
            (&[0xff, 0xfe, b'f', 0][..], "the file is UTF-16, not UTF-8"),
            (b"flow: \xfc", "the file is not UTF-8 text: byte 7 is none"),
        ] {
            let said = match decode("f", bytes.to_vec()) {
                Ok(_) => "read".to_owned(),
                Err(diagnostic) => diagnostic.message,
            };
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn only_a_map_is_a_pipeline() {
        for (text, message) in [
            ("", "the file is empty"),
            ("# nothing\n", "the file is empty"),
            ("\u{feff}", "the file is empty"),
            ("- a\n- b\n", "a pipeline file holds `key: value` lines, not a list"),
            ("hello\n", "a pipeline file holds `key: value` lines, not a single value"),
        ] {
            let (ast, diagnostics) = parse(&SourceFile::new("f", text));
            assert_eq!(ast.root.value, Value::Bad, "{text:?}");
            assert_eq!(diagnostics.len(), 1, "{text:?}");
            assert_eq!(diagnostics[0].message, message, "{text:?}");
        }
    }

    #[test]
    fn a_node_declared_twice_has_its_own_code() {
        let text = "stages:\n  a: {uses: x}\n  a: {uses: y}\nflow: f\nflow: g\n";
        let (_, diagnostics) = parse(&SourceFile::new("f", text));
        let codes: Vec<Code> = diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(codes, [Code::F0206, Code::F0102]);
    }
}
