//! Characters to bytes: the scanner counts the former, spans the latter.

/// Where each character of a text begins.
pub(super) enum Offsets {
    /// Every character is one byte; the length of the text.
    Ascii(usize),
    /// The byte of each character, and the length at the end.
    Table(Vec<u32>),
}

impl Offsets {
    /// The table for a text of at most [`MAX_BYTES`](super::MAX_BYTES).
    pub(super) fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self::Ascii(text.len());
        }
        let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        Self::Table(starts.map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect())
    }

    /// The byte where a character begins; the end of the text for any beyond it.
    pub(super) fn byte(&self, character: usize) -> usize {
        match self {
            Self::Ascii(length) => character.min(*length),
            Self::Table(starts) => {
                starts.get(character).or(starts.last()).map_or(0, |&at| at as usize)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_any_width_are_found() {
        let offsets = Offsets::new("aü€b");
        assert_eq!([0, 1, 2, 3, 4, 9].map(|at| offsets.byte(at)), [0, 1, 3, 6, 7, 7]);
        assert_eq!([0, 2, 9].map(|at| Offsets::new("ab").byte(at)), [0, 2, 2]);
    }
}
