//! Kills runs at random moments and runs on, until all is done: the stores must hold what an
//! unbroken run stores, every record must have its fate, and no call may be paid again but those
//! that were in flight at a kill.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::model_server::ModelServer;
use crate::resume::{Asked, model, model_until};

const PIPELINE: &str = r#"
flow: calls
params:
  url: {type: string}
models:
  chat: {provider: openai, base_url: "{{ params.url }}", model: chat}
  vectors: {provider: openai, base_url: "{{ params.url }}", model: vectors}
schemas:
  words: {kinds: {word: {description: A word.}}}
defaults: {timeout: 20s}
stages:
  rows: {uses: read, with: {path: rows.jsonl}}
  odd: {uses: filter, from: rows, with: {where: n % 2 == 1}}
  labelled: {uses: set, from: odd, with: {fields: {label: "row {{ n }}"}}}
  found:
    uses: extract
    from: labelled
    parallelism: 8
    with: {model: chat, schema: words, carry: [n, label]}
  long: {uses: filter, from: found, with: {where: n > 20}}
  pieces: {uses: chunk, from: rows, batch_size: 16, with: {size: 30}}
  vectors: {uses: embed, from: pieces, parallelism: 2, batch_size: 8, with: {model: vectors}}
  short:
    uses: set
    from: [vectors, labelled]
    with: {remove: [embedding, chunk, start, end, label]}
  words:
    uses: store
    from: found
    batch_size: 5
    with: {to: "sqlite:out.db", table: words, key: id}
  numbers:
    uses: store
    from: vectors
    with: {to: "sqlite:out.db", table: vectors, key: [n, chunk]}
  lines: {uses: store, from: long, with: {to: long.jsonl}}
  table: {uses: store, from: short, with: {to: short.csv, columns: [n, text]}}
"#;

/// Texts that are asked about at once, at most.
const AT_ONCE: u64 = 8 + 2 * 8;
/// Calls that reach the model before a kill, at most.
const BETWEEN: usize = 16;
/// Calls that it answers beyond, at most.
const BEYOND: usize = 6;
/// Rows for each kill, so that there is always a call left without which no run ends.
const ROWS: u64 = 24;

fn folder(rows: u64) -> Folder {
    let folder = Folder::new();
    folder.file("calls.yaml", PIPELINE);
    let row = |n| {
        let text = format!("Row number w{n} is here.\n\nRow number w{n} was there.");
        format!("{}\n", json!({"n": n, "text": text}))
    };
    folder.file("rows.jsonl", (0..rows).map(row).collect::<String>());
    folder
}

/// A run that goes on.
fn start(folder: &Folder, server: &ModelServer) -> Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flow"));
    command.current_dir(folder.path(".")).args(["run", "calls.yaml", "--url", &server.url()]);
    command.env("FLOW_STATE", folder.path(".state"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary")
}

fn lives(child: &mut Child) -> bool {
    child.try_wait().expect("a status").is_none()
}

/// Waits for something, then a little longer, and kills the run. Says whether it still lived.
fn kill(mut child: Child, random: &mut fastrand::Rng, is_time: impl Fn() -> bool) -> bool {
    while !is_time() && lives(&mut child) {
        std::thread::yield_now();
    }
    for _ in 0..random.usize(0..100) {
        std::thread::yield_now();
    }
    let lived = lives(&mut child);
    child.kill().expect("killed, or gone");
    child.wait().expect("an end");
    lived
}

/// What a run to the end says of itself.
fn run(folder: &Folder, server: &ModelServer) -> Value {
    let answer = folder.flow(&format!("run calls.yaml --json --url {}", server.url()));
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    serde_json::from_str(&answer.out).expect("a report")
}

/// What is stored, in canonical order.
fn stored(folder: &Folder) -> Vec<String> {
    let database = Connection::open(folder.path("out.db")).expect("the database");
    let lines = folder.read("long.jsonl") + &folder.read("short.csv");
    let mut all: Vec<String> = lines.lines().map(str::to_owned).collect();
    for table in ["words", "vectors"] {
        let mut query = database.prepare(&format!("SELECT * FROM {table}")).expect("a table");
        let columns = query.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let values: Result<Vec<Sql>, _> = (0..columns).map(|at| row.get(at)).collect();
            Ok(format!("{table}: {:?}", values?))
        };
        let rows = query.query_map([], row).expect("rows");
        all.extend(rows.map(|row| row.expect("a row")));
    }
    all.sort();
    all
}

