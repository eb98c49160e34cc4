//! What every node has, whatever its shape: its account, its outputs, its way to fail a record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use flow_dsl::pipeline::{MaxFailures, OnError};
use serde_json::{Value, json};

use super::account::Account;
use super::control::Control;
use super::edge::Outlet;
use super::page::Page;
use crate::ledger::{Fate, Trial};
use crate::plan::Resolved;
use crate::record::Record;
use crate::report::Status;
use crate::seldom::Turn;
use crate::stage::{Failure, FailureKind, StageError};
use crate::words::counted;

/// A share of failures means nothing before so many records were seen.
const SHARE_AFTER: u64 = 20;
/// While more records may come, only so many times the allowed share ends the run; the share itself
/// is due at the end.
const SHARE_EARLY: f64 = 2.0;

/// A node at work.
pub(crate) struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) hints: Resolved,
    pub(crate) account: Arc<Account>,
    pub(crate) control: Arc<Control>,
    /// Its page in the journal of the run.
    pub(crate) page: Option<Page>,
    /// What passes.
    pub(crate) main: Outlet,
    /// The rejects.
    pub(crate) failed: Outlet,
}

/// Where a record goes that failed for good.
pub(crate) enum Judged {
    /// On, with its error in a field.
    Kept(Record),
    /// To `.failed`.
    Rejected(Record),
    /// Nowhere; it is counted.
    Gone,
}

/// Why a node ended before its time.
#[derive(Debug)]
pub(crate) enum NodeError {
    /// The world broke.
    Broken(StageError),
    /// A stage panicked, or broke its contract.
    Bug(String),
}

impl From<StageError> for NodeError {
    fn from(error: StageError) -> Self {
        Self::Broken(error)
    }
}

impl Node {
    /// Whether all that read what passes have left.
    pub(crate) fn is_left(&self) -> bool {
        self.main.is_wired() && !self.main.is_read()
    }

