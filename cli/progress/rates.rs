//! How fast each node works, over the last seconds, and how long it will still take.

use std::collections::VecDeque;
use std::time::Duration;

use flow_engine::run::{NodeProgress, Progress};

/// The time over which a rate is taken.
const WINDOW: Duration = Duration::from_secs(8);

/// What was seen over the last seconds.
#[derive(Debug, Default)]
pub(super) struct Rates {
    seen: VecDeque<(Duration, Vec<u64>)>,
}

/// Records that a node has finished with.
pub(super) const fn handled(node: &NodeProgress) -> u64 {
    node.account.passed + node.account.filtered + node.account.rejected
}

impl Rates {
    /// Takes note of where the nodes are.
    pub(super) fn see(&mut self, progress: &Progress) {
        let now = progress.nodes.iter().map(handled).collect();
        self.seen.push_back((progress.elapsed, now));
        while self.seen.len() > 2
            && self
                .seen
                .front()
                .is_some_and(|(at, _)| progress.elapsed.saturating_sub(*at) > WINDOW)
        {
            self.seen.pop_front();
        }
    }

    /// Records per second of the node at a place, when there is something to tell.
    pub(super) fn rate(&self, node: usize) -> Option<f64> {
        let ((from, first), (to, last)) = (self.seen.front()?, self.seen.back()?);
        let time = to.checked_sub(*from)?.as_secs_f64();
        let more = last.get(node)?.checked_sub(*first.get(node)?)?;
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        (time > 0.0).then(|| more as f64 / time)
    }
}

/// The time that is left when a node goes on as it did so far.
pub(super) fn left(elapsed: Duration, node: &NodeProgress) -> Option<Duration> {
    let fraction = f64::from(node.fraction?);
    if node.done || !(0.01..1.0).contains(&fraction) {
        return None;
    }
    Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 - fraction) / fraction).ok()
}

#[cfg(test)]
mod tests {
    use super::super::samples::at;
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let mut rates = Rates::default();
        rates.see(&at(0, 0));
        assert_eq!(rates.rate(1), None);
        for (second, handled) in [(2, 10), (4, 20), (30, 20), (32, 40)] {
            rates.see(&at(second, handled));
        }
        // One more is rejected than passed; the slow start is forgotten.
        assert_eq!(rates.rate(1), Some(10.0));
        assert_eq!(rates.rate(7), None);
    }

    #[test]
    fn the_time_left_follows_from_the_fraction() {
        let mut progress = at(10, 5);
        assert_eq!(left(progress.elapsed, &progress.nodes[1]), Some(Duration::from_secs(30)));
        for fraction in [None, Some(0.0), Some(1.0), Some(f32::NAN)] {
            progress.nodes[1].fraction = fraction;
            assert_eq!(left(progress.elapsed, &progress.nodes[1]), None, "{fraction:?}");
        }
    }
}
