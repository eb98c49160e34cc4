//! Drives a source and its line: pulls while there is room below, until the end or until told to
//! stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::account::Account;
use super::control::Control;
use super::line::Line;
use super::node::{Node, NodeError, blocking};
use super::sink::Ending;
use super::start::Driven;
use crate::ledger::Trial;
use crate::record::Record;
use crate::stage::{Failure, Found, Source};

/// Things that one pull brings at most.
pub(crate) const PULL: usize = 128;

/// What one visit to the thread brought.
#[derive(Default)]
struct Visit {
    /// What the last map has passed, when no sink took it.
    records: Vec<Record>,
    rejects: Vec<(Record, Failure)>,
    done: bool,
}

pub(crate) async fn drive(mut node: Node, mut source: Box<dyn Source>, mut line: Line) -> Driven {
    let whole = loop {
        if node.control.is_draining() {
            break false;
        }
        let left = line.is_unwanted() || (line.is_empty() && node.is_left());
        if left && !node.failed.is_read() {
            break true;
        }
        let (account, control) = (Arc::clone(&node.account), Arc::clone(&node.control));
        let visited = blocking(move || {
            let visit = visit(source.as_mut(), &mut line, &account, &control);
            (source, line, visit)
        });
        let (back, rest, visit) = match visited.await {
            Ok(visited) => visited,
            Err(error) => return (None, Some(error)),
        };
        (source, line) = (back, rest);
        let Visit { records, rejects, done } = match visit {
            Ok(visit) => visit,
            Err(error) => return (line.last.map(|last| (last.sink, Ending::Broken)), Some(error)),
        };
        for (record, failure) in rejects {
            node.fail(record, &failure, Trial::once()).await;
        }
        if line.is_empty() {
            node.emit(records).await;
        } else {
            line.send(records).await;
        }
        if done {
            node.account.set_fraction(Some(1.0));
            break true;
        }
    };
    end(node, line, whole).await
}

async fn end(mut node: Node, mut line: Line, whole: bool) -> Driven {
    if line.last.is_some() {
        let finished = blocking(move || {
            let finished = line.finish();
            (line, finished)
        });
        let (back, finished) = match finished.await {
            Ok(finished) => finished,
            Err(error) => return (None, Some(error)),
        };
        line = back;
        if let Err(error) = finished {
            return (line.last.map(|last| (last.sink, Ending::Broken)), Some(error));
        }
        line.send(Vec::new()).await;
    }
    node.end(whole).await;
    let ending = if whole { Ending::Whole } else { Ending::Cut };
    (line.end(whole).await.map(|sink| (sink, ending)), None)
}

/// Pulls, and goes on pulling as long as everything can be dealt with here.
fn visit(
    source: &mut dyn Source,
    line: &mut Line,
    account: &Account,
    control: &Control,
) -> Result<Visit, NodeError> {
    loop {
        let pull = source.pull(PULL)?;
        account.set_fraction(source.progress());
        account.received.fetch_add(pull.found.len() as u64, Ordering::Relaxed);
        let mut visit = Visit { done: pull.done, ..Visit::default() };
        visit.records.reserve(pull.found.len());
        for found in pull.found {
            match found {
                Found::Record(record) => visit.records.push(record),
                Found::Reject(record, failure) => visit.rejects.push((record, failure)),
            }
        }
        account.passed.fetch_add(visit.records.len() as u64, Ordering::Relaxed);
        visit.records = line.work(visit.records)?;
        let goes_on = line.last.is_some()
            && !(visit.done || line.has_enough() || line.has_rejects() || control.is_draining());
        if !goes_on || !visit.rejects.is_empty() {
            return Ok(visit);
        }
    }
}