    /// Whether nobody wants anything of this node any more.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.is_left() && !self.failed.is_read()
    }

    /// Gives records to the readers. The inputs that they were made of are counted by the caller.
    pub(crate) async fn emit(&mut self, records: Vec<Record>) {
        self.account.out.fetch_add(records.len() as u64, Ordering::Relaxed);
        self.main.send(records).await;
    }

    /// Counts inputs as passed.
    pub(crate) fn pass(&self, count: usize) {
        self.account.passed.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Counts inputs as filtered.
    pub(crate) fn filter(&self, count: usize) {
        self.account.filtered.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Lets in the records for which `when` holds.
    pub(crate) async fn admit(&mut self, mut records: Vec<Record>) -> Vec<Record> {
        let mut rejects = Vec::new();
        let kept = self.admit_now(&mut records, &mut rejects);
        self.emit(kept).await;
        self.failed.send(rejects).await;
        records
    }

    /// Leaves in `records` those for which `when` holds. Gives back those that pass on in spite of
    /// an error in it; puts aside what is for `.failed`.
    pub(crate) fn admit_now(
        &self,
        records: &mut Vec<Record>,
        rejects: &mut Vec<Record>,
    ) -> Vec<Record> {
        let mut kept = Vec::new();
        let Some(when) = &self.hints.when else { return kept };
        records.retain_mut(|record| match when.holds(record) {
            Ok(holds) => {
                self.filter(usize::from(!holds));
                holds
            }
            Err(failure) => {
                let failed = std::mem::replace(record, Record::new(record.id));
                match self.judge(failed, &failure, Trial::once()) {
                    Judged::Kept(record) => kept.push(record),
                    Judged::Rejected(record) => rejects.push(record),
                    Judged::Gone => {}
                }
                false
            }
        });
        kept
    }

    /// Deals with a record that failed for good, as `on_error` says.
    pub(crate) async fn fail(&mut self, record: Record, failure: &Failure, trial: Trial) {
        match self.judge(record, failure, trial) {
            Judged::Kept(record) => self.emit(vec![record]).await,
            Judged::Rejected(record) => self.failed.send(vec![record]).await,
            Judged::Gone => {}
        }
    }

    /// Counts a record that failed for good, and says where it goes.
    pub(crate) fn judge(&self, mut record: Record, failure: &Failure, trial: Trial) -> Judged {
        let attempts = trial.attempts;
        if matches!(failure.kind, FailureKind::Fatal | FailureKind::Gone) {
            self.account.leave(1);
            self.control.end(Status::Broken {
                node: self.name.to_string(),
                message: failure.reason.clone(),
                help: failure.help.as_deref().map(str::to_owned),
            });
            return Judged::Gone;
        }
        if failure.kind == FailureKind::OverBudget {
            self.account.leave(1);
            let (node, message) = (self.name.to_string(), failure.reason.clone());
            self.control.end(Status::OverBudget { node, message });
            return Judged::Gone;
        }
        if let Some(Turn { left_out }) = self.account.log.turn() {
            let Failure { reason, .. } = failure;
            let (node, from) = (&*self.name, record.path.as_deref());
            let line = (record.line > 0).then_some(record.line);
            tracing::info!(node, from, line, reason, attempts, left_out, "rejected");
        }
        self.control.note(&record);
        let error = error_object(&self.name, &record, failure, attempts);
        if let Some(page) = &self.page {
            let kept = matches!(self.hints.on_error, OnError::Keep(_));
            let fate = if kept { Fate::Kept } else { Fate::Rejected };
            page.failed(&record, failure, fate, trial);
        }
        let judged = if let OnError::Keep(field) = &self.hints.on_error {
            set_error(&mut record, field, error);
            self.account.kept.fetch_add(1, Ordering::Relaxed);
            self.pass(1);
            Judged::Kept(record)
        } else {
            self.account.reject(&self.name, &record, &failure.reason, attempts);
            if self.hints.on_error != OnError::Skip && self.failed.is_wired() {
                set_error(&mut record, "error", error);
                Judged::Rejected(record)
            } else {
                Judged::Gone
            }
        };
        self.check_failures(&failure.reason);
        judged
    }

    fn check_failures(&self, reason: &str) {
        let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let failures = get(&self.account.rejected) + get(&self.account.kept);
        let node = self.name.to_string();
        let most = match self.hints.max_failures {
            _ if self.hints.on_error == OnError::Stop => {
                let message = reason.to_owned();
                return self.control.end(Status::RecordFailed { node, message });
            }
            None => return,
            Some(MaxFailures::Count(most)) => most,
            Some(MaxFailures::Share(share)) => {
                let seen = failures + get(&self.account.passed) + get(&self.account.filtered);
                if seen < SHARE_AFTER {
                    return;
                }
                share_of((share.0 * SHARE_EARLY).min(1.0), seen)
            }
        };
        if failures > most {
            let failed = counted(failures, "record");
            let message = format!("{failed} failed, at most {most} may; the last: {reason}");
            self.control.end(Status::TooManyFailures { node, message });
        }
    }

    /// The share is due once more when the node has seen everything, however little that was.
    fn check_share(&self) {
        if let Some(MaxFailures::Share(share)) = self.hints.max_failures {
            let report = self.account.report(&self.name, "");
            let failures = report.rejected + report.kept;
            let most = share_of(share.0, report.received);
            if failures > most {
                let message = format!(
                    "{failures} of {} failed, at most {}% may",
                    counted(report.received, "record"),
                    share.0 * 100.0
                );
                self.control.end(Status::TooManyFailures { node: self.name.to_string(), message });
            }
        }
    }

    /// Tells all readers that nothing more will come.
    pub(crate) async fn end(&mut self, whole: bool) {
        self.check_share();
        let whole = whole && !self.control.is_draining();
        self.main.end(whole).await;
        self.failed.end(whole).await;
    }
}

fn share_of(share: f64, count: u64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share from 0 to 1 of a count of records"
    )]
    {
        (share * count as f64).floor() as u64
    }
}

/// Says of a failed record where it failed, why, and which file and line it came from.
/// Sets the field that says what went wrong; what the record had in it goes into the error.
fn set_error(record: &mut Record, field: &str, mut error: Value) {
    if let Some(old) = record.get(field) {
        error["replaced"] = old.clone();
    }
    record.set(field, error);
}

fn error_object(node: &str, record: &Record, failure: &Failure, attempts: u32) -> Value {
    let mut error = json!({"node": node, "reason": failure.reason, "attempts": attempts});
    if let Some(answer) = &failure.answer {
        error["answer"] = json!(answer);
    }
    if let Some(path) = &record.path {
        error["path"] = json!(&**path);
    }
    if record.line > 0 {
        error["line"] = json!(record.line);
    }
    error
}

/// Runs blocking work on a thread for it; a panic there becomes a bug of the node.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NodeError> {
    #[expect(clippy::disallowed_methods, reason = "one of the two places that start tasks")]
    let task = tokio::task::spawn_blocking(work);
    task.await.map_err(|error| NodeError::Bug(panic_message(error)))
}

/// What a task that ended badly said.
pub(crate) fn panic_message(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => words_of(&*panic),
        Err(error) => error.to_string(),
    }
}

/// What a panic said.
pub(crate) fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it said nothing".to_owned())
}
