//! Finding a quote in the text that it is said to come from.

use std::collections::HashMap;
use std::ops::Range;

use super::fuzzy::Words;
use crate::model::entity::Entity;

/// What is left of the confidence when a quote stands nowhere in the text.
const UNGROUNDED: f64 = 0.5;

/// A text in which quotes are looked for, in the order in which they are said.
///
/// Of several places the first is taken that follows the one before, or else the first at all; who
/// says the same a second time means the next place.
pub(super) struct Ground<'a> {
    text: &'a str,
    /// The text as it is compared: made when a quote is not there to the letter.
    loose: Option<Loose>,
    /// The words of that: made when a quote is not there in other letters, either.
    words: Option<Words>,
    /// Where the last quote begins, in bytes.
    last: usize,
    /// Where an entity was found, by what was said.
    taken: HashMap<(String, String, String), Range<usize>>,
}

/// A text in which only words and signs count: lower case, no accents, one space between words.
struct Loose {
    text: String,
    /// For each byte, where its character begins and ends in the original.
    origin: Vec<(u32, u32)>,
}

impl<'a> Ground<'a> {
    /// Looks in this text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, loose: None, words: None, last: 0, taken: HashMap::new() }
    }

    /// The entities with their places, in characters, and the words that stand there. Those that
    /// say the same of the same place are one.
    pub(super) fn all(&mut self, said: Vec<Entity>) -> Vec<Entity> {
        let mut entities: Vec<Entity> = Vec::with_capacity(said.len());
        for mut entity in said {
            self.place(&mut entity);
            let same = |old: &&mut Entity| {
                (&old.kind, &old.name, &old.quote, old.span)
                    == (&entity.kind, &entity.name, &entity.quote, entity.span)
            };
            match entities.iter_mut().find(same) {
                Some(old) => old.mentions += 1,
                None => entities.push(entity),
            }
        }
        entities
    }

    fn place(&mut self, entity: &mut Entity) {
        let said = (entity.kind.clone(), entity.name.clone(), entity.quote.clone());
        let before = self.taken.get(&said).cloned();
        let from = before.as_ref().map_or(self.last, |taken| taken.end);
        let Some(range) = self.find(&entity.quote, from, before) else {
            entity.confidence *= UNGROUNDED;
            return;
        };
        self.last = range.start;
        let first = self.text[..range.start].chars().count();
        let words = &self.text[range.clone()];
        entity.span = Some((first, first + words.chars().count()));
        words.clone_into(&mut entity.quote);
        self.taken.insert(said, range);
    }

    /// To the letter; or whatever the case, accents, kind of quotes and white space; or with most
    /// of its words.
    fn find(
        &mut self,
        quote: &str,
        from: usize,
        before: Option<Range<usize>>,
    ) -> Option<Range<usize>> {
        let (text, again) = (self.text, before.is_some());
        if let Some(start) = occurrence(text, quote, from, again) {
            return Some(start..start + quote.len());
        }
        // Said more often than it stands there: the last place once more.
        before.or_else(|| self.find_loosely(quote, from))
    }

    fn find_loosely(&mut self, quote: &str, from: usize) -> Option<Range<usize>> {
        let wanted = Loose::new(quote);
        let outer = |c: char| c == ' ' || c == '"' || c == '\'' || c == '.' || c == '…';
        let wanted = wanted.text.trim_matches(outer);
        let loose = self.loose.get_or_insert_with(|| Loose::new(self.text));
        let from = loose.origin.partition_point(|(start, _)| (*start as usize) < from);
        let found = if let Some(start) = occurrence(&loose.text, wanted, from, false) {
            start..start + wanted.len()
        } else {
            let words = self.words.get_or_insert_with(|| Words::new(&loose.text));
            words.find(wanted, from)?
        };
        let first = loose.origin.get(found.start)?.0;
        let last = loose.origin.get(found.end.checked_sub(1)?)?.1;
        Some(first as usize..last as usize)
    }
}

/// Where a quote stands: at or after a byte, or else, unless it must go on, anywhere; rather as
/// words of their own than within others.
fn occurrence(text: &str, quote: &str, from: usize, on: bool) -> Option<usize> {
    if quote.is_empty() {
        return None;
    }
    let rest = text.get(from..).unwrap_or_default();
    let whole = |start: &usize| is_whole(text, *start..*start + quote.len());
    let after = || rest.match_indices(quote).map(|(at, _)| from + at);
    let anywhere = || text.match_indices(quote).map(|(at, _)| at);
    if on {
        return after().find(whole);
    }
    after().find(whole).or_else(|| anywhere().find(whole)).or_else(|| anywhere().next())
}

/// Whether words begin and end where a range does.
fn is_whole(text: &str, range: Range<usize>) -> bool {
    let inner = &text[range.clone()];
    let joins = |left: Option<char>, right: Option<char>| {
        left.is_some_and(char::is_alphanumeric) && right.is_some_and(char::is_alphanumeric)
    };
    !joins(text[..range.start].chars().next_back(), inner.chars().next())
        && !joins(inner.chars().next_back(), text[range.end..].chars().next())
}

impl Loose {
    fn new(original: &str) -> Self {
        let mut text = String::with_capacity(original.len());
        let mut origin = Vec::with_capacity(original.len());
        for (at, letter) in original.char_indices() {
            let key = crate::model::plain::key(letter.encode_utf8(&mut [0; 4]));
            if key.trim().is_empty() {
                if !text.ends_with(' ') {
                    text.push(' ');
                }
            } else {
                text.push_str(&key);
            }
            let small = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
            origin.resize(text.len(), (small(at), small(at + letter.len_utf8())));
        }
        Self { text, origin }
    }
}