/// How often each text was asked about.
fn texts(asked: &Asked) -> BTreeMap<String, u64> {
    asked.lock().expect("the model").clone()
}

/// The fates that the ledger has of a run, by node, must add up to the run's account.
fn assert_balanced(folder: &Folder, report: &Value) {
    let ledger = Connection::open(folder.path(".flow/ledger.db")).expect("the ledger");
    let count = |node: &Value, fate: &str| -> u64 {
        let sql = "SELECT count(*) FROM fates JOIN nodes ON nodes.run = fates.run AND \
                   nodes.place = fates.node WHERE fates.run = (SELECT max(run) FROM runs) AND \
                   nodes.node = ?1 AND fate = ?2";
        let row = |row: &rusqlite::Row<'_>| row.get(0);
        ledger.query_row(sql, [node.as_str().expect("a name"), fate], row).expect("a count")
    };
    let nodes = report["nodes"].as_array().expect("nodes");
    let noted = ["found", "pieces", "vectors", "words", "numbers", "lines", "table"];
    for node in nodes.iter().filter(|node| noted.contains(&node["node"].as_str().unwrap_or(""))) {
        let passed = count(&node["node"], "passed") + count(&node["node"], "written");
        assert_eq!(json!(passed), node["in"], "{node}");
        assert_eq!(json!(passed), node["passed"], "{node}");
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// `FLOW_KILLS=100 FLOW_SEED=7 cargo test --test cli killed -- --nocapture` for the long version.
#[test]
fn a_run_that_is_killed_again_and_again_ends_as_an_unbroken_one() {
    let (kills, seed) = (number("FLOW_KILLS", 6), number("FLOW_SEED", 1));
    let (server, asked) = model();
    let unbroken = folder(kills * ROWS);
    run(&unbroken, &server);
    let needed = texts(&asked);
    assert_eq!(needed.len() as u64, kills * ROWS * 5 / 2);
    assert!(needed.values().all(|times| *times == 1));

    let stop = Arc::new(AtomicUsize::new(0));
    let (server, asked) = model_until(Arc::clone(&stop));
    let broken = folder(kills * ROWS);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut killed = 0;
    // While the model works: when it has been asked so often.
    for _ in 0..kills - kills / 3 {
        let until = server.calls() + random.usize(1..BETWEEN);
        stop.store(until + random.usize(0..BEYOND), Ordering::SeqCst);
        let lived = kill(start(&broken, &server), &mut random, || server.calls() >= until);
        killed += u64::from(lived);
    }
    // While it goes over what is known, and before it can learn more.
    for _ in 0..kills / 3 {
        stop.store(server.calls(), Ordering::SeqCst);
        let begun = broken.path(&format!(".flow/run-{}.lock", killed + 1));
        let lived = kill(start(&broken, &server), &mut random, || begun.exists());
        killed += u64::from(lived);
    }
    let words = format!("seed {seed}, {killed} of {kills} kills met a living run");
    assert_eq!(killed, kills, "{words}");
    stop.store(usize::MAX, Ordering::SeqCst);
    let report = run(&broken, &server);
    assert_eq!(stored(&broken), stored(&unbroken), "{words}");
    assert_balanced(&broken, &report);
    assert_balanced(&unbroken, &report);
    let again = texts(&asked);
    assert!(again.keys().eq(needed.keys()), "{words}");
    let repeated = again.values().sum::<u64>() - again.len() as u64;
    println!("{words}: {repeated} texts of {} asked about again", again.len());
    assert!(repeated <= killed * AT_ONCE, "{words}: {repeated}");
    let runs: Value =
        serde_json::from_str(&broken.flow("runs --json --most 1000").out).expect("runs");
    let runs = runs.as_array().expect("runs");
    let were_killed = runs.iter().filter(|run| run["standing"] == "killed").count();
    assert_eq!((were_killed as u64, runs.len() as u64), (killed, killed + 1), "{words}");
}
