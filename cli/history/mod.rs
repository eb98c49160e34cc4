//! Looking back at runs: which there were, what became of a record in one, how two differ.

mod diff;
mod explain;
mod logs;
mod node;
mod outputs;
mod record;
mod runs;
mod show;
mod text;

use std::path::PathBuf;

use clap::ArgMatches;
use flow_engine::ledger::{Ledger, Past, Standing};
use flow_engine::report::Status;

pub(crate) use diff::diff;
pub(crate) use explain::explain;
pub(crate) use logs::logs;
pub(crate) use runs::runs;
pub(crate) use show::show;

use crate::exit::Trouble;
use crate::state;

/// The word for the run that began last.
const LAST: &str = "last";

/// Whether a word means a run and not a file.
pub(crate) fn is_run(word: &str) -> bool {
    word == LAST || (!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The ledger that a command looks into.
pub(crate) fn ledger(matches: &ArgMatches) -> Result<Ledger, Trouble> {
    state::to_look_at(matches, matches.get_one::<PathBuf>("in")).map(|(_, ledger)| ledger)
}

/// The run that a word means.
pub(crate) fn find(ledger: &Ledger, word: &str) -> Result<Past, Trouble> {
    let runs = ledger.runs().map_err(state::trouble)?;
    let found = match word.parse::<u64>() {
        Ok(number) => runs.iter().find(|run| run.run == number),
        Err(_) if word == LAST => runs.last(),
        Err(_) => {
            return Err(Trouble::wrong(
                format!("`{word}` is no run"),
                "Name a run by its number, or `last`; `flow runs` lists them.",
            ));
        }
    };
    found.cloned().ok_or_else(|| {
        let message = match (runs.first(), runs.last()) {
            (Some(first), Some(last)) => {
                format!("there is no run {word}, only {} to {}", first.run, last.run)
            }
            _ => "no run has been noted yet".to_owned(),
        };
        Trouble::wrong(message, "`flow runs` lists the runs of a folder.")
    })
}

/// How a run stands, in a word or two.
pub(crate) fn standing(past: &Past) -> &'static str {
    match &past.standing {
        Standing::Running => "running",
        Standing::Killed => "killed",
        Standing::Ended(Status::Done) if !past.is_whole() => "done in part",
        Standing::Ended(status) => match status {
            Status::Done => "done",
            Status::Cancelled => "cancelled",
            Status::RecordFailed { .. } => "a record failed",
            Status::TooManyFailures { .. } => "too many failures",
            Status::OverBudget { .. } => "over budget",
            Status::Broken { .. } => "broken",
            Status::Bug { .. } => "bug",
        },
    }
}

/// A time in milliseconds since 1970 as `2026-11-25 00:23:26Z`. The calendar is that of Howard
/// Hinnant, "chrono-Compatible Low-Level Date Algorithms".
pub(crate) fn when(millis: u64) -> String {
    let seconds = millis / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_of_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_735_689_599, "2024-12-31 23:59:59Z"),
            (4_102_444_800, "2100-01-01 00:00:00Z"),
        ] {
            assert_eq!(when(seconds * 1000 + 999), date);
        }
    }

    #[test]
    fn a_run_is_a_number_or_last() {
        for (word, run) in
            [("7", true), ("last", true), ("", false), ("a.yaml", false), ("7a", false)]
        {
            assert_eq!(is_run(word), run, "{word}");
        }
    }
}
