//! Drives a sink: writes batches. Commit is not its business but that of the whole run.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::edge::{Batching, Inlet, Next};
use super::node::{Judged, Node, NodeError, blocking};
use super::page::Page;
use crate::ledger::{Note, Trial};
use crate::record::{Record, RecordId};
use crate::stage::{Failure, Sink, StageError};

/// How a sink came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its inputs brought all that there was.
    Whole,
    /// They ended before their time.
    Cut,
    /// It could not write.
    Broken,
}

/// Batches that one visit to the thread writes, when they are there.
pub(crate) const BATCHES: usize = 8;

pub(crate) async fn drive(
    mut node: Node,
    mut inlet: Inlet,
    mut sink: Box<dyn Sink>,
) -> Result<(Box<dyn Sink>, Ending), (Option<Box<dyn Sink>>, NodeError)> {
    let batching = Batching::Full { size: node.hints.batch_size, wait: node.hints.batch_wait };
    loop {
        let (port, records) = match inlet.next(batching).await {
            Next::Batch(port, records) => (port, records),
            Next::End { whole } => {
                node.end(whole).await;
                return Ok((sink, if whole { Ending::Whole } else { Ending::Cut }));
            }
        };
        let mut batches = vec![(port, node.admit(records).await)];
        while batches.len() < BATCHES
            && let Some((port, records)) = inlet.next_now(batching)
        {
            batches.push((port, node.admit(records).await));
        }
        let count: usize = batches.iter().map(|(_, records)| records.len()).sum();
        node.account.in_flight.store(count as u64, Ordering::Relaxed);
        let page = node.page.clone();
        let written = blocking(move || {
            let results = write(sink.as_mut(), page.as_ref(), batches);
            (sink, results)
        })
        .await;
        node.account.in_flight.store(0, Ordering::Relaxed);
        let (back, results) = match written {
            Ok(written) => written,
            Err(error) => {
                node.account.leave(count as u64);
                return Err((None, error));
            }
        };
        sink = back;
        let mut rejects = Vec::new();
        let settled = settle(&node, results, count, &mut rejects);
        node.failed.send(rejects).await;
        if let Err(error) = settled {
            return Err((Some(sink), error));
        }
    }
}

/// For each batch that was begun its size, and what was refused of it or why it broke.
pub(crate) type Results = Vec<(usize, Result<Vec<(Record, Failure)>, StageError>)>;

/// Writes batch after batch, up to the first that breaks.
pub(crate) fn write(
    sink: &mut dyn Sink,
    page: Option<&Page>,
    batches: Vec<(usize, Vec<Record>)>,
) -> Results {
    let mut results = Vec::with_capacity(batches.len());
    for (port, records) in batches.into_iter().filter(|(_, records)| !records.is_empty()) {
        let count = records.len();
        let note = |record: &Record| page?.about_to_write(sink, record);
        let notes: Vec<Note> = records.iter().filter_map(note).collect();
        let result = sink.write(port, records);
        if let (Some(page), Ok(refused)) = (page, &result) {
            let refused: HashSet<RecordId> = refused.iter().map(|(record, _)| record.id).collect();
            page.note(notes.into_iter().filter(|note| !refused.contains(&note.record)));
        }
        let broke = result.is_err();
        results.push((count, result));
        if broke {
            break;
        }
    }
    results
}

/// Counts what became of `count` records, and puts aside what is for `.failed`; those behind a break
/// stay pending.
pub(crate) fn settle(
    node: &Node,
    results: Results,
    count: usize,
    rejects: &mut Vec<Record>,
) -> Result<(), NodeError> {
    let mut settled = 0;
    for (size, result) in results {
        match result {
            Ok(refused) => {
                settled += size;
                node.pass(size - refused.len().min(size));
                for (record, failure) in refused {
                    // A sink passes nothing on: `keep` is `reject` there.
                    if let Judged::Rejected(reject) = node.judge(record, &failure, Trial::once()) {
                        rejects.push(reject);
                    }
                }
            }
            Err(error) => {
                node.account.leave((count - settled) as u64);
                return Err(error.into());
            }
        }
    }
    Ok(())
}
