//! How the program ends: its exit codes, and the trouble that is not a mistake in a pipeline.

use std::fmt;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Done,
    /// The world broke, or a bug was met.
    Broken,
    /// The pipeline file or the command line is wrong.
    Wrong,
    /// More records failed than the pipeline allows.
    TooManyFailures,
    /// The next call might have passed a budget.
    OverBudget,
    /// Somebody asked it to stop.
    Cancelled,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Broken => 1,
            Self::Wrong => 2,
            Self::TooManyFailures => 3,
            Self::OverBudget => 4,
            Self::Cancelled => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What stops a command: a file that cannot be read, a word that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) exit: Exit,
    /// A lowercase fragment that states a fact.
    pub(crate) message: String,
    /// A sentence that says what to do.
    pub(crate) help: Option<String>,
}

impl Trouble {
    /// The fault of whoever typed the command or wrote the file.
    pub(crate) fn wrong(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { exit: Exit::Wrong, message: message.into(), help: Some(help.into()) }
    }

    /// The world broke.
    pub(crate) fn broken(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { exit: Exit::Broken, message: message.into(), help: Some(help.into()) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| writeln!(f, "  help: {help}"))
    }
}
