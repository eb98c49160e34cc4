//! Finding a quote of which most words, but not all, stand in a text, in their order.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

/// Of ten words of a quote, this many must stand there.
const ALIKE: usize = 8;
/// The longest quote that is looked for in this way, in words.
const LONGEST: usize = 200;
/// Comparisons of words that one text is worth; then quotes that are not there in full are nowhere.
const MOST_WORK: usize = 50_000_000;

/// The words of a text.
pub(super) struct Words {
    /// Which word, and where in the text.
    all: Vec<(u32, Range<usize>)>,
    numbers: HashMap<String, u32>,
    work: usize,
}

/// The cheapest way to read the words of the quote so far as those up to a place of the text.
#[derive(Clone, Copy)]
struct Way {
    cost: usize,
    /// Words that are the same.
    same: usize,
    /// The word of the text at which it begins.
    start: usize,
}

impl Words {
    pub(super) fn new(text: &str) -> Self {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut all = Vec::new();
        for (at, word) in text.unicode_word_indices() {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            let number = *numbers.entry(word.to_owned()).or_insert(next);
            all.push((number, at..at + word.len()));
        }
        Self { all, numbers, work: 0 }
    }

    /// The range that differs in the fewest words from the quote, and in two of ten at most; of
    /// several the first at or after a byte, or else the first.
    pub(super) fn find(&mut self, quote: &str, from: usize) -> Option<Range<usize>> {
        let wanted: Vec<Option<u32>> =
            quote.unicode_words().map(|word| self.numbers.get(word).copied()).collect();
        let most = wanted.len() * (10 - ALIKE) / 10;
        let strange = wanted.iter().filter(|word| word.is_none()).count();
        let work = wanted.len() * self.all.len();
        if most == 0 || strange > most || wanted.len() > LONGEST || self.work + work > MOST_WORK {
            return None;
        }
        self.work += work;
        let ways = self.ways(&wanted);
        let ends =
            ways.iter().enumerate().filter(|(end, way)| way.cost <= most && way.start < *end);
        let (end, way) = ends.min_by_key(|(end, way)| {
            let start = self.all[way.start].1.start;
            (way.cost, start < from, Reverse(way.same), start, *end)
        })?;
        Some(self.all[way.start].1.start..self.all[end - 1].1.end)
    }

    /// For each place of the text, the cheapest way to read the whole quote as words that end
    /// there; a word more, less or other costs one (Sellers' algorithm).
    fn ways(&self, wanted: &[Option<u32>]) -> Vec<Way> {
        let mut row: Vec<Way> =
            (0..=self.all.len()).map(|start| Way { cost: 0, same: 0, start }).collect();
        for (nth, word) in wanted.iter().enumerate() {
            let mut corner = row[0];
            row[0] = Way { cost: nth + 1, same: 0, start: 0 };
            for (place, (number, _)) in self.all.iter().enumerate() {
                let same = usize::from(Some(*number) == *word);
                let other =
                    Way { cost: corner.cost + 1 - same, same: corner.same + same, ..corner };
                let less = Way { cost: row[place].cost + 1, ..row[place] };
                corner = row[place + 1];
                let more = Way { cost: corner.cost + 1, ..corner };
                row[place + 1] = cheapest(other, cheapest(more, less));
            }
        }
        row
    }
}

const fn cheapest(first: Way, second: Way) -> Way {
    let better = second.cost < first.cost || second.cost == first.cost && second.same > first.same;
    if better { second } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "we type the invoices by hand every single day, and we type the orders by \
                        hand every other day";

    fn found(quote: &str, from: usize) -> Option<&'static str> {
        Words::new(TEXT).find(quote, from).map(|range| &TEXT[range])
    }

    #[test]
    fn most_words_are_enough() {
        for (quote, expected) in [
            (
                "type the invoices by hand every day",
                Some("type the invoices by hand every single day"),
            ),
            (
                "type all invoices by hand every single day",
                Some("type the invoices by hand every single day"),
            ),
            ("type the invoices really by hand", Some("type the invoices by hand")),
            ("they type the orders by hand", Some("we type the orders by hand")),
            ("hand orders type every other", None),
            ("type the mails by hand never", None),
            ("by foot", None),
            ("", None),
        ] {
            assert_eq!(found(quote, 0), expected, "{quote}");
        }
    }

    #[test]
    fn of_two_places_that_are_alike_the_next_is_taken() {
        let quote = "type the mails by hand every";
        assert_eq!(found(quote, 0), Some("type the invoices by hand every"));
        assert_eq!(found(quote, 20), Some("type the orders by hand every"));
    }

    #[test]
    fn hostile_quotes_end_soon() {
        let text = "a b ".repeat(50_000);
        let mut words = Words::new(&text);
        let start = std::time::Instant::now();
        for _ in 0..1000 {
            words.find(&"a a b ".repeat(60), 0);
        }
        assert!(start.elapsed().as_secs() < 20);
    }
}
