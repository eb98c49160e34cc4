//! The gate before servers of many kinds, in paused time.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::door::gate::{Gate, Sign};

const BASE: Duration = Duration::from_millis(100);

/// A server, and what was seen of it.
struct Server {
    kind: Kind,
    /// What it can work on at once.
    capacity: AtomicUsize,
    at_work: Semaphore,
    /// Capacity that is lost when what it works on is done.
    leaving: AtomicUsize,
    under_way: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Lets the others wait.
    Queues,
    /// Refuses the others at once.
    Refuses,
    /// Works on all of them, the slower.
    Shares,
    /// Answers nobody.
    Silent,
}

#[derive(Debug, Default)]
struct Seen {
    answers: usize,
    bad: usize,
    /// Calls under way, seen by each that began.
    load: usize,
    most: usize,
}

impl Seen {
    fn mean_load(&self) -> usize {
        self.load / (self.answers + self.bad).max(1)
    }
}

impl Server {
    fn new(kind: Kind, capacity: usize) -> Self {
        Self {
            kind,
            capacity: AtomicUsize::new(capacity),
            at_work: Semaphore::new(capacity),
            leaving: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
        }
    }

    fn resize(&self, to: usize) {
        let was = self.capacity.swap(to, Ordering::Relaxed);
        if to > was {
            self.at_work.add_permits(to - was);
        } else {
            let gone = self.at_work.forget_permits(was - to);
            self.leaving.store(was - to - gone, Ordering::Relaxed);
        }
    }

    async fn answer(&self, load: usize) -> Sign {
        let took = BASE.mul_f64(0.8 + 0.4 * fastrand::f64());
        let capacity = self.capacity.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let share = (load as f64 / capacity as f64).max(1.0);
        match self.kind {
            Kind::Queues => {
                let place = self.at_work.acquire().await.unwrap();
                sleep(took).await;
                let leaving = self.leaving.load(Ordering::Relaxed);
                if leaving > 0 {
                    self.leaving.store(leaving - 1, Ordering::Relaxed);
                    place.forget();
                }
            }
            Kind::Refuses if load > capacity => {
                sleep(Duration::from_millis(2)).await;
                return Sign::Bad;
            }
            Kind::Refuses => sleep(took).await,
            Kind::Shares => sleep(took.mul_f64(share)).await,
            Kind::Silent => std::future::pending().await,
        }
        Sign::Good
    }
}

