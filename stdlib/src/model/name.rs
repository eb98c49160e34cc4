//! A short name for what a sentence says: the clause that says it, without its fillers.

use std::ops::Range;

/// The most words that a name has.
const WORDS: usize = 9;
/// Fewer words than these are no name; the next clause is taken along.
const FEW: usize = 3;
/// How many words may stand before the one that matters when a clause is cut.
const BEFORE: usize = 3;

/// Words that say nothing at the beginning of a name.
const OPENERS: &[&str] = &[
    "a",
    "actually",
    "ah",
    "also",
    "and",
    "anyway",
    "because",
    "but",
    "especially",
    "honestly",
    "maybe",
    "now",
    "of",
    "oh",
    "okay",
    "or",
    "really",
    "so",
    "that",
    "that's",
    "the",
    "then",
    "there's",
    "though",
    "to",
    "um",
    "well",
    "which",
    "while",
    "yeah",
    "yes",
    "ademas",
    "ahi",
    "al",
    "asi",
    "bueno",
    "de",
    "del",
    "el",
    "entonces",
    "es",
    "la",
    "las",
    "los",
    "muy",
    "o",
    "pero",
    "porque",
    "pues",
    "que",
    "si",
    "tambien",
    "un",
    "una",
    "y",
    "ya",
];

/// Words that lead on to something else at the end of a name.
const CLOSERS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "because", "but", "by", "for", "from", "in", "into", "is",
    "it", "of", "on", "or", "our", "so", "than", "that", "the", "their", "then", "they", "to",
    "was", "we", "when", "where", "which", "who", "with", "you", "al", "con", "como", "cuando",
    "de", "del", "el", "en", "es", "esta", "la", "las", "lo", "los", "mi", "no", "o", "para",
    "pero", "por", "porque", "que", "se", "si", "su", "sus", "un", "una", "y",
];

/// The clause of a sentence around a byte of it.
pub(crate) fn clause(sentence: &str, at: usize) -> String {
    let clauses = clauses(sentence);
    let here = clauses.iter().rposition(|clause| clause.start <= at).unwrap_or(0);
    let Some(mut range) = clauses.get(here).cloned() else { return sentence.to_owned() };
    let following = clauses.get(here + 1..).unwrap_or_default();
    for next in following {
        if trim(&sentence[range.clone()], None).split_whitespace().count() >= FEW {
            break;
        }
        range.end = next.end;
    }
    let name = trim(&sentence[range.clone()], at.checked_sub(range.start));
    if name.is_empty() { trim(sentence, None) } else { name }
}

/// A name as a pattern caught it: without fillers, not too long.
pub(crate) fn caught(text: &str) -> String {
    let first = clauses(text).into_iter().next();
    first.map(|clause| trim(&text[clause], None)).unwrap_or_default()
}

fn clauses(sentence: &str) -> Vec<Range<usize>> {
    let mut clauses = Vec::new();
    let mut start = 0;
    let mut letters = sentence.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let open = letters.peek().is_none_or(|(_, next)| next.is_whitespace());
        let ends = match letter {
            ',' | ':' | '.' | '?' | '!' | '-' => open,
            ';' | '—' | '–' | '(' | ')' | '"' | '“' | '”' | '¿' | '¡' | '…' => true,
            _ => false,
        };
        if ends {
            clauses.push(start..at);
            start = at + letter.len_utf8();
        }
    }
    clauses.push(start..sentence.len());
    clauses.retain(|clause| sentence[clause.clone()].contains(char::is_alphanumeric));
    clauses
}

/// Cuts a clause to its words; where it is too long, to those around the byte `at`.
fn trim(clause: &str, at: Option<usize>) -> String {
    let mut words: Vec<&str> = clause.split_whitespace().collect();
    let mut before = at.map_or(0, |at| clause[..floor(clause, at)].split_whitespace().count());
    while words.len() > 1 && is_one_of(words[0], OPENERS) {
        words.remove(0);
        before = before.saturating_sub(1);
    }
    if words.len() > WORDS {
        let latest = words.len() - WORDS;
        let start = if before + 1 > WORDS - BEFORE { (before - BEFORE).min(latest) } else { 0 };
        words = words[start..start + WORDS].to_vec();
        while words.len() > FEW && is_one_of(words[words.len() - 1], CLOSERS) {
            words.pop();
        }
    }
    let name = words.join(" ");
    name.trim_matches(|c: char| !c.is_alphanumeric() && c != '%' && c != ')').to_owned()
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    let key = super::plain::key(
        word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’'),
    );
    list.contains(&key.as_str())
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_clause_around_the_cue_without_fillers() {
        for (sentence, cue, expected) in [
            (
                "And so, honestly, the invoices are typed by hand, twice.",
                "by hand",
                "invoices are typed by hand",
            ),
            ("By hand.", "By hand", "By hand"),
            ("Slow, it costs 2,000 a day.", "Slow", "Slow, it costs 2,000 a day"),
            (
                "Y además los pedidos se anotan en un papel y se pierden.",
                "pierden",
                "pedidos se anotan en un papel y se pierden",
            ),
            (
                "one two three four five six seven eight nine ten eleven twelve thirteen",
                "eleven",
                "five six seven eight nine ten eleven twelve thirteen",
            ),
            ("¿Por qué? Nadie sabe.", "Nadie", "Nadie sabe"),
            ("...", "...", "..."),
            ("the", "the", "the"),
        ] {
            let at = sentence.find(cue).unwrap();
            assert_eq!(clause(sentence, at), expected, "{sentence}");
        }
    }

    #[test]
    fn a_caught_name_ends_with_its_clause() {
        for (text, expected) in [
            ("the dock bookings, and more", "dock bookings"),
            ("", ""),
            (" , ", ""),
            (
                "that the old systems do not talk to each other because they",
                "old systems do not talk to each other",
            ),
        ] {
            assert_eq!(caught(text), expected, "{text}");
        }
    }
}
