//! A gate before a server that does not say how much it can take: how many calls at once it lets
//! through follows what the server does.
//!
//! Up by the slow start and congestion avoidance of TCP (RFC 5681): one more for every answer, then
//! one more for every round trip (or for 32 answers, where that is longer). Down by half, once in a round trip, on a timeout, a refusal or a
//! broken connection; and down by the gradient of latency (as in Netflix's concurrency-limits) when
//! answers take more than twice as long as they did under little load.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::meter::{Cause, Meter};

/// Calls that any server is trusted with at once.
const TRUST: f64 = 128.0;
/// By how much answers may be slower than under little load: a line as long as what is at work.
const TOLERANCE: f64 = 2.0;
/// Answers that tell of the latency: at least, and at most.
const WINDOW: (f64, f64) = (32.0, 128.0);
/// Answers that tell of the latency under little load: the first, before a line forms, and those of
/// a probe, which is to cost little.
const FIRST: f64 = 16.0;
/// What a refusal leaves of the calls at once: while growing fast, and later.
const CUT: (f64, f64) = (0.5, 0.8);
/// Latency that falls by less than to this when the calls at once are halved is not our doing.
const OURS: f64 = 0.7;
/// Windows before the first and the second probe; then each takes twice as long to come.
const PROBES: (u32, u32) = (32, 64);
/// The most windows between two probes.
const MOST_WINDOWS: u32 = 128;

/// A gate.
#[derive(Debug)]
pub(super) struct Gate {
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Calls that may be under way at once.
    limit: f64,
    /// Up to here it grows fast.
    threshold: f64,
    /// Places that the semaphore holds or has given out.
    places: usize,
    under_way: usize,
    /// When it last went down; what began before then says nothing new.
    lowered: Instant,
    /// Whether anything was answered since.
    answered: bool,
    /// Latency under little load, in seconds.
    base: Option<f64>,
    window: Window,
    /// The calls at once when the gradient began to lower it.
    descent: Option<f64>,
    /// Where it was before the last halving of a probe, and before the first.
    probe: Option<(Load, f64)>,
    /// Windows until the next probe, and until the one after that.
    next_probe: (u32, u32),
}

/// Calls at once and the latency with them.
#[derive(Debug, Clone, Copy)]
struct Load {
    calls: f64,
    latency: f64,
}

#[derive(Debug, Default)]
struct Window {
    answers: f64,
    seconds: f64,
    /// The most calls under way.
    peak: usize,
}

/// A call that the gate has let through. Dropped without a word it counts as a bad sign: nobody
/// waited for the answer any longer.
#[derive(Debug)]
pub(super) struct Through<'a> {
    gate: &'a Gate,
    permit: Option<SemaphorePermit<'a>>,
    start: Instant,
    sign: Sign,
}

/// What the end of a call tells of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It answered.
    Good,
    /// It is overloaded.
    Bad,
    /// Nothing.
    None,
}

impl Gate {
    pub(super) fn new() -> Self {
        let state = State {
            limit: TRUST,
            threshold: f64::INFINITY,
            places: whole(TRUST),
            under_way: 0,
            lowered: Instant::now(),
            answered: false,
            base: None,
            window: Window::default(),
            descent: None,
            probe: None,
            next_probe: PROBES,
        };
        Self { places: Semaphore::new(whole(TRUST)), state: Mutex::new(state) }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self, meter: &Meter) -> Through<'_> {
        let permit = if let Ok(permit) = self.places.try_acquire() {
            Some(permit)
        } else {
            let _waiting = meter.wait(Cause::Gate);
            // The semaphore is never closed.
            self.places.acquire().await.ok()
        };
        self.state.lock().unwrap_or_else(PoisonError::into_inner).enter();
        Through { gate: self, permit, start: Instant::now(), sign: Sign::Bad }
    }
}

impl Through<'_> {
    /// The call has ended.
    pub(super) fn end(mut self, sign: Sign) {
        self.sign = sign;
    }

    /// It goes out only now.
    pub(super) fn begin(mut self) -> Self {
        self.start = Instant::now();
        self
    }
}