/// Calls as fast as the gate allows, up to `wanted` at once, for so many seconds.
async fn drive(gate: &Gate, server: &Server, wanted: usize, seconds: u64) -> Seen {
    let (end, seen) = (Instant::now() + Duration::from_secs(seconds), std::sync::Mutex::default());
    let work = (0..wanted).map(|_| async {
        while Instant::now() < end {
            let place = gate.enter(&Meter::default()).await.begin();
            let load = server.under_way.fetch_add(1, Ordering::Relaxed) + 1;
            let sign = timeout(20 * BASE, server.answer(load)).await;
            server.under_way.fetch_sub(1, Ordering::Relaxed);
            {
                let mut seen: std::sync::MutexGuard<'_, Seen> = seen.lock().unwrap();
                seen.load += load;
                seen.most = seen.most.max(load);
                match sign {
                    Ok(Sign::Good) => seen.answers += 1,
                    _ => seen.bad += 1,
                }
            }
            match sign {
                Ok(sign) => place.end(sign),
                // As when an attempt's time is up.
                Err(_) => drop(place),
            }
            if sign != Ok(Sign::Good) {
                sleep(BASE.mul_f64(fastrand::f64())).await;
            }
        }
    });
    futures::future::join_all(work).await;
    seen.into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_knee_is_found_whatever_the_server_does_beyond_it() {
    for (kind, capacity, wanted, load, bad) in [
        (Kind::Queues, 8, 64, 7..=24, 0),
        (Kind::Refuses, 8, 64, 5..=10, 12),
        (Kind::Shares, 8, 64, 7..=26, 0),
        (Kind::Shares, 16, 128, 14..=48, 0),
        (Kind::Queues, 1, 16, 1..=6, 0),
    ] {
        let (gate, server) = (Gate::new(), Server::new(kind, capacity));
        drive(&gate, &server, wanted, 180).await;
        let seen = drive(&gate, &server, wanted, 60).await;
        let best = capacity * 600;
        assert!(load.contains(&seen.mean_load()), "{capacity} of {wanted}: {seen:?}");
        assert!(seen.answers * 100 >= best * 80, "{capacity} of {wanted}: {seen:?} of {best}");
        assert!(seen.bad * 100 <= seen.answers * bad, "{capacity} of {wanted}: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn half_the_capacity_is_lost_and_comes_back() {
    for kind in [Kind::Queues, Kind::Refuses, Kind::Shares] {
        let (gate, server) = (Gate::new(), Server::new(kind, 32));
        drive(&gate, &server, 128, 60).await;
        server.resize(16);
        drive(&gate, &server, 128, 10).await;
        let less = drive(&gate, &server, 128, 20).await;
        assert!((10..=48).contains(&less.mean_load()), "{less:?}");
        assert!(less.answers * 100 >= 16 * 200 * 80, "{less:?}");
        server.resize(32);
        drive(&gate, &server, 128, 10).await;
        let again = drive(&gate, &server, 128, 20).await;
        assert!((20..=96).contains(&again.mean_load()), "{again:?}");
        assert!(again.answers * 100 >= 32 * 200 * 80, "{again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_everything_is_not_slowed() {
    for (wanted, calls) in [(4, 200), (16, 1000), (128, 2000), (128, 20_000), (512, 20_000)] {
        let (gate, server) = (Gate::new(), Server::new(Kind::Shares, 1 << 20));
        let (start, left) = (Instant::now(), AtomicUsize::new(calls));
        let work = (0..wanted).map(|_| async {
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
            {
                let place = gate.enter(&Meter::default()).await.begin();
                place.end(server.answer(1).await);
            }
        });
        futures::future::join_all(work).await;
        let ideal = BASE * u32::try_from(calls.div_ceil(wanted)).unwrap();
        let took = start.elapsed();
        let most = if wanted > 128 { 1.15 } else { 1.05 };
        assert!(took <= ideal.mul_f64(most), "{calls} by {wanted}: {took:?} of {ideal:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_closes_the_gate_and_answers_open_it() {
    let (gate, mut server) = (Gate::new(), Server::new(Kind::Silent, 64));
    drive(&gate, &server, 64, 30).await;
    let silent = drive(&gate, &server, 64, 10).await;
    assert!(silent.most <= 2 && silent.answers == 0, "{silent:?}");
    server.kind = Kind::Queues;
    drive(&gate, &server, 64, 5).await;
    let open = drive(&gate, &server, 64, 10).await;
    assert!(open.mean_load() >= 48, "{open:?}");
}

#[tokio::test(start_paused = true)]
async fn calls_that_become_longer_are_not_taken_for_overload() {
    let (gate, server) = (Gate::new(), Server::new(Kind::Queues, 64));
    drive(&gate, &server, 32, 20).await;
    // Each takes five times as long from now on, however many there are.
    let end = Instant::now() + Duration::from_mins(1);
    let most = AtomicUsize::new(0);
    let work = (0..32).map(|_| async {
        while Instant::now() < end {
            let place = gate.enter(&Meter::default()).await.begin();
            let load = server.under_way.fetch_add(1, Ordering::Relaxed) + 1;
            sleep(5 * BASE).await;
            server.under_way.fetch_sub(1, Ordering::Relaxed);
            place.end(Sign::Good);
            if Instant::now() + Duration::from_secs(20) > end {
                most.fetch_max(load, Ordering::Relaxed);
            }
        }
    });
    futures::future::join_all(work).await;
    assert_eq!(most.into_inner(), 32);
}
