//! A named limit: calls and tokens per time, calls at once, and the patience that a server asks for.
//!
//! Rates are a generic cell rate algorithm (ITU-T I.371, the leaky bucket as a meter): every call
//! reserves its moment in the order of asking. So that no window of the quota's length ever holds
//! more than the quota, the few calls that may come together are taken off the steady rate.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flow_dsl::pipeline::Limit;
use flow_dsl::scalar::Rate;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The part of a quota that may be used at once.
const BURST: f64 = 0.04;

/// One named limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    concurrency: Option<Semaphore>,
    pause: Mutex<Pause>,
}

#[derive(Debug, Default)]
struct Pause {
    until: Option<Instant>,
    /// Counts the pauses: a moment that was reserved before the last one is void.
    epoch: u64,
}

/// The right to make one call; held for as long as it takes.
#[derive(Debug)]
pub struct Pass<'a> {
    limiter: &'a Limiter,
    estimated: u64,
    _slot: Option<SemaphorePermit<'a>>,
}

impl Limiter {
    pub(crate) fn new(limit: &Limit) -> Self {
        Self {
            requests: limit.requests.map(Bucket::new),
            tokens: limit.tokens.map(Bucket::new),
            concurrency: limit.concurrency.map(Semaphore::new),
            pause: Mutex::default(),
        }
    }

    /// Waits for a slot, then for the moment.
    pub(crate) async fn enter(&self, tokens: u64) -> Pass<'_> {
        let slot = match &self.concurrency {
            // The semaphore is never closed.
            Some(slots) => slots.acquire().await.ok(),
            None => None,
        };
        loop {
            let (moment, epoch) = self.reserve(tokens);
            tokio::time::sleep_until(moment).await;
            if self.pause.lock().unwrap_or_else(PoisonError::into_inner).epoch == epoch {
                return Pass { limiter: self, estimated: tokens, _slot: slot };
            }
        }
    }

    fn reserve(&self, tokens: u64) -> (Instant, u64) {
        let pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = pause.until.map_or_else(Instant::now, |until| until.max(Instant::now()));
        #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
        let amounts = [(&self.requests, 1.0), (&self.tokens, tokens as f64)];
        let moment = amounts
            .into_iter()
            .filter_map(|(bucket, amount)| Some(bucket.as_ref()?.reserve(earliest, amount)))
            .fold(earliest, Instant::max);
        (moment, pause.epoch)
    }

    fn pause(&self, patience: Duration) {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + patience;
        if pause.until.is_none_or(|current| current < until) {
            pause.until = Some(until);
            pause.epoch += 1;
            for bucket in [&self.requests, &self.tokens].into_iter().flatten() {
                bucket.restart(until);
            }
        }
    }
}

impl Pass<'_> {
    /// The server asked everybody to be patient.
    pub fn pause(&self, patience: Duration) {
        self.limiter.pause(patience);
    }

    /// Settles the estimate by what the server counted.
    pub fn settle(&self, tokens: u64) {
        if let Some(bucket) = &self.limiter.tokens {
            #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
            bucket.shift(tokens as f64 - self.estimated as f64);
        }
    }
}

/// One rate.
#[derive(Debug)]
struct Bucket {
    /// Seconds that one unit takes.
    interval: f64,
    /// Seconds by which a call may be early.
    tolerance: f64,
    /// When the next unit would come at the steady rate.
    next: Mutex<Option<Instant>>,
}

impl Bucket {
    fn new(rate: Rate) -> Self {
        let burst = (rate.count * BURST).floor().max(1.0);
        let steady = (rate.count - burst + 1.0).max(rate.count * (1.0 - BURST));
        let interval = rate.per.as_secs_f64() / steady;
        Self { interval, tolerance: interval * (burst - 1.0), next: Mutex::default() }
    }

    /// The moment at which `amount` units may pass.
    fn reserve(&self, earliest: Instant, amount: f64) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.map_or(earliest, |next| next.max(earliest));
        *next = Some(due + Duration::from_secs_f64(self.interval * amount));
        due.checked_sub(Duration::from_secs_f64(self.tolerance))
            .map_or(due, |early| early.max(earliest))
    }

    fn shift(&self, amount: f64) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let by = Duration::from_secs_f64(self.interval * amount.abs());
        *next =
            next.and_then(
                |next| if amount < 0.0 { next.checked_sub(by) } else { next.checked_add(by) },
            );
    }

    fn restart(&self, at: Instant) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use flow_dsl::{Span, Spanned, scalar};

    use super::*;

    fn limiter(
        requests: Option<&str>,
        tokens: Option<&str>,
        concurrency: Option<usize>,
    ) -> Limiter {
        Limiter::new(&Limit {
            name: Spanned::new("test".to_owned(), Span::default()),
            requests: requests.and_then(scalar::rate),
            tokens: tokens.and_then(scalar::rate),
            concurrency,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_holds_more_than_the_quota_and_little_is_wasted() {
        for quota in [1_u32, 10, 50, 600] {
            let limiter = limiter(Some(&format!("{quota}/min")), None, None);
            let start = Instant::now();
            let mut moments = Vec::new();
            for _ in 0..quota * 3 {
                limiter.enter(0).await;
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

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everybody_and_does_not_end_in_a_burst() {
        let limiter = limiter(Some("60/min"), None, None);
        let start = Instant::now();
        limiter.enter(0).await.pause(Duration::from_secs(100));
        let waiting = (0..5).map(|_| async {
            limiter.enter(0).await;
            start.elapsed().as_secs()
        });
        let mut at = futures::future::join_all(waiting).await;
        at.sort_unstable();
        assert!(at[0] >= 100, "{at:?}");
        assert!(at[4] >= 103, "{at:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_estimated_then_settled() {
        let limiter = limiter(None, Some("6000/min"), None);
        let start = Instant::now();
        limiter.enter(1000).await.settle(100);
        limiter.enter(0).await;
        assert!(start.elapsed() <= Duration::from_secs(2), "{:?}", start.elapsed());
        limiter.enter(1000).await.settle(3000);
        limiter.enter(0).await;
        assert!(start.elapsed() >= Duration::from_secs(28), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_at_once() {
        let limiter = limiter(None, None, Some(2));
        let (first, _second) = (limiter.enter(0).await, limiter.enter(0).await);
        let third = tokio::time::timeout(Duration::from_secs(9), limiter.enter(0)).await;
        assert!(third.is_err());
        drop(first);
        let third = tokio::time::timeout(Duration::from_secs(9), limiter.enter(0)).await;
        assert!(third.is_ok());
    }
}
