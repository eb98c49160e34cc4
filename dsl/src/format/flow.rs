//! `.flow` laid out: each piece as it was written, with the usual blanks between two.

use std::sync::Arc;

use crate::parse::{Kind, Token, tokens};
use crate::source::SourceFile;

/// Blanks for each level.
const STEP: usize = 2;

/// The text of a file that has no mistake.
pub(super) fn laid_out(source: &Arc<SourceFile>) -> String {
    let end = if source.text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut page =
        Page { text: &source.text, end, out: String::new(), indents: vec![], indent: 0, base: 0 };
    let mut newlines = 0;
    let mut last: Option<Token> = None;
    for token in tokens(source) {
        if token.kind == Kind::Newline {
            newlines += 1;
            continue;
        }
        page.gap(last, token, newlines);
        page.piece(token);
        newlines = 0;
        last = Some(token);
    }
    if last.is_some() {
        page.out.push_str(end);
    }
    page.out
}

struct Page<'a> {
    text: &'a str,
    end: &'a str,
    out: String,
    /// How far the lines within each open bracket are indented.
    indents: Vec<usize>,
    /// How far this line is.
    indent: usize,
    /// How far the declaration or entry is that it goes on with, or begins.
    base: usize,
}

impl Page<'_> {
    /// What stands between two pieces.
    fn gap(&mut self, last: Option<Token>, token: Token, newlines: usize) {
        let Some(last) = last else { return };
        if newlines == 0 {
            let blanks = self.blanks(last, token);
            self.out.extend(std::iter::repeat_n(' ', blanks));
            return;
        }
        let blank = newlines > 1 && last.kind != Kind::Open && token.kind != Kind::Close;
        self.out.push_str(self.end);
        if blank {
            self.out.push_str(self.end);
        }
        let within = self.indents.last().copied().unwrap_or_default();
        let goes_on = token.kind == Kind::Arrow
            || self.indents.is_empty() && (self.is(token, "[") || last.kind == Kind::Comma);
        self.base = if token.kind == Kind::Close { within.saturating_sub(STEP) } else { within };
        self.indent = if goes_on { within + STEP } else { self.base };
        self.out.extend(std::iter::repeat_n(' ', self.indent));
    }

    fn is(&self, token: Token, written: &str) -> bool {
        self.text.get(token.span.start..token.span.end) == Some(written)
    }

    /// Blanks between two pieces of a line.
    fn blanks(&self, last: Token, token: Token) -> usize {
        match (last.kind, token.kind) {
            // A column of comments stays one.
            (_, Kind::Comment) => token.span.start.saturating_sub(last.span.end).max(1),
            (_, Kind::Comma | Kind::Colon | Kind::Port)
            | (Kind::Port, _)
            | (Kind::Open, Kind::Close) => 0,
            (Kind::Open, _) => usize::from(self.is(last, "{")),
            (_, Kind::Close) => usize::from(self.is(token, "}")),
            _ => 1,
        }
    }

    fn piece(&mut self, token: Token) {
        self.out.push_str(&self.text[token.span.start..token.span.end]);
        match token.kind {
            // Settings belong to the whole declaration, however many lines its head has.
            Kind::Open if self.is(token, "{") => self.indents.push(self.base + STEP),
            Kind::Open => self.indents.push(self.indent + STEP),
            Kind::Close => drop(self.indents.pop()),
            _ => {}
        }
    }
}
