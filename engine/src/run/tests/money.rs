//! Budgets and steps of retries.

use flow_dsl::pipeline::{RetryStep, RetryTimeout};

use super::*;
use crate::report::Status;

#[tokio::test(start_paused = true)]
async fn a_call_that_is_over_budget_ends_the_run_in_order() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(40), hints(), &[]);
    let calls = slow(
        |_| Duration::from_secs(1),
        |record, _| match number(record) {
            10.. => Err(Failure::over_budget("all is spent")),
            _ => Ok(vec![record.clone()]),
        },
    );
    let parallel = Resolved { parallelism: 4, retry: 3, ..hints() };
    let call = graph.node("call", calls.0, parallel, &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, hints(), &[call]);
    let report = graph.run().await;
    let (node_name, message) = ("call".to_owned(), "all is spent".to_owned());
    assert_eq!(report.status, Status::OverBudget { node: node_name, message });
    let account = node(&report, "call");
    assert_eq!((account.passed, account.rejected, account.retries), (10, 0, 0));
    assert!(account.pending > 0, "{account:?}");
    // What was whole is with the sink, which aborts as in a run that is cancelled.
    assert_eq!((kept.sorted(), kept.ends()), ((0..10).collect(), (0, 1)));
}

/// The step and the time of each attempt.
type Seen = Arc<Mutex<Vec<(Option<usize>, Duration)>>>;

/// Says which step it was called with, and fails until the attempt that is wanted.
struct Steps(u32, Seen);

#[async_trait]
impl Call for Steps {
    async fn apply(
        &self,
        batch: &[Record],
        context: &CallContext,
    ) -> Vec<Result<Vec<Record>, Failure>> {
        let start = tokio::time::Instant::now();
        let (wanted, seen) = (self.0, Arc::clone(&self.1));
        let note = Note { start, step: context.step, seen };
        if context.attempt < wanted {
            std::future::pending::<()>().await;
        }
        drop(note);
        batch.iter().map(|record| Ok(vec![record.clone()])).collect()
    }
}

/// Notes when it is dropped, as an attempt is whose time is up.
struct Note {
    start: tokio::time::Instant,
    step: Option<usize>,
    seen: Seen,
}

impl Drop for Note {
    fn drop(&mut self) {
        self.seen.lock().unwrap().push((self.step, self.start.elapsed()));
    }
}

#[tokio::test(start_paused = true)]
async fn each_retry_takes_its_step_and_the_last_one_repeats() {
    let step = |timeout| RetryStep { model: None, timeout };
    let steps = vec![
        step(Some(RetryTimeout::Times(2.0))),
        step(None),
        step(Some(RetryTimeout::Exactly(Duration::from_secs(30)))),
    ];
    let hints_of = |on_retry| Resolved {
        retry: 5,
        timeout: Some(Duration::from_secs(3)),
        on_retry,
        ..hints()
    };
    let seconds =
        |list: &[u64]| -> Vec<Duration> { list.iter().copied().map(Duration::from_secs).collect() };
    for (on_retry, places, times) in [
        (steps, vec![None, Some(0), Some(1), Some(2), Some(2)], seconds(&[3, 6, 3, 30, 0])),
        (Vec::new(), vec![None; 5], seconds(&[3, 3, 3, 3, 0])),
    ] {
        let seen = Seen::default();
        let mut graph = Graph::new();
        let source = graph.node("source", numbers(1), hints(), &[]);
        let call = Stage::Call(Arc::new(Steps(5, Arc::clone(&seen))));
        graph.node("call", call, hints_of(on_retry), &[source]);
        assert_eq!(graph.run().await.status, Status::Done);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.iter().map(|(step, _)| *step).collect::<Vec<_>>(), places);
        assert_eq!(seen.iter().map(|(_, time)| *time).collect::<Vec<_>>(), times);
    }
}
