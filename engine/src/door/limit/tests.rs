//! Limits in paused time: alone, and shared through a file by processes of which each has a limiter
//! of its own.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use flow_dsl::{Span, Spanned, scalar};
use tempfile::TempDir;

use super::*;

fn limit(requests: Option<&str>, tokens: Option<&str>, concurrency: Option<usize>) -> Limit {
    Limit {
        name: Spanned::new("test".to_owned(), Span::default()),
        requests: requests.and_then(scalar::rate),
        tokens: tokens.and_then(scalar::rate),
        concurrency,
    }
}

fn limiter(requests: Option<&str>, tokens: Option<&str>, concurrency: Option<usize>) -> Limiter {
    Limiter::new(&limit(requests, tokens, concurrency), "", None)
}

/// Paused time in nanoseconds, the same for all limiters of a test.
fn paused_clock() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(|| Instant::now() - Duration::from_secs(1000));
    u64::try_from(start.elapsed().as_nanos()).unwrap()
}

/// What another process has of the same limit.
fn sharing(folder: &TempDir, requests: &str, clock: fn() -> u64) -> Limiter {
    let limit = limit(Some(requests), Some("6000/min"), None);
    let book = Book::Shared(Shared::new(folder.path(), &limit, "", clock));
    Limiter::of(&limit, book)
}

async fn enter(limiter: &Limiter, tokens: u64) -> Pass<'_> {
    limiter.enter(tokens, &Meter::default()).await
}

