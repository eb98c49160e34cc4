//! Drives a light map: batch after batch, in place, on the node's own task.

use super::edge::{Batching, Inlet, Next};
use super::node::{Node, NodeError};
use crate::stage::{Light, Verdict};

/// Whatever lies there, at once.
const BATCHING: Batching = Batching::Eager { most: usize::MAX, share: 1 };

pub(crate) async fn drive(
    mut node: Node,
    mut inlet: Inlet,
    mut stage: Box<dyn Light>,
) -> Result<(), NodeError> {
    let mut wants_more = !stage.done();
    while wants_more && !node.is_unwanted() {
        let records = match inlet.next(BATCHING).await {
            Next::Batch(_, records) => node.admit(records).await,
            Next::End { whole } => {
                node.end(whole).await;
                return Ok(());
            }
        };
        let (mut passed, mut filtered) = (Vec::with_capacity(records.len()), 0);
        for mut record in records {
            if !wants_more {
                filtered += 1;
                continue;
            }
            match stage.apply(&mut record) {
                Ok(Verdict::Pass) => passed.push(record),
                Ok(Verdict::Drop) => filtered += 1,
                Ok(Verdict::PassLast) => {
                    passed.push(record);
                    wants_more = false;
                }
                Err(failure) => {
                    // What came before it leaves before it, so that order holds on all outputs.
                    node.pass(passed.len());
                    node.emit(std::mem::take(&mut passed)).await;
                    node.fail(record, &failure, 1).await;
                }
            }
        }
        node.filter(filtered);
        node.pass(passed.len());
        node.emit(passed).await;
    }
    inlet.leave();
    node.end(true).await;
    Ok(())
}
