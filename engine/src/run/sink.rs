//! Drives a sink: writes batches. Commit is not its business but that of the whole run.

use std::sync::atomic::Ordering;

use super::edge::{Batching, Inlet, Next};
use super::node::{Node, NodeError, blocking};
use crate::stage::Sink;

/// A sink whose inputs have ended; whether they brought all that there was.
pub(crate) struct Written {
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) whole: bool,
}

pub(crate) async fn drive(
    mut node: Node,
    mut inlet: Inlet,
    mut sink: Box<dyn Sink>,
) -> Result<Written, (Option<Box<dyn Sink>>, NodeError)> {
    let batching = Batching::Full { size: node.hints.batch_size, wait: node.hints.batch_wait };
    loop {
        let (port, records) = match inlet.next(batching).await {
            Next::Batch(port, records) => (port, node.admit(records).await),
            Next::End { whole } => {
                node.end(whole).await;
                return Ok(Written { sink, whole });
            }
        };
        let count = records.len();
        node.account.in_flight.store(count as u64, Ordering::Relaxed);
        let written = blocking(move || {
            let refused = sink.write(port, records);
            (sink, refused)
        })
        .await;
        node.account.in_flight.store(0, Ordering::Relaxed);
        let refused = match written {
            Ok((back, refused)) => {
                sink = back;
                refused
            }
            Err(error) => {
                node.account.leave(count as u64);
                return Err((None, error));
            }
        };
        match refused {
            Ok(refused) => {
                node.pass(count - refused.len().min(count));
                for (record, failure) in refused {
                    node.fail(record, &failure, 1).await;
                }
            }
            Err(error) => {
                node.account.leave(count as u64);
                return Err((Some(sink), error.into()));
            }
        }
    }
}
