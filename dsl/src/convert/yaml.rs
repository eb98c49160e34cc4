//! A tree in YAML.

use std::fmt::Write;

use super::comments::{About, Comments};
use super::flow::SECTIONS;
use super::scalar::{inline, key};
use crate::source::Spelling::Yaml;
use crate::tree::{Entry, Node, Value};

/// What fits on a line.
const WIDTH: usize = 100;

/// The whole file.
pub(super) fn written(root: &Node, comments: &mut Comments) -> String {
    let mut out = String::new();
    for section in root.entries() {
        let name = section.key.value.as_str();
        if !SECTIONS.iter().any(|(known, _)| *known == name) {
            let about = comments.take(section.key.span.start);
            entry(&mut out, 0, section, &about, comments);
            continue;
        }
        let gap = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{gap}{name}:");
        for declared in section.value.entries() {
            let about = comments.take(declared.key.span.start);
            if name == "stages" {
                node(&mut out, declared, &about, comments);
            } else {
                entry(&mut out, 1, declared, &about, comments);
            }
        }
    }
    for comment in &comments.last {
        let _ = writeln!(out, "{comment}");
    }
    out
}

fn node(out: &mut String, declared: &Entry, about: &About, comments: &mut Comments) {
    let Value::Map(entries) = &declared.value.value else {
        return entry(out, 1, declared, about, comments);
    };
    let name = format!("{}:", key(&declared.key.value, Yaml));
    about.write(out, "  ", &name);
    for inner in entries {
        entry(out, 2, inner, &About::default(), comments);
    }
}

/// A key and its value: on its line if that fits, else what is in it on lines of their own.
fn entry(out: &mut String, level: usize, entry: &Entry, about: &About, comments: &mut Comments) {
    let head = format!("{}:", key(&entry.key.value, Yaml));
    let text = match &entry.value.value {
        Value::Null => head.clone(),
        _ => format!("{head} {}", inline(&entry.value, Yaml)),
    };
    let entries = entry.value.entries();
    let fits = level * 2 + text.len() <= WIDTH && !comments.within(&entry.value);
    if fits || entries.is_empty() {
        return about.write(out, &"  ".repeat(level), &text);
    }
    about.write(out, &"  ".repeat(level), &head);
    for inner in entries {
        let about = comments.take(inner.key.span.start);
        self::entry(out, level + 1, inner, &about, comments);
    }
}
