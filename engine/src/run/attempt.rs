//! One batch through a heavy or calling stage: attempts with timeout, backoff and patience.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::account::Account;
use super::control::{Control, State};
use super::node::{NodeError, blocking};
use super::page::Page;
use super::results::Results;
use super::tries::Turn;
use crate::door::{Cause, Door, Meter};
use crate::ledger::{Answers, Kept, Trial};
use crate::plan::Resolved;
use crate::record::Record;
use crate::stage::{Call, CallContext, Failure, FailureKind, Heavy};

/// A step by which a deadline moves while the attempt stands in line.
const STEP: Duration = Duration::from_millis(10);

/// The work of a node that runs several batches at once.
#[derive(Clone)]
pub(crate) enum Work {
    Heavy(Arc<dyn Heavy>),
    Call(Arc<dyn Call>),
}

/// All that attempts of one node share.
pub(crate) struct Attempts {
    pub(crate) node: Arc<str>,
    pub(crate) work: Work,
    pub(crate) hints: Resolved,
    pub(crate) door: Arc<Door>,
    /// Where answers outlive the run.
    pub(crate) kept: Option<Kept>,
    pub(crate) account: Arc<Account>,
    pub(crate) control: Arc<Control>,
    pub(crate) page: Option<Page>,
    /// What a heavy map made in earlier runs, where that is wanted.
    pub(crate) results: Option<Results>,
}

/// What became of one record of a batch.
pub(crate) enum Settled {
    /// It gave these.
    Made(Vec<Record>),
    /// It failed for good.
    Failed(Failure),
    /// The run ended before it was settled.
    Pending,
}

/// A batch with what became of each record and what that took.
pub(crate) struct Outcome {
    pub(crate) records: Vec<(Record, Settled, Trial)>,
}

/// A record with its place in the batch.
type Placed = (usize, Record);
/// A record with its place, what became of it, and after how many attempts.
type Done = (usize, Record, Settled, u32);

impl Attempts {
    /// Works on a batch until every record is settled.
    pub(crate) async fn settle(&self, batch: Vec<Record>) -> Result<Outcome, NodeError> {
        let start = Instant::now();
        let mut trials: Vec<Trial> = batch.iter().map(|record| self.trial(record)).collect();
        let (mut todo, mut passing, mut settled) = (Vec::new(), Vec::new(), Vec::new());
        for (place, record) in batch.into_iter().enumerate() {
            let turn = self.page.as_ref().map(|page| page.turn(&record, &trials[place]));
            let results = self.results.as_ref();
            if let Some(made) = results.and_then(|results| results.get(&record, &trials[place])) {
                trials[place].reused = 1;
                settled.push((place, record, Settled::Made(made), 0));
                continue;
            }
            match turn.unwrap_or(Turn::Try) {
                Turn::Try => todo.push((place, record)),
                Turn::Pass => passing.push((place, record)),
                Turn::Leave(rejected) => {
                    trials[place].dropped = rejected.dropped;
                    settled.push((place, record, Settled::Failed(rejected.into()), 0));
                }
            }
        }
        let open = Arc::new(Answers::new(self.kept.clone()));
        let closed = Arc::new(Answers::closed(self.kept.clone()));
        let worked = self.work(todo, &open).await?;
        self.keep(&worked, &trials).await?;
        settled.extend(worked);
        settled.extend(self.work(passing, &closed).await?);
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.account.busy_micros.fetch_add(micros, Ordering::Relaxed);
        settled.sort_by_key(|(place, ..)| *place);
        let records = settled.into_iter().map(|(place, record, result, attempts)| {
            let trial = std::mem::take(&mut trials[place]);
            let (first, second) = (open.counts(record.id), closed.counts(record.id));
            let (asked, reused) = (first.asked, first.reused + second.reused + trial.reused);
            (record, result, Trial { attempts, asked, reused, micros, ..trial })
        });
        Ok(Outcome { records: records.collect() })
    }

    /// Keeps what a heavy map made, where that is wanted.
    async fn keep(&self, worked: &[Done], trials: &[Trial]) -> Result<(), NodeError> {
        let Some(results) = &self.results else { return Ok(()) };
        let kept = worked.iter().filter_map(|(place, record, settled, _)| match settled {
            Settled::Made(made) => Some(results.keep(record, &trials[*place], made)),
            _ => None,
        });
        futures::future::try_join_all(kept).await?;
        Ok(())
    }

    /// What decides about a record, where it is noted.
    fn trial(&self, record: &Record) -> Trial {
        let Some(page) = &self.page else { return Trial::default() };
        page.trial(&match &self.work {
            Work::Heavy(stage) => stage.factors_of(record),
            Work::Call(stage) => stage.factors_of(record),
        })
    }

