//! Diagnostics on paper: drawn for people, one line each for editors, JSON for programs.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use flow_dsl::{Diagnostic, Label, Severity, SourceFile, Span};
use serde_json::{Value, json};

/// Each diagnostic with the user's own lines and a caret on the wrong text.
pub(crate) fn render(diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&renderer.render(&[group(diagnostic)]));
        out.push_str("\n\n");
    }
    out
}

/// `file:line:column: error[F0301]: message`, a line each.
pub(crate) fn short(diagnostics: &[Diagnostic]) -> String {
    let lines = diagnostics.iter().map(|diagnostic| {
        let (line, column) = diagnostic.source.line_column(diagnostic.label.span.start);
        format!(
            "{}:{line}:{column}: {}[{}]: {}\n",
            diagnostic.source.name,
            word(diagnostic.severity),
            diagnostic.code.name(),
            diagnostic.message
        )
    });
    lines.collect()
}

/// An array of objects; lines and columns count from 1, `start` and `end` are bytes.
pub(crate) fn json(diagnostics: &[Diagnostic]) -> String {
    let all: Value = diagnostics.iter().map(object).collect();
    format!("{all:#}\n")
}

/// `2 errors, 1 warning`; empty when there is nothing to say.
pub(crate) fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|found| found.severity == severity).count();
    let some =
        [(Severity::Error, "error"), (Severity::Warning, "warning")].map(
            |(kind, word)| match count(kind) {
                0 => String::new(),
                1 => format!("1 {word}"),
                many => format!("{many} {word}s"),
            },
        );
    some.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ")
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn group(diagnostic: &Diagnostic) -> Group<'_> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let source = &*diagnostic.source;
    let window = window(diagnostic);
    let (first_line, _) = source.line_column(window.start);
    let primary = AnnotationKind::Primary
        .span(inside(source, &window, diagnostic.label.span))
        .label(said(&diagnostic.label));
    let others = diagnostic.others.iter().map(|label| {
        AnnotationKind::Context.span(inside(source, &window, label.span)).label(said(label))
    });
    // A carriage return would be drawn; a space of the same length is not.
    let lines = source.text[window.clone()].replace("\r\n", " \n");
    let lines = lines.strip_suffix('\r').map_or(lines.clone(), |text| format!("{text} "));
    let snippet = Snippet::source(lines)
        .line_start(first_line)
        .path(source.name.as_str())
        .annotation(primary)
        .annotations(others);
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.name());
    let notes = diagnostic.notes.iter().map(|note| Level::NOTE.message(note.as_str()));
    let help = diagnostic.help.iter().map(|help| Level::HELP.message(help.as_str()));
    title.element(snippet).elements(notes).elements(help)
}

fn said(label: &Label) -> Option<&str> {
    Some(label.text.as_str()).filter(|text| !text.is_empty())
}

/// The lines that the labels stand on, and no more: a file may be large.
fn window(diagnostic: &Diagnostic) -> Range<usize> {
    let text = &diagnostic.source.text;
    let spans = diagnostic.others.iter().map(|label| label.span).chain([diagnostic.label.span]);
    let (mut start, mut end) = (text.len(), 0);
    for span in spans {
        start = start.min(span.start);
        end = end.max(span.start);
    }
    let (start, end) = (boundary(text, start), boundary(text, end));
    let start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
    start..end.max(start)
}

/// A span within the window, cut at the end of its first line.
fn inside(source: &SourceFile, window: &Range<usize>, span: Span) -> Range<usize> {
    let text = &source.text;
    let start = boundary(text, span.start).clamp(window.start, window.end);
    let end = boundary(text, span.end).clamp(start, window.end);
    let line = text[start..end].find(['\n', '\r']).map_or(end, |length| start + length);
    start - window.start..line - window.start
}

fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn object(diagnostic: &Diagnostic) -> Value {
    let source = &diagnostic.source;
    json!({
        "code": diagnostic.code.name(),
        "severity": word(diagnostic.severity),
        "message": diagnostic.message,
        "file": source.name,
        "at": place(source, &diagnostic.label),
        "others": diagnostic.others.iter().map(|label| place(source, label)).collect::<Vec<_>>(),
        "notes": diagnostic.notes,
        "help": diagnostic.help,
        "fix": diagnostic.fix.as_ref().map(|edit| json!({
            "start": edit.span.start,
            "end": edit.span.end,
            "text": edit.text,
        })),
    })
}

fn place(source: &SourceFile, label: &Label) -> Value {
    let (line, column) = source.line_column(label.span.start);
    let (end_line, end_column) = source.line_column(label.span.end);
    json!({
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "start": label.span.start,
        "end": label.span.end,
        "label": label.text,
    })
}

#[cfg(test)]
mod tests {
    use flow_dsl::Code;

    use super::*;

    fn sample() -> Diagnostic {
        let source = SourceFile::new("f.yaml", "a: ü\nb: chunk\nc: {d: 1,\n e: 2}\n");
        let at = source.text.find("chunk").unwrap();
        Diagnostic::new(Code::F0301, &source, Span::new(at, at + 5), "no node called `chunk`")
            .label("not declared in this file")
            .other(Span::new(0, 1), "declared here")
            .note("a fact")
            .help("did you mean `chunks`?")
            .fix(Span::new(at, at + 5), "chunks")
    }

    #[test]
    fn a_diagnostic_is_drawn_with_carets() {
        let drawn = render(&[sample()], false);
        insta::assert_snapshot!(drawn, @r"
        error[F0301]: no node called `chunk`
         --> f.yaml:2:4
          |
        1 | a: ü
          | - declared here
        2 | b: chunk
          |    ^^^^^ not declared in this file
          |
          = note: a fact
          = help: did you mean `chunks`?
        ");
        assert!(render(&[sample()], true).contains("\u{1b}["));
    }

    #[test]
    fn short_is_a_line_and_json_has_every_part() {
        let found = [sample()];
        assert_eq!(short(&found), "f.yaml:2:4: error[F0301]: no node called `chunk`\n");
        let value: Value = serde_json::from_str(&json(&found)).unwrap();
        assert_eq!(value[0]["at"]["column"], 4);
        assert_eq!(value[0]["fix"]["text"], "chunks");
        assert_eq!(value[0]["others"][0]["line"], 1);
        assert_eq!(summary(&found), "1 error");
        assert_eq!(summary(&[]), "");
    }

    #[test]
    fn spans_that_lie_nowhere_are_drawn_somewhere() {
        let source = SourceFile::new("f", "ü\r\n");
        for (start, end) in [(0, 99), (1, 1), (99, 3), (4, 4)] {
            let found = Diagnostic::new(Code::F0101, &source, Span::new(start, end), "x");
            assert!(render(&[found], false).contains("error[F0101]: x"));
        }
        let empty = SourceFile::new("f", "");
        let found = Diagnostic::new(Code::F0112, &empty, Span::new(0, 0), "the file is empty");
        assert!(render(&[found], false).contains("f:1:1"));
    }
}
