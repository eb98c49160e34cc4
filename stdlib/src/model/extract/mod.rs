//! `extract`: find the entities of a schema in each record's text.

mod answer;
mod chat;
mod entities;
mod found;
mod fuzzy;
mod ground;
mod parts;
mod prompt;
mod repair;
mod talk;
mod window;

use std::sync::Arc;

use flow_engine::prelude::*;

use super::carry::Carry;
use super::chat::Chat;
use super::entity::{FIELDS, Origin};
use super::input;
use super::rules::Rules;
use super::schema::{self, Loaded};
use crate::settings::RESERVED;
use chat::{ByChat, Reading};
use parts::parts;
use prompt::Prompt;
use talk::Manners;

/// Finds the entities of a schema in each record's text; each becomes a record of its own.
///
/// The model is one of those declared under `models`. `provider: rules` needs no network and no
/// key: it goes by the cue phrases, patterns and word lists of the schema. The other providers
/// are chat models.
///
/// An entity has the fields `id`, `kind`, `name`, `fields` (what its kind asks, null where nothing
/// is known), `quote` (the sentence that says it), `start` and `end` (where the quote stands in the
/// text, in characters from 0), `grounded`, `confidence` (from 0 to 1), `mentions` (how many
/// sentences of the text say it), `source` (the file, and line, that the text came from) and
/// `method` (`rules`, or the name of the model), and then those of `carry`. Where `grounded` is
/// true, the characters of the text from `start` to `end` are the quote.
///
/// A text without entities gives nothing and is counted as filtered. One that is empty, or is no
/// text, is rejected.
///
/// The schema names the kinds, in the file or in one of its own:
///
/// ```yaml
/// skip_speakers: [interviewer]       # whose sentences are passed over
/// kinds:
///   pain_point:
///     description: something that hurts people in their work
///     fields:
///       severity:                    # or short: [low, high]; or a type: string
///         enum: [low, high]          # types: string, number, integer, boolean, list
///         description: how much it hurts
///         find: {high: nightmare|chaos}
///     cues: [the biggest problem, frustrat*]   # makes a sentence an entity
///     hints: [every day]             # only adds to the confidence
///     unless: [no longer]            # rules the kind out for the sentence
///     patterns: ['problem is (?<name>[^.,]+)'] # `name` catches the name
///     weights: {cue: 0.75, hint: 0.3, pattern: 0.8, word: 0.8}
///   system:
///     words: {Excel: [Excel, spreadsheet*], SAP: }   # names with their spellings
/// ```
///
/// Phrases and patterns fit whatever the case and the accents; a word that is written with capitals
/// fits only with them. All of it but `description` and `fields` is for `rules`.
///
/// A chat model is held to this:
///
/// - **Its answer is checked.** Broken JSON is set right. What is wrong then, in any entity, is
///   said to the model in the same conversation, up to `attempts` answers in all; what was right is
///   kept. After the last one, an entity with a field, a confidence, a name or a quote that is
///   missing or wrong is taken without it (null, 0.5, the quote, ungrounded) and its confidence is
///   halved. Where that leaves nothing, or no answer was JSON, the record is rejected with the last
///   answer in `error.answer`. Calls that fail are the node's `retry`; answers that came are kept.
/// - **An answer that its most tokens cut off** is gone on with in the same way: what is whole of it
///   is kept, and what follows is asked for. When the last of `attempts` is cut off, too, the record
///   is rejected.
/// - **Its quotes are looked for**: to the letter, then whatever the case, accents and white space,
///   then with eight of ten words. `quote` becomes what truly stands there. Of several places it is
///   the first after the entity before; who says the same twice means two places. A quote that
///   stands nowhere has `grounded: false`, no `start` and `end`, and half the confidence.
/// - **It is asked again what it missed**, `gleaning` times, until it finds no more.
/// - **A wide schema takes several calls**, each for about `schema_tokens` of it; `flow plan` says
///   how many. **A long text is read in windows** that overlap; what two of them saw, in one place
///   and by a like name, is one entity. Places always count from the beginning of the whole text.
///
/// The confidence of `rules` is `1 - (1 - w) * (1 - w) * ..` over the weights of what was found:
/// one cue 0.75, a cue and a hint 0.825, two cues 0.938. A denial just before it (`not a problem`)
/// or a question halves it. It says how much speaks for a finding, not how often such findings are
/// right.
///
/// ```yaml
/// entities:
///   uses: extract
///   from: interviews
///   with:
///     model: analyst
///     schema: schemas/business.yaml
///     text: parts | join
///     carry: {company: meta.company}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extract {
    /// The model that reads, as it is called under `models`.
    #[schemars(extend("format" = "model"))]
    model: String,
    /// What to look for: a schema of `schemas`, or a file.
    #[schemars(extend("format" = "schema"))]
    schema: String,
    /// Where the text is: a field, or an expression over fields. Without it, the field `text`.
    #[serde(default)]
    text: Option<Expr>,
    /// Fields that every entity takes along from its record: a list of them, or a map from names
    /// to expressions.
    #[serde(default)]
    carry: Carry,
    /// Further instructions for a chat model; may have places for fields of the record.
    #[serde(default)]
    instructions: Option<Template>,
    /// What a chat model is told, instead of the built-in prompt: a text, or a file that ends in
    /// `.md`, `.txt` or `.j2`. A template that knows the fields of the record, `kinds` (each with
    /// `name`, `description` and `fields`), `form` (the form of the answer, where the server is not
    /// given its schema) and `instructions`. The text to read always follows.
    #[serde(default)]
    #[schemars(extend("given" = prompt::GIVEN))]
    prompt: Option<Template>,
    /// How often a chat model is asked, in one conversation, until its answer can be used.
    #[serde(default = "attempts")]
    #[schemars(range(min = 1, max = 10))]
    attempts: u32,
    /// How often a chat model is asked, besides, what it has missed; ends when it finds no more.
    #[serde(default)]
    #[schemars(range(max = 10))]
    gleaning: u32,
    /// Tokens of a text that a chat model reads at once; a longer one is read in windows.
    #[serde(default = "window")]
    #[schemars(range(min = 50))]
    window: usize,
    /// Tokens that two windows share, so that nothing is cut in two; a quarter of a window at most.
    #[serde(default = "overlap")]
    overlap: usize,
    /// Tokens of schema that a chat model is asked about at once; a wider one takes several calls.
    #[serde(default = "schema_tokens")]
    #[schemars(range(min = 1))]
    schema_tokens: usize,
}

