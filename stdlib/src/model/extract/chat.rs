//! Extraction by asking a chat model: a conversation for each window of the text and each part of
//! the schema.

use std::ops::Range;
use std::sync::Arc;

use flow_engine::prelude::*;
use flow_engine::stage::{Asked, Estimate, Question};
use futures::StreamExt as _;
use futures::stream;

use super::Input;
use super::ground::Ground;
use super::parts::Part;
use super::prompt::{self, Prompt};
use super::talk::{Manners, Talk};
use super::window::{join, windows};
use crate::model::chat::{Ask, Chat, Share, Turn};
use crate::model::entity::Entity;
use crate::model::schema::Kind;

/// Conversations about one record at once.
const AT_ONCE: usize = 8;
/// Bytes that make about one token.
const BYTES_PER_TOKEN: usize = 4;

/// An answer holds nothing, or quotes the whole text with as much again around the quotes, twice.
const ANSWER: Share = Share { least: 5, for_each: 4, besides: 100 };

/// Extracts by asking a chat model.
pub(super) struct ByChat {
    pub(super) chat: Chat,
    pub(super) input: Input,
    pub(super) parts: Vec<Part>,
    pub(super) prompt: Prompt,
    pub(super) manners: Manners,
    pub(super) reading: Reading,
    /// What decides about every record.
    pub(super) factors: Vec<Factor>,
}

/// How much of a text is read at once, in tokens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) window: usize,
    pub(super) overlap: usize,
}

/// How a conversation begins.
struct Opening<'a> {
    part: &'a Part,
    system: Arc<str>,
    window: Range<usize>,
}

impl ByChat {
    async fn ask(&self, record: &Record, context: &CallContext) -> Result<Vec<Record>, Failure> {
        let text = self.input.text(record)?;
        let openings = self.openings(record, &text)?;
        let chat = self.who(context.step, &openings, &text, &context.answers);
        let origin = self.input.origin(record, chat.name())?;
        let talks: Vec<_> =
            openings.iter().map(|one| Box::pin(self.talk(chat, one, &text, context))).collect();
        // All are heard to the end: an answer that came is kept although another did not come.
        let heard: Vec<_> = stream::iter(talks).buffered(AT_ONCE).collect().await;
        let mut entities = Vec::with_capacity(heard.len());
        for (place, heard) in worst_first(heard).into_iter().enumerate() {
            if place % self.parts.len() == 0 {
                entities.push(Vec::new());
            }
            if let Some(window) = entities.last_mut() {
                window.extend(heard?);
            }
        }
        Ok(origin.records(join(entities)))
    }

    /// What is asked about a record: each part of the schema for each window of the text.
    fn openings(&self, record: &Record, text: &str) -> Result<Vec<Opening<'_>>, Failure> {
        let Reading { window, overlap } = self.reading;
        let mut openings = Vec::new();
        for window in windows(text, window * BYTES_PER_TOKEN, overlap * BYTES_PER_TOKEN) {
            for part in &self.parts {
                let system = self.prompt.system(part, record)?;
                openings.push(Opening { part, system, window: window.clone() });
            }
        }
        Ok(openings)
    }

    /// Who is asked.
    fn who(
        &self,
        step: Option<usize>,
        openings: &[Opening<'_>],
        text: &str,
        known: &Answers,
    ) -> &Chat {
        let has = |chat: &Chat, opening: &Opening<'_>| {
            let turns = [Turn::User(prompt::user(&text[opening.window.clone()]))];
            let (system, schema) = (&*opening.system, &opening.part.answer);
            chat.knows(&Ask { system, turns: &turns, schema }, known)
        };
        self.chat.at(step, |chat| openings.iter().all(|opening| has(chat, opening)))
    }

    /// What a record is thought to need, when each answer is right at once. What was missed is
    /// asked for with the whole conversation so far.
    fn foresee(&self, record: &Record, known: &Answers) -> Result<Estimate, Failure> {
        let text = self.input.text(record)?;
        let mut sum = Estimate::default();
        let openings = self.openings(record, &text)?;
        let chat = self.who(None, &openings, &text, known);
        for opening in &openings {
            let window = &text[opening.window.clone()];
            let turns = [Turn::User(prompt::user(window))];
            let (system, schema) = (&*opening.system, &opening.part.answer);
            let ask = Ask { system, turns: &turns, schema };
            let mut estimate = chat.estimate(&ask, window, ANSWER, known);
            sum += estimate;
            for _ in 0..self.manners.gleaning {
                estimate = chat.after(estimate, prompt::MORE);
                sum += estimate;
            }
        }
        Ok(sum)
    }

    /// The entities of a window, with their places in the whole text.
    async fn talk(
        &self,
        chat: &Chat,
        opening: &Opening<'_>,
        text: &str,
        context: &CallContext,
    ) -> Result<Vec<Entity>, Failure> {
        let window = &text[opening.window.clone()];
        let kinds: Vec<&Kind> = opening.part.schema.kinds.iter().collect();
        let talk = Talk {
            chat,
            context,
            manners: self.manners,
            kinds: &kinds,
            system: &opening.system,
            schema: &opening.part.answer,
            turns: vec![Turn::User(prompt::user(window))],
        };
        let mut entities = Ground::new(window).all(talk.entities().await?);
        let before = text[..opening.window.start].chars().count();
        for entity in &mut entities {
            entity.span = entity.span.map(|(start, end)| (start + before, end + before));
        }
        Ok(entities)
    }
}

