//! The edges between nodes: bounded by records, many writers, one reader; the end is a message.
//!
//! All edges into a node share one queue, so that a node never waits on the wrong side of a
//! diamond. The queue's room is counted in records, and a record holds its place until its node
//! starts to work on it: what a node has taken but not begun still counts against `buffer`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::account::Account;
use crate::record::Record;

/// Messages that may lie in a queue, however large its room is.
const MOST_MESSAGES: usize = 1024;

enum Message {
    Batch(usize, Vec<Record>),
    /// One writer has ended; whether it brought all that there was.
    End {
        whole: bool,
    },
}

/// What one edge has carried.
#[derive(Debug, Default)]
pub(crate) struct EdgeCount {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) unread: AtomicU64,
}

/// Makes the queue of a node. `edges` has the port and the counter of each edge that leads in;
/// one [`Writer`] comes back for each, in the same order.
pub(crate) fn queue(
    buffer: usize,
    ports: usize,
    edges: &[(usize, Arc<EdgeCount>)],
    account: &Arc<Account>,
) -> (Vec<Writer>, Inlet) {
    #[expect(clippy::disallowed_methods, reason = "the one place that makes channels")]
    let (sender, receiver) = async_channel::bounded(buffer.min(MOST_MESSAGES) + edges.len());
    let room = Arc::new(Semaphore::new(buffer));
    let writers = edges
        .iter()
        .enumerate()
        .map(|(edge, (_, count))| Writer {
            edge,
            sender: sender.clone(),
            room: Arc::clone(&room),
            count: Arc::clone(count),
            gone: false,
        })
        .collect();
    let inlet = Inlet {
        receiver,
        room,
        edges: edges.to_vec(),
        open: edges.len(),
        whole: true,
        held: (0..ports).map(|_| Vec::new()).collect(),
        since: None,
        account: Arc::clone(account),
    };
    (writers, inlet)
}

/// The upper end of an edge.
pub(crate) struct Writer {
    edge: usize,
    sender: async_channel::Sender<Message>,
    room: Arc<Semaphore>,
    count: Arc<EdgeCount>,
    gone: bool,
}

impl Writer {
    /// Sends records as there is room for them. A reader that has left is forgotten: what it would
    /// have had is counted as unread.
    async fn send(&mut self, mut records: Vec<Record>) {
        while !records.is_empty() {
            let wanted = records.len();
            let room = if self.gone { None } else { self.take_room(wanted).await };
            let rest = room.map_or_else(Vec::new, |room| records.split_off(room));
            let count = records.len() as u64;
            if room.is_none() || self.sender.send(Message::Batch(self.edge, records)).await.is_err()
            {
                self.gone = true;
                self.count.unread.fetch_add(count, Ordering::Relaxed);
            }
            self.count.sent.fetch_add(count, Ordering::Relaxed);
            records = rest;
        }
    }

    /// Takes room for at least one record and at most `wanted`; nothing when the reader has left.
    async fn take_room(&self, wanted: usize) -> Option<usize> {
        self.room.acquire().await.ok()?.forget();
        let more = (wanted - 1).min(self.room.available_permits());
        let taken = u32::try_from(more).ok().and_then(|more| self.room.try_acquire_many(more).ok());
        Some(
            1 + taken.map_or(0, |permits| {
                permits.forget();
                more
            }),
        )
    }

    async fn end(self, whole: bool) {
        let _ = self.sender.send(Message::End { whole }).await;
    }
}

/// One output of a node: all edges that leave it there.
#[derive(Default)]
pub(crate) struct Outlet {
    writers: Vec<Writer>,
}

impl Outlet {
    pub(crate) fn add(&mut self, writer: Writer) {
        self.writers.push(writer);
    }

    /// Whether anybody was ever to read here.
    pub(crate) fn is_wired(&self) -> bool {
        !self.writers.is_empty()
    }

    /// Whether somebody still reads here.
    pub(crate) fn is_read(&self) -> bool {
        self.writers.iter().any(|writer| !writer.gone && !writer.sender.is_closed())
    }

    /// Gives the records to every reader.
    pub(crate) async fn send(&mut self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        if let Some((last, others)) = self.writers.split_last_mut() {
            for writer in others {
                writer.send(records.clone()).await;
            }
            last.send(records).await;
        }
    }

    /// Says to every reader that nothing more will come. An outlet that is dropped without it
    /// tells the readers that the node died.
    pub(crate) async fn end(&mut self, whole: bool) {
        for writer in self.writers.drain(..) {
            writer.end(whole).await;
        }
    }
}

/// How an inlet puts records together.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Batching {
    /// Whatever is there, at most `most`, and no more than a `share`th of it, so that several can
    /// work on it.
    Eager { most: usize, share: usize },
    /// Full batches; a part when the first record has waited so long, or at the end.
    Full { size: usize, wait: Option<Duration> },
}

