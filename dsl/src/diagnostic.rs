//! What is wrong with a file: data until the terminal draws it.

use std::sync::Arc;

use crate::code::Code;
use crate::source::{SourceFile, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing runs until it is mended.
    Error,
    /// It runs, but probably not as meant.
    Warning,
}

/// A place and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is said beside the caret; may be empty.
    pub text: String,
}

/// A replacement of text that mends the mistake for certain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What to replace.
    pub span: Span,
    /// With what.
    pub text: String,
}

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Stable code, `F0301`.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// A lowercase fragment that states a fact in the user's words.
    pub message: String,
    /// The file that the labels point into.
    pub source: Arc<SourceFile>,
    /// The smallest wrong text.
    pub label: Label,
    /// The other half: where it was first set, opened, declared.
    pub others: Vec<Label>,
    /// What else is good to know, a line each.
    pub notes: Vec<String>,
    /// A sentence that says what to do.
    pub help: Option<String>,
    /// The help as an edit, where it is certain.
    pub fix: Option<Edit>,
}

impl Diagnostic {
    /// An error at a place; the code decides whether it is an error or a warning.
    pub fn new(
        code: Code,
        source: &Arc<SourceFile>,
        span: Span,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            source: Arc::clone(source),
            label: Label { span, text: String::new() },
            others: Vec::new(),
            notes: Vec::new(),
            help: None,
            fix: None,
        }
    }

    /// What is said beside the caret.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label.text = text.into();
        self
    }

    /// A second place.
    #[must_use]
    pub fn other(mut self, span: Span, text: impl Into<String>) -> Self {
        self.others.push(Label { span, text: text.into() });
        self
    }

    /// One more fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// The edit that mends it for certain.
    #[must_use]
    pub fn fix(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fix = Some(Edit { span, text: text.into() });
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}