/// The failure that decides about the record comes first, if there is one: a record that is bad
/// need not be tried again because of another call.
fn worst_first<T>(mut results: Vec<Result<T, Failure>>) -> Vec<Result<T, Failure>> {
    let rank = |result: &Result<T, Failure>| match result {
        Ok(_) => None,
        Err(failure) => Some((failure.kind, std::cmp::Reverse(failure.retry_after))),
    };
    let failed = (0..results.len()).filter(|&at| results[at].is_err());
    if let Some(worst) = failed.min_by_key(|&at| rank(&results[at])) {
        results.swap(0, worst);
    }
    results
}

#[async_trait]
impl Call for ByChat {
    async fn apply(
        &self,
        batch: &[Record],
        context: &CallContext,
    ) -> Vec<Result<Vec<Record>, Failure>> {
        let mut results = Vec::with_capacity(batch.len());
        for record in batch {
            results.push(self.ask(record, &context.about(record)).await);
        }
        results
    }

    fn factors(&self) -> Vec<Factor> {
        self.factors.clone()
    }

    fn factors_of(&self, record: &Record) -> Vec<Factor> {
        let mut factors = self.input.factors(record);
        if let (false, Some(part)) = (self.prompt.is_constant(), self.parts.first()) {
            let told = self.prompt.system(part, record);
            factors.extend(told.ok().map(|told| Factor::new("told", told)));
        }
        factors
    }

    fn models(&self) -> Vec<Asked> {
        self.chat.models()
    }

    fn estimate(&self, batch: &[Record], known: &Answers) -> Option<Estimate> {
        let mut sum = Estimate::default();
        for record in batch {
            // A record that cannot be asked about takes no call.
            if let Ok(estimate) = self.foresee(record, known) {
                sum += estimate;
            }
        }
        Some(sum)
    }

    fn questions(&self, record: &Record) -> Result<Vec<Question>, Failure> {
        let text = self.input.text(record)?;
        let question = |opening: &Opening<'_>| {
            let user = prompt::user(&text[opening.window.clone()]);
            let turns = [Turn::User(user.clone())];
            let ask = Ask { system: &opening.system, turns: &turns, schema: &opening.part.answer };
            let kept_under = self.chat.kept_under(&ask);
            let (system, schema) = (opening.system.to_string(), opening.part.answer.clone());
            Question { system, user, schema, kept_under }
        };
        Ok(self.openings(record, &text)?.iter().map(question).collect())
    }

    fn notes(&self) -> Vec<String> {
        let Reading { window, .. } = self.reading;
        let mut notes = Vec::new();
        if self.parts.len() > 1 {
            let kinds: Vec<String> =
                self.parts.iter().map(|part| part.schema.kinds.len().to_string()).collect();
            let (calls, kinds) = (self.parts.len(), kinds.join(" + "));
            notes.push(format!(
                "{calls} calls for each text, since the schema is wide: {kinds} kinds"
            ));
        }
        notes.push(format!("texts of more than {window} tokens are read in windows"));
        if self.manners.gleaning > 0 {
            let times = self.manners.gleaning;
            notes.push(format!("asks up to {times} times more what was missed"));
        }
        notes
    }
}
