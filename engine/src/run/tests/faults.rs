//! What becomes of records that fail.

use flow_dsl::pipeline::MaxFailures;
use flow_dsl::scalar::Share;

use super::*;
use crate::report::Status;
use crate::stage::FailureKind;

const SECOND: fn(u64) -> Duration = |_| Duration::from_secs(1);

/// A run of 100 numbers through a node that fails on every tenth.
async fn with_failures(hints: Resolved) -> (Report, Arc<Kept>, Arc<Kept>) {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(100), super::hints(), &[]);
    let fails = light(|record| {
        if number(record).is_multiple_of(10) {
            Err(Failure::bad("a tenth"))
        } else {
            Ok(Verdict::Pass)
        }
    });
    let fails = graph.node("fails", fails, hints, &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, super::hints(), &[fails]);
    let (dead, dead_kept) = keep();
    let dead = graph.node("dead", dead, super::hints(), &[]);
    graph.edge(fails, Output::Failed, dead);
    (graph.run().await, kept, dead_kept)
}

#[tokio::test(start_paused = true)]
async fn a_reject_goes_to_failed_with_its_reason() {
    let (report, kept, dead) = with_failures(hints()).await;
    assert_eq!(report.status, Status::Done);
    assert_eq!((kept.numbers().len(), dead.numbers().len()), (90, 10));
    let records = dead.records.lock().unwrap();
    let error = json!({"node": "fails", "reason": "a tenth", "attempts": 1});
    assert_eq!(records[0].get("error"), Some(&error));
    assert_eq!(report.rejects.len(), 10);
    assert_eq!(node(&report, "fails").reasons["a tenth"], 10);
}

#[tokio::test(start_paused = true)]
async fn a_reject_keeps_the_answer_that_was_of_no_use_up_to_a_bound() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(1), hints(), &[]);
    let long = format!("no é{}", "é".repeat(40_000));
    let fails = light(move |_| Err(Failure::bad("not JSON").answer(&long)));
    let fails = graph.node("fails", fails, hints(), &[source]);
    let (dead, kept) = keep();
    let dead = graph.node("dead", dead, hints(), &[]);
    graph.edge(fails, Output::Failed, dead);
    graph.run().await;
    let records = kept.records.lock().unwrap();
    let answer = records[0].get("error").unwrap()["answer"].as_str().unwrap();
    assert!(answer.starts_with("no é") && answer.len() == 65_535, "{}", answer.len());
}

