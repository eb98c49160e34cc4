//! A text without accents and typographic signs, from which one finds the way back to the original.

/// A text in which each character stands for exactly one of the original: letters without their
/// accents, straight quotes, ordinary spaces. Case is kept.
///
/// Nearly all of it is ASCII then, which keeps regular expressions on their fast path, and
/// somebody who types `reunion` is understood as well.
#[derive(Debug)]
pub(crate) struct Plain {
    text: String,
    /// For each byte of `text`, the byte of the original; empty when they are the same.
    origin: Vec<u32>,
}

impl Plain {
    /// The plain form of a text.
    pub(crate) fn new(original: &str) -> Self {
        if original.is_ascii() {
            return Self { text: original.to_owned(), origin: Vec::new() };
        }
        let mut text = String::with_capacity(original.len());
        let mut origin = Vec::with_capacity(original.len() + 1);
        for (at, letter) in original.char_indices() {
            text.push(plain(letter));
            origin.resize(text.len(), u32::try_from(at).unwrap_or(u32::MAX));
        }
        origin.push(u32::try_from(original.len()).unwrap_or(u32::MAX));
        Self { text, origin }
    }

    /// The plain text as patterns see it.
    pub(crate) const fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The plain text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The byte of the original that a byte of the plain text stands for.
    pub(crate) fn origin(&self, at: usize) -> usize {
        if self.origin.is_empty() {
            at
        } else {
            self.origin.get(at).map_or(at, |origin| *origin as usize)
        }
    }
}

/// The plain form of a pattern or a phrase in a schema.
pub(crate) fn plain_text(text: &str) -> String {
    text.chars().map(plain).collect()
}

/// The plain form of a pattern, to be compiled without Unicode: bytes make small and fast
/// automata, and a plain text is nearly all ASCII. A pattern that asks for more gets it.
pub(crate) fn pattern(text: &str) -> String {
    let plain = plain_text(text);
    if plain.is_ascii() && !plain.contains("\\p") && !plain.contains("\\P") {
        plain
    } else {
        format!("(?u:{plain})")
    }
}

/// As [`plain_text`], in lower case: two texts with the same key are the same words.
pub(crate) fn key(text: &str) -> String {
    text.chars().map(plain).flat_map(char::to_lowercase).collect()
}

const fn plain(letter: char) -> char {
    match letter {
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' => 'a',
        'Á' | 'À' | 'Â' | 'Ä' | 'Ã' | 'Å' => 'A',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'É' | 'È' | 'Ê' | 'Ë' => 'E',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'Í' | 'Ì' | 'Î' | 'Ï' => 'I',
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' => 'o',
        'Ó' | 'Ò' | 'Ô' | 'Ö' | 'Õ' => 'O',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'Ú' | 'Ù' | 'Û' | 'Ü' => 'U',
        'ñ' => 'n',
        'Ñ' => 'N',
        'ç' => 'c',
        'Ç' => 'C',
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' => '"',
        '\u{2010}'..='\u{2015}' => '-',
        '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' => ' ',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_finds_its_way_back() {
        for original in
            ["", "plain", "¿Año señero? «Sí»", "it’s 5\u{a0}€ – ok", "日本é", "ﬁ\u{301}"]
        {
            let plain = Plain::new(original);
            assert_eq!(plain.as_str().chars().count(), original.chars().count());
            let there: Vec<usize> = plain.as_str().char_indices().map(|(at, _)| at).collect();
            let back: Vec<usize> = there.iter().map(|at| plain.origin(*at)).collect();
            let expected: Vec<usize> = original.char_indices().map(|(at, _)| at).collect();
            assert_eq!(back, expected, "{original}");
            assert_eq!(plain.origin(plain.as_str().len()), original.len());
        }
    }

    #[test]
    fn keys_know_neither_case_nor_accent() {
        for (text, expected) in [("Reunión", "reunion"), ("DON’T", "don't"), ("ÑANDÚ", "nandu")]
        {
            assert_eq!(key(text), expected);
        }
    }
}
