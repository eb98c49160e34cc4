//! A conversation with a model about one piece of text: asked, corrected, asked for more.

use flow_engine::prelude::*;

use super::found::Found;
use super::{answer, prompt};
use crate::model::chat::{Ask, Chat, Turn, too_long};
use crate::model::entity::Entity;
use crate::model::schema::Kind;

/// How patient and how thorough a conversation is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    /// Answers that a model may give until one is right.
    pub(super) attempts: u32,
    /// How often it is asked what it has missed.
    pub(super) gleaning: u32,
}

/// A conversation.
pub(super) struct Talk<'a> {
    pub(super) chat: &'a Chat,
    pub(super) context: &'a CallContext,
    pub(super) manners: Manners,
    pub(super) kinds: &'a [&'a Kind],
    pub(super) system: &'a str,
    pub(super) schema: &'a Value,
    pub(super) turns: Vec<Turn>,
}

/// Why there is no answer of use.
enum Useless {
    /// None came, or no whole one.
    Call(Failure),
    /// What came is wrong.
    Answer(Failure),
}

impl Talk<'_> {
    /// All entities that the model names, in its order.
    pub(super) async fn entities(mut self) -> Result<Vec<Entity>, Failure> {
        let mut found = Found::default();
        match self.settle(&mut found).await {
            Ok(()) => {}
            Err(Useless::Call(failure) | Useless::Answer(failure)) => return Err(failure),
        }
        for _ in 0..self.manners.gleaning {
            let before = found.len();
            self.turns.push(Turn::User(prompt::MORE.to_owned()));
            match self.settle(&mut found).await {
                Ok(()) if found.len() > before => {}
                // What was found is not given up because there is no more.
                Ok(()) | Err(Useless::Answer(_)) => break,
                Err(Useless::Call(failure)) => return Err(failure),
            }
        }
        Ok(found.into_entities())
    }

    /// A later run is to ask anew, and not to hear the same answers again.
    async fn forget(&self) -> Result<(), Failure> {
        let said = (0..self.turns.len()).filter(|at| matches!(self.turns[*at], Turn::Model(_)));
        let asks = said.map(|at| Ask {
            system: self.system,
            turns: &self.turns[..at],
            schema: self.schema,
        });
        self.chat.forget(asks, self.context).await
    }

    /// Asks until the answer is right, or as good as it will be.
    async fn settle(&mut self, found: &mut Found) -> Result<(), Useless> {
        let (mut last, mut heard) = (None, false);
        let attempts = self.manners.attempts.max(1);
        for attempt in 1..=attempts {
            let ask = Ask { system: self.system, turns: &self.turns, schema: self.schema };
            let said = self.chat.ask(&ask, self.context).await.map_err(Useless::Call)?;
            let complaint = match answer::read(&said) {
                Ok(answer) => {
                    heard = true;
                    found.take(self.kinds, &answer).join("\n")
                }
                Err(wrong) => format!("the answer {wrong}"),
            };
            self.turns.push(Turn::Model(said.text.clone()));
            if complaint.is_empty() {
                return Ok(());
            }
            if attempt < attempts {
                self.turns.push(Turn::User(prompt::again(&complaint)));
            }
            last = Some((said, complaint));
        }
        let Some((said, complaint)) = last else { return Ok(()) };
        if heard && !said.cut && found.make_do() {
            return Ok(());
        }
        self.forget().await.map_err(Useless::Call)?;
        let asked = if attempts > 1 { format!(", asked {attempts} times") } else { String::new() };
        if said.cut {
            return Err(Useless::Call(too_long(&asked).answer(&said.text)));
        }
        let complaint = complaint.lines().next().unwrap_or_default();
        let reason = format!("the model's answer is of no use{asked}: {complaint}");
        Err(Useless::Answer(Failure::bad(reason).answer(&said.text)))
    }
}
