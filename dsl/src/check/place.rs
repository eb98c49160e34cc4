//! Where a part of a text stands in the file: through quotes, escapes and folded lines.

use std::ops::Range;

use crate::source::Span;

/// The place of `range` of `value`, which was written at `span` of `file`; all of `span` when it
/// cannot be said.
pub(super) fn part(file: &str, span: Span, value: &str, range: &Range<usize>) -> Span {
    let Some(written) = file.get(span.start..span.end) else { return span };
    if let Some(lines) = written.strip_prefix("\"\"\"") {
        // Lines between `"""` are those of a block without escapes.
        let found = aligned(&format!("|{lines}"), value, range);
        return found.map_or(span, |(start, end)| span.part(start + 2, end + 2));
    }
    if range.start > range.end || value.get(range.clone()).is_none() {
        return span;
    }
    let inside = written.strip_prefix(['"', '\'']).map_or(0, |_| 1);
    if written.get(inside..inside + value.len()) == Some(value) {
        return span.part(inside + range.start, inside + range.end);
    }
    aligned(written, value, range).map_or(span, |(start, end)| span.part(start, end))
}

/// Walks both texts side by side: spaces of one may be line ends and indentation of the other.
fn aligned(written: &str, value: &str, range: &Range<usize>) -> Option<(usize, usize)> {
    let style = written.chars().next()?;
    let mut at = match style {
        '"' | '\'' => 1,
        '|' | '>' => written.find('\n')? + 1,
        _ => 0,
    };
    let (mut start, mut end) = (None, None);
    for (place, character) in value.char_indices() {
        if character.is_whitespace() && place == range.end && end.is_none() {
            end = Some(at);
        }
        let rest = written.get(at..)?;
        let skipped = if character.is_whitespace() { 0 } else { blanks(rest, style) };
        let here = at + skipped;
        if place == range.start {
            start = Some(here);
        }
        if place == range.end && end.is_none() {
            end = Some(here);
        }
        at = here + width(written.get(here..)?, character, style)?;
    }
    Some((start.unwrap_or(at), end.unwrap_or(at)))
}

/// Spaces and escaped line ends before the next character.
fn blanks(rest: &str, style: char) -> usize {
    let mut length = 0;
    loop {
        let text = &rest[length..];
        let spaces = text.len() - text.trim_start().len();
        let folded = style == '"' && text[spaces..].starts_with("\\\n");
        length += spaces + if folded { 2 } else { 0 };
        if !folded {
            return length;
        }
    }
}

/// Bytes that write one character.
fn width(rest: &str, character: char, style: char) -> Option<usize> {
    if style == '"' && rest.starts_with('\\') {
        let digits = match rest.as_bytes().get(1)? {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => 0,
        };
        return Some(1 + rest[1..].chars().next()?.len_utf8() + digits);
    }
    if character.is_whitespace() {
        return Some(rest.len() - rest.trim_start().len());
    }
    if style == '\'' && rest.starts_with("''") {
        return Some(2);
    }
    rest.starts_with(character).then_some(character.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;

    #[test]
    fn a_part_is_found_whatever_the_style() {
        for text in [
            "a: one NAME two",
            "a: 'it''s NAME'",
            "a: \"\\\"q\\\" NAME \\u00fc\"",
            "a: \"folded\n  text NAME\"",
            "a: |\n  first\n  second NAME x\n",
            "a: >-\n  first\n  second\n\n  NAME\n",
            "a: plain\n  NAME more",
            "ü: üü NAME",
        ] {
            let source = SourceFile::new("f", text);
            let (root, _) = crate::parse::yaml(&source);
            is_found(&root, text);
        }
    }

    #[test]
    fn a_part_is_found_in_the_other_spelling() {
        for text in [
            "defaults [a: one-NAME]",
            "defaults [a: 'it''s NAME']",
            "defaults [a: \"\\\"q\\\" NAME \\u00fc\"]",
            "defaults [a: \"\"\"\n    first\n\n    second \\ NAME x\n  \"\"\"]",
        ] {
            let (ast, found) = crate::parse(&SourceFile::new("f.flow", text));
            assert_eq!(found, []);
            is_found(&ast.root.entries()[0].value, text);
        }
    }

    fn is_found(root: &crate::tree::Node, text: &str) {
        let node = &root.entries()[0].value;
        let value = node.as_str().unwrap();
        let at = value.find("NAME").unwrap();
        let span = part(text, node.span, value, &(at..at + 4));
        assert_eq!(&text[span.start..span.end], "NAME", "{text:?}");
    }
}
