//! A place in the text of a `.flow` file, and what was read up to it.

use std::sync::Arc;

use super::token::{Kind, Token};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::parse::MAX_DEPTH;
use crate::source::{SourceFile, Span};

/// Words that begin a declaration.
pub(super) const DECLARATIONS: &[&str] = &[
    "flow", "include", "param", "secret", "limit", "budget", "model", "schema", "profile",
    "defaults", "stage", "each", "schedule", "hook", "test",
];

/// Reads on, and never stops at a mistake.
pub(super) struct Reader<'a> {
    source: &'a Arc<SourceFile>,
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// Lists and maps around this place, those that declarations stand for included.
    pub(super) depth: usize,
    /// What closes each bracket that is open here.
    pub(super) open: Vec<char>,
    /// Where a bracket was found to be never closed: those around it are not told of again.
    unclosed_at: Option<usize>,
    /// Closing brackets within texts whose quote is never closed: they are not missed.
    swallowed: usize,
    /// How many brackets are open around the entries of the hints that are being read.
    pub(super) hints: Option<usize>,
    /// Part of the declaration could not be read: nothing of it is called missing.
    pub(super) lost: bool,
    pub(super) found: Vec<Diagnostic>,
    pub(super) tokens: Vec<Token>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Arc<SourceFile>) -> Self {
        Self {
            source,
            text: &source.text,
            at: if source.text.starts_with('\u{feff}') { 3 } else { 0 },
            depth: 0,
            open: Vec::new(),
            unclosed_at: None,
            swallowed: 0,
            hints: None,
            lost: false,
            found: Vec::new(),
            tokens: Vec::new(),
        }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn here(&self) -> Span {
        Span::new(self.at, self.at)
    }

    pub(super) fn since(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    /// What is to be said of a place.
    pub(super) fn mistake(
        &self,
        code: Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::new(code, self.source, span, message).help(help)
    }

    /// Says what is wrong with the text at a place.
    pub(super) fn wrong(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.found.push(self.mistake(Code::F0101, span, message, help));
    }

    pub(super) fn token(&mut self, kind: Kind, start: usize) {
        self.tokens.push(Token { kind, span: self.since(start) });
    }

    /// Takes the text up to the first character that is not wanted.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> Span {
        let start = self.at;
        let rest = self.rest();
        self.at += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.since(start)
    }

    /// Passes over spaces within the line.
    pub(super) fn spaces(&mut self) {
        self.take_while(|c| c != '\n' && c.is_whitespace());
    }

    /// Passes over spaces, comments and line ends.
    pub(super) fn blanks(&mut self) {
        loop {
            self.spaces();
            let start = self.at;
            match self.peek() {
                Some('#') => {
                    self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                    self.at -= usize::from(self.text[..self.at].ends_with('\r'));
                    self.token(Kind::Comment, start);
                }
                Some('\n') => {
                    self.at += 1;
                    self.token(Kind::Newline, start);
                }
                _ => return,
            }
        }
    }

    /// Takes a sign.
    pub(super) fn sign(&mut self, sign: &str, kind: Kind) -> Option<Span> {
        let start = self.at;
        if !self.rest().starts_with(sign) {
            return None;
        }
        self.at += sign.len();
        self.token(kind, start);
        Some(self.since(start))
    }

    /// Whether the line ends here, but for a comment.
    pub(super) fn line_ends(&self) -> bool {
        matches!(self.peek(), None | Some('\n' | '#'))
    }

    /// Whether a declaration begins at this place, which no bracket reaches across.
    pub(super) fn at_declaration(&self) -> bool {
        let first = self.at == 0 || self.text[..self.at].ends_with('\n');
        first && is_declaration(self.rest())
    }

    /// Whether what is open here must end: at the end of the file, or at a declaration.
    pub(super) fn must_end(&self) -> bool {
        self.at >= self.text.len() || self.at_declaration()
    }

    /// Begins a declaration at this place.
    pub(super) fn begin(&mut self, depth: usize) {
        self.depth = depth;
        self.open.clear();
        (self.hints, self.swallowed, self.lost) = (None, 0, false);
    }

    /// Whether entries of hints, `[a: 1]`, are being read.
    pub(super) fn in_hints(&self) -> bool {
        self.hints == Some(self.open.len())
    }

    /// Goes one level down; false when that is too deep, and then the declaration is left.
    pub(super) fn enter(&mut self, levels: usize, span: Span) -> bool {
        if self.depth + levels > MAX_DEPTH {
            if !self.found.iter().any(|found| found.code == Code::F0104) {
                let message =
                    format!("more than {MAX_DEPTH} lists and maps stand inside each other");
                let help = "split it: no pipeline needs so many";
                self.found.push(self.mistake(Code::F0104, span, message, help));
            }
            self.leave();
            return false;
        }
        self.depth += levels;
        true
    }

    /// Goes to the next declaration; brackets that are open are not missed.
    pub(super) fn leave(&mut self) {
        while !self.must_end() {
            self.at += self.rest().find('\n').map_or(self.rest().len(), |line| line + 1);
        }
        self.unclosed_at = Some(self.at);
        self.lost = true;
    }

    /// Passes over text that a quote without an end takes in.
    pub(super) fn swallow(&mut self, end: usize) {
        self.swallowed += self.text[self.at..end].matches(['}', ']']).count();
        self.at = end;
    }

    /// A bracket that is never closed; of several at one place, the innermost is told of.
    pub(super) fn unclosed(&mut self, bracket: Span, closer: char) {
        if self.swallowed > 0 {
            self.swallowed -= 1;
            self.unclosed_at = Some(self.at);
        } else if self.unclosed_at.replace(self.at) != Some(self.at) {
            let message =
                format!("the `{}` is never closed", &self.text[bracket.start..bracket.end]);
            let found =
                self.mistake(Code::F0101, bracket, message, format!("write `{closer}` at the end"));
            self.found.push(found.label("opened here"));
        }
    }

    /// Whether reading ended at this place because a bracket was not closed.
    pub(super) fn was_unclosed(&self) -> bool {
        self.unclosed_at == Some(self.at)
    }

    /// A bracket that closes nothing.
    pub(super) fn stray(&mut self) {
        let start = self.at;
        self.at += self.peek().map_or(0, char::len_utf8);
        let message = format!("`{}` closes nothing", &self.text[start..self.at]);
        let help = "take it away, or put text that has brackets in quotes";
        self.wrong(self.since(start), message, help);
    }

    /// Passes over the line, and over the brackets that it opens. Without recursion.
    pub(super) fn skip(&mut self) {
        let mut open = 0_usize;
        while let Some(character) = self.peek() {
            match character {
                '\n' if open == 0 => return,
                '\n' => {
                    self.at += 1;
                    if self.must_end() {
                        self.at -= 1;
                        return;
                    }
                    continue;
                }
                '{' | '[' => open += 1,
                '}' | ']' if open == 0 && !self.open.is_empty() => return,
                '}' | ']' => open = open.saturating_sub(1),
                _ => {}
            }
            self.at += character.len_utf8();
        }
    }
}

/// Whether a text begins with a declaration: its word and what it is about.
pub(super) fn is_declaration(text: &str) -> bool {
    let word = &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())];
    let next = text[word.len()..].trim_start_matches([' ', '\t']);
    let apart = next.len() < text.len() - word.len();
    let about = next
        .starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '\'' | '[' | '{'));
    apart && about && DECLARATIONS.contains(&word)
}
