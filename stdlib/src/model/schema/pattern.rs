//! A pattern of a schema. It is read at once and compiled when it is first needed: reading finds
//! its mistakes in microseconds, compiling the patterns of a whole schema takes longer than a
//! check may.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

/// The most that one compiled pattern may weigh, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// A pattern with fewer states than these is within [`MOST_BYTES`] for certain.
const FEW_STATES: usize = 4000;

/// A regular expression.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Reads a pattern, to be held against plain texts; the error is a lowercase fragment.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let text = crate::model::plain::pattern(text);
        let read = ParserBuilder::new()
            .case_insensitive(true)
            .unicode(false)
            .utf8(false)
            .build()
            .parse(&text)
            .map_err(|error| {
                let said = error.to_string();
                let last = said.lines().last().unwrap_or_default();
                format!("not a regular expression: {}", last.trim_start_matches("error: "))
            })?;
        if read.properties().minimum_len() == Some(0) {
            return Err("the pattern fits nothing at all, so it fits everywhere".to_owned());
        }
        let pattern = Self { text, compiled: OnceLock::new() };
        if states(&read) >= FEW_STATES && pattern.regex().is_none() {
            return Err("the pattern is too large".to_owned());
        }
        Ok(pattern)
    }

    /// The expression, ready to be held against bytes; there unless it was refused.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        let compile = || {
            let mut builder = RegexBuilder::new(&self.text);
            builder.case_insensitive(true).unicode(false).size_limit(MOST_BYTES).build().ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    /// Whether it fits somewhere.
    pub(crate) fn is_match(&self, bytes: &[u8]) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(bytes))
    }
}

/// About how many states an automaton for it has.
fn states(read: &Hir) -> usize {
    match read.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(regex_syntax::hir::Class::Bytes(class)) => class.ranges().len(),
        // A range of letters is several ranges of bytes.
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => 8 * class.ranges().len(),
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1) as usize;
            states(&repetition.sub).saturating_add(2).saturating_mul(times)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(states).fold(1, usize::saturating_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_is_not_compiled_at_once_can_always_be() {
        for unit in ["x", "[a-z]", "(?<name>.)", r"\w ", "(?:ab|c|)y", "é", r"\p{L}"] {
            let mut times = 1;
            while let Ok(pattern) = Pattern::new(&format!("(?:{unit}){{{times}}}")) {
                assert!(pattern.regex().is_some(), "{unit} {times}");
                times = times * 3 / 2 + 1;
            }
            assert!(times > 1, "{unit}");
        }
    }
}