/// Seconds until a call may pass.
async fn wait_of(limiter: &Limiter) -> u64 {
    let start = Instant::now();
    enter(limiter, 0).await;
    start.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn no_window_holds_more_than_the_quota_and_little_is_wasted() {
    for quota in [1_u32, 10, 50, 600] {
        let limiter = limiter(Some(&format!("{quota}/min")), None, None);
        let start = Instant::now();
        let mut moments = Vec::new();
        for _ in 0..quota * 3 {
            enter(&limiter, 0).await;
            moments.push(start.elapsed());
        }
        for (at, first) in moments.iter().enumerate() {
            let within =
                moments[at..].iter().filter(|m| **m < *first + Duration::from_mins(1)).count();
            assert!(within <= quota as usize, "{within} of {quota} within a minute");
        }
        let ideal = Duration::from_mins(2);
        let last = moments[moments.len() - 1];
        assert!(last <= ideal.mul_f64(1.6), "{quota}: {last:?}");
    }
}

/// A server that takes 600 calls in any minute. Gives the calls that it took and refused in two
/// minutes, those refused after the first ten seconds apart.
async fn two_minutes(limiters: &[Limiter]) -> (usize, usize, usize) {
    let (minute, start) = (Duration::from_mins(1), Instant::now());
    let taken = Mutex::new((VecDeque::<Instant>::new(), 0, 0, 0));
    let workers = limiters.iter().flat_map(|limiter| std::iter::repeat_n(limiter, 40));
    let work = workers.map(|limiter| async {
        loop {
            let pass = enter(limiter, 0).await;
            let now = Instant::now();
            if now - start >= 2 * minute {
                return;
            }
            let refused = {
                let mut server = taken.lock().unwrap();
                while server.0.front().is_some_and(|first| now - *first >= minute) {
                    server.0.pop_front();
                }
                let refused = server.0.len() >= 600;
                if refused {
                    server.2 += 1;
                    server.3 += usize::from(now - start > Duration::from_secs(10));
                } else {
                    server.0.push_back(now);
                    server.1 += 1;
                }
                refused
            };
            if refused {
                limiter.pause(Duration::from_secs(1));
            }
            tokio::time::sleep(Duration::from_millis(fastrand::u64(50..1500))).await;
            pass.settle(0);
        }
    });
    futures::future::join_all(work).await;
    let taken = taken.into_inner().unwrap();
    (taken.1, taken.2, taken.3)
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_used_up_and_not_passed() {
    let folder = tempfile::tempdir().unwrap();
    let alone = vec![limiter(Some("600/min"), None, None)];
    let together =
        vec![sharing(&folder, "600/min", paused_clock), sharing(&folder, "600/min", paused_clock)];
    for limiters in [alone, together] {
        let (taken, refused, late) = two_minutes(&limiters).await;
        assert!(taken >= 1140, "{taken} of 1200 with {}", limiters.len());
        assert!(late * 100 <= taken && refused * 50 <= taken, "{refused} refused, {late} late");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_everybody_and_does_not_end_in_a_burst() {
    let limiter = limiter(Some("60/min"), None, None);
    let start = Instant::now();
    enter(&limiter, 0).await;
    limiter.pause(Duration::from_secs(100));
    let waiting = (0..5).map(|_| async {
        enter(&limiter, 0).await;
        start.elapsed().as_secs()
    });
    let mut at = futures::future::join_all(waiting).await;
    at.sort_unstable();
    assert!(at[0] >= 100, "{at:?}");
    assert!(at[4] >= 103, "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_those_who_wait_already_and_forgives_no_debt() {
    let limiter = limiter(None, Some("60/min"), None);
    let start = Instant::now();
    // A debt of a minute.
    enter(&limiter, 0).await.settle(60);
    let waits = async {
        enter(&limiter, 0).await;
        start.elapsed().as_secs()
    };
    let asks = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        limiter.pause(Duration::from_secs(30));
        limiter.pause(Duration::from_secs(10));
    };
    let (waited, ()) = futures::join!(waits, asks);
    assert!((88..=92).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn waits_are_counted_by_their_cause() {
    let limiter = limiter(Some("60/min"), None, Some(1));
    let usage = std::sync::Arc::default();
    let meter = Meter::new(std::sync::Arc::clone(&usage), None, 1);
    limiter.pause(Duration::from_secs(10));
    for _ in 0..5 {
        limiter.enter(0, &meter).await;
    }
    let waits = usage.waits();
    assert_eq!((waits.patience.as_secs(), waits.gate.as_secs()), (10, 0));
    assert!((2..=4).contains(&waits.limit.as_secs()), "{waits:?}");
    assert_eq!(meter.waited().as_secs(), waits.total().as_secs());
}

#[tokio::test(start_paused = true)]
async fn tokens_are_estimated_then_settled() {
    let limiter = limiter(None, Some("6000/min"), None);
    let start = Instant::now();
    enter(&limiter, 1000).await.settle(100);
    enter(&limiter, 0).await;
    assert!(start.elapsed() <= Duration::from_secs(2), "{:?}", start.elapsed());
    enter(&limiter, 1000).await.settle(3000);
    enter(&limiter, 0).await;
    assert!(start.elapsed() >= Duration::from_secs(28), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn only_so_many_at_once() {
    let limiter = limiter(None, None, Some(2));
    let (first, _second) = (enter(&limiter, 0).await, enter(&limiter, 0).await);
    let third = tokio::time::timeout(Duration::from_secs(9), enter(&limiter, 0)).await;
    assert!(third.is_err());
    drop(first);
    let third = tokio::time::timeout(Duration::from_secs(9), enter(&limiter, 0)).await;
    assert!(third.is_ok());
}

#[tokio::test(start_paused = true)]
async fn patience_and_debts_hold_for_all_who_share() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = [0, 1].map(|_| sharing(&folder, "600/min", paused_clock));
    one.pause(Duration::from_secs(20));
    assert_eq!(wait_of(&other).await, 20);
    other.settle(3000.0);
    assert!((28..=32).contains(&wait_of(&one).await));
    let stranger = sharing(&folder, "700/min", paused_clock);
    stranger.pause(Duration::from_secs(20));
    assert_eq!(wait_of(&one).await, 0);
}

async fn at_once(limiter: &Limiter) -> Result<Pass<'_>, tokio::time::error::Elapsed> {
    tokio::time::timeout(Duration::from_secs(1), enter(limiter, 0)).await
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_are_shared_and_those_of_the_gone_are_free() {
    let folder = tempfile::tempdir().unwrap();
    let limit = limit(None, None, Some(4));
    let with_key = |key| {
        let book = Book::Shared(Shared::new(folder.path(), &limit, key, paused_clock));
        Limiter::of(&limit, book)
    };
    let [other, stranger] = ["a", "b"].map(with_key);
    let one = with_key("a");
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(at_once(&one).await.unwrap());
    }
    assert!(at_once(&one).await.is_err() && at_once(&other).await.is_err());
    assert!(at_once(&stranger).await.is_ok(), "another key has a quota of its own");
    held.pop();
    let theirs = at_once(&other).await.unwrap();
    assert!(at_once(&one).await.is_err());
    drop(theirs);
    // A process that ends without a word gives nothing back, and its lock is free.
    held.into_iter().for_each(std::mem::forget);
    drop(one);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(at_once(&other).await.unwrap());
    }
    assert!(at_once(&other).await.is_err());
}

/// Two that never have enough, each of which has as many workers as there are slots.
#[tokio::test(start_paused = true)]
async fn calls_at_once_are_shared_fairly_and_none_is_idle_for_long() {
    for most in [1, 4, 25] {
        let folder = tempfile::tempdir().unwrap();
        let limit = limit(None, None, Some(most));
        let [one, other] = [0, 1].map(|_| {
            let book = Book::Shared(Shared::new(folder.path(), &limit, "", paused_clock));
            Limiter::of(&limit, book)
        });
        let (start, counts) = (Instant::now(), Mutex::new([0_usize; 2]));
        let work = [&one, &other].into_iter().enumerate().map(|(at, limiter)| {
            let counts = &counts;
            let worker = move |_| async move {
                while start.elapsed() < Duration::from_secs(20) {
                    let _pass = enter(limiter, 0).await;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    counts.lock().unwrap()[at] += 1;
                }
            };
            futures::future::join_all((0..2 * most).map(worker))
        });
        futures::future::join_all(work).await;
        let [one, other] = *counts.lock().unwrap();
        let ideal = 200 * most;
        assert!(one.abs_diff(other) * 10 <= ideal, "{one} and {other} of {ideal}");
        assert!((one + other) * 100 >= ideal * 85, "{one} and {other} of {ideal}");
    }
}

fn the_file(folder: &TempDir) -> PathBuf {
    std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path()
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_garbage_or_cut_off_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    sharing(&folder, "600/min", paused_clock).pause(Duration::from_secs(20));
    let whole = std::fs::read(the_file(&folder)).unwrap();
    for content in [&[0xff; 48][..], &[0; 48], b"", &whole[..20]] {
        std::fs::write(the_file(&folder), content).unwrap();
        let limiter = sharing(&folder, "600/min", paused_clock);
        assert_eq!(wait_of(&limiter).await, 0, "{content:?}");
    }
    std::fs::write(the_file(&folder), &whole).unwrap();
    assert_eq!(wait_of(&sharing(&folder, "600/min", paused_clock)).await, 20);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_or_forth_holds_nobody_for_long() {
    static SET: AtomicU64 = AtomicU64::new(1_000_000_000_000_000);
    let folder = tempfile::tempdir().unwrap();
    let clock = || SET.load(Ordering::Relaxed) + paused_clock();
    let limiter = sharing(&folder, "600/min", clock);
    limiter.pause(Duration::from_secs(20));
    let day = 86_400_000_000_000;
    SET.fetch_sub(day, Ordering::Relaxed);
    assert_eq!(wait_of(&limiter).await, 20);
    limiter.pause(Duration::from_secs(20));
    SET.fetch_add(2 * day, Ordering::Relaxed);
    assert_eq!(wait_of(&limiter).await, 0);
    limiter.pause(Duration::from_secs(20));
    assert_eq!(wait_of(&limiter).await, 20);
}

#[tokio::test(start_paused = true)]
async fn without_the_file_each_goes_on_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not a folder");
    std::fs::write(&file, "").unwrap();
    let limit = limit(Some("60/min"), None, None);
    let limiter = Limiter::new(&limit, "", Some(&file));
    limiter.pause(Duration::from_secs(20));
    assert!((19..=20).contains(&wait_of(&limiter).await));

    // Somebody holds the file and does not let go.
    let held = sharing(&folder, "600/min", paused_clock);
    held.pause(Duration::from_secs(20));
    let path = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let path = path.into_iter().find(|path| path.extension().is_some()).unwrap();
    let lock = std::fs::File::open(path).unwrap();
    lock.lock().unwrap();
    assert_eq!(wait_of(&held).await, 20);
    assert_eq!(wait_of(&sharing(&folder, "600/min", paused_clock)).await, 0);
    drop(lock);
    tokio::time::sleep(Duration::from_secs(2)).await;
    held.pause(Duration::from_secs(20));
    assert_eq!(wait_of(&sharing(&folder, "600/min", paused_clock)).await, 20);
}
