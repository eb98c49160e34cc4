//! One spelling written as the other, comments included.

mod comments;
mod flow;
mod scalar;
mod yaml;

use std::sync::Arc;

use comments::Comments;

use crate::diagnostic::Diagnostic;
use crate::parse::read;
use crate::source::{SourceFile, Spelling};
use crate::tree::{Entry, Node, Value};

/// Why a file cannot be written in the other spelling.
#[derive(Debug)]
pub enum Unconverted {
    /// It has mistakes of spelling.
    Wrong(Vec<Diagnostic>),
    /// Something in it has no place in the other spelling.
    Lost,
}

/// The text of a file in the other spelling: it gives the same tree but for the order of keys in
/// a declaration, and has the same comments.
pub fn convert(source: &Arc<SourceFile>) -> Result<String, Unconverted> {
    let (root, found) = read(source);
    if !found.is_empty() {
        return Err(Unconverted::Wrong(found));
    }
    if holds_later(&root) {
        return Err(Unconverted::Lost);
    }
    let count = comments::all(source, &root).len();
    let mut carried = Comments::new(comments::all(source, &root), &root);
    let (name, text) = match source.spelling {
        Spelling::Yaml => ("a.flow", flow::written(&root, &mut carried)),
        Spelling::Flow => ("a.yaml", Some(yaml::written(&root, &mut carried))),
    };
    let text = text.ok_or(Unconverted::Lost)?;
    let again = SourceFile::new(name, text);
    let (tree, found) = read(&again);
    let same = found.is_empty()
        && meaning(&tree, 0).says_the_same(&meaning(&root, 0))
        && comments::all(&again, &tree).len() == count;
    same.then(|| again.text.clone()).ok_or(Unconverted::Lost)
}

/// Whether a file has what no version can run yet, so that nobody can tell whether it is the same.
fn holds_later(root: &Node) -> bool {
    let nodes = root.get("stages").map_or(&[][..], Node::entries);
    ["include", "schedule", "hooks", "tests"].iter().any(|key| root.get(key).is_some())
        || nodes.iter().any(|node| node.value.get("each").is_some())
}

/// A tree without what has no meaning: the order of declarations and of keys in them, a list of
/// one input, settings that are not there.
pub fn meaning(node: &Node, depth: usize) -> Node {
    let value = match &node.value {
        Value::Map(entries) => {
            let is_node = depth == 2 && entries.iter().any(|entry| entry.key.value == "uses");
            let kept = entries.iter().filter(|entry| {
                !(is_node && entry.key.value == "with" && entry.value.value == Value::Null)
            });
            let mut all: Vec<Entry> = kept
                .map(|entry| {
                    let mut value = meaning(&entry.value, depth + 1);
                    if let Value::List(items) = &mut value.value
                        && is_node
                        && entry.key.value == "from"
                        && items.len() == 1
                    {
                        value = items.remove(0);
                    }
                    Entry { key: entry.key.clone(), value }
                })
                .collect();
            if depth < 3 {
                all.sort_by(|a, b| a.key.value.cmp(&b.key.value));
            }
            Value::Map(all)
        }
        other => other.clone(),
    };
    Node { value, span: node.span, source: None }
}
