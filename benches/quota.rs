//! Whether a quota is used up and not passed: runs that share a limit of 600 calls a minute, against
//! a server on loopback that takes 600 in any minute and answers 429 beyond, for two minutes of real
//! time.
//!
//! `cargo bench --bench quota` (`-- RUNS` for another number than two)

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a bench prints, and stops at the first thing that is off"
)]

#[path = "../tests/cli/model_server.rs"]
#[expect(dead_code, reason = "faults and counters are for the tests")]
mod model_server;

use std::collections::VecDeque;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use model_server::{ModelServer, Reply};
use serde_json::json;

const PIPELINE: &str = r#"
flow: quota
params:
  url: {type: string}
limits:
  quota: {requests: 600/min}
models:
  loopback: {provider: openai, base_url: "{{ params.url }}", model: loopback, limit: quota}
schemas:
  notes: {kinds: {note: {description: A note.}}}
stages:
  rows: {uses: read, with: {path: in.jsonl}}
  found: {uses: extract, from: rows, parallelism: 40, with: {model: loopback, schema: notes}}
  saved: {uses: store, from: found, with: {to: found.jsonl}}
"#;

const QUOTA: usize = 600;
const MINUTE: Duration = Duration::from_mins(1);
/// Refusals in it are the start's.
const START: Duration = Duration::from_secs(10);

/// What the server has seen.
#[derive(Default)]
struct Seen {
    first: Option<Instant>,
    /// Calls that were taken within the last minute.
    window: VecDeque<Instant>,
    taken: usize,
    refused: usize,
    /// Of those, after the start.
    late: usize,
}

impl Seen {
    /// Whether it takes a call.
    fn take(&mut self) -> bool {
        let now = Instant::now();
        let since = now - *self.first.get_or_insert(now);
        while self.window.front().is_some_and(|first| now - *first >= MINUTE) {
            self.window.pop_front();
        }
        let takes = self.window.len() < QUOTA;
        if since < 2 * MINUTE {
            self.taken += usize::from(takes);
            self.refused += usize::from(!takes);
            self.late += usize::from(!takes && since >= START);
        }
        if takes {
            self.window.push_back(now);
        }
        takes
    }
}

fn main() {
    let runs = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(2);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let server = {
        let seen = Arc::clone(&seen);
        ModelServer::start(move |nth, _| {
            let reply = if seen.lock().expect("no panic").take() {
                Reply::content(r#"{"entities": []}"#)
            } else {
                Reply::error_with(429, "over the quota", "retry-after", "1")
            };
            (Duration::from_millis(50 + (nth as u64 * 37) % 1450), reply)
        })
    };
    let state = tempfile::tempdir().expect("a temporary folder");
    let folders: Vec<_> = (0..runs).map(|_| folder()).collect();
    let start = |folder: &tempfile::TempDir| -> Child {
        Command::new(env!("CARGO_BIN_EXE_flow"))
            .current_dir(folder.path())
            .args(["run", "quota.yaml", "--progress", "none", "--url", &server.url()])
            .env("FLOW_STATE", state.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("flow starts")
    };
    let mut children: Vec<Child> = folders.iter().map(start).collect();
    std::thread::sleep(2 * MINUTE + Duration::from_secs(2));
    for child in &mut children {
        child.kill().expect("it still runs");
        child.wait().expect("it ends");
    }
    let Seen { taken, refused, late, .. } = *seen.lock().expect("no panic");
    let used = taken as f64 / (2 * QUOTA) as f64;
    println!("| runs | taken | of the quota | refused | after ten seconds |");
    println!("|---|---|---|---|---|");
    println!("| {runs} | {taken} | {:.1}% | {refused} | {late} |", used * 100.0);
    assert!(used >= 0.95 && late * 100 <= taken, "the goals are missed");
}

/// A folder with the pipeline and more texts than two minutes take.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("quota.yaml"), PIPELINE).expect("the pipeline file");
    let rows: Vec<String> = (0..3 * QUOTA)
        .map(|id| json!({"text": format!("Note {id} of {:?}.", folder.path())}).to_string())
        .collect();
    std::fs::write(folder.path().join("in.jsonl"), rows.join("\n")).expect("the input");
    folder
}
