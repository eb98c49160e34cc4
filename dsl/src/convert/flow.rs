//! A tree in the `.flow` spelling.

use std::fmt::Write;

use super::comments::Comments;
use super::scalar::{inline, key, pairs, string};
use crate::source::Spelling::Flow;
use crate::tree::{Entry, Node, Value};

/// The maps of declarations, and the word for each of them.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("params", "param"),
    ("secrets", "secret"),
    ("limits", "limit"),
    ("models", "model"),
    ("schemas", "schema"),
    ("profiles", "profile"),
    ("stages", "stage"),
];

/// What fits on a line.
const WIDTH: usize = 100;

/// The whole file; none when something has no place in this spelling.
pub(super) fn written(root: &Node, comments: &mut Comments) -> Option<String> {
    let mut out = String::new();
    for section in root.entries() {
        let name = section.key.value.as_str();
        let Some((_, word)) = SECTIONS.iter().find(|(known, _)| *known == name) else {
            top(&mut out, root, section, comments)?;
            continue;
        };
        if !matches!(section.value.value, Value::Map(_)) {
            return None;
        }
        begin(&mut out);
        for entry in section.value.entries() {
            let about = comments.take(entry.key.span.start);
            let text = declaration(word, entry, comments)?;
            if text.contains('\n') || out.ends_with("\n}\n") {
                begin(&mut out);
            }
            about.write(&mut out, "", &text);
        }
    }
    if !comments.last.is_empty() {
        begin(&mut out);
        for comment in &comments.last {
            let _ = writeln!(out, "{comment}");
        }
    }
    Some(out)
}

/// An empty line before what comes, unless there is one.
fn begin(out: &mut String) {
    if !out.is_empty() && !out.ends_with("\n\n") {
        out.push('\n');
    }
}

fn top(out: &mut String, root: &Node, entry: &Entry, comments: &mut Comments) -> Option<()> {
    let mut about = comments.take(entry.key.span.start);
    let value = &entry.value;
    let text = match entry.key.value.as_str() {
        "flow" => {
            let mut text = format!("flow {}", key(value.as_str()?, Flow));
            if let Some(title) = root.entries().iter().find(|entry| entry.key.value == "title") {
                let more = comments.take(title.key.span.start);
                about.before.extend(more.before);
                about.behind.extend(more.behind);
                let json = serde_json::Value::from(title.value.as_str()?);
                write!(text, " {json}").ok()?;
            }
            text
        }
        "title" if root.get("flow").is_some() => return Some(()),
        "defaults" => {
            begin(out);
            format!("defaults [{}]", pairs(map(value)?, Flow))
        }
        "budget" if matches!(value.value, Value::Map(_)) => {
            format!("budget [{}]", pairs(value.entries(), Flow))
        }
        "budget" => format!("budget {}", inline(value, Flow)),
        _ => return None,
    };
    about.write(out, "", &text);
    Some(())
}

fn map(node: &Node) -> Option<&[Entry]> {
    matches!(node.value, Value::Map(_)).then(|| node.entries())
}

