//! A text in pieces, window by window.
//!
//! For each piece the splitter looks at all the text that is left: a megabyte without a space cost
//! minutes. It is shown a window at a time instead. The last piece of a window may want to be
//! longer, so the next window begins with it.

use text_splitter::{ChunkConfig, ChunkConfigError, TextSplitter};

use super::sizer::{Sizer, Unit};

/// The smallest window, in bytes.
const WINDOW: usize = 16 * 1024;

/// A piece of a text and where it begins, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
}

/// Cuts texts into pieces.
#[derive(Debug)]
pub(super) struct Pieces {
    splitter: TextSplitter<Sizer>,
    window: usize,
}

impl Pieces {
    /// Pieces of up to `size`, each beginning with up to `overlap` of the one before.
    pub(super) fn new(unit: Unit, size: usize, overlap: usize) -> Result<Self, ChunkConfigError> {
        let config = ChunkConfig::new(size).with_sizer(Sizer { unit, most: size });
        let splitter = TextSplitter::new(config.with_overlap(overlap)?);
        Ok(Self { splitter, window: size.saturating_mul(32).max(WINDOW) })
    }

    /// The pieces of a text, in order.
    pub(super) fn of<'a>(&self, text: &'a str) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let (mut at, mut characters) = (0, 0);
        while at < text.len() {
            let end = text.floor_char_boundary(at.saturating_add(self.window));
            let window = &text[at..end];
            let mut found: Vec<_> = self.splitter.chunk_char_indices(window).collect();
            let again = if end < text.len() && found.len() > 1 { found.pop() } else { None };
            pieces.extend(
                found.into_iter().map(|piece| Piece {
                    text: piece.chunk,
                    start: characters + piece.char_offset,
                }),
            );
            match again {
                Some(piece) => {
                    at += piece.byte_offset;
                    characters += piece.char_offset;
                }
                None => {
                    at = end;
                    characters += window.chars().count();
                }
            }
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_do_not_show_in_the_pieces() {
        let prose =
            "Ünïcödé is fun, they said. So it is! 日本語の文。\nA line\n\n\nand\r\n\r\nmore — ";
        for (unit, size, overlap) in
            [(Unit::Characters, 40, 0), (Unit::Characters, 100, 30), (Unit::Tokens, 30, 5)]
        {
            for text in [prose.repeat(30), "日本語".repeat(400), "x".repeat(3000), " ".repeat(9000)]
            {
                let mut pieces = Pieces::new(unit, size, overlap).unwrap();
                pieces.window = usize::MAX;
                let whole = pieces.of(&text);
                pieces.window = size * 32;
                assert_eq!(pieces.of(&text), whole, "{size} {unit:?}");
            }
        }
    }
}
