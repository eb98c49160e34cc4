//! Runs of what has changed, or has not: nothing is paid twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::folder::{Answer, Folder};
use crate::model_server::{ModelServer, Reply};

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
  found: {uses: extract, from: odd, parallelism: 8, with: {model: chat, schema: words, carry: [n]}}
  vectors: {uses: embed, from: rows, parallelism: 2, batch_size: 8, with: {model: vectors}}
  long: {uses: filter, from: found, with: {where: n > 20}}
  words:
    uses: store
    from: found
    batch_size: 5
    with: {to: "sqlite:out.db", table: words, key: id}
  numbers:
    uses: store
    from: vectors
    with: {to: "sqlite:out.db", table: vectors, key: n, columns: [n, text, embedding]}
  file: {uses: store, from: long, with: {to: long.jsonl}}
"#;

/// What a model was asked: each text, and how often.
pub(crate) type Asked = Arc<Mutex<BTreeMap<String, u64>>>;

/// A model that finds the third word of each text and makes vectors of lengths.
pub(crate) fn model() -> (ModelServer, Asked) {
    model_until(Arc::new(AtomicUsize::new(usize::MAX)))
}

/// The same; calls from that number on get no answer.
pub(crate) fn model_until(stop: Arc<AtomicUsize>) -> (ModelServer, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let server = ModelServer::start(move |nth, body| {
        let mut asked = seen.lock().expect("the model");
        let answers = nth < stop.load(Ordering::SeqCst);
        let millis = if answers { 5 + (nth as u64 * 7) % 23 } else { 3_600_000 };
        let wait = Duration::from_millis(millis);
        if let Some(texts) = body["input"].as_array() {
            let texts: Vec<&str> = texts.iter().filter_map(Value::as_str).collect();
            for text in &texts {
                *asked.entry(format!("vector of {text}")).or_default() += 1;
            }
            let one =
                |(at, text): (usize, &&str)| json!({"index": at, "embedding": [text.len(), 0.1]});
            let data: Vec<Value> = texts.iter().enumerate().map(one).collect();
            return (wait, Reply::json(&json!({"data": data, "usage": {"prompt_tokens": 9}})));
        }
        let said = body["messages"][1]["content"].as_str().expect("a text");
        let text = said.rsplit("\n\n").next().expect("a text");
        *asked.entry(text.to_owned()).or_default() += 1;
        let word = text.split(' ').nth(2).expect("a third word");
        let entity = json!({"kind": "word", "name": word, "quote": text, "confidence": 1});
        (wait, Reply::content(&json!({"entities": [entity]}).to_string()))
    });
    (server, asked)
}

fn rows(range: std::ops::Range<u32>) -> String {
    let rows = range
        .map(|n| format!("{}\n", json!({"n": n, "text": format!("Row number w{n} is here.")})));
    rows.collect()
}

fn folder(rows: &str) -> Folder {
    let folder = Folder::new();
    folder.file("calls.yaml", PIPELINE);
    folder.file("rows.jsonl", rows);
    folder
}

fn run(folder: &Folder, server: &ModelServer, more: &str) -> Answer {
    let answer = folder.flow(&format!("run calls.yaml --url {} {more}", server.url()));
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    answer
}

/// What is stored, in canonical order.
fn stored(folder: &Folder) -> Vec<String> {
    let database = Connection::open(folder.path("out.db")).expect("the database");
    let mut all: Vec<String> = folder.read("long.jsonl").lines().map(str::to_owned).collect();
    for sql in [
        "SELECT n, id, name, quote, start FROM words",
        "SELECT n, text, embedding, 0, 0 FROM vectors",
    ] {
        let mut query = database.prepare(sql).expect("a table");
        let rows = query.query_map([], |row| {
            let values: Result<Vec<rusqlite::types::Value>, _> =
                (0..5).map(|at| row.get(at)).collect();
            Ok(format!("{:?}", values?))
        });
        all.extend(rows.expect("rows").map(|row| row.expect("a row")));
    }
    all.sort();
    all
}

