//! A node's page in the journal of the run: what it notes there, and what it may know from there.

use std::sync::Arc;

use super::control::Control;
use super::node::NodeError;
use super::tries::{Turn, Turns};
use super::{Around, broken};
use crate::door::UsageCount;
use crate::factor::Factor;
use crate::ledger::{Fate, Journal, Note, Spender, Trial};
use crate::plan::{Plan, PlanNode};
use crate::record::Record;
use crate::stage::{Failure, Sink, Stage, StageError};

/// A node's page.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(super) journal: Arc<Journal>,
    /// The node's place in the file.
    pub(super) place: usize,
    pub(super) name: Arc<str>,
    pub(super) control: Arc<Control>,
    /// Whether it is noted what became of every record; else only of those that failed.
    pub(super) all: bool,
    /// Which records of earlier runs are tried again.
    pub(super) turns: Turns,
}

impl Page {
    /// Notes what became of records. A journal that cannot be written ends the run in order.
    pub(crate) fn note(&self, notes: impl Iterator<Item = Note>) {
        if let Err(error) = self.journal.note(notes) {
            self.broke(error);
        }
    }

    /// The ledger broke: the run ends in order.
    pub(super) fn broke(&self, error: StageError) {
        self.control.end(broken(&self.name, NodeError::Broken(error)));
    }

    /// Notes a record that failed for good.
    pub(crate) fn failed(&self, record: &Record, failure: &Failure, fate: Fate, trial: Trial) {
        let mut note = Note::new(self.place, record, fate, trial);
        note.reason = Some(failure.reason.clone());
        note.answer = failure.answer.as_deref().map(str::to_owned);
        self.note(std::iter::once(note));
    }

    /// Notes what a record gave.
    pub(crate) fn settled(&self, record: &Record, fate: Fate, trial: Trial, made: &[Record]) {
        if self.all {
            self.note(std::iter::once(Note::new(self.place, record, fate, trial).made(made)));
        }
    }

    /// A record that is about to be written, where that is noted.
    pub(crate) fn about_to_write(&self, sink: &dyn Sink, record: &Record) -> Option<Note> {
        let row = sink.row(record).filter(|_| self.all)?;
        let note = Note::new(self.place, record, Fate::Written, Trial::once());
        Some(Note { row: Some(row), ..note })
    }

    /// A trial of a record about which these decide, besides what decides about all of the node.
    pub(crate) fn trial(&self, of_record: &[Factor]) -> Trial {
        self.turns.trial(of_record)
    }

    /// What is done with a record, after what became of it in earlier runs.
    pub(crate) fn turn(&self, record: &Record, trial: &Trial) -> Turn {
        self.turns.turn(record, trial).unwrap_or_else(|error| {
            self.broke(error);
            Turn::Pass
        })
    }

    /// Who pays for the calls that are counted here.
    pub(crate) fn spender(&self, usage: &Arc<UsageCount>) -> Spender {
        Spender { run: self.journal.run(), place: self.place, usage: Arc::clone(usage) }
    }
}

/// The pages of all nodes, where there is a journal.
pub(super) struct Pages(Vec<Page>);

impl Pages {
    pub(super) fn of(plan: &Plan, around: &Around, control: &Arc<Control>) -> Self {
        let Some(journal) = &around.journal else { return Self(Vec::new()) };
        let nodes = plan.graph.node_weights();
        let all = plan
            .graph
            .node_weights()
            .any(|node| matches!(node.stage, Stage::Heavy(_) | Stage::Call(_)));
        let tries = Arc::new(around.tries.clone());
        let page = |(place, node): (usize, &PlanNode)| Page {
            journal: Arc::clone(journal),
            place,
            name: node.name.as_str().into(),
            control: Arc::clone(control),
            all,
            turns: Turns::of(node, &tries, journal.ledger()),
        };
        Self(nodes.enumerate().map(page).collect())
    }

    /// The page of the node at a place in the file.
    pub(super) fn page(&self, place: usize) -> Option<Page> {
        self.0.get(place).cloned()
    }
}
