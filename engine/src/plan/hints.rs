//! Hints with every default and `auto` filled in, by the kind of work.

use std::time::Duration;

use flow_dsl::pipeline::{OnError, Order, Parallelism, PipelineNode};
use flow_dsl::{Code, Diagnostic, Pipeline};

use super::Resolved;
use crate::expr::{Expr, with_params};
use crate::registry::Build;
use crate::stage::Stage;

/// Room on an edge when the file does not say, in records.
const BUFFER: usize = 512;
/// Records that a sink writes at once when the file does not say.
const WRITE: usize = 256;
/// How long a sink waits for a batch to fill when the file does not say.
const WRITE_WAIT: Duration = Duration::from_secs(1);
/// Attempts after the first when the file does not say.
const RETRY: u32 = 3;
/// Waits between attempts when the file does not say.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Time for one attempt of a call when the file does not say.
const CALL_TIMEOUT: Duration = Duration::from_mins(2);

pub(super) fn resolve(
    pipeline: &Pipeline,
    node: &PipelineNode,
    stage: &Stage,
    build: &Build<'_>,
) -> Result<Resolved, Vec<Diagnostic>> {
    let hints = &node.hints;
    let asked = hints.parallelism.as_ref().map_or(Parallelism::Auto, |hint| hint.value);
    let auto = match stage {
        Stage::Heavy(_) => cores(),
        Stage::Call(call) => call.parallelism(),
        _ => 1,
    };
    let (parallelism, parallelism_auto) = match (stage, asked) {
        (Stage::Heavy(_) | Stage::Call(_), Parallelism::Exactly(count)) => (count.max(1), false),
        _ => (auto, matches!(stage, Stage::Heavy(_) | Stage::Call(_))),
    };
    let batch_size = hints.batch_size.as_ref().map(|hint| hint.value.max(1));
    let batch_size = match stage {
        Stage::Call(call) => batch_size.unwrap_or_else(|| call.batch_size()).max(1),
        Stage::Sink(_) => batch_size.unwrap_or(WRITE),
        Stage::Heavy(_) => batch_size.unwrap_or(0),
        _ => 0,
    };
    let batch_wait = hints.batch_wait.as_ref().map(|hint| hint.value);
    let sink = matches!(stage, Stage::Sink(_));
    let buffer = match (stage, &hints.buffer) {
        (Stage::Source(_), _) => 0,
        (_, Some(hint)) => hint.value.max(1).max(batch_size),
        (_, None) => BUFFER.max(2 * batch_size),
    };
    let call = matches!(stage, Stage::Call(_));
    Ok(Resolved {
        parallelism,
        parallelism_auto,
        batch_size,
        batch_wait: batch_wait.or_else(|| sink.then_some(WRITE_WAIT)),
        buffer,
        order: hints.order.as_ref().map_or(Order::Arrival, |hint| hint.value),
        timeout: hints
            .timeout
            .as_ref()
            .map(|hint| hint.value)
            .or_else(|| call.then_some(CALL_TIMEOUT)),
        deadline: hints.deadline.as_ref().map(|hint| hint.value),
        retry: hints.retry.as_ref().map_or(RETRY, |hint| hint.value),
        backoff: hints.backoff.as_ref().map_or(BACKOFF, |hint| hint.value),
        // What a sink could not write has nowhere to be passed on to.
        on_error: match hints.on_error.as_ref().map(|hint| hint.value.clone()) {
            None => OnError::Reject,
            Some(OnError::Keep(_)) if sink => OnError::Reject,
            Some(on_error) => on_error,
        },
        max_failures: hints.max_failures.as_ref().map(|hint| hint.value),
        limit: hints.limit.as_ref().map(|hint| hint.value.clone()),
        when: condition(pipeline, node, build)?,
    })
}

fn condition(
    pipeline: &Pipeline,
    node: &PipelineNode,
    build: &Build<'_>,
) -> Result<Option<Expr>, Vec<Diagnostic>> {
    let Some(when) = &node.hints.when else { return Ok(None) };
    with_params(build.params, || Expr::new(&when.value)).map(Some).map_err(|error| {
        let message = format!("`when`: {error}");
        vec![Diagnostic::new(Code::F0501, &pipeline.source, when.span, message)]
    })
}

/// Cores that this process may use; knows of affinity and of cgroup quotas.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
