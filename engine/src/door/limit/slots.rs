//! Calls at once, shared by processes: who holds how many, and whose turn it is.

use std::collections::HashSet;

/// For how long somebody who was turned away is known to wait, in nanoseconds.
const FRESH: u64 = 200_000_000;

/// What a process has of the calls at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holder {
    /// The process, by a number that nobody else has.
    pub(super) id: u64,
    /// Calls that it makes just now.
    pub(super) held: u64,
    /// When it began the last one.
    pub(super) taken: u64,
    /// When it was last turned away, if it waits still.
    pub(super) asked: u64,
}

/// All who have some, or wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Slots(pub(super) Vec<Holder>);

impl Slots {
    /// Takes one of so many for a process. Who waits and has fewer, or began one longer ago, has
    /// the turn before him.
    pub(super) fn take(&mut self, id: u64, now: u64, most: usize) -> bool {
        let known = self.0.iter().position(|holder| holder.id == id);
        let own = known.unwrap_or_else(|| {
            self.0.push(Holder { id, held: 0, taken: 0, asked: 0 });
            self.0.len() - 1
        });
        let Holder { held, taken, .. } = self.0[own];
        let all: u64 = self.0.iter().map(|holder| holder.held).sum();
        let before = self.0.iter().any(|other| {
            let waits = other.asked > 0 && now.abs_diff(other.asked) < FRESH;
            other.id != id && waits && (other.held, other.taken) < (held, taken)
        });
        let own = &mut self.0[own];
        if all >= most as u64 || before {
            own.asked = now;
            return false;
        }
        *own = Holder { held: held + 1, taken: now, asked: 0, ..*own };
        true
    }

    /// Gives one back.
    pub(super) fn give(&mut self, id: u64) {
        if let Some(own) = self.0.iter_mut().find(|holder| holder.id == id) {
            own.held = own.held.saturating_sub(1);
        }
    }

    /// Takes from the gone what they held.
    pub(super) fn bury(&mut self, gone: &HashSet<u64>) {
        self.0.retain(|holder| !gone.contains(&holder.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_fewer_or_has_waited_longer_comes_first() {
        let mut slots = Slots::default();
        assert!((1..=4).all(|now| slots.take(1, now, 4)));
        assert!(!slots.take(2, 5, 4) && !slots.take(1, 6, 4));
        slots.give(1);
        assert!(!slots.take(1, 7, 4), "the other one waits and has none");
        assert!(slots.take(2, 8, 4) && !slots.take(2, 9, 4));
        slots.give(1);
        assert!(slots.take(2, 10, 4));
        slots.give(1);
        assert!(!slots.take(2, 11, 4), "the first one waits and has fewer now");
        assert!(slots.take(1, 12, 4));

        // Nobody is waited for who does not come back.
        let mut slots = Slots::default();
        assert!(slots.take(1, 1, 1) && !slots.take(2, 2, 1));
        slots.give(1);
        assert!(!slots.take(1, 3, 1) && slots.take(1, 3 + FRESH, 1));
        // One at a time goes from hand to hand.
        assert!(!slots.take(2, 4 + FRESH, 1));
        slots.give(1);
        assert!(!slots.take(1, 5 + FRESH, 1) && slots.take(2, 6 + FRESH, 1));
        slots.bury(&HashSet::from([2]));
        assert!(slots.take(1, 7 + FRESH, 1));
    }
}
