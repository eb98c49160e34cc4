//! Finding thousands of phrases in one pass over the words of a text.

use std::collections::HashMap;

/// A word of a text: its key and where it stands in the plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// In lower case, without accents.
    pub(crate) key: String,
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
}

/// The words of a plain text: runs of letters and digits, with apostrophes inside (`don't`).
pub(crate) fn words(plain: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut letters = plain.char_indices().peekable();
    while let Some((start, letter)) = letters.next() {
        if !letter.is_alphanumeric() {
            continue;
        }
        let mut end = start + letter.len_utf8();
        while let Some(&(at, next)) = letters.peek() {
            let inside = next.is_alphanumeric()
                || (next == '\'' && plain[at + 1..].starts_with(char::is_alphanumeric));
            if !inside {
                break;
            }
            end = at + next.len_utf8();
            letters.next();
        }
        words.push(Word { key: super::plain::key(&plain[start..end]), start, end });
    }
    words
}

/// Where a phrase was found, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// The number under which it was added.
    pub(crate) phrase: usize,
    /// First word.
    pub(crate) first: usize,
    /// One past the last word.
    pub(crate) past: usize,
}

#[derive(Debug)]
enum Piece {
    Whole(String),
    /// `frustrat*`.
    Beginning(String),
}

impl Piece {
    fn fits(&self, word: &Word) -> bool {
        match self {
            Self::Whole(text) => *text == word.key,
            Self::Beginning(text) => word.key.starts_with(text.as_str()),
        }
    }
}

/// Phrases of one or more words; a `*` at the end of a word stands for any ending.
#[derive(Debug, Default)]
pub(crate) struct Phrases {
    pieces: Vec<Vec<Piece>>,
    /// Phrases by their whole first word.
    whole: HashMap<String, Vec<usize>>,
    /// Phrases by the first letter of a first word that is only a beginning.
    beginning: HashMap<char, Vec<usize>>,
}

impl Phrases {
    /// Adds a phrase and gives its number; `None` when there is no word in it.
    pub(crate) fn add(&mut self, phrase: &str) -> Option<usize> {
        let plain = super::plain::plain_text(phrase);
        let pieces: Vec<Piece> = words(&plain)
            .into_iter()
            .map(|word| {
                if plain[word.end..].starts_with('*') {
                    Piece::Beginning(word.key)
                } else {
                    Piece::Whole(word.key)
                }
            })
            .collect();
        let number = self.pieces.len();
        match pieces.first()? {
            Piece::Whole(text) => self.whole.entry(text.clone()).or_default().push(number),
            Piece::Beginning(text) => {
                self.beginning.entry(text.chars().next()?).or_default().push(number);
            }
        }
        self.pieces.push(pieces);
        Some(number)
    }

    /// Every place of every phrase, from left to right.
    pub(crate) fn find(&self, words: &[Word]) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (first, word) in words.iter().enumerate() {
            let whole = self.whole.get(&word.key);
            let letter = word.key.chars().next();
            let beginning = letter.and_then(|letter| self.beginning.get(&letter));
            for &phrase in whole.into_iter().chain(beginning).flatten() {
                let pieces = &self.pieces[phrase];
                let past = first + pieces.len();
                let fits = words.get(first..past).is_some_and(|words| {
                    pieces.iter().zip(words).all(|(piece, word)| piece.fits(word))
                });
                if fits {
                    hits.push(Hit { phrase, first, past });
                }
            }
        }
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plain::Plain;

    fn found(phrases: &[&str], text: &str) -> Vec<String> {
        let mut all = Phrases::default();
        for phrase in phrases {
            all.add(phrase);
        }
        let plain = Plain::new(text);
        let words = words(plain.as_str());
        let hits = all.find(&words).into_iter();
        hits.map(|hit| {
            text[plain.origin(words[hit.first].start)..plain.origin(words[hit.past - 1].end)]
                .to_owned()
        })
        .collect()
    }

    #[test]
    fn phrases_are_whole_words_whatever_case_accent_and_spacing() {
        for (phrases, text, expected) in [
            (&["by hand"][..], "All by  hand, BY HAND; goodbye hand", &["by  hand", "BY HAND"][..]),
            (
                &["frustrat*"],
                "Frustrating and frustrated, not rustic",
                &["Frustrating", "frustrated"],
            ),
            (&["reunion"], "una Reunión", &["Reunión"]),
            (&["don't know"], "we don’t know", &["don’t know"]),
            (&["s/4hana"], "on S/4HANA", &["S/4HANA"]),
            (&["a b", "a"], "a b", &["a b", "a"]),
            (&["", "*", "!"], "* !", &[]),
            (&["pass* out"], "passing out", &["passing out"]),
        ] {
            assert_eq!(found(phrases, text), expected, "{phrases:?} in {text}");
        }
    }
}