    async fn work(
        &self,
        mut todo: Vec<Placed>,
        answers: &Arc<Answers>,
    ) -> Result<Vec<Done>, NodeError> {
        let end = self.hints.deadline.map(|deadline| Instant::now() + deadline);
        let mut settled = Vec::with_capacity(todo.len());
        if todo.is_empty() {
            return Ok(settled);
        }
        for attempt in 1_u32.. {
            let (places, records): (Vec<usize>, Vec<Record>) = todo.into_iter().unzip();
            let (records, results) = self.once(records, (attempt, end), answers).await?;
            if results.len() != records.len() {
                let (made, had) = (results.len(), records.len());
                return Err(NodeError::Bug(format!("{made} results for {had} records")));
            }
            let mut patience = Duration::ZERO;
            let mut again = Vec::new();
            for ((place, record), result) in places.into_iter().zip(records).zip(results) {
                match result {
                    Ok(made) => settled.push((place, record, Settled::Made(made), attempt)),
                    Err(failure) if failure.kind == FailureKind::Ended => {
                        settled.push((place, record, Settled::Pending, attempt));
                    }
                    Err(failure) if self.is_worth_more(&failure, attempt) => {
                        patience = patience.max(failure.retry_after.unwrap_or_default());
                        again.push((place, record, failure));
                    }
                    Err(failure) => {
                        settled.push((place, record, Settled::Failed(failure), attempt));
                    }
                }
            }
            if again.is_empty() {
                break;
            }
            let pause = self.pause(attempt, patience);
            if end.is_some_and(|end| end <= Instant::now() + pause) {
                settled.extend(again.into_iter().map(|(place, record, failure)| {
                    (place, record, Settled::Failed(self.too_late(failure)), attempt)
                }));
                break;
            }
            todo = again.into_iter().map(|(place, record, _)| (place, record)).collect();
            if !self.wait(pause).await {
                let rest = todo.drain(..);
                settled
                    .extend(rest.map(|(place, record)| (place, record, Settled::Pending, attempt)));
                break;
            }
            self.account.retries.fetch_add(1, Ordering::Relaxed);
        }
        Ok(settled)
    }

    const fn is_worth_more(&self, failure: &Failure, attempt: u32) -> bool {
        match failure.kind {
            FailureKind::Transient | FailureKind::Gone => attempt <= self.hints.retry,
            FailureKind::Away => true,
            _ => false,
        }
    }

    /// The time before the next attempt: exponential backoff with full jitter, and never less than
    /// the server asked for.
    fn pause(&self, attempt: u32, patience: Duration) -> Duration {
        let (shortest, longest) = self.hints.backoff;
        let ceiling = shortest.saturating_mul(2_u32.saturating_pow(attempt - 1)).min(longest);
        ceiling.mul_f64(fastrand::f64()).max(patience)
    }

    /// False when the run ends meanwhile.
    async fn wait(&self, pause: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.control.reached(State::Draining) => false,
            () = tokio::time::sleep(pause) => {
                self.account.usage.waited(Cause::Backoff, pause);
                true
            }
        }
    }

    /// No attempt can be made before the deadline.
    fn too_late(&self, failure: Failure) -> Failure {
        let deadline = self.hints.deadline.unwrap_or_default();
        let reason =
            format!("{}; its deadline of {deadline:?} leaves no time to try again", failure.reason);
        let kind = match failure.kind {
            FailureKind::Gone => FailureKind::Gone,
            _ => FailureKind::Bad,
        };
        Failure { reason, kind, retry_after: None, ..failure }
    }

    async fn once(
        &self,
        records: Vec<Record>,
        (attempt, end): (u32, Option<Instant>),
        answers: &Arc<Answers>,
    ) -> Result<(Vec<Record>, Vec<Result<Vec<Record>, Failure>>), NodeError> {
        let count = records.len();
        let usage = Arc::clone(&self.account.usage);
        let meter = Arc::new(Meter::new(usage, self.hints.limit.clone(), attempt).of(&self.node));
        let time = self.hints.time_of(attempt);
        let late = |failure| vec![Err(failure); count];
        match &self.work {
            Work::Heavy(stage) => {
                let stage = Arc::clone(stage);
                let records = Arc::new(records);
                let input = Arc::clone(&records);
                let work =
                    blocking(move || input.iter().map(|record| stage.apply(record)).collect());
                let results = match self.in_time(work, &meter, time, end).await {
                    Ok(results) => results?,
                    Err(failure) => late(failure),
                };
                Ok((Arc::unwrap_or_clone(records), results))
            }
            Work::Call(stage) => {
                let context = CallContext {
                    door: Arc::clone(&self.door),
                    attempt,
                    step: self.hints.step_of(attempt),
                    meter: Arc::clone(&meter),
                    answers: Arc::clone(answers),
                    record: None,
                };
                let call = stage.apply(&records, &context);
                let results = self.in_time(call, &meter, time, end).await;
                let results = results.unwrap_or_else(|failure| late(meter.silence(failure)));
                Ok((records, results))
            }
        }
    }

    /// The result of the work, unless the attempt's time or the record's is up first. Standing in
    /// line for a limit does not count against the attempt's.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = T>,
        meter: &Meter,
        time: Option<Duration>,
        end: Option<Instant>,
    ) -> Result<T, Failure> {
        let start = Instant::now();
        let due = |waited| time.map(|timeout| start + timeout + waited);
        let mut next = due(Duration::ZERO);
        tokio::pin!(work);
        loop {
            let Some(wake) = next.into_iter().chain(end).min() else { return Ok(work.await) };
            tokio::select! {
                biased;
                result = &mut work => return Ok(result),
                () = tokio::time::sleep_until(wake) => {
                    let now = Instant::now();
                    if end.is_some_and(|end| end <= now) {
                        let deadline = self.hints.deadline.unwrap_or_default();
                        return Err(Failure::bad(format!("no result within its deadline of {deadline:?}")));
                    }
                    next = due(meter.waited());
                    if next.is_some_and(|next| next <= now) {
                        let timeout = time.unwrap_or_default();
                        return Err(Failure::transient(format!("no result within {timeout:?}")));
                    }
                    next = next.map(|next| next.max(now + STEP));
                }
            }
        }
    }
}
