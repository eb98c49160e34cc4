//! A text that is mended so that reading can go on behind a mistake, and what is poisoned by it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::lines;
use crate::source::Span;

/// How a mistake is worked around.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Repair {
    /// A value becomes nothing; whatever it was is not spoken of again.
    Value(Range<usize>),
    /// Lines become blank; names in them are not spoken of again.
    Lines(Range<usize>),
    /// Everything from here on becomes blank.
    Tail(usize),
    /// A colon goes in behind a key.
    Colon(Range<usize>),
    /// A character becomes a space.
    Space(Range<usize>),
    /// Tabs at the beginning of lines become two spaces each.
    Tabs,
}

/// Text that could not be read, in bytes of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Poison {
    /// A value.
    Value(Span),
    /// A line, how far it was indented, and its first word.
    Line(Span, usize, String),
    /// A key that had no colon.
    Key(Span),
}

/// The text as it is read.
pub(super) struct Patch {
    /// Mended text.
    pub(super) text: String,
    /// What cannot be trusted.
    pub(super) poison: Vec<Poison>,
    /// Bytes of `text` that the file does not have, ascending.
    inserted: Vec<usize>,
    /// First bytes, in the file, of lines that were mended.
    mended: BTreeSet<usize>,
}

impl Patch {
    /// A text not mended yet.
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: with_line_feeds(text),
            poison: Vec::new(),
            inserted: Vec::new(),
            mended: BTreeSet::new(),
        }
    }

    /// The place in the file.
    pub(super) fn original(&self, at: usize) -> usize {
        at - self.inserted.partition_point(|&inserted| inserted < at)
    }

    /// The place in the text as it is read.
    pub(super) fn patched(&self, original: usize) -> usize {
        let mut at = original;
        for &inserted in &self.inserted {
            if inserted > at {
                break;
            }
            at += 1;
        }
        at
    }

    /// The range in the file.
    pub(super) fn span(&self, range: &Range<usize>) -> Span {
        Span::new(self.original(range.start), self.original(range.end))
    }

    /// Whether the line of a byte was mended before: a second mistake there follows from the first.
    pub(super) fn is_mended(&self, at: usize) -> bool {
        self.mended.contains(&self.original(lines::line(&self.text, at).start))
    }

    /// Works around a mistake.
    pub(super) fn apply(&mut self, repair: &Repair) {
        match repair {
            Repair::Value(range) => {
                self.mend_lines(range);
                self.poison.push(Poison::Value(self.span(range)));
                self.blank(range);
                if !range.is_empty() && !self.text[range.start..].starts_with('\n') {
                    self.text.replace_range(range.start..=range.start, "~");
                }
            }
            Repair::Lines(range) => {
                self.mend_lines(range);
                self.poison_lines(range);
                self.blank(range);
            }
            Repair::Tail(from) => {
                let range = *from..self.text.len();
                self.poison_lines(&range);
                // Whatever else would have come is not missed, here and at the top.
                let span = self.span(&(range.start..range.start));
                let line = lines::line(&self.text, range.start);
                let indent = lines::indent(&self.text, &line);
                self.poison.push(Poison::Line(span, indent, String::new()));
                self.poison.push(Poison::Line(span, 0, String::new()));
                self.blank(&range);
            }
            Repair::Colon(word) => {
                self.mend_lines(word);
                self.poison.push(Poison::Key(self.span(word)));
                self.insert(word.end, ':');
            }
            Repair::Space(range) => {
                self.mend_lines(range);
                self.blank(range);
            }
            Repair::Tabs => self.tabs(),
        }
    }

    fn mend_lines(&mut self, range: &Range<usize>) {
        let first = lines::line(&self.text, range.start).start;
        let starts = self.text[first..range.end.max(first)].match_indices('\n');
        let starts: Vec<usize> =
            [first].into_iter().chain(starts.map(|(at, _)| first + at + 1)).collect();
        for start in starts {
            self.mended.insert(self.original(start));
        }
    }

    fn poison_lines(&mut self, range: &Range<usize>) {
        let first = lines::line(&self.text, range.start);
        if lines::is_blank(&self.text, &first) {
            return;
        }
        let word = lines::first_word(&self.text, &first);
        let name = self.text[word.clone()].trim_matches(['"', '\'']).to_owned();
        let indent = lines::indent(&self.text, &first);
        self.poison.push(Poison::Line(self.span(&word), indent, name));
    }

    /// Everything but line ends becomes spaces, byte for byte.
    fn blank(&mut self, range: &Range<usize>) {
        let blank: String = self.text[range.clone()]
            .bytes()
            .map(|byte| if matches!(byte, b'\n' | b'\r') { char::from(byte) } else { ' ' })
            .collect();
        self.text.replace_range(range.clone(), &blank);
    }

    fn insert(&mut self, at: usize, character: char) {
        self.text.insert(at, character);
        let place = self.inserted.partition_point(|&inserted| inserted < at);
        for inserted in &mut self.inserted[place..] {
            *inserted += 1;
        }
        self.inserted.insert(place, at);
    }

    /// In one pass, as a file may have many.
    fn tabs(&mut self) {
        let mut text = String::with_capacity(self.text.len() * 2);
        let mut added = Vec::new();
        let mut old = self.inserted.iter().copied().peekable();
        let (mut leading, mut line) = (true, 0);
        for (at, character) in self.text.char_indices() {
            if old.next_if_eq(&at).is_some() {
                added.push(text.len());
            }
            match character {
                '\t' if leading => {
                    text.push(' ');
                    added.push(text.len());
                    text.push(' ');
                    self.mended.insert(line);
                    continue;
                }
                '\n' => {
                    leading = true;
                    let next = at + 1;
                    line = next - self.inserted.partition_point(|&inserted| inserted < next);
                }
                ' ' => {}
                _ => leading = false,
            }
            text.push(character);
        }
        self.text = text;
        self.inserted = added;
    }
}

/// A carriage return alone ends a line too; as a line feed it is one for everybody.
fn with_line_feeds(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let alone = character == '\r' && rest.peek() != Some(&'\n');
        out.push(if alone { '\n' } else { character });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lead_back_to_the_file() {
        let file = "a\n\tb: [ü\n\t\tc: d\n";
        let mut patch = Patch::new(file);
        patch.apply(&Repair::Tabs);
        patch.apply(&Repair::Colon(0..1));
        assert_eq!(patch.text, "a:\n  b: [ü\n    c: d\n");
        for word in ["b", "ü", "c", "d"] {
            let at = patch.text.find(word).unwrap();
            assert_eq!(patch.original(at), file.find(word).unwrap(), "{word}");
        }
        assert!(patch.is_mended(4) && patch.is_mended(0));
    }

    #[test]
    fn blanking_keeps_every_place() {
        let mut patch = Patch::new("a: ü x\nb: c\n");
        patch.apply(&Repair::Value(3..7));
        patch.apply(&Repair::Lines(8..12));
        assert_eq!(patch.text, "a: ~   \n    \n");
        assert_eq!(
            patch.poison,
            [Poison::Value(Span::new(3, 7)), Poison::Line(Span::new(8, 9), 0, "b".into())]
        );
    }
}
