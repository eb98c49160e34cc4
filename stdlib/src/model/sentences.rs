//! Cutting a transcript into the sentences of those who were interviewed.

use unicode_segmentation::UnicodeSegmentation;

/// Speakers whose words are questions, not findings, when the schema names none.
pub(crate) const INTERVIEWERS: &[&str] = &[
    "interviewer",
    "interviewers",
    "moderator",
    "operator",
    "question",
    "q",
    "entrevistador",
    "entrevistadora",
    "moderador",
    "moderadora",
    "pregunta",
];

/// Dots behind these end no sentence.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "dra", "sr", "sra", "srta", "prof", "st", "nr", "vs", "etc", "approx",
    "inc", "ltd", "co", "corp", "fig", "e.g", "i.e", "p.ej", "ej", "av", "ud", "uds", "a.m", "p.m",
    "u.s", "ing", "lic", "vol",
];

/// The longest text before a colon that can be the name of a speaker, in bytes.
const LABEL: usize = 60;

/// A sentence of more bytes is cut: recognised speech may have no full stops at all.
const LONG: usize = 800;

/// A sentence: bytes of the text, without the white space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
}

/// The sentences of a text, less those of the speakers called one of `skip` (keys). Names of
/// speakers (`MARTA:` at the beginning of a line) and notes in brackets belong to no sentence.
pub(crate) fn sentences(text: &str, skip: &[String]) -> Vec<Sentence> {
    let mut found = Vec::new();
    let mut skipping = false;
    let mut block = 0..0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let label = label(line);
        if let Some((name, body)) = label {
            flush(text, block, skipping, &mut found);
            skipping = is_skipped(name, skip);
            block = start + body..end;
        } else if line.trim().is_empty() {
            flush(text, block, skipping, &mut found);
            block = end..end;
        } else {
            block.end = end;
        }
    }
    flush(text, block, skipping, &mut found);
    found
}

/// The name of a speaker at the beginning of a line, and where the words begin.
fn label(line: &str) -> Option<(&str, usize)> {
    let colon = line.bytes().take(LABEL).position(|byte| byte == b':')?;
    let name = line[..colon].trim();
    let after = line[colon + 1..].chars().next();
    let named = name.split_whitespace().count() <= 5
        && name.starts_with(char::is_alphabetic)
        && name.chars().all(|c| c.is_alphanumeric() || " .'’-()".contains(c))
        && after.is_none_or(char::is_whitespace);
    let shouted = !name.contains(char::is_lowercase);
    let titled = name.split_whitespace().all(|word| word.starts_with(|c: char| !c.is_lowercase()));
    (named && (shouted || titled)).then_some((name, colon + 1))
}

fn is_skipped(name: &str, skip: &[String]) -> bool {
    let name = super::plain::key(name);
    let first = name.split_whitespace().next().unwrap_or_default();
    skip.iter().any(|skip| *skip == name || skip == first)
}

fn flush(text: &str, block: std::ops::Range<usize>, skipping: bool, found: &mut Vec<Sentence>) {
    let Some(body) = text.get(block.clone()).filter(|_| !skipping) else { return };
    let mut open: Option<Sentence> = None;
    for (at, piece) in body.split_sentence_bound_indices() {
        let trimmed = piece.trim();
        if trimmed.is_empty() {
            continue;
        }
        let start = block.start + at + (piece.len() - piece.trim_start().len());
        let next = Sentence { start, end: start + trimmed.len() };
        open = Some(match open {
            Some(last) if belongs(&text[last.start..last.end], trimmed) => {
                Sentence { start: last.start, end: next.end }
            }
            Some(last) => {
                spoken(text, last, found);
                next
            }
            None => next,
        });
    }
    if let Some(last) = open {
        spoken(text, last, found);
    }
}

/// Takes a sentence that is not a note like `[MUSIC]`, nor signs alone; one without an end in
/// pieces.
fn spoken(text: &str, sentence: Sentence, found: &mut Vec<Sentence>) {
    let words = &text[sentence.start..sentence.end];
    if words.starts_with('[') && words.ends_with(']') {
        return;
    }
    let mut start = sentence.start;
    while start < sentence.end {
        let rest = &text[start..sentence.end];
        let cut = start + cut(rest);
        let piece = text[start..cut].trim();
        if piece.contains(char::is_alphanumeric) {
            let skipped = text[start..cut].len() - text[start..cut].trim_start().len();
            found.push(Sentence { start: start + skipped, end: start + skipped + piece.len() });
        }
        start = cut;
    }
}

/// Where a text of more than [`LONG`] bytes is cut: behind a comma, or a space, or anywhere.
fn cut(rest: &str) -> usize {
    if rest.len() <= LONG {
        return rest.len();
    }
    let window = &rest[..rest.floor_char_boundary(LONG)];
    let comma = window.rfind([',', ';', ':']).filter(|at| *at > LONG / 2);
    match comma.or_else(|| window.rfind(char::is_whitespace).filter(|at| *at > 0)) {
        Some(at) => at + window[at..].chars().next().map_or(1, char::len_utf8),
        None => window.len(),
    }
}

/// Whether the rules of Unicode cut too early: behind an abbreviation, or at the end of a line
/// that is only wrapped.
fn belongs(last: &str, next: &str) -> bool {
    let wrapped = !last.ends_with(['.', '!', '?', '…', ':', ';', '"', '”', ')', ']'])
        && next.starts_with(char::is_lowercase);
    let Some(body) = last.strip_suffix('.') else { return wrapped };
    let word = body.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let initial = word.chars().count() == 1 && word != "I" && word.starts_with(char::is_uppercase);
    initial || ABBREVIATIONS.contains(&super::plain::key(word).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_the_interviewed_are_found() {
        let skip: Vec<String> = INTERVIEWERS.iter().map(|&name| name.to_owned()).collect();
        for (text, expected) in [
            ("", &[][..]),
            (" \n\t ", &[]),
            ("One. Two? Three!", &["One.", "Two?", "Three!"]),
            (
                "INTERVIEWER: Why?\nANA: Because. It is so.\nINTERVIEWER: Oh.",
                &["Because.", "It is so."],
            ),
            ("Entrevistadora: ¿Qué?\nJosé Luis: Nada, Sra. Pérez.", &["Nada, Sra. Pérez."]),
            (
                "Dr. A. Smith came, e.g. by car. He left.",
                &["Dr. A. Smith came, e.g. by car.", "He left."],
            ),
            (
                "a line that is\nwrapped here\n\nnext block",
                &["a line that is\nwrapped here", "next block"],
            ),
            ("[MUSIC]\nHello there.\n...", &["Hello there."]),
            ("see http://x.org: fine", &["see http://x.org: fine"]),
            ("It costs 3.50 today.", &["It costs 3.50 today."]),
            ("Q: a?\r\nA: b.\r\n", &["b."]),
            ("INTERVIEWER 2: a.\nstill asking.", &[]),
            ("ÑÑÑ: sí:", &["sí:"]),
        ] {
            let found: Vec<&str> =
                sentences(text, &skip).iter().map(|found| &text[found.start..found.end]).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn speech_without_full_stops_is_cut() {
        let endless = "and so on ".repeat(1000);
        let solid = "ñ".repeat(3000);
        for text in [&endless, &solid] {
            let found = sentences(text, &[]);
            assert!(found.len() > 5);
            assert!(found.iter().all(|found| found.end - found.start <= LONG));
            let kept: usize = found.iter().map(|found| found.end - found.start).sum();
            assert!(kept + 2 * found.len() > text.len());
        }
    }
}
