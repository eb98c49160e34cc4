//! The answers that one batch may use: those of its earlier attempts, and those of earlier runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use flow_dsl::pipeline::Cache;

use super::asking::Asking;
use super::{Key, Ledger, Spender, key_of};
use crate::door::{Cause, Meter};
use crate::record::RecordId;
use crate::stage::{Failure, StageError};

/// Answers to the calls for one batch, by what was asked: what was answered is not asked again, by
/// a later attempt or by a later run. An answer is in the ledger before it is passed on.
#[derive(Debug, Default)]
pub struct Answers {
    heard: Mutex<HashMap<Key, Arc<str>>>,
    kept: Option<Kept>,
    counts: Mutex<HashMap<RecordId, Counts>>,
    /// Nobody may be asked: what is not known is left for another run.
    closed: bool,
}

/// Questions about a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Those that had to be asked.
    pub(crate) asked: u32,
    /// Those that were answered before.
    pub(crate) reused: u32,
}

/// Where answers outlive a run.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// The node that asks.
    pub node: Arc<str>,
    /// Which of them may be used.
    pub cache: Cache,
    /// Whose calls are paid for, in a run that is noted.
    pub spender: Option<Spender>,
}

impl Answers {
    /// Answers that outlive the run, where there is a ledger for them.
    pub fn new(kept: Option<Kept>) -> Self {
        Self { kept, ..Self::default() }
    }

    /// The same, for records that pass only if nobody needs to be asked.
    pub(crate) fn closed(kept: Option<Kept>) -> Self {
        Self { kept, closed: true, ..Self::default() }
    }

    /// The answer to a question that was asked before.
    pub(crate) fn get(
        &self,
        question: &str,
        meter: &Meter,
        about: Option<RecordId>,
    ) -> Result<Option<Arc<str>>, Failure> {
        let key = key_of(question);
        if let Some(answer) = self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Some(Arc::clone(answer)));
        }
        match self.known(key)? {
            Some(answer) => {
                meter.reused();
                self.count(about, |counts| counts.reused += 1);
                Ok(Some(answer))
            }
            None => self.none(about),
        }
    }

    /// The answer to a question: the one that is known, that of somebody who asks the same just
    /// now, or that of `ask`, which is then kept.
    pub(crate) async fn once(
        &self,
        question: &str,
        (meter, about): (&Meter, Option<RecordId>),
        ask: impl Future<Output = Result<String, Failure>>,
    ) -> Result<Arc<str>, Failure> {
        if let Some(answer) = self.get(question, meter, about)? {
            return Ok(answer);
        }
        let Some(kept) = self.kept.as_ref().filter(|kept| kept.cache.writes) else {
            let answer = ask.await?;
            self.keep(question, &answer).await?;
            return Ok(Arc::from(answer));
        };
        let key = key_of(question);
        let (waiting, mut asks) = (meter.wait(Cause::Answer), false);
        let asked = kept.ledger.asking.join(key);
        let answer = asked.answer(async {
            drop(waiting);
            // Somebody may have been answered since.
            if let Some(answer) = self.known(key)? {
                return Ok::<_, Failure>(answer);
            }
            asks = true;
            let answer = ask.await?;
            self.keep(question, &answer).await?;
            Ok(Arc::from(answer))
        });
        let answer = answer.await?;
        if !asks {
            self.reuse(meter, about);
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.insert(key, Arc::clone(&answer));
        }
        Ok(answer)
    }

    /// A question that was to be asked is answered by somebody else.
    pub(super) fn reuse(&self, meter: &Meter, about: Option<RecordId>) {
        meter.reused();
        self.count(about, |counts| {
            counts.asked -= 1;
            counts.reused += 1;
        });
    }

    /// Where those who ask the same meet, if answers are kept.
    pub(super) fn asking(&self) -> Option<&Asking> {
        let kept = self.kept.as_ref().filter(|kept| kept.cache.writes)?;
        Some(&kept.ledger.asking)
    }

    /// The answer in the ledger, where it may be used.
    pub(super) fn known(&self, key: Key) -> Result<Option<Arc<str>>, Failure> {
        match self.kept.as_ref().filter(|kept| kept.cache.reads) {
            Some(kept) => kept.ledger.answer(key, kept.cache.age).map_err(|error| failure(&error)),
            None => Ok(None),
        }
    }

    /// Nobody knows the answer.
    fn none(&self, about: Option<RecordId>) -> Result<Option<Arc<str>>, Failure> {
        if self.closed {
            return Err(Failure::ended());
        }
        self.count(about, |counts| counts.asked += 1);
        Ok(None)
    }

    fn count(&self, about: Option<RecordId>, count: impl FnOnce(&mut Counts)) {
        if let Some(record) = about {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            count(counts.entry(record).or_default());
        }
    }

    /// How many questions about a record had to be asked, and how many were answered before.
    pub(crate) fn counts(&self, record: RecordId) -> Counts {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&record).copied().unwrap_or_default()
    }

    /// Whether there is an answer to a question; without a word where the ledger cannot be read.
    pub fn has(&self, question: &str) -> bool {
        matches!(self.known(key_of(question)), Ok(Some(_)))
    }

    /// Keeps the answer to a question; returns when it is safe.
    pub async fn keep(&self, question: &str, answer: &str) -> Result<(), Failure> {
        let (key, answer) = (key_of(question), Arc::from(answer));
        if let Some(Kept { ledger, node, cache, spender }) = &self.kept
            && cache.writes
        {
            ledger
                .keep(key, node, &answer, spender.as_ref())
                .await
                .map_err(|error| failure(&error))?;
        }
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer);
        Ok(())
    }

    /// Forgets answers that turned out to be of no use, so that the next run asks anew.
    pub async fn forget(&self, questions: Vec<String>) -> Result<(), Failure> {
        let keys: Vec<Key> = questions.iter().map(|text| key_of(text)).collect();
        {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.retain(|key, _| !keys.contains(key));
        }
        match &self.kept {
            Some(kept) => kept.ledger.forget(keys).await.map_err(|error| failure(&error)),
            None => Ok(()),
        }
    }
}

/// Without its ledger a run cannot promise to pay only once, and ends in order.
fn failure(error: &StageError) -> Failure {
    Failure { help: error.help.as_deref().map(Into::into), ..Failure::fatal(&error.message) }
}
