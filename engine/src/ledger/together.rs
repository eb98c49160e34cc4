//! Many questions that are asked in one call: those of them that nobody has answered or asks just
//! now, each once.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use super::asking::{Asked, Turn};
use super::{Answers, key_of};
use crate::door::{Cause, Meter};
use crate::record::RecordId;
use crate::stage::Failure;

/// Questions, each about a record, that are asked together.
pub struct Together<'a> {
    answers: &'a Answers,
    meter: &'a Meter,
    questions: &'a [(String, RecordId)],
    /// What was answered before this began.
    known: Vec<(usize, Arc<str>)>,
    /// The questions that are open, by their places.
    open: Vec<usize>,
    /// Those that are the same as one that is open, with its place.
    twins: HashMap<usize, Vec<usize>>,
    /// Those that are ours to ask.
    ours: Vec<(usize, Option<Turn<'a>>)>,
    /// Those that somebody else asks just now.
    theirs: Vec<(usize, Asked<'a>)>,
}

/// What is to be done next.
#[derive(Debug, Default)]
pub struct Round {
    /// Places of questions that were answered, by whomever.
    pub known: Vec<(usize, Arc<str>)>,
    /// Places of questions that are ours to ask.
    pub ours: Vec<usize>,
}

impl<'a> Together<'a> {
    pub(crate) fn new(
        answers: &'a Answers,
        meter: &'a Meter,
        questions: &'a [(String, RecordId)],
    ) -> Result<Self, Failure> {
        let (mut known, mut open) = (Vec::new(), Vec::new());
        let (mut firsts, mut twins) = (HashMap::new(), HashMap::<usize, Vec<usize>>::new());
        for (at, (question, record)) in questions.iter().enumerate() {
            if let Some(answer) = answers.get(question, meter, Some(*record))? {
                known.push((at, answer));
            } else if let Some(first) = firsts.get(question.as_str()) {
                twins.entry(*first).or_default().push(at);
            } else {
                firsts.insert(question.as_str(), at);
                open.push(at);
            }
        }
        let (ours, theirs) = (Vec::new(), Vec::new());
        Ok(Self { answers, meter, questions, known, open, twins, ours, theirs })
    }

    /// What is known by now and what is ours to ask; nothing when all is settled. Waits for those
    /// who ask the same: whoever waits has no turn himself, so that nobody waits for ever.
    pub async fn next(&mut self) -> Result<Option<Round>, Failure> {
        self.ours.clear();
        loop {
            let mut round = Round { known: mem::take(&mut self.known), ours: Vec::new() };
            if round.known.is_empty() {
                self.hear(&mut round).await;
                self.take_turns(&mut round)?;
            }
            if !round.known.is_empty() || !round.ours.is_empty() {
                return Ok(Some(round));
            }
            if self.theirs.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Waits for what others ask; what they do not get is open again.
    async fn hear(&mut self, round: &mut Round) {
        let theirs = mem::take(&mut self.theirs);
        let _waiting = (!theirs.is_empty()).then(|| self.meter.wait(Cause::Answer));
        for (at, asked) in theirs {
            match asked.hear().await {
                Some(answer) => self.reuse(at, &answer, round),
                None => self.open.push(at),
            }
        }
    }

    fn take_turns(&mut self, round: &mut Round) -> Result<(), Failure> {
        for at in mem::take(&mut self.open) {
            let key = key_of(&self.questions[at].0);
            let turn = match self.answers.asking() {
                Some(asking) => match asking.join(key).turn() {
                    Ok(turn) => Some(turn),
                    Err(asked) => {
                        self.theirs.push((at, asked));
                        continue;
                    }
                },
                None => None,
            };
            // Somebody may have been answered since.
            let mut answer = turn.as_ref().and_then(Turn::answer);
            if answer.is_none() {
                answer = self.answers.known(key)?;
            }
            if let Some(answer) = answer {
                self.reuse(at, &answer, round);
            } else {
                round.ours.push(at);
                self.ours.push((at, turn));
            }
        }
        Ok(())
    }

    fn reuse(&mut self, at: usize, answer: &Arc<str>, round: &mut Round) {
        for at in [at].into_iter().chain(self.twins(at)) {
            self.answers.reuse(self.meter, Some(self.questions[at].1));
            round.known.push((at, Arc::clone(answer)));
        }
    }

    /// The places of the same question.
    fn twins(&self, at: usize) -> Vec<usize> {
        self.twins.get(&at).cloned().unwrap_or_default()
    }

    /// Keeps the answers to those that were ours, in their order; those without one have failed
    /// for good. Gives the places of the questions that are the same as each.
    pub async fn heard(
        &mut self,
        answers: impl Iterator<Item = Option<String>>,
    ) -> Result<Vec<Vec<usize>>, Failure> {
        let ours = mem::take(&mut self.ours);
        let twins: Vec<Vec<usize>> = ours.iter().map(|(at, _)| self.twins(*at)).collect();
        let answered = ours.into_iter().zip(answers);
        let answered = answered.filter_map(|((at, turn), answer)| Some((at, turn, answer?)));
        let answered: Vec<(usize, Option<Turn<'_>>, String)> = answered.collect();
        let kept = answered.iter().map(|(at, _, answer)| {
            for twin in self.twins(*at) {
                self.answers.reuse(self.meter, Some(self.questions[twin].1));
            }
            self.answers.keep(&self.questions[*at].0, answer)
        });
        futures::future::try_join_all(kept).await?;
        for (_, turn, answer) in answered {
            if let Some(turn) = turn {
                turn.end(Arc::from(answer));
            }
        }
        Ok(twins)
    }
}
