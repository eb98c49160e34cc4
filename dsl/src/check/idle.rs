//! Hints that a node does not read.

use super::Checker;
use crate::catalog::{Shape, StageSpec, Work};
use crate::code::Code;
use crate::pipeline::{Hints, Parallelism};
use crate::tree::{Entry, Value};

impl Checker<'_> {
    /// Warns of hints that change nothing for a node of this stage.
    pub(super) fn idle_hints(&mut self, entry: &Entry, spec: &StageSpec, hints: &Hints) {
        let work = (spec.work)(self.provider(entry));
        for (hint, set) in [
            ("parallelism", is_parallel(hints)),
            ("batch_size", hints.batch_size.is_some()),
            ("batch_wait", hints.batch_wait.is_some()),
            ("buffer", hints.buffer.is_some()),
            ("order", hints.order.is_some()),
            ("timeout", hints.timeout.is_some()),
            ("deadline", hints.deadline.is_some()),
            ("retry", hints.retry.is_some()),
            ("backoff", hints.backoff.is_some()),
            ("limit", hints.limit.is_some()),
            ("budget", hints.budget.is_some()),
            ("on_retry", hints.on_retry.is_some()),
            ("cache", hints.cache.is_some()),
            ("when", hints.when.is_some()),
        ] {
            let written = entry.value.entries().iter().find(|inner| inner.key.value == hint);
            let (true, Some(written)) = (set, written) else { continue };
            let Some(why) = why_idle(hint, spec.shape, work) else { continue };
            let (stage, kind) = (spec.name, kind(spec.shape, work));
            let message = format!("`{hint}` does nothing here: `{stage}` is {kind}");
            let found = self
                .at(&written.value, written.key.span, Code::F0402, message)
                .label(why)
                .help("take it away");
            self.push(found);
        }
    }

    /// The provider of the model that a node names.
    fn provider(&self, entry: &Entry) -> Option<&str> {
        let model = &entry.value.get("with")?.get("model")?.value;
        let Value::String(model) = model else { return None };
        self.names.providers.get(model).map(String::as_str)
    }
}

fn is_parallel(hints: &Hints) -> bool {
    let asked = hints.parallelism.as_ref().map(|hint| hint.value);
    matches!(asked, Some(Parallelism::Exactly(2..)))
}

const fn kind(shape: Shape, work: Work) -> &'static str {
    match (shape, work) {
        (Shape::Source, _) => "a source",
        (Shape::Gather, _) => "a gather",
        (Shape::Sink, _) => "a sink",
        (Shape::Map, Work::Light) => "a light map",
        (Shape::Map, Work::Heavy) => "a heavy map",
        (Shape::Map, _) => "a map",
    }
}

/// Why a node of this kind does not read a hint; nothing when it does, or may.
fn why_idle(hint: &str, shape: Shape, work: Work) -> Option<&'static str> {
    let (source, sink) = (shape == Shape::Source, shape == Shape::Sink);
    let calls = shape == Shape::Map && matches!(work, Work::Call | Work::Either);
    let tries = calls || shape == Shape::Map && work == Work::Heavy;
    match hint {
        "buffer" if source => Some("no edge leads to it"),
        "when" if source => Some("no record enters it"),
        "parallelism" if !tries => Some("it works on one batch after another"),
        "order" if !tries => Some("its records keep their order"),
        "batch_size" if !tries && !sink => Some("it forms no batches"),
        "batch_wait" if tries && !calls => Some("it does not wait for a batch to fill"),
        "batch_wait" if !calls && !sink => Some("it forms no batches"),
        "timeout" | "deadline" | "retry" | "backoff" | "on_retry" if !tries => {
            Some("it makes no attempts")
        }
        "limit" | "budget" if !calls => Some("it makes no calls"),
        "cache" if !tries => Some("it keeps no results"),
        _ => None,
    }
}
