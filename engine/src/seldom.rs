//! Lines of a log that could come by the thousand: the first few are written, then one a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines that are written before the others are held back.
const FIRST: u32 = 10;
/// The time between two lines after that.
const GAP: Duration = Duration::from_mins(1);

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
    /// When it is the turn of a line: how many were left out since the one before.
    pub(crate) fn turn(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.written >= FIRST && state.last.is_some_and(|last| last.elapsed() < GAP) {
            state.left_out += 1;
            return None;
        }
        state.written = state.written.saturating_add(1);
        state.last = Some(Instant::now());
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_the_first_few_a_line_comes_once_a_minute() {
        let seldom = Seldom::default();
        let turns = |calls: u32| (0..calls).filter_map(|_| seldom.turn()).collect::<Vec<_>>();
        assert_eq!(turns(100), [0; 10]);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(turns(5), [0; 0]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(turns(5), [95]);
    }
}
