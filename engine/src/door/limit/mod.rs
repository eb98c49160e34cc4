//! A limit: calls and tokens per time, calls at once, and the patience that a server asks for.
//!
//! Rates are a generic cell rate algorithm (ITU-T I.371, the leaky bucket as a meter): every call
//! reserves its moment in the order of asking. So that no window of the quota's length ever holds
//! more than the quota, the few calls that may come together are taken off the steady rate.

mod alive;
mod ledger;
mod shared;
mod slots;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flow_dsl::pipeline::Limit;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::meter::{Cause, Meter};
use crate::seldom::{Seldom, Turn};
use ledger::{Ledger, Pace, Paces};
use shared::Shared;

/// A wait that is worth a line in the log, in nanoseconds.
const LONG: u64 = 10_000_000_000;

/// One limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    paces: Paces,
    slots: Option<Semaphore>,
    /// How many slots there are, and who of this process looks for one that is free.
    shared_slots: Option<(usize, tokio::sync::Mutex<()>)>,
    book: Book,
    log: Seldom,
}

/// Where the state of a limit is kept.
#[derive(Debug)]
enum Book {
    /// In this process; time counts from the instant.
    Own(Mutex<Ledger>, Instant),
    /// In a file, for all runs of this machine that name the same limit.
    Shared(Shared),
}

/// The right to make one call; held for as long as it takes.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    limiter: &'a Limiter,
    estimated: u64,
    _slot: Option<SemaphorePermit<'a>>,
    /// It has one of the slots that processes share.
    shares: bool,
}

/// How often a process looks whether a slot is free that another one had.
const LOOK: Duration = Duration::from_millis(10);

impl Limiter {
    /// A limit of this process, or of all that share the folder, for one key.
    pub(crate) fn new(limit: &Limit, key: &str, folder: Option<&Path>) -> Self {
        let states = limit.requests.is_some() || limit.tokens.is_some();
        let states = states || limit.concurrency.is_some();
        let book = match folder.filter(|_| states) {
            Some(folder) => Book::Shared(Shared::new(folder, limit, key, shared::wall_clock)),
            None => Book::own(),
        };
        Self::of(limit, book)
    }

    fn of(limit: &Limit, book: Book) -> Self {
        Self {
            paces: [limit.requests.map(Pace::new), limit.tokens.map(Pace::new)],
            slots: limit.concurrency.map(Semaphore::new),
            shared_slots: limit.concurrency.map(|most| (most, tokio::sync::Mutex::default())),
            book,
            log: Seldom::default(),
        }
    }

    /// What holds back nobody until the server asks for patience.
    pub(crate) fn patient() -> Self {
        Self {
            paces: [None, None],
            slots: None,
            shared_slots: None,
            book: Book::own(),
            log: Seldom::default(),
        }
    }

    /// Whether it says how much a server can take.
    pub(crate) fn is_stated(&self) -> bool {
        self.slots.is_some() || self.paces.iter().any(Option::is_some)
    }

    /// Waits for a slot, then for the moment.
    pub(crate) async fn enter(&self, tokens: u64, meter: &Meter) -> Pass<'_> {
        let slot = match &self.slots {
            Some(slots) => Self::slot(slots, meter).await,
            None => None,
        };
        // Dropped before its time, as when the run ends, it gives back what it has.
        let shares = self.share(meter).await;
        let pass = Pass { limiter: self, estimated: tokens, _slot: slot, shares };
        let (moment, still, mut wait, mut patience) = self.book.with(|ledger, now| {
            let moment = ledger.reserve(now, &self.paces, [1.0, amount(tokens)]);
            let (wait, patience) = ledger.wait(now, moment);
            (moment, ledger.still, wait, patience)
        });
        if wait >= LONG
            && let Some(Turn { left_out }) = self.log.turn()
        {
            let wait = Duration::from_nanos(wait);
            tracing::info!(node = meter.node(), ?wait, left_out, "a call waits for its limit");
        }
        while wait > 0 {
            for (cause, nanos) in [(Cause::Patience, patience), (Cause::Limit, wait - patience)] {
                if nanos > 0 {
                    let _waiting = meter.wait(cause);
                    tokio::time::sleep(Duration::from_nanos(nanos)).await;
                }
            }
            // Patience that was asked for meanwhile; compared by its sum and not by the time, which
            // may have been set anew.
            (wait, patience) = self.book.with(|ledger, now| {
                if ledger.still > still { ledger.wait(now, moment) } else { (0, 0) }
            });
        }
        pass
    }

    /// Waits for a slot of those that processes share, one after another; says whether there are such.
    async fn share(&self, meter: &Meter) -> bool {
        let (Some((most, looking)), Book::Shared(shared)) = (&self.shared_slots, &self.book) else {
            return false;
        };
        if let Ok(_looking) = looking.try_lock()
            && shared.take(*most)
        {
            return true;
        }
        let _waiting = meter.wait(Cause::Limit);
        let _looking = looking.lock().await;
        while !shared.take(*most) {
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    async fn slot<'a>(slots: &'a Semaphore, meter: &Meter) -> Option<SemaphorePermit<'a>> {
        if let Ok(slot) = slots.try_acquire() {
            return Some(slot);
        }
        let _waiting = meter.wait(Cause::Limit);
        // The semaphore is never closed.
        slots.acquire().await.ok()
    }

    /// The server asks everybody to be patient.
    /// Whether that makes them wait longer than before.
    pub(crate) fn pause(&self, patience: Duration) -> bool {
        let patience = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        self.book.with(|ledger, now| ledger.pause(now, patience))
    }

    fn settle(&self, more: f64) {
        if self.paces[1].is_some() && more != 0.0 {
            self.book.with(|ledger, _| ledger.settle(&self.paces, more));
        }
    }
}

impl Pass<'_> {
    /// Settles the estimate by what the server counted.
    pub(crate) fn settle(&self, tokens: u64) {
        self.limiter.settle(amount(tokens) - amount(self.estimated));
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.shares
            && let Book::Shared(shared) = &self.limiter.book
        {
            shared.give();
        }
    }
}

impl Book {
    fn own() -> Self {
        Self::Own(Mutex::default(), Instant::now())
    }

    /// Looks at the state, with the time by which it counts, and changes it.
    fn with<T>(&self, act: impl FnOnce(&mut Ledger, u64) -> T) -> T {
        match self {
            Self::Own(ledger, start) => {
                let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
                act(&mut ledger, u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
            }
            Self::Shared(shared) => shared.with(act),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
const fn amount(tokens: u64) -> f64 {
    tokens as f64
}

#[cfg(test)]
mod tests;
