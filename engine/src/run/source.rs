//! Drives a source: pulls while there is room below, until the end or until told to stop.

use std::sync::atomic::Ordering;

use super::node::{Node, NodeError, blocking};
use crate::stage::{Found, Source};

/// Things that one pull brings at most.
pub(crate) const PULL: usize = 128;

pub(crate) async fn drive(mut node: Node, mut source: Box<dyn Source>) -> Result<(), NodeError> {
    let mut whole = true;
    loop {
        if node.control.is_draining() {
            whole = false;
            break;
        }
        if node.is_unwanted() {
            break;
        }
        let (back, pull) = blocking(move || {
            let pull = source.pull(PULL);
            (source, pull)
        })
        .await?;
        source = back;
        let pull = pull?;
        node.account.set_fraction(source.progress());
        node.account.received.fetch_add(pull.found.len() as u64, Ordering::Relaxed);
        let mut records = Vec::with_capacity(pull.found.len());
        for found in pull.found {
            match found {
                Found::Record(record) => records.push(record),
                Found::Reject(record, failure) => node.fail(record, &failure, 1).await,
            }
        }
        node.pass(records.len());
        node.emit(records).await;
        if pull.done {
            node.account.set_fraction(Some(1.0));
            break;
        }
    }
    node.end(whole).await;
    Ok(())
}
