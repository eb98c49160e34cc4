//! What is foreseen, with stages made for it.

use std::time::Duration;

use flow_dsl::pipeline::{Limit, Output};
use flow_dsl::{Span, Spanned};

use super::*;
use crate::door::{Money, Price};
use crate::ledger::Answers;
use crate::plan::Resolved;
use crate::run::Tries;
use crate::run::tests::{CountAll, Graph, Numbers, hints, keep, light, number, numbers, slow};
use crate::stage::{Asked, Call, CallContext, Estimate, Pull, Source, StageError, Survey};

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

/// Says of each record that it takes a call, so many tokens as it is, and up to twice as many back.
struct Told;

#[async_trait::async_trait]
impl Call for Told {
    async fn apply(&self, _: &[Record], _: &CallContext) -> Vec<Result<Vec<Record>, Failure>> {
        panic!("it is called")
    }

    fn models(&self) -> Vec<Asked> {
        vec![Asked {
            name: "m".to_owned(),
            model: "model".to_owned(),
            price: Some(Price { input: 1.0, cached: 1.0, output: 2.0 }),
            price_as_of: None,
            limit: Some("slow".to_owned()),
            most_output: None,
            counted: "exactly",
            counting_error: 0.0,
        }]
    }

    fn estimate(&self, batch: &[Record], _: &Answers) -> Option<Estimate> {
        let sum = batch.iter().map(number).sum();
        let input_tokens = Band { low: sum, high: sum };
        let output_tokens = Band { low: sum, high: 2 * sum };
        Some(Estimate { calls: 1, reused: 0, input_tokens, output_tokens })
    }
}

/// A source that knows how far it is, and that says after some pulls that the time is up.
struct Long(Numbers);

impl Source for Long {
    fn survey(&self) -> Result<Survey, StageError> {
        self.0.survey()
    }

    fn pull(&mut self, most: usize) -> Result<Pull, StageError> {
        self.0.pull(most)
    }

    fn progress(&self) -> Option<f32> {
        u16::try_from(self.0.next).ok().map(|next| f32::from(next) / 100.0)
    }
}

fn told(source: Stage) -> Graph {
    let mut graph = Graph::new();
    let source = graph.node("source", source, hints(), &[]);
    let batched = Resolved { batch_size: 8, parallelism: 3, ..hints() };
    let first = graph.node("first", Stage::Call(Arc::new(Told)), batched, &[source]);
    graph.node("second", Stage::Call(Arc::new(Told)), hints(), &[first]);
    graph.limits = vec![Limit {
        name: Spanned::new("slow".to_owned(), Span::default()),
        requests: flow_dsl::scalar::rate("1/min"),
        tokens: None,
        concurrency: None,
    }];
    graph
}

#[tokio::test]
async fn what_is_read_to_its_end_is_counted_exactly() {
    let prediction = predict(told(numbers(100)).plan(), None, None, Tries::All).await.unwrap();
    let [first, second] = prediction.nodes.as_slice() else { panic!("{prediction:?}") };
    let need = first.need.unwrap();
    let sum = (0..100).sum::<u64>();
    assert_eq!((&first.basis, need.records, need.calls), (&Basis::Counted, 100, 13));
    assert_eq!(need.input_tokens, Band { low: sum, high: sum });
    assert_eq!(need.output_tokens, Band { low: sum, high: 2 * sum });
    let cost = Band { low: Money::dollars(3.0 * 4950e-6), high: Money::dollars(5.0 * 4950e-6) };
    assert_eq!((need.cost, prediction.cost), (Some(cost), cost));
    assert_eq!(second.basis, Basis::Below { node: "first".to_owned() });
    assert_eq!((second.need, prediction.at_least), (None, true));
    // Thirteen calls, one a minute: the first goes out at once.
    assert!((prediction.seconds.low - 12.0 * 60.0).abs() < 1e-6);
    let bottleneck = prediction.bottleneck.unwrap();
    assert_eq!(bottleneck.what, Binds::Requests { limit: "slow".to_owned() });
    assert_eq!((bottleneck.node.as_str(), bottleneck.enough), ("first", 1));
}

#[tokio::test]
async fn what_is_read_in_part_is_taken_for_the_whole_or_said_to_be_a_part() {
    let cut = |source| predict(told(source).plan(), Some(Duration::ZERO), None, Tries::All);
    let source = || Numbers { next: 0, end: 100, most: 5, bad: None };
    let known = cut(Stage::Source(Box::new(Long(source())))).await.unwrap();
    let Basis::Sampled { share } = known.nodes[0].basis else { panic!("{known:?}") };
    assert!((share - 0.05).abs() < 1e-6, "{share}");
    assert_eq!(known.nodes[0].need.unwrap().records, 100);
    let unknown = cut(Stage::Source(Box::new(source()))).await.unwrap();
    assert_eq!(unknown.nodes[0].basis, Basis::Begun);
    assert_eq!(unknown.nodes[0].need.unwrap().records, 5);
}

#[tokio::test]
async fn a_stage_that_cannot_tell_is_not_guessed_at() {
    let prediction = predict(graph().plan(), None, None, Tries::All).await.unwrap();
    assert_eq!((&prediction.nodes[0].basis, prediction.nodes[0].need), (&Basis::Untold, None));
    assert!(prediction.at_least && prediction.bottleneck.is_none());
}
