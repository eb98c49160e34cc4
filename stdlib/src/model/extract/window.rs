//! A long text in windows that overlap, and the entities of the windows joined again.

use std::ops::Range;

use crate::model::entity::Entity;
use crate::model::plain::key;

/// Windows of up to so many bytes. Whatever is no longer than the overlap stands whole in one of
/// them. They end between sentences if they can, else between words, else anywhere.
pub(super) fn windows(text: &str, size: usize, overlap: usize) -> Vec<Range<usize>> {
    let size = size.max(8);
    let overlap = overlap.min(size / 4);
    let mut windows = Vec::new();
    let mut start = 0;
    while text.len() - start > size {
        let end = cut(text, start + size - size / 4, start + size);
        windows.push(start..end);
        let latest = text.floor_char_boundary(end - overlap);
        let earliest = latest.saturating_sub(overlap / 2).max(start + 1);
        start = if overlap == 0 { end } else { cut(text, earliest, latest) };
    }
    windows.push(start..text.len());
    windows
}

/// The best place between two bytes to cut a text, as late as can be.
fn cut(text: &str, from: usize, to: usize) -> usize {
    let from = text.ceil_char_boundary(from);
    let to = text.floor_char_boundary(to).max(from);
    let range = &text[from..to];
    let after = |sign: &str| range.rfind(sign).map(|at| from + at + sign.len());
    after("\n")
        .or_else(|| [". ", "? ", "! ", "。"].into_iter().filter_map(after).max())
        .or_else(|| after(" "))
        .unwrap_or(to)
}

/// The entities of a text from those of its windows, in the order of the text: what two windows
/// both saw is one.
///
/// The same is what has the same kind and overlapping places, and the same name, or else a word of
/// the name. Each entity of a window is the same as one of the others at most, so that two
/// entities of one sentence stay two.
pub(super) fn join(windows: Vec<Vec<Entity>>) -> Vec<Entity> {
    let mut joined: Vec<Entity> = Vec::new();
    for window in windows {
        let mut free = vec![true; joined.len()];
        let mut rest = window;
        for alike in [same_name, same_word] {
            rest.retain(|entity| {
                let twin = (0..free.len()).find(|&at| {
                    free[at] && touch(&joined[at], entity) && alike(&joined[at].name, &entity.name)
                });
                if let Some(at) = twin {
                    free[at] = false;
                    merge(&mut joined[at], entity);
                }
                twin.is_none()
            });
        }
        joined.append(&mut rest);
    }
    joined.sort_by_key(|entity| entity.span.map_or(usize::MAX, |(start, _)| start));
    joined
}

/// Whether two entities are of one kind and of one place; of one quote when it stands nowhere.
fn touch(one: &Entity, other: &Entity) -> bool {
    one.kind == other.kind
        && match (one.span, other.span) {
            (Some(one), Some(other)) => one.0 < other.1 && other.0 < one.1,
            (None, None) => one.quote == other.quote,
            _ => false,
        }
}

fn same_name(one: &str, other: &str) -> bool {
    key(one) == key(other)
}

fn same_word(one: &str, other: &str) -> bool {
    let (one, other) = (key(one), key(other));
    let words = |name: &str| -> Vec<String> {
        let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2);
        words.map(str::to_owned).collect()
    };
    let others = words(&other);
    words(&one).iter().any(|word| others.contains(word))
}

/// One entity that two windows saw. A window may have cut the quote of the other short.
fn merge(old: &mut Entity, new: &Entity) {
    let length = |entity: &Entity| entity.span.map_or(0, |(start, end)| end - start);
    if length(new) > length(old) {
        *old = Entity { mentions: old.mentions, ..new.clone() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_no_longer_than_the_overlap_is_whole_in_a_window() {
        let prose = "Wörter sind schön. Are they? Yes!\nA line 日本語の文。 and more ";
        for text in
            [prose.repeat(20), "x".repeat(900), "é".repeat(500), " \n".repeat(300), String::new()]
        {
            for (size, overlap) in [(100, 20), (64, 16), (40, 0), (1000, 200), (10, 9), (0, 5)] {
                let windows = windows(&text, size, overlap);
                assert_eq!((windows[0].start, windows[windows.len() - 1].end), (0, text.len()));
                for pair in windows.windows(2) {
                    assert!(pair[0].start < pair[1].start && pair[0].len() <= size.max(8));
                    let shared = pair[0].end - pair[1].start;
                    assert!(shared >= overlap.min(size.max(8) / 4), "{shared} of {overlap}");
                    assert!(text.is_char_boundary(pair[1].start));
                }
                assert!(windows.len() <= 2 + 3 * text.len() / size.max(8), "{}", windows.len());
            }
        }
    }

    fn entity(kind: &str, name: &str, span: (usize, usize)) -> Entity {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let fields = serde_json::Map::new();
        let quote = String::new();
        Entity { kind, name, fields, quote, span: Some(span), confidence: 1.0, mentions: 1 }
    }

    #[test]
    fn what_two_windows_saw_is_one_and_what_one_window_saw_stays_two() {
        let first = vec![
            entity("pain", "late post", (0, 9)),
            entity("tool", "SAP", (20, 30)),
            entity("tool", "Excel", (20, 30)),
        ];
        let second = vec![
            entity("tool", "excel", (20, 40)),
            entity("tool", "SAP", (20, 40)),
            entity("tool", "SAP", (50, 60)),
            entity("goal", "SAP", (20, 40)),
            entity("pain", "post is late", (5, 12)),
        ];
        let joined = join(vec![first, second]);
        let shown: Vec<String> = joined
            .iter()
            .map(|entity| format!("{} {} {:?}", entity.kind, entity.name, entity.span.unwrap()))
            .collect();
        assert_eq!(
            shown,
            [
                "pain late post (0, 9)",
                "tool SAP (20, 40)",
                "tool excel (20, 40)",
                "goal SAP (20, 40)",
                "tool SAP (50, 60)",
            ]
        );
    }
}
