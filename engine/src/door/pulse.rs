//! Whether anybody is there: what the calls that found nobody at a server tell together, so that a
//! dead server stops the run and one that is away for a moment does not.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::fault::Fault;
use crate::stage::FailureKind;

/// How long a server that has answered before is waited for.
const HOPE: Duration = Duration::from_secs(30);

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
}

impl Pulse {
    /// It answers, be it to refuse.
    pub(super) fn heard(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) =
            State { answered: true, silent: None };
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

#[cfg(test)]
mod tests {
    use FailureKind::{Away, Gone};

    use super::*;

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
}
