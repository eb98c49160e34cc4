//! Lines of a log that could come by the thousand: the first few are written, then one a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines that are written before the others are held back.
const FIRST: u32 = 10;
/// The time between two lines after that.
const GAP: Duration = Duration::from_mins(1);

/// The turn of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// How many were left out since the one before, if any.
    pub(crate) left_out: Option<u64>,
}

/// Whether it is the turn of a line of one kind.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    written: u32,
    last: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// The turn of a line, unless it is to be left out.
    pub(crate) fn turn(&self) -> Option<Turn> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.written >= FIRST && state.last.is_some_and(|last| last.elapsed() < GAP) {
            state.left_out += 1;
            return None;
        }
        state.written = state.written.saturating_add(1);
        state.last = Some(Instant::now());
        let left_out = std::mem::take(&mut state.left_out);
        Some(Turn { left_out: (left_out > 0).then_some(left_out) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_the_first_few_a_line_comes_once_a_minute() {
        let seldom = Seldom::default();
        let turns = |calls: u32| {
            (0..calls).filter_map(|_| seldom.turn()).map(|turn| turn.left_out).collect::<Vec<_>>()
        };
        assert_eq!(turns(100), [None; 10]);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(turns(5), [None; 0]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(turns(5), [Some(95)]);
    }
}