impl Drop for Through<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.sign {
            Sign::Good => state.answer(self.start),
            Sign::Bad => state.refuse(self.start),
            Sign::None => {}
        }
        state.under_way -= 1;
        let wanted = whole(state.limit);
        if wanted > state.places {
            self.gate.places.add_permits(wanted - state.places);
            state.places = wanted;
        } else if wanted < state.places
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            state.places -= 1;
            state.places -= self.gate.places.forget_permits(state.places - wanted);
        }
    }
}

impl State {
    fn enter(&mut self) {
        self.under_way += 1;
        self.window.peak = self.window.peak.max(self.under_way);
    }

    fn answer(&mut self, start: Instant) {
        self.answered = true;
        // What is not used tells nothing of what could be used.
        if self.probe.is_none() && self.window.peak >= whole(self.limit) {
            self.limit +=
                if self.limit < self.threshold { 1.0 } else { 1.0 / self.limit.max(WINDOW.0) };
        }
        if start < self.lowered {
            return;
        }
        self.window.answers += 1.0;
        self.window.seconds += start.elapsed().as_secs_f64();
        let calls = self.limit.min(count(self.window.peak));
        let few = self.base.is_none() || self.probe.is_some();
        let enough = if few { FIRST } else { calls.clamp(WINDOW.0, WINDOW.1) };
        if self.window.answers >= enough {
            let peak = self.under_way.min(whole(self.limit));
            let window = std::mem::replace(&mut self.window, Window { peak, ..Window::default() });
            self.judge(Load { calls, latency: window.seconds / window.answers });
        }
    }

    /// Looks at the mean latency of a window.
    fn judge(&mut self, load: Load) {
        let base = *self.base.get_or_insert(load.latency);
        if let Some((before, first)) = self.probe {
            return self.probed(load, before, first);
        }
        // Up it goes only when the load was halved and the latency stayed.
        let base = if load.latency < base { base + 0.2 * (load.latency - base) } else { base };
        self.base = Some(base);
        self.next_probe.0 = self.next_probe.0.saturating_sub(1);
        let gradient = TOLERANCE * base / load.latency;
        if self.next_probe.0 == 0 && load.calls >= 4.0 {
            let (_, windows) = self.next_probe;
            self.next_probe = (windows, (2 * windows).min(MOST_WINDOWS));
            self.halve(load, load.calls);
        } else if gradient < 1.0 {
            self.descend(load, gradient);
        } else {
            self.descent = None;
        }
    }

    /// Answers take longer than under little load: with fewer calls at once they should not. When
    /// half of the calls are gone, a probe tells whether it is so.
    fn descend(&mut self, load: Load, gradient: f64) {
        let top = *self.descent.get_or_insert(load.calls);
        if load.calls <= top / 2.0 {
            self.halve(load, top);
        } else {
            self.lower(load.calls * gradient.max(0.5));
            self.threshold = self.limit;
        }
    }

    /// Whether calls are in each other's way shows when half as many are made.
    fn halve(&mut self, load: Load, first: f64) {
        self.descent = None;
        self.probe = Some((load, first));
        self.lower(load.calls / 2.0);
    }

    fn probed(&mut self, load: Load, before: Load, first: f64) {
        self.base = Some(load.latency);
        if load.latency <= OURS * before.latency && load.calls >= 2.0 {
            self.halve(load, first);
        } else {
            self.probe = None;
            self.limit = first;
            if before.calls < first {
                self.limit = first.min(TOLERANCE * before.calls);
                self.threshold = self.limit;
            }
        }
    }

    fn refuse(&mut self, start: Instant) {
        if start < self.lowered {
            return;
        }
        let share = if self.limit < self.threshold { CUT.0 } else { CUT.1 };
        self.probe = None;
        self.lower(self.limit.min(count(self.under_way)) * share);
        // While nothing is answered at all the server is away, which says nothing of its size.
        if std::mem::take(&mut self.answered) {
            self.threshold = self.limit;
        }
    }

    fn lower(&mut self, limit: f64) {
        self.limit = limit.max(1.0);
        self.lowered = Instant::now();
        self.window = Window::default();
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 1 to the calls that a machine can have under way"
)]
const fn whole(limit: f64) -> usize {
    limit as usize
}

#[expect(clippy::cast_precision_loss, reason = "calls under way are few")]
const fn count(calls: usize) -> f64 {
    calls as f64
}
