//! Drives a gather: hands it all records, then lets it answer. A part is no answer.

use super::edge::{Batching, Inlet, Next};
use super::node::{Node, NodeError, blocking};
use crate::stage::Gather;

const BATCHING: Batching = Batching::Eager { most: usize::MAX, share: 1 };

pub(crate) async fn drive(
    mut node: Node,
    mut inlet: Inlet,
    mut stage: Box<dyn Gather>,
) -> Result<(), NodeError> {
    let mut taken = 0;
    loop {
        match inlet.next(BATCHING).await {
            Next::Batch(port, records) => {
                let records = node.admit(records).await;
                taken += records.len();
                let (back, result) = blocking(move || {
                    let result = stage.take(port, records);
                    (stage, result)
                })
                .await?;
                stage = back;
                if let Err(error) = result {
                    node.account.leave(taken as u64);
                    return Err(error.into());
                }
            }
            Next::End { whole } if whole && !node.control.is_draining() => break,
            Next::End { .. } => {
                node.account.leave(taken as u64);
                node.end(false).await;
                return Ok(());
            }
        }
    }
    match blocking(move || stage.finish()).await? {
        Ok(records) => {
            node.pass(taken);
            node.emit(records).await;
            node.end(true).await;
            Ok(())
        }
        Err(error) => {
            node.account.leave(taken as u64);
            Err(error.into())
        }
    }
}
