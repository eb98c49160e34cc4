//! Random graphs with random speeds, failures, early ends and the smallest of edges: every run ends,
//! and every sum balances.

use super::*;
use crate::report::Status;

const SPEEDS: [fn(u64) -> Duration; 4] = [
    |_| Duration::ZERO,
    |n| Duration::from_millis(n % 17),
    |n| Duration::from_millis(500 * (n % 3)),
    |_| Duration::from_millis(3),
];

fn random_hints(random: &mut fastrand::Rng) -> Resolved {
    let batch_size = random.usize(1..6);
    Resolved {
        parallelism: random.usize(1..5),
        batch_size,
        batch_wait: random.bool().then_some(Duration::from_millis(20)),
        buffer: batch_size + random.usize(0..4),
        joins: random.bool(),
        order: if random.bool() { Order::Keep } else { Order::Arrival },
        retry: random.u32(0..3),
        timeout: random.bool().then_some(Duration::from_millis(900)),
        on_error: match random.u8(0..3) {
            0 => OnError::Keep("error".to_owned()),
            1 => OnError::Skip,
            _ => OnError::Reject,
        },
        ..hints()
    }
}

fn random_map(random: &mut fastrand::Rng) -> Stage {
    let every = random.u64(2..9);
    let speed = SPEEDS[random.usize(0..SPEEDS.len())];
    match random.u8(0..8) {
        0 => take(random.u64(1..20)),
        1 => Stage::Gather(Box::<CountAll>::default()),
        2 => light(move |record| {
            Ok(if number(record).is_multiple_of(every) { Verdict::Drop } else { Verdict::Pass })
        }),
        3 => light(move |record| {
            if number(record).is_multiple_of(every) {
                Err(Failure::bad("bad"))
            } else {
                Ok(Verdict::Pass)
            }
        }),
        4 => slow(speed, |record, _| Ok((0..2).map(|nth| copy(record, nth)).collect())).0,
        _ => {
            slow(speed, move |record, attempt| match number(record) % every {
                0 if attempt == 1 => Err(Failure::transient("busy")),
                1 => Err(Failure::bad("bad")),
                _ => Ok(vec![record.clone()]),
            })
            .0
        }
    }
}

fn copy(record: &Record, nth: u64) -> Record {
    let mut copy = record.clone();
    copy.id = record.id.child(nth);
    copy
}

fn random_graph(random: &mut fastrand::Rng) -> (Graph, Vec<Arc<Kept>>) {
    let (mut graph, mut kept) = (Graph::new(), Vec::new());
    let mut above = Vec::new();
    for index in 0..random.usize(1..3) {
        let source = Numbers {
            next: 0,
            end: random.u64(0..60),
            most: random.usize(1..8),
            bad: random.bool().then_some(5),
        };
        above.push(graph.node(
            &format!("source{index}"),
            Stage::Source(Box::new(source)),
            hints(),
            &[],
        ));
    }
    for index in 0..random.usize(0..9) {
        let count = random.usize(1..=above.len().min(3));
        let from = if random.bool() {
            above.last().copied().into_iter().collect()
        } else {
            random.choose_multiple(above.iter().copied(), count)
        };
        let (stage, hints) = (random_map(random), random_hints(random));
        let map = graph.node(&format!("map{index}"), stage, hints, &from);
        if random.u8(0..4) == 0 {
            graph.edge(*random.choice(&above).unwrap_or(&0), Output::Failed, map);
        }
        above.push(map);
    }
    for index in 0..random.usize(1..4) {
        let count = random.usize(1..=above.len().min(3));
        let from = random.choose_multiple(above.iter().copied(), count);
        let (sink, one) = keep();
        let hints = random_hints(random);
        let sink = graph.node(
            &format!("sink{index}"),
            sink,
            Resolved { on_error: OnError::Reject, ..hints },
            &from,
        );
        if random.bool() {
            graph.edge(*random.choice(&above).unwrap_or(&0), Output::Failed, sink);
        }
        kept.push(one);
    }
    (graph, kept)
}

#[tokio::test(start_paused = true)]
async fn every_random_graph_ends_balanced_and_committed() {
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (graph, kept) = random_graph(&mut random);
        let report = graph.run().await;
        assert_eq!(report.status, Status::Done, "seed {seed}");
        assert!(report.nodes.iter().all(|node| node.pending == 0), "seed {seed}: {report:#?}");
        assert!(kept.iter().all(|kept| kept.ends() == (1, 0)), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_random_graph_that_is_cancelled_ends_balanced_and_commits_nothing() {
    for seed in 1000..1200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (graph, kept) = random_graph(&mut random);
        let run = graph.start();
        tokio::time::sleep(Duration::from_millis(random.u64(0..300))).await;
        run.watch.cancel();
        let ended = tokio::time::timeout(Duration::from_hours(1), run.finish()).await;
        let report = ended.unwrap_or_else(|_| panic!("seed {seed} hangs"));
        assert_eq!(report.imbalances(), Vec::<String>::new(), "seed {seed}");
        assert_eq!(report.status, Status::Cancelled, "seed {seed}");
        assert!(kept.iter().all(|kept| kept.ends() == (0, 1)), "seed {seed}");
    }
}
