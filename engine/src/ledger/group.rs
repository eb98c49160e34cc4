//! Group commit: whoever has the turn writes for all who wait.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Error};

/// Things that are written together, by one connection.
#[derive(Debug)]
pub(super) struct Group<T> {
    waiting: Mutex<Waiting<T>>,
    turn: tokio::sync::Mutex<Turn>,
}

#[derive(Debug)]
struct Waiting<T> {
    things: Vec<T>,
    /// Things that were ever added.
    added: u64,
}

#[derive(Debug)]
struct Turn {
    connection: Arc<Mutex<Connection>>,
    /// Things that were ever written.
    written: u64,
    /// Of those, the things that were moved out of the write-ahead log.
    moved: u64,
}

/// Things that are written between two visits to the disk.
const CHECKPOINT: u64 = 1000;

/// Writes things in one transaction.
type Write<T> = fn(&mut Connection, &[T]) -> Result<(), Error>;

impl<T: Send + 'static> Group<T> {
    pub(super) fn new(connection: Arc<Mutex<Connection>>) -> Self {
        Self {
            waiting: Mutex::new(Waiting { things: Vec::new(), added: 0 }),
            turn: tokio::sync::Mutex::new(Turn { connection, written: 0, moved: 0 }),
        }
    }

    /// Adds a thing and returns when it is written, by us or by whoever had the turn before. When
    /// it cannot be written, all who wait for it are told.
    pub(super) async fn add(&self, thing: T, write: Write<T>) -> Result<(), Trouble> {
        let number = {
            let mut waiting = self.waiting();
            waiting.things.push(thing);
            waiting.added += 1;
            waiting.added
        };
        let mut turn = self.turn.lock().await;
        if turn.written >= number {
            return Ok(());
        }
        let (things, added) = {
            let mut waiting = self.waiting();
            (mem::take(&mut waiting.things), waiting.added)
        };
        // A commit that waits for no disk takes less time than the way to another thread.
        let written = {
            let mut connection = turn.connection.lock().unwrap_or_else(PoisonError::into_inner);
            write(&mut connection, &things)
        };
        if let Err(error) = written {
            self.waiting().things.splice(0..0, things);
            return Err(error.into());
        }
        turn.written = added;
        if turn.written - turn.moved >= CHECKPOINT {
            turn.moved = turn.written;
            on(&turn.connection, checkpoint).await??;
        }
        Ok(())
    }

    /// Does something with the connection, between two groups.
    pub(super) async fn alone<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<R, Error> + Send + 'static,
    ) -> Result<R, Trouble> {
        let turn = self.turn.lock().await;
        Ok(on(&turn.connection, work).await??)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves what was written out of the log, unless another run is about it.
fn checkpoint(connection: &mut Connection) -> Result<(), Error> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Why nothing could be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    File(#[from] Error),
    #[error("a bug in the ledger: {0}")]
    Bug(String),
}

async fn on<R: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    work: impl FnOnce(&mut Connection) -> R + Send + 'static,
) -> Result<R, Trouble> {
    let connection = Arc::clone(connection);
    let worked = crate::run::blocking(move || {
        work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
    });
    worked.await.map_err(|error| Trouble::Bug(format!("{error:?}")))
}
