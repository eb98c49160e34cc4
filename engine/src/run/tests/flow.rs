//! How records go through a run that nothing disturbs.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::report::Status;

const MILLIS: fn(u64) -> Duration = |_| Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn every_record_of_a_chain_is_counted_at_every_node() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(100), hints(), &[]);
    let odd = light(|record| {
        Ok(if number(record).is_multiple_of(2) { Verdict::Pass } else { Verdict::Drop })
    });
    let odd = graph.node("odd", odd, hints(), &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, hints(), &[odd]);
    let report = graph.run().await;
    assert_eq!(report.status, Status::Done);
    assert_eq!(kept.numbers(), (0..100).step_by(2).collect::<Vec<_>>());
    assert_eq!((node(&report, "odd").passed, node(&report, "odd").filtered), (50, 50));
    assert_eq!(report.written, [Written::new("memory", 50)]);
    assert_eq!(kept.ends(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_sink_lets_out_exactly_the_room_of_its_edge_and_what_is_in_work() {
    let pulled = Arc::new(AtomicU64::new(0));
    let mut graph = Graph::new();
    let source = Numbers { next: 0, end: 1000, most: 1, bad: None };
    let source = graph.node("source", Stage::Source(Box::new(source)), hints(), &[]);
    let seen = Arc::clone(&pulled);
    let count = light(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
        Ok(Verdict::Pass)
    });
    let count = graph.node("count", count, hints(), &[source]);
    let (stuck, _) = slow(|_| Duration::from_secs(100_000), |record, _| Ok(vec![record.clone()]));
    let wide = Resolved { parallelism: 3, batch_size: 2, buffer: 7, ..hints() };
    graph.node("stuck", stuck, wide, &[count]);
    let run = graph.start();
    tokio::time::sleep(Duration::from_mins(1)).await;
    // 3 batches of 2 in work, 7 on the edge, and 1 in the hand of the node above.
    assert_eq!(pulled.load(Ordering::Relaxed), 6 + 7 + 1);
    let progress = run.watch.progress();
    assert_eq!((progress.nodes[2].queued, progress.nodes[2].in_flight), (7, 6));
    assert_eq!(progress.nodes[2].buffer, 7);
}

#[tokio::test(start_paused = true)]
async fn both_sides_of_a_diamond_arrive_however_small_the_edges() {
    let mut graph = Graph::new();
    let one = || Resolved { buffer: 1, ..hints() };
    let source = graph.node("source", numbers(50), one(), &[]);
    let (slow_side, _) = slow(MILLIS, |record, _| Ok(vec![record.clone()]));
    let left = graph.node("left", slow_side, one(), &[source]);
    let right = graph.node("right", light(|_| Ok(Verdict::Pass)), one(), &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, Resolved { batch_size: 9, buffer: 9, ..hints() }, &[left, right]);
    graph.run().await;
    let twice: Vec<u64> = (0..50).flat_map(|n| [n, n]).collect();
    assert_eq!(kept.sorted(), twice);
}

#[tokio::test(start_paused = true)]
async fn batches_are_formed_anew_across_those_that_come() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(100), hints(), &[]);
    let (sink, kept) = keep();
    graph.node("sink", sink, Resolved { batch_size: 32, buffer: 64, ..hints() }, &[source]);
    graph.run().await;
    assert_eq!(*kept.batches.lock().unwrap(), [32, 32, 32, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_waits_too_long_goes_as_it_is() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(4), hints(), &[]);
    let (drip, _) = slow(|_| Duration::from_secs(10), |record, _| Ok(vec![record.clone()]));
    let drip = graph.node("drip", drip, hints(), &[source]);
    let (sink, kept) = keep();
    let batch = Resolved { batch_size: 3, batch_wait: Some(Duration::from_secs(15)), ..hints() };
    graph.node("sink", sink, batch, &[drip]);
    graph.run().await;
    assert_eq!(*kept.batches.lock().unwrap(), [2, 2]);
}

#[tokio::test(start_paused = true)]
async fn as_many_calls_are_in_flight_as_the_hint_says_and_order_is_kept_on_request() {
    let varied: fn(u64) -> Duration = |n| Duration::from_millis(1 + (n * 7919) % 100);
    for order in [Order::Arrival, Order::Keep] {
        let mut graph = Graph::new();
        let source = graph.node("source", numbers(200), hints(), &[]);
        let (call, at_once) = slow(varied, |record, _| Ok(vec![record.clone()]));
        let call =
            graph.node("call", call, Resolved { parallelism: 6, order, ..hints() }, &[source]);
        let (sink, kept) = keep();
        graph.node("sink", sink, hints(), &[call]);
        graph.run().await;
        assert_eq!(at_once.load(Ordering::Relaxed), 6);
        assert_eq!(kept.sorted(), (0..200).collect::<Vec<_>>());
        let in_order = kept.numbers().is_sorted();
        assert_eq!(in_order, order == Order::Keep);
    }
}

#[tokio::test(start_paused = true)]
async fn one_record_may_become_many_or_none() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(5), hints(), &[]);
    let (split, _) =
        slow(MILLIS, |record, _| Ok((0..number(record)).map(|nth| record.child(nth)).collect()));
    let split = graph.node("split", split, hints(), &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, hints(), &[split]);
    let report = graph.run().await;
    let split = node(&report, "split");
    assert_eq!((split.passed, split.filtered, split.out), (4, 1, 10));
    assert_eq!(kept.numbers().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_gather_answers_after_the_last_record() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(42), hints(), &[]);
    let all = graph.node("all", Stage::Gather(Box::<CountAll>::default()), hints(), &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, hints(), &[all]);
    let report = graph.run().await;
    assert_eq!(kept.numbers(), [42]);
    assert_eq!((node(&report, "all").passed, node(&report, "all").out), (42, 1));
}

#[tokio::test(start_paused = true)]
async fn records_for_which_when_is_false_do_not_enter() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(10), hints(), &[]);
    let when = Some(crate::expr::Expr::new("n >= 7").unwrap());
    let (call, _) = slow(MILLIS, |record, _| Ok(vec![record.clone()]));
    let call = graph.node("call", call, Resolved { when, ..hints() }, &[source]);
    let (sink, kept) = keep();
    graph.node("sink", sink, hints(), &[call]);
    let report = graph.run().await;
    assert_eq!(kept.sorted(), [7, 8, 9]);
    assert_eq!(node(&report, "call").filtered, 7);
}
