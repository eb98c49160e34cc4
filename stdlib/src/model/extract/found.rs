//! What a conversation has brought so far.

use std::collections::HashMap;

use super::answer::Answer;
use super::entities::{Checked, check};
use crate::model::entity::Entity;
use crate::model::schema::Kind;

/// Complaints that are put to the model at once.
const MOST_COMPLAINTS: usize = 20;

/// What is left of the confidence in an entity that the model could not mend.
const DOUBT: f64 = 0.5;

/// The entities of a conversation: those that are right, and those that the model is to mend.
#[derive(Default)]
pub(super) struct Found {
    right: Vec<Entity>,
    /// How often each has been said in one answer.
    times: HashMap<Said, usize>,
    /// As good as can be made of those that are wrong in the last answer.
    wrong: Vec<Option<Entity>>,
}

/// What makes two entities of different answers the same.
type Said = (String, String, String);

impl Found {
    /// Takes the entities of an answer; gives what is wrong with it, in words for the model.
    ///
    /// What an earlier answer has said as often is passed over, so that a model may repeat itself.
    pub(super) fn take(&mut self, kinds: &[&Kind], answer: &Answer) -> Vec<String> {
        let mut times: HashMap<Said, usize> = HashMap::new();
        let mut complaints = Vec::new();
        self.wrong.clear();
        for (nth, written) in answer.entities.iter().enumerate() {
            let Checked { entity, wrong } = check(kinds, written);
            if !wrong.is_empty() {
                complaints.push(format!("entity {} {}", nth + 1, wrong.join(", ")));
                self.wrong.push(entity);
            } else if let Some(entity) = entity {
                let said = (entity.kind.clone(), entity.name.clone(), entity.quote.clone());
                let now = times.entry(said.clone()).or_default();
                *now += 1;
                let before = self.times.entry(said).or_default();
                if *now > *before {
                    *before = *now;
                    self.right.push(entity);
                }
            }
        }
        if complaints.len() > MOST_COMPLAINTS {
            let rest = complaints.len() - MOST_COMPLAINTS;
            complaints.truncate(MOST_COMPLAINTS);
            complaints.push(format!("and {rest} more are wrong in such ways"));
        }
        if answer.cut {
            let last = answer.entities.len();
            complaints.push(format!("the answer breaks off after entity {last}: add what follows"));
        }
        complaints
    }

    /// Makes do with what is there, and is less sure of it: false when there is an entity of which
    /// nothing can be made.
    pub(super) fn make_do(&mut self) -> bool {
        let whole = self.wrong.iter().all(Option::is_some);
        let doubtful = |entity: Entity| Entity { confidence: entity.confidence * DOUBT, ..entity };
        self.right.extend(self.wrong.drain(..).flatten().map(doubtful));
        whole
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.right.len()
    }

    /// All of them, in the order in which they were said.
    pub(super) fn into_entities(self) -> Vec<Entity> {
        self.right
    }
}
