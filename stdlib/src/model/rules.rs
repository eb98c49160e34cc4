//! The embedded model: cue phrases, patterns and word lists of the schema, without a network.

use std::collections::{BTreeMap, HashMap};

use flow_dsl::{Code, Diagnostic, SourceFile};

use super::confidence::Evidence;
use super::entity::Entity;
use super::phrases::{Hit, Phrases, Word, words};
use super::plain::Plain;
use super::schema::{EntitySchema, Kind};
use super::sentences::{Sentence, sentences};
use super::{name, value};

/// What a phrase says of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Cue,
    Hint,
    Unless,
    /// Which of the kind's words.
    Word(usize),
}

#[derive(Debug)]
struct Meaning {
    kind: usize,
    sense: Sense,
    /// The spelling of a word with capitals, which must stand in the text, too.
    capitals: Option<String>,
}

/// A schema, made ready to read texts with.
#[derive(Debug)]
pub(crate) struct Rules {
    schema: EntitySchema,
    phrases: Phrases,
    /// Of each phrase, by its number.
    meanings: Vec<Meaning>,
}

/// What a sentence says of one kind.
#[derive(Debug, Default)]
struct Found {
    cues: Vec<Hit>,
    hints: Vec<usize>,
    words: Vec<(usize, Hit)>,
    patterns: Vec<usize>,
    ruled_out: bool,
}

/// A sentence that is being read.
struct Reading<'a> {
    text: &'a str,
    plain: Plain,
    words: Vec<Word>,
}

impl Rules {
    /// Makes a schema ready; a kind that could never be found is a mistake.
    pub(crate) fn new(
        schema: EntitySchema,
        source: &std::sync::Arc<SourceFile>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut phrases = Phrases::default();
        let mut meanings = Vec::new();
        let mut mute = Vec::new();
        for (place, kind) in schema.kinds.iter().enumerate() {
            if kind.cues.is_empty() && kind.patterns.is_empty() && kind.words.is_empty() {
                mute.push(unfindable(kind, source));
            }
            for (phrase, sense, capitals) in meanings_of(kind) {
                if phrases.add(phrase).is_some() {
                    meanings.push(Meaning { kind: place, sense, capitals });
                }
            }
        }
        if !mute.is_empty() {
            return Err(mute);
        }
        Ok(Self { schema, phrases, meanings })
    }

    /// The entities of a text in their order, each name of a kind once.
    pub(crate) fn read(&self, text: &str) -> Vec<Entity> {
        let mut entities: Vec<Entity> = Vec::new();
        let mut known: HashMap<(String, String), usize> = HashMap::new();
        let (mut byte, mut letters) = (0, 0);
        for sentence in sentences(text, &self.schema.skip_speakers) {
            let found = self.sentence(text, sentence);
            if found.is_empty() {
                continue;
            }
            letters += text[byte..sentence.start].chars().count();
            byte = sentence.start;
            let end = letters + text[sentence.start..sentence.end].chars().count();
            for mut entity in found {
                entity.span = Some((letters, end));
                let key = (entity.kind.clone(), super::plain::key(&entity.name));
                if let Some(at) = known.get(&key) {
                    merge(&mut entities[*at], entity);
                } else {
                    known.insert(key, entities.len());
                    entities.push(entity);
                }
            }
        }
        entities
    }

    fn sentence(&self, text: &str, sentence: Sentence) -> Vec<Entity> {
        let text = &text[sentence.start..sentence.end];
        let plain = Plain::new(text);
        let words = words(plain.as_str());
        let reading = Reading { text, plain, words };
        let found = self.evidence(&reading);
        let kinds = found.into_iter().filter(|(_, found)| !found.ruled_out);
        kinds
            .flat_map(|(kind, found)| entities(&self.schema.kinds[kind], &found, &reading))
            .collect()
    }

    fn evidence(&self, reading: &Reading<'_>) -> BTreeMap<usize, Found> {
        let mut found: BTreeMap<usize, Found> = BTreeMap::new();
        for hit in self.phrases.find(&reading.words) {
            let meaning = &self.meanings[hit.phrase];
            if meaning.capitals.as_deref().is_some_and(|word| !reading.has_capitals(hit, word)) {
                continue;
            }
            let found = found.entry(meaning.kind).or_default();
            match meaning.sense {
                Sense::Cue => found.cues.push(hit),
                Sense::Hint => found.hints.push(hit.phrase),
                Sense::Unless => found.ruled_out = true,
                Sense::Word(word) => found.words.push((word, hit)),
            }
        }
        // One automaton for all patterns would be one pass, but its states are combinations of
        // theirs, and most of the time would go into making them.
        for (place, kind) in self.schema.kinds.iter().enumerate() {
            for (nth, pattern) in kind.patterns.iter().enumerate() {
                if pattern.is_match(reading.plain.as_bytes()) {
                    found.entry(place).or_default().patterns.push(nth);
                }
            }
        }
        found
    }
}