#[test]
fn only_what_changed_is_asked_again() {
    let (server, asked) = model();
    let asked = || std::mem::take(&mut *asked.lock().expect("the model"));
    let folder = folder(&rows(0..40));
    run(&folder, &server, "");
    assert_eq!(asked().len(), 60);
    let before = stored(&folder);
    // Nothing changed but what does not matter.
    let file = PIPELINE.replace("parallelism: 8", "parallelism: 3").replace("found", "finds");
    folder.file("calls.yaml", file.replace("stages:", "# a remark\nstages:"));
    let answer = run(&folder, &server, "");
    assert_eq!((asked().len(), stored(&folder)), (0, before));
    assert!(answer.out.contains("reused"), "{}", answer.out);
    // The plan knows it.
    let planned = |more: &str| -> Value {
        let line = format!("plan calls.yaml --format json --url {} {more}", server.url());
        let plan: Value = serde_json::from_str(&folder.flow(&line).out).expect("a plan");
        let nodes = plan["prediction"]["nodes"].as_array().expect("nodes").clone();
        nodes.iter().map(|node| json!([node["need"]["calls"], node["need"]["reused"]])).collect()
    };
    assert_eq!(planned(""), json!([[0, 20], [0, 40]]));
    assert_eq!(planned("--fresh"), json!([[20, 0], [5, 0]]));
    // One row edited, one added.
    folder.file("calls.yaml", PIPELINE);
    let plan = folder.flow(&format!("plan calls.yaml --fresh --url {}", server.url())).out;
    assert!(plan.contains("as of 20 earlier calls"), "{plan}");
    let edited = rows(0..41).replace("number w7 is", "number w7 was") + &rows(41..42);
    folder.file("rows.jsonl", edited);
    assert_eq!(planned(""), json!([[2, 19], [2, 39]]));
    run(&folder, &server, "");
    let again = asked();
    let expected = ["Row number w41 is here.", "Row number w7 was here."];
    let chats: Vec<&String> = again.keys().filter(|text| !text.starts_with("vector")).collect();
    assert_eq!(chats, expected);
    assert_eq!(again.len(), 2 + 3);
    // Another prompt, or on request.
    folder.file(
        "calls.yaml",
        PIPELINE.replace("schema: words,", "schema: words, instructions: Be brief.,"),
    );
    run(&folder, &server, "");
    assert_eq!(asked().len(), 21);
    run(&folder, &server, "--fresh");
    assert_eq!(asked().len(), 21 + 42);
    run(&folder, &server, "--state none");
    assert_eq!(asked().len(), 21 + 42);
    run(&folder, &server, "");
    assert_eq!(asked().len(), 0);
}

#[test]
fn what_is_reused_waits_for_no_limit() {
    let (server, asked) = model();
    let folder = folder(&rows(0..40));
    run(&folder, &server, "");
    let slow = PIPELINE
        .replace("schemas:", "limits: {slow: {requests: 1/h}}\nschemas:")
        .replace("parallelism: 8,", "parallelism: 8, limit: slow,");
    folder.file("calls.yaml", slow);
    let line = format!("run calls.yaml --report r.json --url {}", server.url());
    let answer = folder.flow(&line);
    let report: Value = serde_json::from_str(&folder.read("r.json")).expect("a report");
    let found = &report["nodes"][2];
    assert_eq!((answer.code, &found["usage"]["reused"]), (0, &json!(20)), "{}", answer.err);
    assert_eq!(found["waits"]["limit"], json!({"secs": 0, "nanos": 0}));
    assert!(asked.lock().expect("the model").values().all(|times| *times == 1));
}

#[test]
fn a_text_that_comes_twice_at_once_is_asked_about_once() {
    let server = ModelServer::start(|nth, _| {
        let busy = nth < 2;
        let reply = Reply::content("{\"entities\": []}");
        let reply = if busy { Reply::error(503, "busy") } else { reply };
        (Duration::from_millis(30), reply)
    });
    let folder = folder(&rows(1..2).repeat(20));
    let file = PIPELINE
        .replace("from: rows, parallelism: 2", "from: rows, when: false, parallelism: 2")
        .replace("timeout: 20s", "timeout: 20s, backoff: 1ms..5ms");
    folder.file("calls.yaml", file);
    let answer = folder.flow(&format!("run calls.yaml --report r.json --url {}", server.url()));
    let report: Value = serde_json::from_str(&folder.read("r.json")).expect("a report");
    let found = &report["nodes"][2];
    assert_eq!((answer.code, server.calls(), &found["filtered"]), (0, 3, &json!(20)));
    assert_eq!(found["usage"]["reused"], 19, "{}", answer.out);
}

