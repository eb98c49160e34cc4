//! A source file and the places in it.

use std::sync::Arc;

/// The text of one file, with the name that messages use for it.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as the user wrote it, or `<stdin>`, `--set`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Which of the two spellings it has.
    pub spelling: Spelling,
}

/// The two spellings of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// YAML.
    Yaml,
    /// A line for each declaration, in files whose name ends in `.flow`.
    Flow,
}

impl Spelling {
    /// The ending of the name decides. Standard input has none: there it is the first word, since
    /// `flow: x` cannot begin the one spelling and `flow x` cannot begin the other.
    fn of(name: &str, text: &str) -> Self {
        let flow = if name == STDIN {
            crate::parse::begins_flow(text)
        } else {
            std::path::Path::new(name).extension().is_some_and(|end| end == "flow")
        };
        if flow { Self::Flow } else { Self::Yaml }
    }
}

/// The name of standard input in messages.
pub const STDIN: &str = "<stdin>";

impl SourceFile {
    /// A shared source file.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let (name, text) = (name.into(), text.into());
        let spelling = Spelling::of(&name, &text);
        Arc::new(Self { name, text, spelling })
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut at = offset.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Bytes between the beginning of its line and an offset.
    pub(crate) fn line_start_distance(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or_default();
        before.len() - before.rfind('\n').map_or(0, |newline| newline + 1)
    }
}

/// A range of bytes in a [`SourceFile`], on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The range `start..end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// A part of this span, `start..end` bytes from its beginning.
    #[must_use]
    pub const fn part(self, start: usize, end: usize) -> Self {
        Self { start: self.start + start, end: self.start + end }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value and its place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let file = SourceFile::new("f", "a\nüb\n");
        for (offset, expected) in [(0, (1, 1)), (2, (2, 1)), (3, (2, 1)), (4, (2, 2)), (99, (3, 1))]
        {
            assert_eq!(file.line_column(offset), expected, "offset {offset}");
        }
    }
}
