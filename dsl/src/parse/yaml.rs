//! YAML to tree: reading goes on behind each mistake of syntax.

use std::sync::Arc;

use saphyr_parser::Parser;

use super::builder::Builder;
use super::offsets::Offsets;
use super::patch::{Patch, Poison, Repair};
use super::syntax::{Mistake, Stop};
use super::{lines, too_large};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, Span, Spanned};
use crate::tree::{Entry, Node, Value};

/// How often reading begins anew behind a mistake.
const ATTEMPTS: usize = 40;

/// Reads YAML. There is always a tree; what could not be read is [`Value::Bad`] in it and a
/// diagnostic beside it. An empty file is [`Value::Null`].
pub fn yaml(source: &Arc<SourceFile>) -> (Node, Vec<Diagnostic>) {
    let all = Span::new(0, source.text.len());
    if let Some(found) = too_large(source) {
        return (Node::new(Value::Bad, all), vec![found]);
    }
    let mut patch = Patch::new(&source.text);
    if source.text.starts_with('\u{feff}') {
        // Spaces would indent the first line.
        patch.text.replace_range(0..'\u{feff}'.len_utf8(), "\n\n\n");
    }
    let mut diagnostics = Vec::new();
    for attempt in 0.. {
        match read(source, &patch) {
            Ok((mut root, mut found)) => {
                for poison in &patch.poison {
                    poison_tree(&mut root, poison, source);
                }
                diagnostics.append(&mut found);
                diagnostics.sort_by_key(|found: &Diagnostic| found.label.span);
                return (root, diagnostics);
            }
            Err(failed) => {
                let repair = if attempt >= ATTEMPTS {
                    Repair::Tail(lines::line(&patch.text, failed.at).start)
                } else if failed.silent {
                    failed.give_up
                } else {
                    diagnostics.push(report(source, &patch, &failed.mistake));
                    failed.mistake.repair
                };
                if attempt > ATTEMPTS {
                    break;
                }
                patch.apply(&repair);
            }
        }
    }
    diagnostics.sort_by_key(|found: &Diagnostic| found.label.span);
    (Node::new(Value::Bad, all), diagnostics)
}

/// A value that became nothing is one byte wide where the file has a wider character.
fn whole_characters(text: &str, span: Span) -> Span {
    let (mut start, mut end) = (span.start.min(text.len()), span.end.min(text.len()));
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    Span::new(start, end.max(start))
}

fn report(source: &Arc<SourceFile>, patch: &Patch, mistake: &Mistake) -> Diagnostic {
    let span = whole_characters(&source.text, patch.span(&mistake.at));
    Diagnostic::new(mistake.code, source, span, mistake.message.clone())
        .label(mistake.label)
        .help(mistake.help.clone())
}

/// Reading stopped.
struct Failed {
    at: usize,
    mistake: Mistake,
    /// The line was mended before.
    silent: bool,
    give_up: Repair,
}

fn read(source: &Arc<SourceFile>, patch: &Patch) -> Result<(Node, Vec<Diagnostic>), Box<Failed>> {
    let text = &patch.text;
    let offsets = Offsets::new(text);
    let poison = patch.poison.iter().filter_map(|poison| match poison {
        Poison::Value(span) => Some(*span),
        _ => None,
    });
    let mut builder = Builder::new(source, poison.collect());
    let mut parser = Parser::new_from_str(text);
    let mut scalar = 0;
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => {
                let start = offsets.byte(span.start.index());
                let range = start..offsets.byte(span.end.index()).max(start);
                if matches!(event, saphyr_parser::Event::Scalar(..)) {
                    scalar = range.start;
                }
                if !builder.event(event, whole_characters(&source.text, patch.span(&range))) {
                    break;
                }
            }
            Err(error) => {
                let at = offsets.byte(error.marker().index());
                let open: Vec<usize> =
                    builder.open().into_iter().map(|at| patch.patched(at)).collect();
                let stop = Stop { text, at, info: error.info(), open: &open, scalar };
                let mistake = stop.mistake();
                let here = patch.is_mended(at);
                let silent = here || patch.is_mended(mistake.at.start);
                // A bracket of a mended line is closed there; the line of `at` is innocent.
                let give_up = if here { stop.give_up_line() } else { mistake.repair.clone() };
                return Err(Failed { at, mistake, silent, give_up }.into());
            }
        }
    }
    Ok(builder.finish())
}

/// Marks in the tree what could not be read, so that it is not missed.
fn poison_tree(root: &mut Node, poison: &Poison, source: &SourceFile) {
    match poison {
        Poison::Value(_) => {}
        Poison::Key(span) => poison_key(root, *span),
        Poison::Line(span, indent, word) => {
            poison_line(root, whole_characters(&source.text, *span), *indent, word, source);
        }
    }
}

/// A key that had no colon and has no value: nobody knows what was meant.
fn poison_key(node: &mut Node, span: Span) {
    let Value::Map(entries) = &mut node.value else {
        if let Value::List(items) = &mut node.value
            && let Some(item) = items.iter_mut().rev().find(|item| item.span.start <= span.start)
        {
            poison_key(item, span);
        }
        return;
    };
    let place = entries.iter_mut().rev().find(|entry| entry.key.span.start <= span.start);
    match place {
        Some(entry) if entry.key.span.start == span.start && entry.value.value == Value::Null => {
            entry.value.value = Value::Bad;
        }
        Some(entry) if entry.key.span.start == span.start => {}
        Some(entry) => poison_key(&mut entry.value, span),
        None => {}
    }
}

/// A line that was left out: the map that it stood in has an entry that nobody could read.
fn poison_line(node: &mut Node, span: Span, indent: usize, word: &str, source: &SourceFile) {
    let column = |at: usize| source.line_start_distance(at);
    match &mut node.value {
        Value::Map(entries) => {
            let place = entries.iter().rposition(|entry| entry.key.span.start <= span.start);
            let own = entries.first().map_or(0, |entry| column(entry.key.span.start));
            if let Some(place) = place
                && indent > own
            {
                let below = &mut entries[place].value;
                match &below.value {
                    Value::Map(_) | Value::List(_) => {
                        return poison_line(below, span, indent, word, source);
                    }
                    Value::Null => below.value = Value::Bad,
                    _ => {}
                }
            }
            let entry = Entry {
                key: Spanned::new(word.to_owned(), span),
                value: Node::new(Value::Bad, span),
            };
            entries.insert(place.map_or(0, |place| place + 1), entry);
        }
        Value::List(items) => {
            match items.iter_mut().rev().find(|item| item.span.start <= span.start) {
                Some(item) if matches!(item.value, Value::Map(_) | Value::List(_)) => {
                    poison_line(item, span, indent, word, source);
                }
                _ => items.push(Node::new(Value::Bad, span)),
            }
        }
        _ => node.value = Value::Bad,
    }
}
