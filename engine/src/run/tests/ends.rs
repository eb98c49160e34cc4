//! How a run ends: early, cancelled, broken.

use std::sync::atomic::Ordering;

use super::*;
use crate::expr::Expr;
use crate::report::Status;

#[tokio::test(start_paused = true)]
async fn a_reader_that_has_enough_is_forgotten_and_its_sibling_reads_on() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(100), hints(), &[]);
    let few = graph.node("few", take(3), hints(), &[source]);
    let (few_sink, few_kept) = keep();
    graph.node("few_sink", few_sink, hints(), &[few]);
    let (all_sink, all_kept) = keep();
    graph.node("all_sink", all_sink, hints(), &[source]);
    let report = graph.run().await;
    assert_eq!(report.status, Status::Done);
    assert_eq!(few_kept.numbers(), [0, 1, 2]);
    assert_eq!(all_kept.numbers().len(), 100);
    assert_eq!((few_kept.ends(), all_kept.ends()), ((1, 0), (1, 0)));
    let edge = report.edges.iter().find(|edge| edge.to == "few").unwrap();
    assert_eq!(edge.sent, 100);
    assert!(edge.unread > 80, "{edge:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_nobody_reads_any_more_stops() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(1_000_000), hints(), &[]);
    let pass = graph.node("pass", light(|_| Ok(Verdict::Pass)), hints(), &[source]);
    let few = graph.node("few", take(3), hints(), &[pass]);
    let (sink, kept) = keep();
    graph.node("sink", sink, hints(), &[few]);
    let report = graph.run().await;
    assert_eq!(report.status, Status::Done);
    assert_eq!(kept.numbers(), [0, 1, 2]);
    assert!(node(&report, "source").received < 100);
}

#[tokio::test(start_paused = true)]
async fn cancelling_finishes_and_stores_what_is_in_flight_and_commits_nothing() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(1000), hints(), &[]);
    let (call, _) = slow(|_| Duration::from_secs(10), |record, _| Ok(vec![record.clone()]));
    let call = graph.node("call", call, Resolved { parallelism: 4, ..hints() }, &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, hints(), &[call]);
    let run = graph.start();
    tokio::time::sleep(Duration::from_secs(15)).await;
    run.watch.cancel();
    let report = run.finish().await;
    assert_eq!(report.status, Status::Cancelled);
    assert_eq!(report.imbalances(), Vec::<String>::new());
    assert_eq!(kept.sorted(), (0..8).collect::<Vec<_>>());
    assert_eq!(kept.ends(), (0, 1));
    let call = node(&report, "call");
    assert_eq!((call.passed, call.rejected), (8, 0));
    assert!(call.pending > 0);
    assert!(report.elapsed < Duration::from_secs(21));
}

/// Waits for the limit of its node, as a call through the door does.
struct InLine;

