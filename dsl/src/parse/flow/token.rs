//! The pieces that a `.flow` file is made of, comments and line ends included.

use crate::source::Span;

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bare word, or text in quotes.
    Word,
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    /// `,`.
    Comma,
    /// `:`.
    Colon,
    /// `=` between a name and its value.
    Equals,
    /// `=` between a port and its node.
    Port,
    /// `<-`.
    Arrow,
    /// `# ...`, to the end of the line.
    Comment,
    /// The end of a line.
    Newline,
}

/// One piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}
