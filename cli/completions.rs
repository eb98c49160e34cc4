//! `flow completions`: what a shell needs to complete commands and flags.

use clap::ArgMatches;
use clap_complete::Shell;

use crate::exit::{Exit, Trouble};
use crate::{args, terminal};

/// Runs the command.
pub(crate) fn completions(matches: &ArgMatches) -> Result<Exit, Trouble> {
    if let Some(shell) = matches.get_one::<Shell>("shell") {
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut args::command(), "flow", &mut script);
        terminal::out(&String::from_utf8_lossy(&script))?;
    }
    Ok(Exit::Done)
}
