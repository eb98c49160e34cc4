//! What embedding costs in time: 20,000 chunks of 1,000 documents against a server on loopback that
//! takes 200 ms for a call and 2 ms more for each text. The calls and the makespan against the
//! ideal: full batches, so many at once, one after another without a gap.
//!
//! `cargo bench --bench embed`

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a bench prints, and stops at the first thing that is off"
)]

#[path = "../tests/cli/model_server.rs"]
#[expect(dead_code, reason = "faults and counters are for the tests")]
mod model_server;
#[expect(dead_code, reason = "this bench measures neither peaks nor medians")]
mod support;

use std::time::Duration;

use model_server::{ModelServer, Reply};
use serde_json::{Value, json};
use support::run;

const PIPELINE: &str = r#"
flow: vectors
params:
  url: {type: string}
models:
  m: {provider: openai, model: loopback, base_url: "{{ params.url }}", price: free}
stages:
  texts: {uses: read, with: {path: texts.jsonl}}
  pieces: {uses: chunk, from: texts, with: {size: 5, keep: [id]}}
  vectors: {uses: embed, from: pieces, with: {model: m}}
  saved: {uses: store, from: vectors, with: {to: vectors.jsonl}}
"#;

const DOCUMENTS: usize = 1000;
const CHUNKS: usize = 20_000;
const BATCH: usize = 96;

fn latency(texts: usize) -> Duration {
    Duration::from_millis(200 + 2 * texts as u64)
}

fn main() {
    support::serve_measurements();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("vectors.yaml"), PIPELINE).expect("the pipeline file");
    // Each word is a chunk, and each is another, since equal texts are asked for once.
    let words = |id: usize| (0..20).map(move |at| format!("{:05x}", 20 * id + at));
    let text = |id: usize| words(id).collect::<Vec<_>>().join(" ");
    let rows: Vec<String> =
        (0..DOCUMENTS).map(|id| json!({"id": id, "text": text(id)}).to_string()).collect();
    std::fs::write(path("texts.jsonl"), rows.join("\n")).expect("the input");
    println!("| in flight | calls | ideal | makespan s | ideal s | ratio |");
    println!("|---|---|---|---|---|---|");
    for parallelism in [8_usize, 16, 32] {
        let server = ModelServer::start(|_, body| {
            let texts = body["input"].as_array().map_or(0, Vec::len);
            let one = |at: usize| json!({"index": at, "embedding": [0.6, 0.8]});
            let data: Vec<Value> = (0..texts).map(one).collect();
            (latency(texts), Reply::json(&json!({"data": data})))
        });
        let hint = format!("stages.vectors.parallelism={parallelism}");
        let cost = run(&path("vectors.yaml"), &["--url", &server.url(), "--set", &hint, "--fresh"]);
        let (calls, ideal) = (server.calls(), CHUNKS.div_ceil(BATCH));
        let least = latency(BATCH).as_secs_f64()
            * f64::from(u32::try_from(ideal.div_ceil(parallelism)).expect("a small number"));
        let wall = cost.wall.as_secs_f64();
        println!(
            "| {parallelism} | {calls} | {ideal} | {wall:.2} | {least:.2} | {:.3} |",
            wall / least
        );
        assert!(calls <= ideal + ideal / 100, "{calls} calls");
    }
}
