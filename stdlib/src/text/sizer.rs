//! How large a piece of text is, in characters or tokens, as far as it matters.

use text_splitter::ChunkSizer;
use tiktoken_rs::o200k_base_singleton;

/// What a chunk is measured in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Unit {
    /// Unicode characters.
    #[default]
    Characters,
    /// Tokens of `o200k_base`.
    Tokens,
}

/// Counts no further than `most`: a splitter asks again and again about pieces that are much too
/// large, and a megabyte without a space would cost minutes.
#[derive(Debug)]
pub(super) struct Sizer {
    pub(super) unit: Unit,
    pub(super) most: usize,
}

impl ChunkSizer for Sizer {
    fn size(&self, chunk: &str) -> usize {
        match self.unit {
            Unit::Characters => chunk.chars().take(self.most.saturating_add(1)).count(),
            Unit::Tokens => self.tokens(chunk),
        }
    }
}

impl Sizer {
    /// Exact up to `most`: so many tokens lie in one window.
    fn tokens(&self, mut rest: &str) -> usize {
        let window = self.most.saturating_mul(8).clamp(256, 65_536);
        let mut tokens = 0;
        while !rest.is_empty() && tokens <= self.most {
            let (now, later) = rest.split_at(cut(rest, window));
            tokens += o200k_base_singleton().count_ordinary(now);
            rest = later;
        }
        tokens.min(self.most.saturating_add(1))
    }
}

/// Where a window ends: before a space, if there is one in its second half.
fn cut(text: &str, window: usize) -> usize {
    if text.len() <= window {
        return text.len();
    }
    let end = text.floor_char_boundary(window);
    let half = text.floor_char_boundary(window / 2);
    text[half..end].rfind(char::is_whitespace).map_or(end, |at| half + at).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_up_to_the_most_and_then_stop() {
        let text = "The quick brown fox. ".repeat(40);
        for (unit, most, text, expected) in [
            (Unit::Characters, 10, "añ日🦀", 4),
            (Unit::Characters, 3, "añ日🦀", 4),
            (Unit::Characters, 2, "añ日🦀", 3),
            (Unit::Tokens, 1000, "Hello, world!", 4),
            (Unit::Tokens, 1000, text.as_str(), 201),
            (Unit::Tokens, 100, text.as_str(), 101),
            (Unit::Tokens, 2, "", 0),
        ] {
            assert_eq!(Sizer { unit, most }.size(text), expected, "{most} {unit:?} of {text}");
        }
    }

    #[test]
    fn windows_are_never_empty_and_end_between_characters() {
        for text in ["🦀".repeat(100), " ".repeat(300), format!("{}é", "x".repeat(255))] {
            for window in [256, 257, 258, 259] {
                let end = cut(&text, window);
                assert!(end > 0 && text.is_char_boundary(end), "{end}");
            }
        }
    }
}
