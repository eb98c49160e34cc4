//! Hints with every default and `auto` filled in, by the kind of work.

use std::time::Duration;

use flow_dsl::pipeline::{Cache, OnError, Order, Parallelism, PipelineNode};
use flow_dsl::{Code, Diagnostic, Pipeline, Spanned};

use super::Resolved;
use crate::door::Money;
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
    let call = matches!(stage, Stage::Call(_));
    let sink = matches!(stage, Stage::Sink(_));
    // Only these do several things at once, and try again.
    let tries = call || matches!(stage, Stage::Heavy(_));
    let (parallelism, parallelism_auto) = match (stage, value(hints.parallelism.as_ref())) {
        (Stage::Heavy(_) | Stage::Call(_), Some(Parallelism::Exactly(count))) => {
            (count.max(1), false)
        }
        (Stage::Heavy(_), _) => (cores(), true),
        (Stage::Call(call), _) => (call.parallelism(), true),
        _ => (1, false),
    };
    let batch_size = value(hints.batch_size.as_ref()).map(|size| size.max(1));
    let batch_size = match stage {
        Stage::Call(call) => batch_size.unwrap_or_else(|| call.batch_size()).max(1),
        Stage::Sink(_) => batch_size.unwrap_or(WRITE),
        Stage::Heavy(_) => batch_size.unwrap_or(0),
        _ => 0,
    };
    let batch_wait = value(hints.batch_wait.as_ref()).or(sink.then_some(WRITE_WAIT));
    let timeout = value(hints.timeout.as_ref()).or(call.then_some(CALL_TIMEOUT));
    let buffer = match (stage, value(hints.buffer.as_ref())) {
        (Stage::Source(_), _) => 0,
        (_, Some(buffer)) => buffer.max(1).max(batch_size),
        (_, None) => BUFFER.max(2 * batch_size),
    };
    Ok(Resolved {
        parallelism,
        parallelism_auto,
        batch_size,
        batch_wait: batch_wait.filter(|_| call || sink),
        buffer,
        joins: hints.buffer.is_none() && !(sink && hints.batch_wait.is_some()),
        order: value(hints.order.as_ref()).filter(|_| tries).unwrap_or(Order::Arrival),
        timeout: timeout.filter(|_| tries),
        deadline: value(hints.deadline.as_ref()).filter(|_| tries),
        retry: if tries { value(hints.retry.as_ref()).unwrap_or(RETRY) } else { 0 },
        backoff: value(hints.backoff.as_ref()).unwrap_or(BACKOFF),
        // What a sink could not write has nowhere to be passed on to.
        on_error: match value(hints.on_error.as_ref()) {
            None => OnError::Reject,
            Some(OnError::Keep(_)) if sink => OnError::Reject,
            Some(on_error) => on_error,
        },
        max_failures: value(hints.max_failures.as_ref()),
        limit: value(hints.limit.as_ref()).filter(|_| call),
        budget: value(hints.budget.as_ref()).filter(|_| call).map(Money::dollars),
        on_retry: value(hints.on_retry.as_ref()).filter(|_| tries).unwrap_or_default(),
        cache: value(hints.cache.as_ref()).unwrap_or_else(|| usual_cache(stage)),
        when: condition(pipeline, node, build)?,
    })
}

/// Answers are paid for, so they are kept; what a heavy map makes is kept where the file says so.
fn usual_cache(stage: &Stage) -> Cache {
    if matches!(stage, Stage::Heavy(_)) {
        Cache { reads: false, writes: false, age: None }
    } else {
        Cache::default()
    }
}

fn value<T: Clone>(hint: Option<&Spanned<T>>) -> Option<T> {
    hint.map(|hint| hint.value.clone())
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
