//! How sure a finding of the rules is, from the evidence for it.
//!
//! Every piece of evidence has a weight, which the schema may set: a cue 0.75, a pattern 0.8, a
//! word 0.8, a hint 0.3. Together they give `1 - (1 - w1) * (1 - w2) * ..`, as if each were
//! independent of the others: one cue gives 0.75, a cue and a hint 0.825, two cues 0.938. Cues that
//! overlap count once. A denial in the three words before the finding (`not a problem`) halves it,
//! and so does a question. It never passes 0.99. The figure orders findings by how much speaks for
//! them; it is no measured probability.

use super::phrases::{Hit, Word};
use super::schema::Kind;

/// Rules are never surer than this.
const MOST: f64 = 0.99;
/// What a denial or a question leaves.
const DOUBT: f64 = 0.5;
/// How many words before a finding can deny it.
const REACH: usize = 3;

const DENIALS: &[&str] = &[
    "not", "no", "never", "without", "isn't", "aren't", "wasn't", "don't", "doesn't", "didn't",
    "won't", "nothing", "hardly", "nunca", "jamas", "sin", "tampoco", "ningun", "ninguna",
];

/// What speaks for a kind in a sentence.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// What remains of the doubt after all cues, hints and patterns.
    doubt: f64,
    patterns: usize,
    /// Words that belong to a cue: a `no` among them denies nothing.
    of_cues: Vec<(usize, usize)>,
}

impl Evidence {
    /// Adds up what was found; the cues come from left to right.
    pub(crate) fn new(kind: &Kind, cues: &[Hit], hints: &[usize], patterns: usize) -> Self {
        let mut of_cues: Vec<(usize, usize)> = Vec::new();
        for hit in cues {
            match of_cues.last_mut() {
                Some((_, past)) if hit.first < *past => *past = hit.past.max(*past),
                _ => of_cues.push((hit.first, hit.past)),
            }
        }
        let mut hints = hints.to_vec();
        hints.sort_unstable();
        hints.dedup();
        let doubt = (0..of_cues.len()).map(|_| kind.weights.cue);
        let doubt = doubt.chain(hints.iter().map(|_| kind.weights.hint));
        let doubt = doubt.map(|weight| 1.0 - weight).product();
        Self { doubt, patterns, of_cues }
    }

    /// Whether the words before a byte of the plain text deny what stands there.
    pub(crate) fn denies(&self, words: &[Word], at: usize) -> bool {
        let here = words.partition_point(|word| word.end <= at);
        (here.saturating_sub(REACH)..here).any(|place| {
            let of_cues = self.of_cues.iter().any(|(first, past)| (*first..*past).contains(&place));
            !of_cues && DENIALS.contains(&words[place].key.as_str())
        })
    }

    /// How sure it is that the sentence holds such an entity.
    pub(crate) fn confidence(&self, kind: &Kind, word: bool, asked: bool, denied: bool) -> f64 {
        let mut doubt = self.doubt;
        for _ in 0..self.patterns {
            doubt *= 1.0 - kind.weights.pattern;
        }
        if word {
            doubt *= 1.0 - kind.weights.word;
        }
        let mut sure = (1.0 - doubt).min(MOST);
        for _ in 0..usize::from(asked) + usize::from(denied) {
            sure *= DOUBT;
        }
        sure
    }
}