#[test]
fn what_the_model_of_a_later_step_has_answered_is_not_asked_again() {
    let server = ModelServer::start(|_, body| {
        let reply = match body["model"].as_str() {
            Some("chat") => Reply::error(500, "no"),
            _ => Reply::content("{\"entities\": []}"),
        };
        (Duration::ZERO, reply)
    });
    let folder = folder(&rows(1..9));
    let larger = "  larger: {provider: openai, base_url: \"{{ params.url }}\", model: larger}\n";
    let file = PIPELINE
        .replace("from: rows, parallelism: 2", "from: rows, when: false, parallelism: 2")
        .replace("timeout: 20s", "timeout: 20s, backoff: 1ms..5ms")
        .replace("schemas:", &format!("{larger}schemas:"))
        .replace("parallelism: 8,", "parallelism: 8, on_retry: [{model: larger}],");
    folder.file("calls.yaml", file);
    run(&folder, &server, "");
    assert_eq!(server.calls(), 8);
    let plan = format!("plan calls.yaml --format json --url {}", server.url());
    let plan: Value = serde_json::from_str(&folder.flow(&plan).out).expect("a plan");
    let need = &plan["prediction"]["nodes"][0]["need"];
    assert_eq!((&need["calls"], &need["reused"]), (&json!(0), &json!(4)));
    run(&folder, &server, "");
    assert_eq!(server.calls(), 8, "nothing is asked in a second run");
}

#[test]
fn only_the_windows_that_failed_are_asked_in_the_next_run() {
    let (good, mood) = (Arc::new(AtomicBool::new(false)), Reply::content("{\"entities\": []}"));
    let now = Arc::clone(&good);
    let server = ModelServer::start(move |_, body| {
        let asked = body["messages"].to_string().contains("word150 ");
        let bad = asked && !now.load(Ordering::SeqCst);
        (Duration::ZERO, if bad { Reply::error(400, "no") } else { mood.clone() })
    });
    let folder = Folder::new();
    let text: Vec<String> = (0..300).map(|n| format!("word{n} is here.")).collect();
    folder.file("rows.jsonl", json!({"n": 1, "text": text.join(" ")}).to_string());
    let file = PIPELINE
        .replace("from: rows, parallelism: 2", "from: rows, when: false, parallelism: 2")
        .replace("schema: words,", "schema: words, window: 150, overlap: 0,");
    folder.file("calls.yaml", file);
    let first = run(&folder, &server, "");
    let calls = server.calls();
    assert!(first.out.contains("HTTP 400") && calls > 5, "{calls} {}", first.out);
    good.store(true, Ordering::SeqCst);
    let second = run(&folder, &server, "");
    assert_eq!(server.calls(), calls + 1, "{}", second.out);
    assert!(!second.out.contains("HTTP 400"), "{}", second.out);
}

#[test]
fn answers_of_no_use_are_not_kept() {
    let server = ModelServer::start(|nth, _| {
        let said = if nth < 3 { "I would rather not." } else { "{\"entities\": []}" };
        (Duration::ZERO, Reply::content(said))
    });
    let folder = folder(&rows(1..2));
    let file =
        PIPELINE.replace("from: rows, parallelism: 2", "from: rows, when: false, parallelism: 2");
    folder.file("calls.yaml", file);
    let first = run(&folder, &server, "");
    assert!(first.out.contains("of no use"), "{}", first.out);
    assert_eq!(server.calls(), 3);
    run(&folder, &server, "");
    assert_eq!(server.calls(), 4, "the record that was rejected is tried again");
    run(&folder, &server, "");
    assert_eq!(server.calls(), 4);
}

