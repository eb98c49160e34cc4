//! Ctrl-C, the polite kill and the end of the terminal: a wish to stop.

use crate::exit::Trouble;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Somebody at the keyboard, who can ask again.
    Person,
    /// A program that will not wait for ever, or a terminal that is gone.
    Program,
}

/// Waits for somebody to ask for the end.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// The terminal is gone; not listened for under `nohup`, which has it ignored.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// From now on a signal is a wish and no longer the end. Needs a tokio runtime.
    pub(crate) fn new() -> Result<Self, Trouble> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let listen = |kind| {
                signal(kind).map_err(|error| {
                    Trouble::broken(
                        format!("cannot listen for Ctrl-C: {error}"),
                        "Check the limit of open files (`ulimit -n`).",
                    )
                })
            };
            // Before a listener replaces what `nohup` has set.
            let heeds_hangup = heeds_hangup();
            let interrupt = listen(SignalKind::interrupt())?;
            let terminate = listen(SignalKind::terminate())?;
            let hangup = heeds_hangup.then(|| listen(SignalKind::hangup())).transpose()?;
            Ok(Self { interrupt, terminate, hangup })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next wish.
    pub(crate) async fn next(&mut self) -> Wish {
        #[cfg(unix)]
        {
            let hangup = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => Wish::Person,
                _ = self.terminate.recv() => Wish::Program,
                _ = hangup => Wish::Program,
            }
        }
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Wish::Person
        }
    }
}

/// Whether the end of the terminal is the end of the program. Where nobody can tell whether it is
/// ignored, the system's own way stays: it ends the program, or not under `nohup`.
#[cfg(unix)]
fn heeds_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|ignored| ignored & 1 == 0)
}

/// The signals that are ignored, the first in the lowest bit: the line `SigIgn: 0000000000000001`.
#[cfg(unix)]
fn ignored(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status_of_the_process() {
        assert_eq!(ignored("Name:\tflow\nSigIgn:\t0000000000001001\n"), Some(0x1001));
        assert_eq!(ignored("Name:\tflow\n"), None);
    }
}
