//! How long calls take: counts in buckets whose width grows with what they hold, so that a few
//! kilobytes know any latency to within a tenth.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::report::Latency;

/// Buckets for each doubling, as a power of two.
const STEPS: u32 = 3;
/// Enough for microseconds to the length of a day.
const BUCKETS: usize = 280;

/// Counts of microseconds.
#[derive(Debug)]
pub(super) struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Histogram {
    pub(super) fn add(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0[bucket(micros)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Latency {
        let counts: [u64; BUCKETS] = std::array::from_fn(|at| self.0[at].load(Ordering::Relaxed));
        let total: u64 = counts.iter().sum();
        let at_least = |rank: u64| {
            let mut seen = 0;
            let at = counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            Duration::from_micros(at.map_or(0, middle))
        };
        match total {
            0 => Latency::default(),
            _ => Latency {
                p50: at_least(total.div_ceil(2)),
                p95: at_least((total * 95).div_ceil(100)),
            },
        }
    }
}

/// The highest bits of a number, as a place: the doubling, then the step within it.
fn bucket(micros: u64) -> usize {
    let doublings = (micros | 1).ilog2().saturating_sub(STEPS);
    let place = (u64::from(doublings) << STEPS) + (micros >> doublings);
    usize::try_from(place).map_or(BUCKETS - 1, |place| place.min(BUCKETS - 1))
}

/// The number in the middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket >> STEPS).saturating_sub(1);
    let lowest = (bucket - (doublings << STEPS)) << doublings;
    lowest + ((1 << doublings) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_known_to_within_a_tenth() {
        for exponent in 0..360 {
            let micros = 1.07_f64.powi(exponent).min(6e10);
            let latency = Duration::from_secs_f64(micros / 1e6);
            let histogram = Histogram::default();
            histogram.add(latency);
            let found = histogram.get().p50.as_secs_f64();
            let off = (found - latency.as_secs_f64()).abs();
            assert!(off <= latency.as_secs_f64() * 0.1 + 1e-6, "{latency:?}: {found}");
        }
    }

    #[test]
    fn half_are_faster_and_one_in_twenty_is_slower() {
        let histogram = Histogram::default();
        assert_eq!(histogram.get(), Latency::default());
        for millis in 1..=100 {
            histogram.add(Duration::from_millis(millis));
        }
        let (p50, p95) = (histogram.get().p50.as_millis(), histogram.get().p95.as_millis());
        assert!((45..=55).contains(&p50) && (86..=104).contains(&p95), "{p50} {p95}");
    }
}
