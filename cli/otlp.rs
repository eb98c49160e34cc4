//! Sends the spans of model calls to a collector, as JSON over HTTP (OTLP). A run never waits for
//! it: what finds the queue full is dropped, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flow_engine::door::{CALLS, Door};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::exit::Trouble;

/// Spans that wait to be sent.
const QUEUE: usize = 4096;
/// Spans that are sent at once.
const BATCH: usize = 512;
/// How long a batch may take to fill.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the end of the program waits for the last ones.
const LAST: Duration = Duration::from_secs(5);
/// Kinds of span and of status, as the protocol numbers them.
const CLIENT: u8 = 3;
const INTERNAL: u8 = 1;
const ERROR: u8 = 2;

/// A span while it is open, and when it has ended.
#[derive(Debug)]
struct Call {
    start: SystemTime,
    end: SystemTime,
    attributes: Vec<(&'static str, Value)>,
}

/// Takes the spans of calls from `tracing`.
#[derive(Debug)]
pub(crate) struct Spans {
    queue: SyncSender<Call>,
    lost: Arc<AtomicU64>,
}

/// The sending side.
#[derive(Debug)]
pub(crate) struct Export {
    ending: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
    done: Receiver<Option<String>>,
    url: String,
}

/// Starts to send to a collector.
pub(crate) fn start(collector: &str) -> Result<(Spans, Export), Trouble> {
    let base = collector.trim_end_matches('/');
    if !base.starts_with("http://") && !base.starts_with("https://") {
        return Err(Trouble::wrong(
            format!("`--otlp {collector}` is no web address"),
            "Write it like `http://localhost:4318`.",
        ));
    }
    let url = format!("{base}/v1/traces");
    let (queue, calls) = sync_channel(QUEUE);
    let (tell, done) = sync_channel(1);
    let (lost, ending) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Trouble::broken(format!("cannot send spans: {error}"), "Run without `--otlp`.")
    })?;
    let sender = Sender {
        url: url.clone(),
        calls,
        ending: Arc::clone(&ending),
        lost: Arc::clone(&lost),
        trace: format!("{:032x}", fastrand::u128(1..)),
        root: format!("{:016x}", fastrand::u64(1..)),
    };
    #[expect(clippy::disallowed_methods, reason = "beside the run, which must not wait for it")]
    std::thread::spawn(move || {
        let trouble = runtime.block_on(sender.send_all());
        // Nobody waits any more when it has taken too long.
        let _ = tell.send(trouble);
    });
    Ok((Spans { queue, lost: Arc::clone(&lost) }, Export { ending, lost, done, url }))
}

impl Export {
    /// Sends what is left. Says what was not delivered, if anything.
    pub(crate) fn finish(self) -> Option<String> {
        self.ending.store(true, Ordering::Release);
        let trouble = match self.done.recv_timeout(LAST) {
            Ok(trouble) => trouble,
            Err(_) => Some("it takes too long".to_owned()),
        };
        let lost = self.lost.load(Ordering::Relaxed);
        if lost == 0 && trouble.is_none() {
            return None;
        }
        let why = trouble.unwrap_or_else(|| "it is slower than the run".to_owned());
        let (url, spans) = (&self.url, crate::number::counted(lost, "span"));
        Some(format!("warning: {spans} not delivered to {url}: {why}\n"))
    }
}

/// Works in a thread of its own.
struct Sender {
    url: String,
    calls: Receiver<Call>,
    ending: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
    trace: String,
    root: String,
}

impl Sender {
    async fn send_all(self) -> Option<String> {
        let (door, start) = (Door::new(&[]), SystemTime::now());
        let mut trouble = None;
        loop {
            let ending = self.ending.load(Ordering::Acquire);
            let mut spans = Vec::new();
            while spans.len() < BATCH {
                match self.calls.recv_timeout(if ending { Duration::ZERO } else { PAUSE }) {
                    Ok(call) => spans.push(self.span(&call)),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            let last = ending && spans.len() < BATCH;
            if last {
                spans.push(self.run(start));
            }
            let count = spans.len() as u64;
            if count > 0
                && let Err(failure) = door.deliver(&self.url, &envelope(&spans)).await
            {
                self.lost.fetch_add(count, Ordering::Relaxed);
                trouble = Some(failure.reason);
            }
            if last {
                return trouble;
            }
        }
    }

    fn span(&self, call: &Call) -> Value {
        let text = |name: &str| {
            let found = call.attributes.iter().find(|(known, _)| *known == name);
            found.and_then(|(_, value)| value["stringValue"].as_str()).unwrap_or("call")
        };
        let name = format!("{} {}", text("gen_ai.operation.name"), text("gen_ai.request.model"));
        let failed = call.attributes.iter().any(|(name, _)| *name == "error.type");
        let attributes =
            call.attributes.iter().map(|(key, value)| json!({"key": key, "value": value}));
        json!({
            "traceId": self.trace,
            "spanId": format!("{:016x}", fastrand::u64(1..)),
            "parentSpanId": self.root,
            "name": name,
            "kind": CLIENT,
            "startTimeUnixNano": nanos(call.start),
            "endTimeUnixNano": nanos(call.end),
            "attributes": attributes.collect::<Value>(),
            "status": if failed { json!({"code": ERROR}) } else { json!({}) },
        })
    }

    /// The span of the whole run, to which those of its calls belong.
    fn run(&self, start: SystemTime) -> Value {
        json!({
            "traceId": self.trace,
            "spanId": self.root,
            "name": "flow run",
            "kind": INTERNAL,
            "startTimeUnixNano": nanos(start),
            "endTimeUnixNano": nanos(SystemTime::now()),
            "attributes": [],
            "status": {},
        })
    }
}

fn envelope(spans: &[Value]) -> Value {
    let name = json!({"key": "service.name", "value": {"stringValue": "flow"}});
    let scope = json!({"name": "flow", "version": env!("CARGO_PKG_VERSION")});
    json!({"resourceSpans": [{
        "resource": {"attributes": [name]},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]})
}

/// Whole numbers of this size are texts in the protocol's JSON.
fn nanos(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|span| span.metadata().target() == CALLS) else {
            return;
        };
        let now = SystemTime::now();
        let mut call = Call { start: now, end: now, attributes: Vec::new() };
        attributes.record(&mut call);
        span.extensions_mut().insert(call);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(call) = span.extensions_mut().get_mut::<Call>() {
            values.record(call);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if let Some(mut call) = span.extensions_mut().remove::<Call>() {
            call.end = SystemTime::now().max(call.start);
            if self.queue.try_send(call).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Visit for Call {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.attributes.push((field.name(), json!({"stringValue": value})));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.attributes.push((field.name(), json!({"intValue": value.to_string()})));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
