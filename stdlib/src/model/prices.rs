//! What hosted models cost when a file does not say: a table with a date.
//!
//! Standard prices of text in US dollars, without batch, priority or regional rates. Models whose
//! price depends on the length of the prompt are not in it, and models that are not in it have no
//! price: a wrong one would be worse than none.

use flow_engine::door::Price;

/// The day for which the figures hold.
pub(crate) const AS_OF: &str = "2026-07-31";

/// A provider with its models.
struct Hosted {
    provider: &'static str,
    /// Where the provider says what its models cost.
    #[cfg_attr(not(test), expect(dead_code, reason = "for those who bring the table up to date"))]
    source: &'static str,
    /// Name, and dollars for a million tokens: sent, sent and cached, received.
    models: &'static [(&'static str, f64, f64, f64)],
}

const TABLE: &[Hosted] = &[
    Hosted {
        provider: "openai",
        source: "https://platform.openai.com/docs/pricing",
        models: &[
            ("gpt-3.5-turbo", 0.5, 0.5, 1.5),
            ("gpt-4o", 2.5, 1.25, 10.0),
            ("gpt-4o-2024-05-13", 5.0, 5.0, 15.0),
            ("gpt-4o-mini", 0.15, 0.075, 0.6),
            ("gpt-4.1", 2.0, 0.5, 8.0),
            ("gpt-4.1-mini", 0.4, 0.1, 1.6),
            ("gpt-4.1-nano", 0.1, 0.025, 0.4),
            ("gpt-5", 1.25, 0.125, 10.0),
            ("gpt-5-mini", 0.25, 0.025, 2.0),
            ("gpt-5-nano", 0.05, 0.005, 0.4),
            ("o3", 2.0, 0.5, 8.0),
            ("o3-mini", 1.1, 0.55, 4.4),
            ("o4-mini", 1.1, 0.275, 4.4),
            ("text-embedding-3-small", 0.02, 0.02, 0.0),
            ("text-embedding-3-large", 0.13, 0.13, 0.0),
            ("text-embedding-ada-002", 0.1, 0.1, 0.0),
        ],
    },
    Hosted {
        provider: "anthropic",
        source: "https://platform.claude.com/docs/en/about-claude/pricing",
        models: &[
            ("claude-opus-4-7", 5.0, 0.5, 25.0),
            ("claude-opus-4-6", 5.0, 0.5, 25.0),
            ("claude-opus-4-5", 5.0, 0.5, 25.0),
            ("claude-opus-4-1", 15.0, 1.5, 75.0),
            ("claude-sonnet-4-6", 3.0, 0.3, 15.0),
            ("claude-sonnet-4-5", 3.0, 0.3, 15.0),
            ("claude-haiku-4-5", 1.0, 0.1, 5.0),
            ("claude-3-5-haiku", 0.8, 0.08, 4.0),
            ("claude-3-haiku", 0.25, 0.03, 1.25),
        ],
    },
    Hosted {
        provider: "gemini",
        source: "https://ai.google.dev/gemini-api/docs/pricing",
        models: &[
            ("gemini-2.5-flash", 0.3, 0.03, 2.5),
            ("gemini-2.5-flash-lite", 0.1, 0.01, 0.4),
            ("gemini-embedding-001", 0.15, 0.15, 0.0),
        ],
    },
];

/// What a hosted model costs; a dated version costs what the model does, unless it has a price of
/// its own.
pub(crate) fn hosted(provider: &str, model: &str) -> Option<Price> {
    let models = TABLE.iter().find(|hosted| hosted.provider == provider)?.models;
    let found = |name: &str| models.iter().find(|(model, ..)| *model == name);
    let &(_, input, cached, output) = found(model).or_else(|| found(undated(model)))?;
    Some(Price { input, cached, output })
}

/// A model's name without the date of its version: `-2024-07-18`, `-20250929`, `-latest`.
fn undated(model: &str) -> &str {
    let is_date = |tail: &str| {
        let digits = tail.bytes().filter(u8::is_ascii_digit).count();
        digits == 8 && tail.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    let dated = model.rmatch_indices('-').find(|(at, _)| is_date(&model[at + 1..]));
    let name = dated.map_or(model, |(at, _)| &model[..at]);
    name.strip_suffix("-latest").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_version_costs_what_the_model_does() {
        for (provider, model, input) in [
            ("openai", "gpt-4o-mini", Some(0.15)),
            ("openai", "gpt-4o-mini-2024-07-18", Some(0.15)),
            ("openai", "gpt-4o-2024-05-13", Some(5.0)),
            ("openai", "gpt-4o-2024-08-06", Some(2.5)),
            ("openai", "gpt-4o-audio-preview", None),
            ("openai", "o3-mini", Some(1.1)),
            ("anthropic", "claude-sonnet-4-5-20250929", Some(3.0)),
            ("anthropic", "claude-3-5-haiku-latest", Some(0.8)),
            ("anthropic", "claude-sonnet-4-20250514", None),
            ("gemini", "gemini-2.5-flash", Some(0.3)),
            ("gemini", "gpt-4o", None),
            ("ollama", "gpt-4o", None),
        ] {
            let price = hosted(provider, model).map(|price| price.input);
            assert_eq!(price, input, "{provider} {model}");
        }
    }

    #[test]
    fn the_table_is_dated_and_makes_sense() {
        assert_eq!(AS_OF.len(), "2026-07-31".len());
        for Hosted { provider, source, models } in TABLE {
            assert!(source.starts_with("https://"), "{provider}");
            for (name, input, cached, output) in *models {
                let embeds = name.contains("embedding");
                assert!(0.0 < *cached && cached <= input, "{name}");
                assert!(if embeds { *output == 0.0 } else { output > input }, "{name}");
            }
        }
    }
}
