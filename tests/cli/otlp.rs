//! Spans of model calls, as a collector gets them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::folder::{Folder, answer};
use crate::model_server::{ModelServer, Reply};

const PIPELINE: &str = r#"flow: watched
params: {url: {type: string}}
models: {loopback: {provider: openai, base_url: "{{ params.url }}", model: small}}
schemas: {people: {kinds: {person: {description: somebody with a name}}}}
stages:
  texts: {uses: read, with: {path: texts.jsonl}}
  people:
    uses: extract
    from: texts
    retry: 1
    backoff: 1ms..5ms
    with: {model: loopback, schema: people}
  saved: {uses: store, from: people, with: {to: people.jsonl}}
"#;

/// The account and stderr of a run of five records, of which the first call fails.
fn run(collector: &str, model: &ModelServer) -> (i32, String) {
    let folder = Folder::new();
    folder.file("watched.yaml", PIPELINE);
    folder.file("texts.jsonl", "{\"text\": \"Ada came in.\"}\n".repeat(5));
    let line = format!("run watched.yaml --state none --otlp {collector} --url {}", model.url());
    let mut command = folder.command(&line);
    let answer =
        answer(command.env("OPENAI_API_KEY", "s3cret-key").timeout(Duration::from_mins(1)));
    (answer.code, answer.err)
}

fn model() -> ModelServer {
    ModelServer::start(|nth, _| {
        let reply = match nth {
            0 => Reply::error(503, "busy"),
            _ => Reply::content("{\"entities\": []}"),
        };
        (Duration::ZERO, reply)
    })
}

fn attribute<'a>(span: &'a Value, name: &str) -> &'a Value {
    let attributes = span["attributes"].as_array().expect("attributes");
    let found = attributes.iter().find(|attribute| attribute["key"] == name);
    found.map_or(&Value::Null, |attribute| &attribute["value"])
}

#[test]
fn a_collector_gets_a_span_for_every_call() {
    let got = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&got);
    let collector = ModelServer::start(move |_, body| {
        into.lock().expect("no panic").push(body.clone());
        (Duration::ZERO, Reply::Answer(200, Vec::new(), b"{}".to_vec()))
    });
    let (code, err) = run(&format!("http://{}", collector.address), &model());
    assert_eq!((code, err.contains("warning")), (0, false), "{err}");
    let got = got.lock().expect("no panic");
    let spans: Vec<&Value> = got
        .iter()
        .filter_map(|body| body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array())
        .flatten()
        .collect();
    let (calls, runs): (Vec<&Value>, Vec<&Value>) =
        spans.into_iter().partition(|span| span["name"] == "chat small");
    assert_eq!((calls.len(), runs.len()), (6, 1));
    for call in &calls {
        assert_eq!(call["parentSpanId"], runs[0]["spanId"]);
        assert_eq!(call["traceId"], runs[0]["traceId"]);
        assert_eq!(attribute(call, "gen_ai.operation.name")["stringValue"], "chat");
        assert_eq!(attribute(call, "gen_ai.provider.name")["stringValue"], "openai");
        assert_eq!(attribute(call, "gen_ai.request.model")["stringValue"], "small");
        assert_eq!(attribute(call, "flow.node")["stringValue"], "people");
        assert!(attribute(call, "flow.wait_ms")["intValue"].is_string(), "{call}");
        let time = |name: &str| call[name].as_str().and_then(|nanos| nanos.parse::<u128>().ok());
        assert!(time("startTimeUnixNano") < time("endTimeUnixNano"), "{call}");
    }
    let failed: Vec<_> = calls.iter().filter(|call| call["status"]["code"] == 2).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(attribute(failed[0], "error.type"), &json!({"stringValue": "503"}));
    let again = calls.iter().filter(|call| attribute(call, "flow.attempt")["intValue"] == "2");
    let again: Vec<_> = again.collect();
    assert_eq!(again.len(), 1);
    assert_eq!(attribute(again[0], "http.response.status_code")["intValue"], "200");
    assert_eq!(attribute(again[0], "gen_ai.usage.input_tokens")["intValue"], "100");
    assert!(!format!("{got:?}").contains("s3cret"));
}

#[test]
fn a_collector_that_is_away_is_told_of_and_breaks_nothing() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let (code, err) = run(&format!("http://{address}"), &model());
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("warning: 7 spans not delivered to http://"), "{err}");
    let (code, err) = run("collector", &model());
    assert_eq!(code, 2, "{err}");
}
