//! Ctrl-C and the polite kill: a wish to stop.

use crate::exit::Trouble;

/// Waits for somebody to ask for the end.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
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
            let interrupt = listen(SignalKind::interrupt())?;
            let terminate = listen(SignalKind::terminate())?;
            Ok(Self { interrupt, terminate })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next wish.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
