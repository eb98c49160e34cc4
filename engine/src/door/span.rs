//! What can be watched of a call: a `tracing` span with the names that OpenTelemetry gives to calls
//! of generative models.

use std::time::Duration;

use tracing::Span;
use tracing::field::Empty;

use super::{Endpoint, Meter, Operation, Tokens};

/// The target of the spans of calls.
pub const CALLS: &str = "flow::call";

/// The span of a call. Dropped without an end it tells that nobody waited any longer.
#[derive(Debug)]
pub(super) struct CallSpan {
    span: Span,
    ended: bool,
}

impl CallSpan {
    pub(super) fn new(endpoint: &Endpoint, url: &str, meter: &Meter) -> Self {
        let operation = match endpoint.operation {
            Operation::Chat => "chat",
            Operation::Embeddings => "embeddings",
        };
        let span = tracing::info_span!(
            target: CALLS,
            "call",
            gen_ai.operation.name = operation,
            gen_ai.provider.name = endpoint.system,
            gen_ai.system = endpoint.system,
            gen_ai.request.model = endpoint.model,
            url.full = url,
            flow.node = meter.node(),
            flow.attempt = meter.attempt(),
            flow.wait_ms = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            http.response.status_code = Empty,
            error.type = Empty,
        );
        Self { span, ended: false }
    }

    /// It goes out, after so long a wait.
    pub(super) fn out(&self, wait: Duration) {
        self.span.record("flow.wait_ms", u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    }

    pub(super) fn status(&self, status: u16) {
        self.span.record("http.response.status_code", status);
    }

    pub(super) fn used(mut self, tokens: Tokens) {
        self.span.record("gen_ai.usage.input_tokens", tokens.input);
        self.span.record("gen_ai.usage.output_tokens", tokens.output);
        self.ended = true;
    }

    pub(super) fn failed(mut self, class: &str) {
        self.span.record("error.type", class);
        self.ended = true;
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        if !self.ended {
            self.span.record("error.type", "timeout");
        }
    }
}