#[tokio::test(start_paused = true)]
async fn keep_passes_the_record_on_with_its_error() {
    let keep = Resolved { on_error: OnError::Keep("why".to_owned()), ..hints() };
    let (report, kept, dead) = with_failures(keep).await;
    assert_eq!((kept.numbers().len(), dead.numbers().len()), (100, 0));
    let records = kept.records.lock().unwrap();
    assert_eq!(records.iter().filter(|record| record.get("why").is_some()).count(), 10);
    let fails = node(&report, "fails");
    assert_eq!((fails.passed, fails.kept, fails.rejected), (100, 10, 0));
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_what_stood_in_its_place() {
    let keep = Resolved { on_error: OnError::Keep("n".to_owned()), ..hints() };
    let (_, kept, _) = with_failures(keep).await;
    let records = kept.records.lock().unwrap();
    let errors: Vec<_> = records.iter().filter_map(|record| record.get("n")).collect();
    let mut replaced: Vec<u64> =
        errors.iter().filter_map(|error| error.get("replaced")?.as_u64()).collect();
    let mut all: Vec<u64> = errors.iter().filter_map(|number| number.as_u64()).collect();
    assert_eq!((replaced.len(), all.len()), (10, 90));
    all.append(&mut replaced);
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn skip_counts_and_does_not_send() {
    let skip = || Resolved { on_error: OnError::Skip, ..hints() };
    let (report, _, dead) = with_failures(skip()).await;
    assert_eq!((node(&report, "fails").rejected, dead.numbers().len()), (10, 0));
    assert_eq!(report.status, Status::Done);
    let limited = Resolved { max_failures: Some(MaxFailures::Count(9)), ..skip() };
    let (report, ..) = with_failures(limited).await;
    assert!(matches!(report.status, Status::TooManyFailures { .. }), "{:?}", report.status);
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_end_the_run() {
    let count = Resolved { max_failures: Some(MaxFailures::Count(3)), ..hints() };
    let share = Resolved { max_failures: Some(MaxFailures::Share(Share(0.05))), ..hints() };
    for limited in [count, share] {
        let (report, kept, _) = with_failures(limited).await;
        assert!(matches!(report.status, Status::TooManyFailures { .. }), "{:?}", report.status);
        assert_eq!(kept.ends(), (0, 1));
    }
    let enough = Resolved { max_failures: Some(MaxFailures::Count(10)), ..hints() };
    assert_eq!(with_failures(enough).await.0.status, Status::Done);
    let enough = Resolved { max_failures: Some(MaxFailures::Share(Share(0.1))), ..hints() };
    assert_eq!(with_failures(enough).await.0.status, Status::Done);
}

#[tokio::test(start_paused = true)]
async fn the_record_that_stops_the_run_goes_to_the_rejects() {
    let stop = Resolved { on_error: OnError::Stop, ..hints() };
    let (report, kept, dead) = with_failures(stop).await;
    let message = report.rejects[0].reason.clone();
    assert_eq!(report.status, Status::RecordFailed { node: "fails".to_owned(), message });
    assert_eq!(kept.ends(), (0, 1));
    let rejected = node(&report, "fails").rejected;
    assert!(rejected > 0);
    assert_eq!((dead.numbers().len() as u64, dead.ends()), (rejected, (1, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_breaks_the_run_after_the_last_attempt_and_rejects_nothing() {
    let gone = |_: &Record, _| {
        let failure = Failure::bad("nobody listens there").help("Start it.");
        Err(Failure { kind: FailureKind::Gone, ..failure })
    };
    let retry = Resolved { retry: 2, ..hints() };
    for (hints, retries) in [
        (retry, 2..=2),
        (hints(), 0..=0),
        (Resolved { deadline: Some(SECOND(0)), retry: 99, ..hints() }, 0..=98),
    ] {
        let (report, kept) = one_call(hints, |_| Duration::ZERO, gone).await;
        let Status::Broken { node: broken, message, help } = &report.status else {
            panic!("{:?}", report.status)
        };
        assert_eq!((broken.as_str(), help.as_deref()), ("call", Some("Start it.")));
        assert!(message.starts_with("nobody listens there"), "{message}");
        let call = node(&report, "call");
        assert_eq!((call.pending, call.rejected, kept.len()), (1, 0, 0));
        assert!(retries.contains(&call.retries), "{}", call.retries);
    }
    let away = |record: &Record, attempt| match attempt {
        ..9 => Err(Failure { kind: FailureKind::Away, ..Failure::transient("a restart") }),
        _ => Ok(vec![record.clone()]),
    };
    let (report, kept) = one_call(hints(), SECOND, away).await;
    assert_eq!((report.status, kept), (Status::Done, vec![0]));
}

/// A run of one record through a call; gives the report and what arrived.
async fn one_call(
    hints: Resolved,
    time: fn(u64) -> Duration,
    apply: impl Fn(&Record, u32) -> Result<Vec<Record>, Failure> + Send + Sync + 'static,
) -> (Report, Vec<u64>) {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(1), super::hints(), &[]);
    let call = graph.node("call", slow(time, apply).0, hints, &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, super::hints(), &[call]);
    let report = graph.run().await;
    (report, kept.numbers())
}

#[tokio::test(start_paused = true)]
async fn a_bad_mood_is_tried_again_and_a_bad_record_is_not() {
    let retry = || Resolved { retry: 3, ..hints() };
    let (report, kept) = one_call(retry(), SECOND, |record, attempt| {
        if attempt < 3 { Err(Failure::transient("busy")) } else { Ok(vec![record.clone()]) }
    })
    .await;
    assert_eq!((kept.len(), node(&report, "call").retries), (1, 2));
    let (report, _) = one_call(retry(), SECOND, |_, _| Err(Failure::transient("busy"))).await;
    assert_eq!((report.rejects[0].attempts, node(&report, "call").retries), (4, 3));
    let (report, _) = one_call(retry(), SECOND, |_, _| Err(Failure::bad("wrong"))).await;
    assert_eq!((report.rejects[0].attempts, node(&report, "call").retries), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_servers_patience_is_kept_and_backoff_is_bounded() {
    let patient = |record: &Record, attempt| {
        if attempt == 1 {
            let patience = Some(Duration::from_secs(90));
            Err(Failure { retry_after: patience, ..Failure::transient("wait") })
        } else {
            Ok(vec![record.clone()])
        }
    };
    let (report, _) = one_call(Resolved { retry: 1, ..hints() }, SECOND, patient).await;
    assert!((92..93).contains(&report.elapsed.as_secs()), "{:?}", report.elapsed);
    let bounded = Resolved {
        retry: 10,
        backoff: (Duration::from_secs(1), Duration::from_secs(5)),
        ..hints()
    };
    let (report, _) = one_call(bounded, SECOND, |_, _| Err(Failure::transient("busy"))).await;
    assert!(report.elapsed <= Duration::from_secs(11 + 10 * 5), "{:?}", report.elapsed);
}

#[tokio::test(start_paused = true)]
async fn a_call_stuck_for_ever_costs_one_attempt() {
    let timeout = Resolved { retry: 2, timeout: Some(Duration::from_secs(30)), ..hints() };
    let (report, kept) =
        one_call(timeout, |_| Duration::from_secs(1_000_000), |record, _| Ok(vec![record.clone()]))
            .await;
    assert_eq!((kept.len(), report.rejects[0].attempts), (0, 3));
    assert_eq!(report.rejects[0].reason, "no result within 30s");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_bounds_all_attempts_and_the_waits_between_them() {
    let hints = || Resolved {
        retry: 9,
        backoff: (Duration::from_secs(1), Duration::from_secs(1)),
        deadline: Some(Duration::from_mins(1)),
        ..hints()
    };
    let stuck = |record: &Record, _| Ok(vec![record.clone()]);
    let (report, _) = one_call(hints(), |_| Duration::from_hours(1), stuck).await;
    assert_eq!((report.elapsed.as_secs(), report.rejects[0].attempts), (60, 1));
    assert_eq!(report.rejects[0].reason, "no result within its deadline of 60s");

    let timeout = Resolved { timeout: Some(Duration::from_secs(25)), ..hints() };
    let (report, _) = one_call(timeout, |_| Duration::from_hours(1), stuck).await;
    assert_eq!((report.elapsed.as_secs(), report.rejects[0].attempts), (60, 3));

    let busy = |_: &Record, _| {
        let retry_after = Some(Duration::from_secs(40));
        Err(Failure { retry_after, ..Failure::transient("busy") })
    };
    let (report, _) = one_call(hints(), SECOND, busy).await;
    assert_eq!((report.elapsed.as_secs(), report.rejects[0].attempts), (42, 2));
    assert_eq!(report.rejects[0].reason, "busy; its deadline of 60s leaves no time to try again");
    let (report, kept) = one_call(hints(), SECOND, stuck).await;
    assert_eq!((report.elapsed.as_secs(), kept.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn only_the_records_that_failed_are_tried_again() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(10), hints(), &[]);
    let (call, _) = slow(SECOND, |record, attempt| {
        if attempt == 1 && number(record) % 2 == 1 {
            Err(Failure::transient("busy"))
        } else {
            Ok(vec![record.clone()])
        }
    });
    let batch = Resolved { batch_size: 10, buffer: 10, retry: 1, ..hints() };
    let call = graph.node("call", call, batch, &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, hints(), &[call]);
    let report = graph.run().await;
    assert_eq!(kept.numbers(), (0..10).collect::<Vec<_>>());
    // One attempt was made again, with five records.
    assert_eq!(node(&report, "call").retries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_stops_the_run_and_blames_no_record() {
    let (report, _) =
        one_call(hints(), SECOND, |_, _| Err(Failure::fatal("the key is refused"))).await;
    assert!(matches!(&report.status, Status::Broken { node, .. } if node == "call"));
    assert_eq!((node(&report, "call").rejected, node(&report, "call").pending), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn rejects_of_sources_and_sinks_are_counted_and_sent() {
    let mut graph = Graph::new();
    let source = Numbers { next: 0, end: 30, most: 4, bad: Some(3) };
    let source = graph.node("source", Stage::Source(Box::new(source)), hints(), &[]);
    let (sink, _) =
        keep_if(
            |record| {
                if number(record).is_multiple_of(2) { Err(Failure::bad("even")) } else { Ok(()) }
            },
        );
    let sink = graph.node("sink", sink, hints(), &[source]);
    let (dead, dead_kept) = keep();
    let dead = graph.node("dead", dead, hints(), &[]);
    graph.edge(source, Output::Failed, dead);
    graph.edge(sink, Output::Failed, dead);
    let report = graph.run().await;
    assert_eq!((node(&report, "source").passed, node(&report, "source").rejected), (20, 10));
    assert_eq!((node(&report, "sink").passed, node(&report, "sink").rejected), (10, 10));
    assert_eq!(dead_kept.numbers().len(), 20);
}