#[async_trait]
impl Call for InLine {
    async fn apply(
        &self,
        batch: &[Record],
        context: &CallContext,
    ) -> Vec<Result<Vec<Record>, Failure>> {
        let limit = context.meter.limit().expect("a limit");
        match context.door.enter(limit, &context.meter).await {
            Ok(()) => batch.iter().map(|record| Ok(vec![record.clone()])).collect(),
            Err(ended) => vec![Err(ended); batch.len()],
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancelling_calls_back_who_stands_in_line_for_a_limit() {
    let mut graph = Graph::new();
    graph.limits.push(flow_dsl::pipeline::Limit {
        name: flow_dsl::Spanned::new("slow".to_owned(), flow_dsl::Span::default()),
        requests: flow_dsl::scalar::rate("1/h"),
        tokens: None,
        concurrency: None,
    });
    let source = graph.node("source", numbers(10), hints(), &[]);
    let call = Stage::Call(Arc::new(InLine));
    let limited = Resolved { parallelism: 4, limit: Some("slow".to_owned()), ..hints() };
    graph.node("call", call, limited, &[source]);
    let run = graph.start();
    tokio::time::sleep(Duration::from_mins(1)).await;
    run.watch.cancel();
    let report = run.finish().await;
    assert!(report.elapsed < Duration::from_secs(61), "{:?}", report.elapsed);
    let call = node(&report, "call");
    assert_eq!((call.passed, call.rejected, call.received), (1, 0, 1 + call.pending));
}

#[tokio::test(start_paused = true)]
async fn cancelling_twice_ends_at_once() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(1000), hints(), &[]);
    let (call, _) = slow(|_| Duration::from_secs(1000), |record, _| Ok(vec![record.clone()]));
    let call = graph.node("call", call, Resolved { parallelism: 4, ..hints() }, &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, hints(), &[call]);
    let run = graph.start();
    tokio::time::sleep(Duration::from_secs(5)).await;
    run.watch.cancel();
    tokio::time::sleep(Duration::from_secs(5)).await;
    run.watch.cancel();
    let report = run.finish().await;
    assert_eq!(report.status, Status::Cancelled);
    assert!(report.elapsed < Duration::from_secs(11));
    assert_eq!(kept.ends().0, 0);
    assert_eq!(report.imbalances(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_was_written_for_good_is_named_when_all_ends_at_once() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(1000), hints(), &[]);
    let wait = |n| if n < 10 { Duration::ZERO } else { Duration::from_secs(1000) };
    let (call, _) = slow(wait, |record, _| Ok(vec![record.clone()]));
    let call = graph.node("call", call, hints(), &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, hints(), &[call]);
    let (empty, _) = keep();
    graph.node("empty", empty, Resolved { when: Expr::new("n < 0").ok(), ..hints() }, &[call]);
    let run = graph.start();
    tokio::time::sleep(Duration::from_secs(5)).await;
    run.watch.cancel();
    run.watch.cancel();
    let report = run.finish().await;
    assert_eq!(kept.numbers().len(), 10);
    let to = "memory, at least".to_owned();
    let written = Written::new(to, 10);
    assert_eq!((report.written, report.unwritten), (vec![written], vec![]));
}

#[tokio::test(start_paused = true)]
async fn rejects_are_kept_of_a_run_that_is_not_whole() {
    for how in ["cancelled", "broken", "rejects cannot be written"] {
        let mut graph = Graph::new();
        let bad = Numbers { next: 0, end: 1000, most: 5, bad: Some(10) };
        let source = graph.node("source", Stage::Source(Box::new(bad)), hints(), &[]);
        let pass = graph.node("pass", light(|_| Ok(Verdict::Pass)), hints(), &[]);
        graph.edge(source, Output::Failed, pass);
        let full = |record: &Record| match number(record) {
            50 => Err(Failure::bad("disk full")),
            _ => Ok(()),
        };
        let (sink, kept) = if how == "rejects cannot be written" { keep_if(full) } else { keep() };
        graph.node("rejects", sink, hints(), &[pass]);
        let (sink, rows) = if how == "broken" {
            keep_if(|record| match number(record) {
                51 => Err(Failure::bad("disk full")),
                _ => Ok(()),
            })
        } else {
            keep()
        };
        graph.node("rows", sink, hints(), &[source]);
        let (sink, both) = keep();
        let both_sink = graph.node("both", sink, hints(), &[source]);
        graph.edge(source, Output::Failed, both_sink);
        let run = graph.start();
        if how == "cancelled" {
            run.watch.cancel();
        }
        let report = run.finish().await;
        assert_ne!(report.status, Status::Done, "{how}");
        assert_eq!((rows.ends(), both.ends()), ((0, 1), (0, 1)), "{how}");
        let kept_ends = if how == "rejects cannot be written" { (0, 1) } else { (1, 0) };
        assert_eq!(kept.ends(), kept_ends, "{how}");
        assert_eq!(report.written.len(), usize::from(kept_ends.0 == 1), "{how}");
        assert_eq!(report.imbalances(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_commits_below_or_beside_a_death() {
    for shape in ["light", "call", "source", "gather"] {
        let mut graph = Graph::new();
        let source: Stage = match shape {
            "source" => Stage::Source(Box::new(Dies)),
            _ => numbers(100),
        };
        let source = graph.node("source", source, hints(), &[]);
        let above = match shape {
            "light" => light(
                |record| if number(record) == 50 { panic!("boom") } else { Ok(Verdict::Pass) },
            ),
            "call" => {
                slow(
                    |_| Duration::ZERO,
                    |record, _| {
                        if number(record) == 50 { panic!("boom") } else { Ok(vec![record.clone()]) }
                    },
                )
                .0
            }
            "gather" => Stage::Gather(Box::new(Dies)),
            _ => light(|_| Ok(Verdict::Pass)),
        };
        let above = graph.node("above", above, hints(), &[source]);
        let (below, below_kept) = keep();
        graph.node("below", below, hints(), &[above]);
        let (beside, beside_kept) = keep();
        graph.node("beside", beside, hints(), &[source]);
        let report = graph.run().await;
        let guilty = if shape == "source" { "source" } else { "above" };
        let bug = Status::Bug { node: guilty.to_owned(), message: "boom".to_owned() };
        assert_eq!(report.status, bug, "{shape}");
        assert_eq!(below_kept.ends(), (0, 1), "{shape}");
        assert_eq!(beside_kept.ends(), (0, 1), "{shape}");
    }
}

struct Dies;

impl Source for Dies {
    fn survey(&self) -> Result<Survey, StageError> {
        Ok(Survey::default())
    }

    fn pull(&mut self, _: usize) -> Result<Pull, StageError> {
        panic!("boom")
    }
}

impl Gather for Dies {
    fn take(&mut self, _: usize, _: Vec<Record>) -> Result<(), StageError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Record>, StageError> {
        panic!("boom")
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_stops_the_run_and_says_what_to_do() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(1000), hints(), &[]);
    let full = |record: &Record| {
        if number(record) == 30 { Err(Failure::bad("disk full")) } else { Ok(()) }
    };
    let (sink, kept) = keep_if(full);
    graph.node("sink", sink, hints(), &[source]);
    let report = graph.run().await;
    let Status::Broken { node: at, message, help } = &report.status else {
        panic!("{:?}", report.status)
    };
    assert_eq!((at.as_str(), message.as_str()), ("sink", "disk full"));
    assert_eq!(help.as_deref(), Some("make room"));
    assert_eq!(kept.ends(), (0, 1));
    assert_eq!(node(&report, "sink").passed, 30);
    assert!(node(&report, "source").received < 200);
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_end_with_the_run_that_is_dropped() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(10), hints(), &[]);
    let finished = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&finished);
    let (call, _) = slow(
        |_| Duration::from_secs(10),
        move |record, _| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(vec![record.clone()])
        },
    );
    graph.node("call", call, hints(), &[source]);
    let run = graph.start();
    tokio::time::sleep(Duration::from_secs(5)).await;
    drop(run);
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert_eq!(finished.load(Ordering::Relaxed), 0);
}