const fn attempts() -> u32 {
    3
}

const fn window() -> usize {
    8000
}

const fn overlap() -> usize {
    200
}

const fn schema_tokens() -> usize {
    2000
}

impl Config for Extract {
    const NAME: &'static str = "extract";
    const SHAPE: Shape = Shape::Map;

    fn work(provider: Option<&str>) -> Work {
        match provider {
            Some("rules") => Work::Heavy,
            Some("openai") => Work::Call,
            _ => Work::Either,
        }
    }

    fn fields(settings: &Value) -> Fields {
        let mut fields: Vec<String> = FIELDS.iter().map(|&name| name.to_owned()).collect();
        fields.extend(Carry::names(settings.get("carry")));
        Fields::Exactly(fields)
    }

    fn weigh(settings: &Value, build: &Build<'_>) -> Vec<BuildError> {
        let text = |name| settings.get(name).and_then(Value::as_str);
        let mut refused = Vec::new();
        let carried = Carry::names(settings.get("carry"));
        let taken = |name: &str| FIELDS.contains(&name) || RESERVED.contains(&name);
        for (at, name) in carried.iter().enumerate().filter(|(_, name)| taken(name)) {
            let is_list = settings["carry"].is_array();
            let place = if is_list { at.to_string() } else { name.clone() };
            let message = format!("every entity has a field `{name}` already");
            let error = BuildError::setting(format!("carry.{place}"), message);
            refused.push(error.help("carry it under another name"));
        }
        refused.extend(text("schema").and_then(|name| schema::load(build, "schema", name).err()));
        let model = text("model").and_then(|name| build.model(name).ok());
        if let Some(model) = model.filter(|model| model.provider.value == "rules") {
            let told = ["instructions", "prompt"].into_iter();
            refused.extend(told.filter(|told| text(told).is_some()).map(|told| {
                let message = format!("`{}` is `rules`, which follow none", model.name.value);
                BuildError::setting(told, message)
                    .help("write cues into the schema, or name a chat model")
            }));
        }
        refused
    }

    fn build(self, build: &Build<'_>) -> Result<Stage, BuildError> {
        let text = match self.text {
            Some(text) => text,
            None => {
                Expr::new("text").map_err(|error| BuildError::setting("text", error.to_string()))?
            }
        };
        let input = Input { text, carry: self.carry };
        let model = build.model(&self.model)?;
        let Loaded { schema, source, factor } = schema::load(build, "schema", &self.schema)?;
        if model.provider.value != "rules" {
            let chat = Chat::new(model, build)?;
            let template = prompt::template(self.prompt.as_ref(), build)?;
            let prompt = Prompt::new(template, self.instructions, chat.sends_schema());
            return Ok(Stage::Call(Arc::new(ByChat {
                factors: vec![chat.factor(), prompt.factor(), factor],
                chat,
                input,
                parts: parts(&schema, self.schema_tokens),
                prompt,
                manners: Manners { attempts: self.attempts, gleaning: self.gleaning },
                reading: Reading { window: self.window, overlap: self.overlap },
            })));
        }
        let rules = Rules::new(schema, &source).map_err(BuildError::File)?;
        Ok(Stage::Heavy(Arc::new(ByRules { input, rules, factor })))
    }
}

/// What is taken from a record.
#[derive(Debug)]
pub(crate) struct Input {
    text: Expr,
    carry: Carry,
}

impl Input {
    /// The text to read.
    pub(crate) fn text(&self, record: &Record) -> Result<String, Failure> {
        input::text(&self.text, record)
    }

    /// What decides on what becomes of a record.
    pub(crate) fn factors(&self, record: &Record) -> Vec<Factor> {
        // A record without a text is rejected for what it has instead.
        let text = self.text(record).map(|text| Factor::new("text", text));
        let text = text.unwrap_or_else(|_| Factor::record(record));
        let carried = self.carry.values(record).ok().filter(|carried| !carried.is_empty());
        let carried = carried.map(|carried| Factor::new("carried", json!(carried).to_string()));
        std::iter::once(text).chain(carried).collect()
    }

    /// What its entities have besides.
    pub(crate) fn origin<'a>(
        &self,
        record: &'a Record,
        method: &'a str,
    ) -> Result<Origin<'a>, Failure> {
        Ok(Origin { record, carried: self.carry.values(record)?, method })
    }
}

/// Extracts without asking anybody.
struct ByRules {
    input: Input,
    rules: Rules,
    /// The schema.
    factor: Factor,
}

impl Heavy for ByRules {
    fn factors(&self) -> Vec<Factor> {
        vec![self.factor.clone()]
    }

    fn factors_of(&self, record: &Record) -> Vec<Factor> {
        self.input.factors(record)
    }

    fn apply(&self, record: &Record) -> Result<Vec<Record>, Failure> {
        let text = self.input.text(record)?;
        Ok(self.input.origin(record, "rules")?.records(self.rules.read(&text)))
    }
}

#[cfg(test)]
mod tests;
