//! Where a run is, on stderr: a table redrawn in place, plain lines, JSON lines, or nothing.

mod bar;
mod plain;
mod rates;

use std::io::IsTerminal;
use std::time::Duration;

use flow_engine::run::Progress;

use crate::screen::Screen;
use crate::terminal;

/// A way to show progress.
#[derive(Debug)]
pub(crate) enum Display {
    Bar(bar::Bar),
    Plain(plain::Plain),
    Json,
    Nothing,
}

impl Display {
    /// The one for a value of `--progress`.
    pub(crate) fn new(word: &str, screen: &Screen) -> Self {
        match word {
            "bar" => Self::Bar(bar::Bar::new(screen)),
            "plain" => Self::Plain(plain::Plain::default()),
            "json" => Self::Json,
            "none" => Self::Nothing,
            _ if std::io::stderr().is_terminal() => Self::Bar(bar::Bar::new(screen)),
            _ => Self::Plain(plain::Plain::default()),
        }
    }

    /// How often it wants to be updated.
    pub(crate) const fn period(&self) -> Duration {
        match self {
            Self::Bar(_) => Duration::from_millis(150),
            Self::Plain(_) | Self::Json => Duration::from_millis(500),
            Self::Nothing => Duration::from_hours(1),
        }
    }

    /// Shows where the run is.
    pub(crate) fn update(&mut self, progress: &Progress) {
        match self {
            Self::Bar(bar) => bar.update(progress),
            Self::Plain(plain) => {
                if let Some(line) = plain.line(progress) {
                    terminal::err(&line);
                }
            }
            Self::Json => {
                // Numbers and strings alone: writing them cannot fail.
                let line = serde_json::to_string(progress).unwrap_or_default();
                terminal::err(&format!("{line}\n"));
            }
            Self::Nothing => {}
        }
    }

    /// Clears what was drawn in place; a program that reads JSON gets the last state.
    pub(crate) fn finish(&mut self, last: &Progress) {
        match self {
            Self::Bar(bar) => bar.clear(),
            Self::Json => self.update(last),
            Self::Plain(_) | Self::Nothing => {}
        }
    }
}

#[cfg(test)]
mod samples {
    //! Progress for the tests of the displays.

    use std::time::Duration;

    use flow_engine::report::NodeReport;
    use flow_engine::run::{NodeProgress, Progress};

    /// Two nodes after so many seconds, `handled` of 100 records worked on by the second.
    pub(super) fn at(seconds: u64, handled: u64) -> Progress {
        let node = |name: &str, received, passed, queued, fraction, done| NodeProgress {
            account: NodeReport {
                node: name.to_owned(),
                received,
                passed,
                out: passed,
                pending: received - passed,
                ..NodeReport::default()
            },
            queued,
            in_flight: received - passed,
            buffer: if name == "files" { 0 } else { 64 },
            fraction,
            done,
        };
        let mut second = node("entities", handled + 4, handled, 7, Some(0.25), false);
        second.account.rejected = u64::from(handled > 10);
        Progress {
            elapsed: Duration::from_secs(seconds),
            nodes: vec![node("files", 100, 100, 0, Some(1.0), true), second],
        }
    }
}
