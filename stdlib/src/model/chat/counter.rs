//! How many tokens a question has, counted before it is asked.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

use super::Ask;

/// Tokens that the wire puts around a message, and before the answer.
const AROUND: u64 = 4;
const BEFORE: u64 = 3;
/// Bytes that make about one token.
const BYTES_PER_TOKEN: u64 = 4;
/// Texts whose counts are kept, since they come with every question.
const KEPT: usize = 256;
/// Bytes that are counted at once: a long run without a space takes time that grows with its square.
const PIECE: usize = 4096;

/// How tokens are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As the hosted models of OpenAI do since gpt-4o.
    O200k,
    /// As those before them did.
    Cl100k,
    /// By the length of the text.
    Length,
}

/// Counts tokens for one model.
#[derive(Debug)]
pub(in crate::model) struct Counter {
    way: Way,
    kept: Mutex<HashMap<u64, u64>>,
}

impl Counter {
    /// By the model's own tokens, where they are known.
    pub(in crate::model) fn new(system: &str, model: &str) -> Self {
        // Fine-tuned models are called `ft:gpt-4o-mini:..`.
        let name = model.strip_prefix("ft:").unwrap_or(model);
        let begins = |names: &[&str]| names.iter().any(|begin| name.starts_with(begin));
        let way = match () {
            () if system != "openai" => Way::Length,
            () if begins(&[
                "gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "chatgpt-", "o1", "o3", "o4",
            ]) =>
            {
                Way::O200k
            }
            () if begins(&["gpt-4", "gpt-3.5", "text-embedding-"]) => Way::Cl100k,
            () => Way::Length,
        };
        Self { way, kept: Mutex::default() }
    }

    /// In words, with the share by which it may be off.
    pub(in crate::model) const fn way(&self) -> (&'static str, f64) {
        match self.way {
            Way::O200k => ("counted as o200k_base", 0.03),
            Way::Cl100k => ("counted as cl100k_base", 0.03),
            Way::Length => ("a token for each 4 bytes, within 35%", 0.35),
        }
    }

    /// The tokens of a question: what is said, what the wire puts around it, and the schema of the
    /// answer when that goes along.
    pub(super) fn question(&self, ask: &Ask<'_>, sends_schema: bool) -> u64 {
        let said: u64 = ask.turns.iter().map(|turn| self.said(turn.parts().1)).sum();
        let schema = if sends_schema { self.kept(&ask.schema.to_string()) } else { 0 };
        AROUND + self.kept(ask.system) + said + BEFORE + schema
    }

    /// The tokens of a message, with what the wire puts around it.
    pub(super) fn said(&self, text: &str) -> u64 {
        AROUND + self.text(text)
    }

    /// The tokens of a text that comes with every question.
    fn kept(&self, text: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let key = hasher.finish();
        let known = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokens) = known().get(&key) {
            return *tokens;
        }
        let tokens = self.text(text);
        let mut known = known();
        if known.len() < KEPT {
            known.insert(key, tokens);
        }
        tokens
    }

    /// The tokens of a text.
    pub(in crate::model) fn text(&self, text: &str) -> u64 {
        match self.way {
            Way::O200k => count(o200k_base_singleton(), text),
            Way::Cl100k => count(cl100k_base_singleton(), text),
            Way::Length => (text.len() as u64).div_ceil(BYTES_PER_TOKEN),
        }
    }
}

fn count(tokens: &CoreBPE, mut rest: &str) -> u64 {
    let mut count = 0;
    while !rest.is_empty() {
        let end = rest.floor_char_boundary(PIECE);
        // Words begin with their space.
        let space = rest[..end].rfind(char::is_whitespace).filter(|at| *at > 0);
        let end = if end == rest.len() { end } else { space.unwrap_or(end) };
        let (now, later) = rest.split_at(end);
        count += tokens.count_ordinary(now) as u64;
        rest = later;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prose() -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines/data/interviews");
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    #[test]
    fn pieces_count_like_the_whole_and_length_is_within_its_share() {
        let text = prose();
        let whole = o200k_base_singleton().count_ordinary(&text) as u64;
        let exact = Counter::new("openai", "gpt-4o-mini").text(&text);
        assert!(exact.abs_diff(whole) * 1000 <= whole, "{exact} {whole}");
        let roughly = Counter::new("openai", "qwen3:8b");
        #[expect(clippy::cast_precision_loss, reason = "a small count")]
        let off = (roughly.text(&text) as f64 / whole as f64 - 1.0).abs();
        assert!(off <= roughly.way().1, "{off}");
    }

    #[test]
    fn a_model_is_counted_its_own_way() {
        for (system, model, way) in [
            ("openai", "gpt-4o-mini", Way::O200k),
            ("openai", "ft:gpt-4o-mini:org", Way::O200k),
            ("openai", "gpt-5-nano", Way::O200k),
            ("openai", "gpt-4-turbo", Way::Cl100k),
            ("openai", "text-embedding-3-small", Way::Cl100k),
            ("openai", "llama3", Way::Length),
            ("anthropic", "gpt-4o", Way::Length),
        ] {
            assert_eq!(Counter::new(system, model).way, way, "{system} {model}");
        }
    }
}
