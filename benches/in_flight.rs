//! What very many calls at once cost: so many in flight at a server on loopback that takes a second
//! for each, by peak memory and CPU per call.
//!
//! `cargo bench --bench in_flight` (`-- CALLS_AT_ONCE` for another number than 10,000; with `-- 2000`,
//! 2,000 calls a second)

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
#[expect(dead_code, reason = "this bench has no other program to compare with")]
mod support;

use std::fmt::Write;
use std::time::Duration;

use model_server::{ModelServer, Reply};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use support::run;

/// The limit says that the server can take them: without one, the gate would find out first.
const PIPELINE: &str = r#"
flow: in_flight
params:
  input: {type: path}
  url: {type: string}
  at_once: {type: integer}
limits:
  wide: {concurrency: "{{ params.at_once }}"}
models:
  loopback: {provider: openai, base_url: "{{ params.url }}", model: loopback, limit: wide}
schemas:
  notes: {kinds: {note: {description: A note.}}}
stages:
  rows: {uses: read, with: {path: "{{ params.input }}"}}
  found: {uses: extract, from: rows, parallelism: "{{ params.at_once }}", with: {model: loopback, schema: notes}}
  saved: {uses: store, from: found, with: {to: found.jsonl}}
"#;

/// Calls for each that is in flight.
const ROUNDS: usize = 5;

fn main() {
    support::serve_measurements();
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let at_once: usize = words.first().and_then(|word| word.parse().ok()).unwrap_or(10_000);
    let calls = ROUNDS * at_once;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("in_flight.yaml"), PIPELINE).expect("the pipeline file");
    let mut rows = String::new();
    for id in 0..calls {
        let row = json!({"id": id, "text": format!("Note {id}: all is well.")});
        writeln!(rows, "{row}").expect("a line");
    }
    std::fs::write(path("in.jsonl"), rows).expect("the input file");
    open_more_files();
    let server =
        ModelServer::start(|_, _| (Duration::from_secs(1), Reply::content(r#"{"entities": []}"#)));
    println!("| in flight | most seen | calls | wall s | calls/s | CPU ms a call | peak MiB |");
    println!("|---|---|---|---|---|---|---|");
    let (input, number) = (path("in.jsonl"), at_once.to_string());
    let flags = ["--input", &input, "--url", &server.url(), "--at_once", &number, "--fresh"];
    let cost = run(&path("in_flight.yaml"), &flags);
    assert_eq!(server.calls(), calls, "every record is asked about once");
    let wall = cost.wall.as_secs_f64();
    println!(
        "| {at_once} | {} | {calls} | {wall:.2} | {:.0} | {:.3} | {:.0} |",
        server.most_at_once(),
        calls as f64 / wall,
        cost.cpu * 1000.0 / calls as f64,
        cost.peak
    );
}

/// Lets this program, which is the server, have as many connections as the system allows.
fn open_more_files() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit");
}
