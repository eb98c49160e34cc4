//! Nodes that are worked together do what they do apart.

use super::*;
use crate::report::Status;

/// A source, light maps that drop, fail and keep, and two sinks; together or apart.
fn chain(seed: u64, joins: bool) -> (Graph, [Arc<Kept>; 2]) {
    let mut random = fastrand::Rng::with_seed(seed);
    let hints = |on_error| Resolved { joins, on_error, batch_size: 3, ..hints() };
    let mut graph = Graph::new();
    let source = Numbers { next: 0, end: random.u64(0..80), most: 7, bad: Some(11) };
    let mut above =
        graph.node("source", Stage::Source(Box::new(source)), hints(OnError::Skip), &[]);
    let mut nodes = vec![above];
    for index in 0..random.usize(0..4) {
        let every = random.u64(2..7);
        let stage = if random.bool() {
            light(move |record| {
                let drops = number(record).is_multiple_of(every);
                Ok(if drops { Verdict::Drop } else { Verdict::Pass })
            })
        } else {
            light(move |record| {
                let fails = number(record).is_multiple_of(every);
                if fails { Err(Failure::bad("bad")) } else { Ok(Verdict::Pass) }
            })
        };
        let on_error = match random.u8(0..3) {
            0 => OnError::Keep("error".to_owned()),
            1 => OnError::Skip,
            _ => OnError::Reject,
        };
        above = graph.node(&format!("map{index}"), stage, hints(on_error), &[above]);
        nodes.push(above);
    }
    let (sink, passed) = keep_if(|record| match number(record) % 13 {
        12 => Err(Failure::bad("unlucky")),
        _ => Ok(()),
    });
    nodes.push(graph.node("sink", sink, hints(OnError::Reject), &[above]));
    let (sink, failed) = keep();
    let rejects = graph.node("rejects", sink, hints(OnError::Reject), &[]);
    for node in nodes {
        graph.edge(node, Output::Failed, rejects);
    }
    (graph, [passed, failed])
}

#[tokio::test(start_paused = true)]
async fn a_line_gives_what_its_nodes_give_apart() {
    for seed in 0..100 {
        let (apart, rows) = chain(seed, false);
        let (together, same_rows) = chain(seed, true);
        assert_eq!(together.lines(), 2, "seed {seed}");
        let (apart, together) = (apart.run().await, together.run().await);
        assert_eq!(apart.nodes, together.nodes, "seed {seed}");
        assert_eq!(apart.edges, together.edges, "seed {seed}");
        for (one, other) in rows.iter().zip(&same_rows) {
            assert_eq!(one.sorted(), other.sorted(), "seed {seed}");
            assert_eq!((one.ends(), other.ends()), ((1, 0), (1, 0)), "seed {seed}");
        }
        assert_eq!(rows[0].numbers(), same_rows[0].numbers(), "seed {seed}");
    }
}

/// A source, a map that does what is said, and a sink, together.
fn line(
    end: u64,
    apply: impl FnMut(&mut Record) -> Result<Verdict, Failure> + Send + 'static,
    write: fn(&Record) -> Result<(), Failure>,
) -> (Graph, Arc<Kept>) {
    let hints = || Resolved { joins: true, batch_size: 4, ..hints() };
    let mut graph = Graph::new();
    let source = graph.node("source", numbers(end), hints(), &[]);
    let map = graph.node("map", light(apply), hints(), &[source]);
    let (sink, kept) = keep_if(write);
    graph.node("sink", sink, hints(), &[map]);
    assert_eq!(graph.lines(), 1);
    (graph, kept)
}

#[tokio::test(start_paused = true)]
async fn the_node_that_panics_is_named() {
    let (graph, kept) = line(
        100,
        |record| if number(record) == 50 { panic!("at fifty") } else { Ok(Verdict::Pass) },
        |_| Ok(()),
    );
    let report = graph.run().await;
    let bug = Status::Bug { node: "map".to_owned(), message: "at fifty".to_owned() };
    assert_eq!((report.status, kept.ends()), (bug, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn the_sink_that_breaks_is_named_and_cleans_up() {
    let (graph, kept) = line(
        100,
        |_| Ok(Verdict::Pass),
        |record| match number(record) {
            50.. => Err(Failure::bad("disk full")),
            _ => Ok(()),
        },
    );
    let report = graph.run().await;
    assert!(matches!(&report.status, Status::Broken { node, .. } if node == "sink"), "{report:?}");
    assert_eq!(kept.ends(), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_map_that_has_enough_stops_the_source() {
    let mut left = 7;
    let (graph, kept) = line(
        1_000_000_000,
        move |_| {
            left -= 1;
            Ok(if left == 0 { Verdict::PassLast } else { Verdict::Pass })
        },
        |_| Ok(()),
    );
    let report = graph.run().await;
    assert_eq!((report.status.clone(), kept.ends()), (Status::Done, (1, 0)));
    assert_eq!(kept.numbers(), (0..7).collect::<Vec<_>>());
    assert!(node(&report, "source").received < 20, "{report:?}");
}

#[tokio::test]
async fn a_line_that_is_cancelled_stops_and_commits_nothing() {
    let (graph, kept) = line(u64::MAX, |_| Ok(Verdict::Drop), |_| Ok(()));
    let run = graph.start();
    let watch = run.watch();
    while watch.progress().nodes[0].account.received < 1000 {
        tokio::task::yield_now().await;
    }
    watch.cancel();
    let ended = tokio::time::timeout(Duration::from_mins(1), run.finish()).await;
    let report = ended.expect("the run ends");
    assert_eq!((report.status.clone(), kept.ends()), (Status::Cancelled, (0, 1)));
    assert_eq!(report.imbalances(), Vec::<String>::new());
}