/// What came out of an inlet.
pub(crate) enum Next {
    /// Records of one port.
    Batch(usize, Vec<Record>),
    /// All writers have ended; whether they brought all that there was.
    End { whole: bool },
}

/// The lower end of a node's edges.
pub(crate) struct Inlet {
    receiver: async_channel::Receiver<Message>,
    room: Arc<Semaphore>,
    edges: Vec<(usize, Arc<EdgeCount>)>,
    open: usize,
    whole: bool,
    /// Taken from the queue, not yet worked on, by port.
    held: Vec<Vec<Record>>,
    since: Option<Instant>,
    account: Arc<Account>,
}

impl Inlet {
    /// Leaves because nothing more is wanted: what was taken already counts as filtered.
    pub(crate) fn leave(mut self) {
        let held: usize = self.held.drain(..).map(|held| held.len()).sum();
        self.account.filtered.fetch_add(held as u64, Ordering::Relaxed);
    }

    /// The next batch, or the end. Losing this future loses no record.
    pub(crate) async fn next(&mut self, batching: Batching) -> Next {
        loop {
            if let Some((port, size)) = self.ready(batching) {
                return Next::Batch(port, self.release(port, size));
            }
            if self.open == 0 {
                return match self.held.iter().position(|held| !held.is_empty()) {
                    Some(port) => Next::Batch(port, self.release(port, batching.most())),
                    None => Next::End { whole: self.whole },
                };
            }
            let message = match self.due(batching) {
                None => self.receiver.recv().await,
                Some(due) => tokio::select! {
                    biased;
                    message = self.receiver.recv() => message,
                    () = tokio::time::sleep_until(due) => {
                        let port = self.held.iter().position(|held| !held.is_empty()).unwrap_or(0);
                        return Next::Batch(port, self.release(port, batching.most()));
                    }
                },
            };
            self.accept(message);
        }
    }

    /// A further batch, if there is one without waiting.
    pub(crate) fn next_now(&mut self, batching: Batching) -> Option<(usize, Vec<Record>)> {
        loop {
            if let Some((port, size)) = self.ready(batching) {
                return Some((port, self.release(port, size)));
            }
            let message = self.receiver.try_recv().ok()?;
            self.accept(Ok(message));
        }
    }

    fn accept(&mut self, message: Result<Message, async_channel::RecvError>) {
        match message {
            Ok(Message::Batch(edge, mut records)) => {
                let (port, count) = &self.edges[edge];
                count.received.fetch_add(records.len() as u64, Ordering::Relaxed);
                self.account.received.fetch_add(records.len() as u64, Ordering::Relaxed);
                self.since.get_or_insert_with(Instant::now);
                let held = &mut self.held[*port];
                if held.is_empty() {
                    *held = records;
                } else {
                    held.append(&mut records);
                }
            }
            Ok(Message::End { whole }) => {
                self.open -= 1;
                self.whole &= whole;
            }
            // The queue closed without an end from everybody: a node above died.
            Err(async_channel::RecvError) => {
                self.open = 0;
                self.whole = false;
            }
        }
    }

    fn ready(&self, batching: Batching) -> Option<(usize, usize)> {
        self.held.iter().enumerate().find_map(|(port, held)| match batching {
            Batching::Eager { most, share } => {
                (!held.is_empty()).then(|| (port, (held.len() / share).clamp(1, most)))
            }
            Batching::Full { size, .. } => (held.len() >= size).then_some((port, size)),
        })
    }

    fn due(&self, batching: Batching) -> Option<Instant> {
        match batching {
            Batching::Full { wait: Some(wait), .. } => self.since.map(|since| since + wait),
            _ => None,
        }
    }

    /// Hands records out and gives their room back.
    fn release(&mut self, port: usize, most: usize) -> Vec<Record> {
        let held = &mut self.held[port];
        let records =
            if held.len() <= most { std::mem::take(held) } else { held.drain(..most).collect() };
        self.since = self.held.iter().any(|held| !held.is_empty()).then(Instant::now);
        self.room.add_permits(records.len());
        records
    }

    /// Records that wait here or on the way.
    pub(crate) fn room(&self) -> Arc<Semaphore> {
        Arc::clone(&self.room)
    }
}

impl Batching {
    const fn most(self) -> usize {
        match self {
            Self::Eager { most, .. } => most,
            Self::Full { size, .. } => size,
        }
    }
}

/// A reader that leaves, early or not, counts what it leaves behind.
impl Drop for Inlet {
    fn drop(&mut self) {
        self.receiver.close();
        self.room.close();
        while let Ok(message) = self.receiver.try_recv() {
            if let Message::Batch(edge, records) = message {
                self.edges[edge].1.unread.fetch_add(records.len() as u64, Ordering::Relaxed);
            }
        }
        let held: usize = self.held.iter().map(Vec::len).sum();
        self.account.leave(held as u64);
    }
}