#[test]
fn the_ledger_is_looked_at_and_emptied() {
    let (server, _) = model();
    let folder = folder(&rows(0..10));
    let nothing = folder.flow("cache stats");
    assert_eq!(nothing.code, 2);
    assert!(nothing.err.contains("no run has been noted"), "{}", nothing.err);
    run(&folder, &server, "");
    let stats = folder.flow("cache stats").out;
    let rows: Vec<&str> = stats.lines().map(str::trim).collect();
    assert!(rows[1].starts_with("found") && rows[1].contains(" 5 "), "{stats}");
    assert!(rows[2].starts_with("vectors") && rows[2].contains(" 10 "), "{stats}");
    assert_eq!(folder.flow("cache prune --to 1GB").out, "0 answers taken away\n");
    assert_eq!(folder.flow("cache clear .").out, "15 answers taken away\n");
    assert_eq!(folder.flow("cache prune --to 5").code, 2);
    folder.file(".flow/ledger.db", "this is no database, however long one looks at it");
    let answer = run(&folder, &server, "");
    assert!(answer.err.contains("the ledger was damaged"), "{}", answer.err);
}

/// Of the edited, the deleted and the added input only two take a call, and the row goes.
#[test]
fn of_two_thousand_inputs_only_those_that_changed_are_asked_about() {
    let (server, asked) = model();
    let asked = || std::mem::take(&mut *asked.lock().expect("the model"));
    let folder = Folder::new();
    let file = PIPELINE
        .replace("path: rows.jsonl", "path: rows/*.json")
        .replace("where: n % 2 == 1", "where: n >= 0")
        .replace("parallelism: 8,", "parallelism: 64,")
        .replace(
            "vectors: {uses: embed, from: rows,",
            "vectors: {uses: embed, from: rows, when: false,",
        )
        .replace("table: words, key: id}", "table: words, key: n, sync: true}");
    folder.file("calls.yaml", &file);
    let row = |n: u32, verb: &str| {
        let text = format!("Row number w{n} {verb} here.");
        folder.file(&format!("rows/{n:04}.json"), json!({"n": n, "text": text}).to_string());
    };
    (0..2000).for_each(|n| row(n, "is"));
    let report = |more: &str| -> Value {
        let answer = run(&folder, &server, &format!("--json {more}"));
        serde_json::from_str(&answer.out).expect("a report")
    };
    let words = |report: &Value| {
        let written = report["written"].as_array().expect("stores");
        let words =
            written.iter().find(|one| one["to"].as_str().is_some_and(|to| to.contains("words")));
        let words = words.expect("the store");
        json!([words["records"], words["removed"].as_u64().unwrap_or(0)])
    };
    let first = report("");
    assert_eq!((asked().len(), words(&first)), (2000, json!([2000, 0])));
    row(7, "was");
    std::fs::remove_file(folder.path("rows/0011.json")).expect("a file");
    row(2000, "is");
    let second = report("");
    assert_eq!(asked().len(), 2);
    assert_eq!(words(&second), json!([2000, 1]));
    let found = &second["nodes"][2];
    let usage = &found["usage"];
    assert_eq!(json!([found["in"], usage["calls"], usage["reused"]]), json!([2000, 2, 1998]));
    let explained = folder.flow("explain --run last found").out;
    let mut counts: Vec<&str> =
        explained.lines().filter_map(|line| line.split_whitespace().next()).collect();
    counts.sort_unstable();
    assert_eq!(counts, ["1", "1", "1,998", "records"], "{explained}");
    // What does not matter, one by one, and what does, of 99 of them.
    let file = file.replace("rows/*.json", "rows/00*.json");
    for (from, to, calls) in [
        ("stages:", "# a remark\nstages:", 0),
        ("found", "finds", 0),
        ("parallelism: 64", "parallelism: 32", 0),
        ("batch_size: 5", "batch_size: 50", 0),
        ("flow: calls", "flow: calls\ntitle: Calls", 0),
        ("A word.", "One word.", 99),
    ] {
        assert!(file.contains(from), "{from}");
        folder.file("calls.yaml", file.replace(from, to));
        report("");
        assert_eq!(asked().len(), calls, "{from} to {to}");
    }
}