fn declaration(word: &str, entry: &Entry, comments: &mut Comments) -> Option<String> {
    let (name, value) = (&entry.key.value, &entry.value);
    let head = format!("{word} {}", key(name, Flow));
    if word == "stage" {
        return node(head, value, comments);
    }
    let entries = match &value.value {
        Value::Null => return Some(head),
        Value::Map(entries) => entries,
        // The bare word is short for something else.
        Value::String(text) if word == "secret" && text == "env" => {
            return Some(format!("{head} = \"env\""));
        }
        _ if word == "param" => return None,
        _ => return Some(format!("{head} = {}", inline(value, Flow))),
    };
    let lead = |name: &str| entries.iter().find(|entry| entry.key.value == name);
    Some(match word {
        "param" => {
            let ty = lead("type").filter(|ty| ty.value.as_str().is_some());
            let default = lead("default");
            let ty = ty.map(|ty| format!(": {}", inline(&ty.value, Flow))).unwrap_or_default();
            let given = default.map(|value| format!(" = {}", inline(&value.value, Flow)));
            let rest = without(entries, &[("type", !ty.is_empty()), ("default", true)]);
            let block = if rest.is_empty() && entries.len() > rest.len() {
                String::new()
            } else {
                format!(" {}", inline(&Node::new(Value::Map(rest), value.span), Flow))
            };
            format!("{head}{ty}{}{block}", given.unwrap_or_default())
        }
        "secret" if matches!(&entries[..], [one] if one.key.value == "env" && one.value.as_str() == Some(name)) =>
        {
            format!("{head} = env")
        }
        "limit" => format!("{head} [{}]", pairs(entries, Flow)),
        "model" => {
            let provider = lead("provider").and_then(|one| one.value.as_str());
            let rest = without(entries, &[("provider", provider.is_some())]);
            let provider =
                provider.map(|one| format!(": {}", string(one, Flow))).unwrap_or_default();
            let block = Node::new(Value::Map(rest), value.span);
            let none = block.entries().is_empty() && !provider.is_empty();
            format!(
                "{head}{provider}{}",
                if none { String::new() } else { format!(" {}", inline(&block, Flow)) }
            )
        }
        _ => block(&head, value, comments),
    })
}

/// Entries less those that the head of a declaration has.
fn without(entries: &[Entry], taken: &[(&str, bool)]) -> Vec<Entry> {
    let is_taken = |name: &str| taken.iter().any(|(known, taken)| *taken && *known == name);
    entries.iter().filter(|entry| !is_taken(&entry.key.value)).cloned().collect()
}

fn node(mut head: String, value: &Node, comments: &mut Comments) -> Option<String> {
    let entries = map(value)?;
    if let Some(uses) = value.get("uses") {
        write!(head, ": {}", string(uses.as_str()?, Flow)).ok()?;
    }
    if let Some(from) = value.get("from") {
        write!(head, " <- {}", inputs(from)?).ok()?;
    }
    let hints = without(entries, &[("uses", true), ("from", true), ("with", true)]);
    let later = ["each", "as", "stages", "output"];
    if hints.iter().any(|hint| later.contains(&hint.key.value.as_str())) {
        return None;
    }
    if !hints.is_empty() {
        write!(head, " [{}]", pairs(&hints, Flow)).ok()?;
    }
    match value.get("with") {
        None | Some(Node { value: Value::Null, .. }) => Some(head),
        Some(with) => map(with).map(|_| block(&head, with, comments)),
    }
}

fn inputs(from: &Node) -> Option<String> {
    let one = |node: &Node| node.as_str().map(|text| key(text, Flow));
    let many = |items: &[Node]| -> Option<String> {
        let all: Option<Vec<String>> = items.iter().map(one).collect();
        all.filter(|all| !all.is_empty()).map(|all| all.join(", "))
    };
    match &from.value {
        Value::List(items) => many(items),
        Value::Map(ports) if !ports.is_empty() => {
            let ports = ports.iter().map(|port| {
                let nodes = match &port.value.value {
                    Value::List(items) => format!("[{}]", many(items)?),
                    _ => one(&port.value)?,
                };
                Some(format!("{}={nodes}", key(&port.key.value, Flow)))
            });
            ports.collect::<Option<Vec<_>>>().map(|ports| ports.join(", "))
        }
        _ => one(from),
    }
}

/// `{...}` behind a head: on its line if it fits, else a line for each entry.
fn block(head: &str, value: &Node, comments: &mut Comments) -> String {
    let line = format!("{head} {}", inline(value, Flow));
    if line.len() <= WIDTH && !comments.within(value) {
        return line;
    }
    let mut out = format!("{head} {{\n");
    for entry in value.entries() {
        let about = comments.take(entry.key.span.start);
        let text = format!("{}: {}", key(&entry.key.value, Flow), inline(&entry.value, Flow));
        about.write(&mut out, "  ", &text);
    }
    out.push('}');
    out
}
