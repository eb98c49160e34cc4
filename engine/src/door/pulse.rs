//! Whether anybody is there: what the calls that found nobody at a server, or waited in vain, tell
//! together, so that a dead server stops the run and one that is away for a moment does not.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Meter;
use super::fault::Fault;
use crate::stage::FailureKind;

/// How long a server that has answered before is waited for.
const HOPE: Duration = Duration::from_secs(30);

/// Calls that are given up before a server that has answered none of a run is taken for dead.
const SILENT: u32 = 8;

/// What is known of the life of a server.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// It has answered something in this run.
    answered: bool,
    /// Since when nobody was found there.
    silent: Option<Instant>,
    /// Calls that were given up since it answered last.
    given_up: u32,
}

/// A call that nothing has come of yet. Dropped without a word it was given up.
pub(super) struct Waiting<'a> {
    pulse: &'a Pulse,
    url: &'a str,
    meter: Option<&'a Meter>,
}

impl Pulse {
    /// It answers, be it to refuse.
    pub(super) fn heard(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) =
            State { answered: true, ..State::default() };
    }

    /// A call goes out.
    pub(super) const fn call<'a>(&'a self, url: &'a str, meter: &'a Meter) -> Waiting<'a> {
        Waiting { pulse: self, url, meter: Some(meter) }
    }

    /// A call found nobody there: what the fault means, as far as the others know.
    pub(super) fn missed(&self, fault: Fault) -> Fault {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *state.silent.get_or_insert_with(Instant::now);
        if state.answered && since.elapsed() < HOPE {
            return Fault { kind: FailureKind::Away, ..fault };
        }
        let help = "Start the server, or name the right one in `base_url` of the model, and run it again: \
                    what was answered is kept.";
        Fault { kind: FailureKind::Gone, help: Some(help), ..fault }
    }
}

impl Waiting<'_> {
    /// An answer came, or an error.
    pub(super) fn end(mut self) {
        self.meter = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(meter) = self.meter else { return };
        let mut state = self.pulse.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.given_up += 1;
        if !state.answered && state.given_up >= SILENT {
            meter.unheard(self.url, state.given_up);
        }
    }
}

#[cfg(test)]
mod tests {
    use FailureKind::{Away, Gone};

    use super::*;
    use crate::stage::Failure;

    #[tokio::test(start_paused = true)]
    async fn only_a_server_that_was_there_is_waited_for_and_not_for_ever() {
        let pulse = Pulse::default();
        let missed = || pulse.missed(Fault::too_long(1)).kind;
        let later = |seconds| tokio::time::advance(Duration::from_secs(seconds));
        assert_eq!(missed(), Gone);
        pulse.heard();
        later(3600).await;
        for (seconds, kind) in [(0, Away), (29, Away), (1, Gone), (1000, Gone)] {
            later(seconds).await;
            assert_eq!(missed(), kind, "{seconds}");
        }
        pulse.heard();
        assert_eq!(missed(), Away);
    }

    #[test]
    fn only_a_server_that_never_answered_is_dead_when_it_is_silent() {
        for answered in [false, true] {
            let pulse = Pulse::default();
            if answered {
                pulse.heard();
            }
            for given_up in 1..=2 * SILENT {
                let meter = Meter::default();
                pulse.call("http://h", &meter).end();
                drop(pulse.call("http://h", &meter));
                let failure = meter.silence(Failure::transient("no result within 1s"));
                let dead = !answered && given_up >= SILENT;
                assert_eq!(failure.kind == Gone, dead, "{failure:?}");
                assert_eq!(failure.reason.contains(&format!("none of {given_up} calls")), dead);
            }
        }
    }
}
