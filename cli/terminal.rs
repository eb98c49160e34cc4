//! The one place that writes to the terminal. A reader that went away (`| head`) is no error.

use std::io::{ErrorKind, IsTerminal, Write};

use crate::exit::Trouble;

/// Writes to stdout.
pub(crate) fn out(text: &str) -> Result<(), Trouble> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Trouble::broken(
            format!("cannot write to the standard output: {error}"),
            "Make room on the disk, or send the output somewhere else.",
        )),
        _ => Ok(()),
    }
}

/// Writes to stderr. When even that fails there is nobody left to tell.
pub(crate) fn err(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Whether messages on stderr may have colours.
pub(crate) fn colour() -> bool {
    let wanted = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if wanted("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return false;
    }
    wanted("CLICOLOR_FORCE") || std::io::stderr().is_terminal()
}
