//! Comments, and what each of them is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::parse::{Kind, tokens};
use crate::source::{SourceFile, Span, Spelling};
use crate::tree::{Node, Value};

/// A comment as it was written.
#[derive(Debug, Clone)]
pub(super) struct Comment {
    at: usize,
    pub(super) text: String,
    /// On a line of its own: it is about what follows.
    own: bool,
}

/// The comments about one declaration or setting.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) before: Vec<String>,
    pub(super) behind: Vec<String>,
}

impl About {
    /// Writes a text with what is said of it: behind it when both are one line.
    pub(super) fn write(&self, out: &mut String, indent: &str, text: &str) {
        let one = !text.contains('\n') && self.behind.len() == 1;
        let above = self.before.iter().chain(self.behind.iter().filter(|_| !one));
        for comment in above {
            out.extend([indent, comment, "\n"]);
        }
        out.extend([indent, text]);
        if let Some(comment) = self.behind.first().filter(|_| one) {
            out.extend(["  ", comment]);
        }
        out.push('\n');
    }
}

/// The comments of a file, by the place of what they are about.
pub(super) struct Comments {
    about: BTreeMap<usize, About>,
    pub(super) last: Vec<String>,
}

impl Comments {
    /// Sorts them to the declarations and settings of a tree.
    pub(super) fn new(all: Vec<Comment>, root: &Node) -> Self {
        let places = places(root);
        let mut comments = Self { about: BTreeMap::new(), last: Vec::new() };
        for comment in all {
            let behind = places.partition_point(|place| *place < comment.at);
            let (before, next) = (places[..behind].last(), places.get(behind));
            match (comment.own, next, before) {
                (true, Some(place), _) | (false, Some(place), None) => {
                    comments.about.entry(*place).or_default().before.push(comment.text);
                }
                (false, _, Some(place)) => {
                    comments.about.entry(*place).or_default().behind.push(comment.text);
                }
                _ => comments.last.push(comment.text),
            }
        }
        comments
    }

    /// Takes those about what stands at a place.
    pub(super) fn take(&mut self, at: usize) -> About {
        self.about.remove(&at).unwrap_or_default()
    }

    /// Whether there are any about the entries of a map.
    pub(super) fn within(&self, node: &Node) -> bool {
        node.entries().iter().any(|entry| self.about.contains_key(&entry.key.span.start))
    }
}

/// What a comment can be about: declarations, the settings of nodes, the entries of blocks.
fn places(root: &Node) -> Vec<usize> {
    let mut found = Vec::new();
    for section in root.entries() {
        let name = section.key.value.as_str();
        if !super::flow::SECTIONS.iter().any(|(known, _)| *known == name) {
            found.push(section.key.span.start);
            continue;
        }
        for entry in section.value.entries() {
            found.push(entry.key.span.start);
            let block = match name {
                "stages" => entry.value.get("with"),
                "schemas" | "profiles" => Some(&entry.value),
                _ => None,
            };
            let settings = block.map_or(&[][..], Node::entries);
            found.extend(settings.iter().map(|setting| setting.key.span.start));
        }
    }
    found.sort_unstable();
    found
}

/// The comments of a file without mistakes, in order.
pub(super) fn all(source: &Arc<SourceFile>, root: &Node) -> Vec<Comment> {
    let text = &source.text;
    let spans: Vec<usize> = match source.spelling {
        Spelling::Flow => {
            let all = tokens(source).into_iter().filter(|token| token.kind == Kind::Comment);
            all.map(|token| token.span.start).collect()
        }
        Spelling::Yaml => in_yaml(text, root),
    };
    let comments = spans.into_iter().map(|at| {
        let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
        let own = text[line..at].trim_matches(['\u{feff}', ' ', '\t']).is_empty();
        Comment { at, text: text[at..end].trim_end().to_owned(), own }
    });
    comments.collect()
}

/// Where comments begin in YAML: at a `#` behind a blank, outside of texts.
fn in_yaml(text: &str, root: &Node) -> Vec<usize> {
    let mut texts = Vec::new();
    leaves(text, root, &mut texts);
    texts.sort_unstable();
    let (mut found, mut at, mut next) = (Vec::new(), 0, 0);
    while let Some(length) = text[at..].find('#') {
        let place = at + length;
        while texts.get(next).is_some_and(|span| span.end <= place) {
            next += 1;
        }
        let span = texts.get(next).filter(|span| span.start <= place);
        let begins =
            text[..place].chars().next_back().is_none_or(|c| c.is_whitespace() || c == '\u{feff}');
        if let Some(span) = span {
            at = span.end;
        } else if begins {
            found.push(place);
            at = text[place..].find('\n').map_or(text.len(), |length| place + length);
        } else {
            at = place + 1;
        }
    }
    found
}

fn leaves(text: &str, node: &Node, found: &mut Vec<Span>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| leaves(text, item, found)),
        Value::Map(entries) => {
            for entry in entries {
                found.push(entry.key.span);
                leaves(text, &entry.value, found);
            }
        }
        _ => {
            let written = &text[node.span.start..node.span.end];
            // The head of a block may have a comment.
            let head =
                if written.starts_with(['|', '>']) { written.find('\n').unwrap_or(0) } else { 0 };
            found.push(Span::new(node.span.start + head, node.span.end));
        }
    }
}
