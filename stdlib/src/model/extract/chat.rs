//! Extraction by asking a chat model: one call for each record.

use flow_engine::prelude::*;

use super::{Input, answer, entities, prompt};
use crate::model::chat::{Ask, Chat, Turn};
use crate::model::schema::{EntitySchema, answer_schema};

/// Extracts by asking a chat model.
pub(super) struct ByChat {
    chat: Chat,
    input: Input,
    schema: EntitySchema,
    instructions: Option<Template>,
    /// The schema of the answer, for the wire.
    answer: Value,
}

impl ByChat {
    pub(super) fn new(
        chat: Chat,
        schema: EntitySchema,
        input: Input,
        instructions: Option<Template>,
    ) -> Self {
        let answer = answer_schema(&schema);
        Self { chat, input, schema, instructions, answer }
    }

    async fn ask(&self, record: &Record, context: &CallContext) -> Result<Vec<Record>, Failure> {
        let text = self.input.text(record)?;
        let origin = self.input.origin(record, self.chat.name())?;
        let further = match &self.instructions {
            Some(template) => template.render(record)?,
            None => String::new(),
        };
        let system = prompt::system(&self.schema, self.chat.sends_schema(), &further);
        let turns = [Turn::User(prompt::user(&text))];
        let ask = Ask { system: &system, turns: &turns, schema: &self.answer };
        let answer = answer::read(&self.chat.ask(&ask, context).await?)?;
        Ok(origin.records(entities::read(&self.schema, &answer, &text)?))
    }
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
            results.push(self.ask(record, context).await);
        }
        results
    }
}
