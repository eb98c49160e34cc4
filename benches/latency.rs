//! What the engine costs where the work is waiting: 2,000 records against a model on loopback with
//! chosen latency, against a hand-written `reqwest` loop with the same calls in flight. Both in one
//! run, by makespan and CPU per call.
//!
//! `cargo bench --bench latency` (`-- RECORDS` for another number)

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

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model_server::{ModelServer, Reply};
use serde_json::{Value, json};
use support::{measure, run};

const PIPELINE: &str = r#"
flow: latency
params:
  input: {type: path}
  url: {type: string}
models:
  loopback: {provider: openai, base_url: "{{ params.url }}", model: loopback}
schemas:
  notes: {kinds: {note: {description: A note.}}}
stages:
  rows: {uses: read, with: {path: "{{ params.input }}"}}
  found: {uses: extract, from: rows, with: {model: loopback, schema: notes}}
  saved: {uses: store, from: found, with: {to: found.jsonl}}
"#;

type Latency = fn(usize) -> Duration;

const ANSWER: &str = r#"{"entities": []}"#;

fn main() {
    support::serve_measurements();
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [mode, input, url, parallelism] = &words[..]
        && mode == "--loop"
    {
        return hand_written(Path::new(input), url, parallelism.parse().expect("a number"));
    }
    let records: usize = words.first().and_then(|word| word.parse().ok()).unwrap_or(2000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("latency.yaml"), PIPELINE).expect("the pipeline file");
    write_records(Path::new(&path("in.jsonl")), records);
    println!("| latency | in flight | loop s | flow s | ratio | flow ms CPU a call | loop |");
    println!("|---|---|---|---|---|---|---|");
    let latencies: [(&str, Latency); 3] = [
        ("50 ms", |_| Duration::from_millis(50)),
        ("500 ms", |_| Duration::from_millis(500)),
        ("log-normal", log_normal),
    ];
    for (name, latency) in latencies {
        let server = ModelServer::start(move |nth, _| (latency(nth), Reply::content(ANSWER)));
        for parallelism in ["4", "16", "40", "128"] {
            compare(&path, name, &server.url(), parallelism, records);
        }
    }
}

/// A median of 100 ms and a sigma of 0.6: one in twenty takes over 270 ms. The same for the same
/// number of the call, so that both sides meet the same latencies.
fn log_normal(nth: usize) -> Duration {
    let mut random = fastrand::Rng::with_seed((nth % 2000) as u64);
    let (a, b) = (1.0 - random.f64(), random.f64());
    let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
    Duration::from_secs_f64(0.1 * (0.6 * normal).exp())
}

fn compare(
    path: &impl Fn(&str) -> String,
    name: &str,
    url: &str,
    parallelism: &str,
    records: usize,
) {
    let own = std::env::current_exe().expect("a path of this program");
    let (pipeline, input, hint) =
        (path("latency.yaml"), path("in.jsonl"), format!("stages.found.parallelism={parallelism}"));
    let by_loop = measure(&[&own.to_string_lossy(), "--loop", &input, url, parallelism]);
    let by_flow = run(&pipeline, &["--input", &input, "--url", url, "--set", &hint, "--fresh"]);
    let (one, other) = (by_loop.wall.as_secs_f64(), by_flow.wall.as_secs_f64());
    let per_call = |cpu: f64| cpu * 1000.0 / records as f64;
    println!(
        "| {name} | {parallelism} | {one:.2} | {other:.2} | {:.3} | {:.3} | {:.3} |",
        other / one,
        per_call(by_flow.cpu),
        per_call(by_loop.cpu)
    );
}

fn write_records(path: &Path, records: usize) {
    let mut file = std::fs::File::create(path).expect("the input file");
    for id in 0..records {
        writeln!(file, "{}", json!({"id": id, "text": format!("Note {id}: all is well.")}))
            .expect("a line");
    }
}

/// The same calls without any engine: so many tasks, each taking the next record.
fn hand_written(input: &Path, url: &str, parallelism: usize) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let text = std::fs::read_to_string(input).expect("the input");
    let texts: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["text"].to_string())
        .collect();
    let texts = Arc::new(texts);
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::new();
        let workers: Vec<_> = (0..parallelism)
            .map(|_| {
                let (client, texts, next) = (client.clone(), Arc::clone(&texts), Arc::clone(&next));
                let url = format!("{url}/chat/completions");
                #[expect(clippy::disallowed_methods, reason = "this is the loop without the engine")]
                tokio::spawn(async move {
                    loop {
                        let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let Some(text) = texts.get(at) else { break };
                        let body = json!({"model": "loopback", "messages": [{"role": "user", "content": text}]});
                        let answer = client.post(&url).json(&body).send().await.expect("an answer");
                        let answer: Value = answer.json().await.expect("JSON");
                        let content = answer["choices"][0]["message"]["content"].as_str().expect("content");
                        let _: Value = serde_json::from_str(content).expect("JSON in the content");
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await.expect("a worker that ends");
        }
    });
}