impl Reading<'_> {
    fn original(&self, start: usize, end: usize) -> &str {
        self.text.get(self.plain.origin(start)..self.plain.origin(end)).unwrap_or_default()
    }

    /// `SAP` and `Excel` are names; `sap` and `excel` are not.
    fn has_capitals(&self, hit: Hit, spelling: &str) -> bool {
        let (first, last) = (&self.words[hit.first], &self.words[hit.past - 1]);
        let written = self.plain.as_str().get(first.start..last.end).unwrap_or_default();
        let wanted = spelling.chars().filter(|c| c.is_alphanumeric());
        let written: Vec<char> = written.chars().filter(|c| c.is_alphanumeric()).collect();
        wanted
            .zip(written)
            .all(|(wanted, written)| !wanted.is_uppercase() || written.is_uppercase())
    }
}

fn meanings_of(kind: &Kind) -> impl Iterator<Item = (&str, Sense, Option<String>)> {
    let lists =
        [(&kind.cues, Sense::Cue), (&kind.hints, Sense::Hint), (&kind.unless, Sense::Unless)];
    let phrases = lists.into_iter().flat_map(|(phrases, sense)| {
        phrases.iter().map(move |phrase| (phrase.as_str(), sense, None))
    });
    let words = kind.words.iter().enumerate().flat_map(|(nth, (_, spellings))| {
        spellings.iter().map(move |spelling| {
            let plain = super::plain::plain_text(spelling);
            let capitals = plain.contains(char::is_uppercase).then_some(plain);
            (spelling.as_str(), Sense::Word(nth), capitals)
        })
    });
    phrases.chain(words)
}

fn unfindable(kind: &Kind, source: &std::sync::Arc<SourceFile>) -> Diagnostic {
    let message =
        format!("rules can never find `{}`: it has no cues, patterns or words", kind.name);
    Diagnostic::new(Code::F0513, source, kind.span, message)
        .help("add `cues` to it, or use a model that reads descriptions")
}

/// The entities of one kind in a sentence: one for each name that is in a word list or that a
/// pattern catches, or else one for the sentence.
fn entities(kind: &Kind, found: &Found, reading: &Reading<'_>) -> Vec<Entity> {
    let evidence = Evidence::new(kind, &found.cues, &found.hints, found.patterns.len());
    let asked = reading.text.ends_with('?');
    let entity = |name: String, confidence: f64| Entity {
        kind: kind.name.clone(),
        fields: value::fields(kind, reading.text, &reading.plain),
        quote: reading.text.to_owned(),
        span: None,
        confidence,
        mentions: 1,
        name,
    };
    let (names, unnamed) = names(kind, found, reading);
    if names.is_empty() {
        let cue = found.cues.first().map(|hit| reading.words[hit.first].start);
        if let Some(at) = cue.or(unnamed) {
            let name = name::clause(reading.text, reading.plain.origin(at));
            let denied = evidence.denies(&reading.words, at);
            return vec![entity(name, evidence.confidence(kind, false, asked, denied))];
        }
    }
    let of = |(name, place): (String, Place)| {
        let denied = evidence.denies(&reading.words, place.at);
        entity(name, evidence.confidence(kind, place.word, asked, denied))
    };
    names.into_iter().map(of).collect()
}

/// Where a name stands in the plain text, and whether it comes from a word list.
struct Place {
    at: usize,
    word: bool,
}

/// The names in a sentence, each once, and the first place where a pattern fits without a name.
fn names(
    kind: &Kind,
    found: &Found,
    reading: &Reading<'_>,
) -> (Vec<(String, Place)>, Option<usize>) {
    let mut names: Vec<(String, Place)> = Vec::new();
    let mut unnamed = None;
    let mut add = |name: String, place: Place| {
        if !names.iter().any(|(known, _)| *known == name) {
            names.push((name, place));
        }
    };
    for (nth, hit) in &found.words {
        let at = reading.words[hit.first].start;
        add(kind.words[*nth].0.clone(), Place { at, word: true });
    }
    for nth in &found.patterns {
        let catches = kind.patterns[*nth].regex().into_iter();
        for catch in catches.flat_map(|regex| regex.captures_iter(reading.plain.as_bytes())) {
            unnamed = unnamed.or(catch.get(0).map(|whole| whole.start()));
            let Some(group) = catch.name("name") else { continue };
            let name = name::caught(reading.original(group.start(), group.end()));
            if name.chars().filter(|c| c.is_alphanumeric()).count() > 1 {
                add(name, Place { at: group.start(), word: false });
            }
        }
    }
    (names, unnamed)
}

/// The same thing said again: the surer quote stays.
fn merge(old: &mut Entity, new: Entity) {
    let mentions = old.mentions + u64::from(old.span != new.span);
    if new.confidence > old.confidence {
        *old = new;
    }
    old.mentions = mentions;
}
