//! What is known of a quota: when the next request and the next token may come, and until when the
//! server wants patience.

use flow_dsl::scalar::Rate;

use super::slots::Slots;

/// The part of a quota that may be used at once.
const BURST: f64 = 0.04;

/// A rate, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// What one unit takes.
    interval: f64,
    /// By how much a unit may be early.
    tolerance: f64,
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Self {
        let burst = (rate.count * BURST).floor().max(1.0);
        let steady = (rate.count - burst + 1.0).max(rate.count * (1.0 - BURST));
        let interval = rate.per.as_secs_f64() * 1e9 / steady;
        Self { interval, tolerance: interval * (burst - 1.0) }
    }
}

/// Requests and tokens.
pub(super) type Paces = [Option<Pace>; 2];

/// The state of a limit, in nanoseconds. While a server wants patience the limit's own clock
/// stands still: every moment that was given before keeps its place in line, and no debt is
/// forgiven.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// When the next request and the next token would come at the steady rate, by the own clock.
    pub(super) next: [u64; 2],
    /// Until when everybody is patient.
    pub(super) until: u64,
    /// For how long the own clock has stood still, or will have by `until`.
    pub(super) still: u64,
    /// Who makes how many calls at once.
    pub(super) slots: Slots,
}

impl Ledger {
    fn clock(&self, now: u64) -> u64 {
        now.max(self.until).saturating_sub(self.still)
    }

    /// The moment, by the own clock, at which so many requests and tokens may pass.
    pub(super) fn reserve(&mut self, now: u64, paces: &Paces, amounts: [f64; 2]) -> u64 {
        let clock = self.clock(now);
        let mut moment = clock;
        for ((next, pace), amount) in self.next.iter_mut().zip(paces).zip(amounts) {
            let Some(pace) = pace else { continue };
            let due = clock.max(*next);
            *next = due.saturating_add(nanos(pace.interval * amount));
            moment = moment.max(due.saturating_sub(nanos(pace.tolerance)));
        }
        moment
    }

    /// How long it is until a moment, and how much of that is patience.
    pub(super) fn wait(&self, now: u64, moment: u64) -> (u64, u64) {
        let wait = moment.saturating_add(self.still).saturating_sub(now);
        (wait, self.until.saturating_sub(now).min(wait))
    }

    /// Everybody is patient for so long, from now. Says whether that is news.
    pub(super) fn pause(&mut self, now: u64, patience: u64) -> bool {
        let (from, until) = (now.max(self.until), now.saturating_add(patience));
        if until <= from {
            return false;
        }
        self.still += until - from;
        self.until = until;
        true
    }

    /// Takes so many more tokens, or gives them back.
    pub(super) fn settle(&mut self, paces: &Paces, tokens: f64) {
        if let Some(pace) = paces[1] {
            let by = nanos(pace.interval * tokens.abs());
            let next = &mut self.next[1];
            *next = if tokens < 0.0 { next.saturating_sub(by) } else { next.saturating_add(by) };
        }
    }

    /// The same when the clock turns out to have been set back by so much.
    pub(super) fn set_back(&mut self, by: u64) {
        for time in self.next.iter_mut().chain([&mut self.until]) {
            *time = time.saturating_sub(by);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and a cast from a float keeps to the bounds"
)]
fn nanos(nanos: f64) -> u64 {
    nanos.round() as u64
}
