//! Lines of a text: where they begin, how far they are indented, what hangs below them.

use std::ops::Range;

/// The line that holds a byte, without its end.
pub(super) fn line(text: &str, at: usize) -> Range<usize> {
    let at = at.min(text.len());
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let end = if text[start..end].ends_with('\r') { (end - 1).max(at.min(end - 1)) } else { end };
    start..end
}

/// Spaces and tabs at the beginning of a line.
pub(super) fn indent(text: &str, line: &Range<usize>) -> usize {
    let line = &text[line.clone()];
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// Whether a line holds nothing but spaces and a comment.
pub(super) fn is_blank(text: &str, line: &Range<usize>) -> bool {
    let rest = text[line.clone()].trim_start();
    rest.is_empty() || rest.starts_with('#')
}

/// The last line before `at`'s own that is not blank.
pub(super) fn before(text: &str, at: usize) -> Option<Range<usize>> {
    let mut start = line(text, at).start;
    while start > 0 {
        let above = line(text, start - 1);
        if !is_blank(text, &above) {
            return Some(above);
        }
        start = above.start;
    }
    None
}

/// A line and those below it that are indented deeper.
pub(super) fn block(text: &str, first: &Range<usize>) -> Range<usize> {
    let depth = indent(text, first);
    let mut end = first.end;
    let mut next = text[end..].find('\n').map(|newline| end + newline + 1);
    while let Some(start) = next.filter(|&start| start < text.len()) {
        let below = line(text, start);
        if !text[below.clone()].trim().is_empty() {
            if indent(text, &below) <= depth {
                break;
            }
            end = below.end;
        }
        next = text[below.end..].find('\n').map(|newline| below.end + newline + 1);
    }
    first.start..end
}

/// The value on a line: after `- ` and `key: `, before a comment.
pub(super) fn value(text: &str, line: &Range<usize>) -> Range<usize> {
    let end = line.start + text[line.clone()].trim_end().len();
    let mut start = (line.start + indent(text, line)).min(end);
    while text[start..end].starts_with("- ") {
        start += 2 + text[start + 2..end].len() - text[start + 2..end].trim_start().len();
    }
    if !text[start..end].starts_with(['"', '\'', '[', '{'])
        && let Some(colon) = text[start..end].find(": ")
    {
        start += colon + 2;
        start += text[start..end].len() - text[start..end].trim_start().len();
    }
    start..end
}

/// The first word of a line: up to a space or a colon.
pub(super) fn first_word(text: &str, line: &Range<usize>) -> Range<usize> {
    let start = line.start + indent(text, line);
    let rest = &text[start..line.end.max(start)];
    let length = rest.find([' ', '\t', ':', ',']).unwrap_or(rest.len());
    start..start + length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_a_line_and_what_is_deeper() {
        let text = "a:\n  b:\n    c: 1\n\n    d: 2\n  e: 3\n";
        assert_eq!(&text[block(text, &line(text, 4))], "  b:\n    c: 1\n\n    d: 2");
        assert_eq!(&text[block(text, &line(text, 0))], "a:\n  b:\n    c: 1\n\n    d: 2\n  e: 3");
    }

    #[test]
    fn the_value_of_a_line_follows_its_key() {
        for (text, expected) in [
            ("  a: b: c ", "b: c"),
            ("  - a: b", "b"),
            ("- x", "x"),
            ("\"q\" r", "\"q\" r"),
            ("a:", "a:"),
            ("", ""),
        ] {
            assert_eq!(&text[value(text, &line(text, 0))], expected, "{text:?}");
        }
    }

    #[test]
    fn line_ends_of_windows_are_not_part_of_a_line() {
        let text = "ab\r\ncd\r\n";
        assert_eq!(line(text, 0), 0..2);
        assert_eq!(line(text, 5), 4..6);
        assert_eq!(line(text, 8), 8..8);
    }
}
