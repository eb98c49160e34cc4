//! What calls of a node needed in earlier runs, so that a plan need not assume it.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::{Ledger, PoisonError, file};
use crate::report::NodeReport;
use crate::stage::StageError;

/// Calls by which a node and its model are known.
const ENOUGH: u64 = 10;

/// What the calls of a node needed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Needed {
    /// Calls that were answered.
    pub calls: u64,
    /// Tokens that a call received, in the mean.
    pub output_tokens: f64,
    /// Half of the calls of the last run were faster.
    pub p50: Duration,
    /// One call in twenty of the last run was slower.
    pub p95: Duration,
}

impl Ledger {
    /// What the calls of a node to a model needed in earlier runs, if they were enough to tell.
    pub fn past(&self, node: &str, model: &str) -> Option<Needed> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = "SELECT calls, output, p50, p95 FROM past \
                   WHERE node = ?1 AND model = ?2 AND calls >= ?3";
        let row = |row: &Row<'_>| {
            let (calls, output): (u64, u64) = (row.get(0)?, row.get(1)?);
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            let output_tokens = output as f64 / calls as f64;
            let micros = |at| row.get(at).map(Duration::from_micros);
            Ok(Needed { calls, output_tokens, p50: micros(2)?, p95: micros(3)? })
        };
        reader.query_row(sql, params![node, model, ENOUGH], row).optional().ok().flatten()
    }

    /// Notes what the calls of a run needed.
    pub async fn note(&self, nodes: &[NodeReport]) -> Result<(), StageError> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let of_node = |node: &NodeReport| {
            let (name, latency) = (node.node.clone(), node.latency);
            let models = node.models.clone().into_iter();
            models.map(move |(model, usage)| (name.clone(), model, usage, latency))
        };
        let calls: Vec<_> = nodes.iter().flat_map(of_node).collect();
        if calls.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO past VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                   ON CONFLICT (node, model) DO UPDATE SET calls = calls + excluded.calls, \
                   output = output + excluded.output, p50 = excluded.p50, p95 = excluded.p95";
        let work = move |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction()?;
            for (node, model, usage, latency) in &calls {
                let (p50, p95) = (micros(latency.p50), micros(latency.p95));
                let row = params![node, model, usage.calls, usage.output_tokens, p50, p95];
                transaction.execute(sql, row)?;
            }
            transaction.commit()
        };
        self.answers.alone(work).await.map_err(|error| file::broke(&self.path, &error))
    }
}
