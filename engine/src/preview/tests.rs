//! What is foreseen, with stages made for it.

use std::time::Duration;

use flow_dsl::pipeline::Output;

use super::*;
use crate::run::tests::{CountAll, Graph, hints, keep, light, number, numbers, slow};

/// Numbers, the even ones, a call for each, what it gave stored.
fn graph() -> Graph {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(100), hints(), &[]);
    let even = light(|record| {
        let even = number(record).is_multiple_of(2);
        Ok(if even { Verdict::Pass } else { Verdict::Drop })
    });
    let even = graph.node("even", even, hints(), &[source]);
    let call = slow(|_| Duration::ZERO, |_, _| panic!("it is called")).0;
    let call = graph.node("call", call, hints(), &[even]);
    let (sink, kept) = keep();
    drop(kept);
    graph.node("saved", sink, hints(), &[call]);
    graph
}

#[tokio::test]
async fn the_first_records_come_as_they_would_and_nobody_is_called() {
    for (node, most, expected) in [
        ("call", 3, vec![0, 2, 4]),
        ("even", 2, vec![0, 1]),
        ("call", 0, vec![]),
        ("call", 1000, (0..100).step_by(2).collect()),
    ] {
        let records = entering(graph().plan(), node, most).await.unwrap();
        assert_eq!(records.iter().map(number).collect::<Vec<_>>(), expected, "{node}");
    }
}

#[tokio::test]
async fn what_cannot_be_foreseen_says_why() {
    for (node, expected) in [
        ("saved", "what enters `saved` depends on what becomes of it at `call`"),
        ("source", "`source` is a source: no record enters it"),
        ("other", "no node called `other`"),
    ] {
        let error = entering(graph().plan(), node, 3).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn gathers_answer_and_rejects_of_a_sink_are_unforeseen() {
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(100), hints(), &[]);
    let all = Stage::Gather(Box::<CountAll>::default());
    let all = graph.node("all", all, hints(), &[source]);
    let (sink, kept) = keep();
    let sink = graph.node("saved", sink, hints(), &[all]);
    let last = graph.node("last", light(|_| Ok(Verdict::Pass)), hints(), &[]);
    graph.edge(sink, Output::Failed, last);
    let error = entering(graph.plan(), "last", 3).await.unwrap_err();
    assert_eq!(error.to_string(), "what enters `last` depends on what becomes of it at `saved`");
    assert_eq!((kept.numbers(), kept.ends()), (vec![], (0, 0)));

    let mut graph = Graph::new();
    let source = graph.node("source", numbers(100), hints(), &[]);
    let all = Stage::Gather(Box::<CountAll>::default());
    let all = graph.node("all", all, hints(), &[source]);
    let (sink, kept) = keep();
    graph.node("saved", sink, hints(), &[all]);
    let records = entering(graph.plan(), "saved", 3).await.unwrap();
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [100]);
    assert_eq!(kept.numbers(), [] as [u64; 0]);
}
