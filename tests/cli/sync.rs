//! Stores that follow their input, and the rejects of runs that are not whole.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::model_server::{ModelServer, Reply};

const PIPELINE: &str = r#"flow: notes
stages:
  rows:
    uses: read
    with: {path: "data/*.jsonl"}
  big:
    uses: filter
    from: rows
    with: {where: n >= 2}
  saved:
    uses: store
    from: big
    with: {to: "sqlite:out/notes.db", key: name, sync: true}
  dead:
    uses: store
    from: rows.failed
    with: {to: out/dead.jsonl}
"#;

/// Four files of a row each.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.file("notes.yaml", PIPELINE);
    for name in ["a", "b", "c", "d"] {
        row(&folder, name, 2);
    }
    folder
}

fn row(folder: &Folder, name: &str, n: u32) {
    folder.file(&format!("data/{name}.jsonl"), format!("{{\"name\": \"{name}\", \"n\": {n}}}\n"));
}

fn stored(folder: &Folder) -> String {
    let database = Connection::open(folder.path("out/notes.db")).expect("the database");
    let sql = "SELECT group_concat(name || n, ' ') FROM (SELECT * FROM saved ORDER BY name)";
    database
        .query_row(sql, [], |row| row.get::<_, Option<String>>(0))
        .expect("rows")
        .unwrap_or_default()
}

#[test]
fn a_row_whose_input_was_deleted_is_removed_and_counted() {
    let folder = folder();
    let answer = folder.flow("run notes.yaml");
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.out.contains("out/notes.db, table saved  4 records\n"), "{}", answer.out);
    std::fs::remove_file(folder.path("data/a.jsonl")).expect("a file");
    row(&folder, "b", 3);
    row(&folder, "c", 1);
    row(&folder, "e", 2);
    let answer = folder.flow("run notes.yaml --report report.json");
    assert_eq!(answer.code, 0, "{}", answer.err);
    let line = "out/notes.db, table saved  3 records, 2 rows removed\n";
    assert!(answer.out.contains(line), "{}", answer.out);
    assert_eq!(stored(&folder), "b3 d2 e2");
    let report: Value = serde_json::from_str(&folder.read("report.json")).expect("JSON");
    assert_eq!(report["written"][0]["removed"], 2);
    let answer = folder.flow("run notes.yaml");
    assert!(answer.out.contains("table saved  3 records\n"), "{}", answer.out);
}

#[test]
fn a_row_whose_record_is_rejected_stays() {
    let folder = folder();
    folder.flow("run notes.yaml");
    folder.file("data/a.jsonl", "not json\n");
    std::fs::remove_file(folder.path("data/b.jsonl")).expect("a file");
    let answer = folder.flow("run notes.yaml");
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!(stored(&folder), "a2 c2 d2");
    let kept = "table saved: 1 row of earlier runs kept, as records of its input failed\n";
    assert!(answer.out.contains(kept), "{}", answer.out);
}

#[test]
fn nothing_is_removed_when_nothing_comes_to_be_stored() {
    let folder = folder();
    folder.flow("run notes.yaml");
    let strict = ["--set", "stages.big.with.where=n > 9"];
    let answer = crate::folder::answer(folder.command("run notes.yaml").args(strict));
    assert_eq!(answer.code, 1, "{}", answer.out);
    let message = "error: `saved`: nothing came to be stored, and `sync` would remove all 4 rows";
    assert!(answer.err.starts_with(message), "{}", answer.err);
    assert!(answer.err.contains("set `allow_empty: true`"), "{}", answer.err);
    assert_eq!(stored(&folder), "a2 b2 c2 d2");
    let allowed = "run notes.yaml --set stages.saved.with.allow_empty=true";
    let answer = crate::folder::answer(folder.command(allowed).args(strict));
    assert_eq!((answer.code, stored(&folder).as_str()), (0, ""), "{}", answer.err);
    assert!(answer.out.contains("0 records, 4 rows removed\n"), "{}", answer.out);
}

#[test]
fn records_that_take_each_others_place_are_told_of() {
    let folder = folder();
    folder.file("data/e.jsonl", "{\"name\": \"a\", \"n\": 7}\n{\"name\": \"a\", \"n\": 8}\n");
    let answer = folder.flow("run notes.yaml");
    let told = "table saved: 2 records took the place of another: name \"a\"\n";
    assert!(answer.out.contains(told), "{}", answer.out);
    assert_eq!(stored(&folder), "a8 b2 c2 d2");
}

#[test]
fn rejects_of_a_run_that_is_not_whole_leave_those_of_the_last_whole_one() {
    let folder = folder();
    folder.file("data/e.jsonl", "no\n");
    assert_eq!(folder.flow("run notes.yaml").code, 0);
    let whole = folder.read("out/dead.jsonl");
    assert_eq!(whole.lines().count(), 1);
    folder.file("data/e.jsonl", "no\nno\nno\n");
    let answer = folder.flow("run notes.yaml --set stages.rows.max_failures=1");
    assert_eq!(answer.code, 3, "{}", answer.err);
    assert!(answer.out.contains("  out/dead.partial.jsonl"), "{}", answer.out);
    assert_eq!(folder.read("out/dead.jsonl"), whole);
    assert!(folder.read("out/dead.partial.jsonl").lines().count() > 1);
    assert_eq!(stored(&folder), "a2 b2 c2 d2", "what is not seen has not vanished");
    assert_eq!(folder.flow("run notes.yaml").code, 0);
    assert_eq!(folder.read("out/dead.jsonl").lines().count(), 3);
    assert!(!folder.path("out/dead.partial.jsonl").exists());
}

/// A pipeline that asks a model about each row and keeps its store in sync.
const ASKED: &str = r#"flow: asked
params:
  url: {type: string}
  input: {type: string, default: rows.jsonl}
models:
  chat: {provider: openai, base_url: "{{ params.url }}", model: chat}
schemas:
  words: {kinds: {word: {description: A word.}}}
defaults: {timeout: 20s, backoff: 1ms..5ms}
stages:
  rows: {uses: read, with: {path: "{{ params.input }}"}}
  found: {uses: extract, from: rows, parallelism: 8, with: {model: chat, schema: words, carry: [n]}}
  saved:
    uses: store
    from: found
    batch_size: 3
    with: {to: "sqlite:out/words.db", table: "{{ kind }}", key: [n, name], sync: true}
  file: {uses: store, from: found, with: {to: out/words.jsonl, columns: [n, name]}}
"#;

/// Finds the last word; cannot read what holds `unreadable` unless it is told to.
fn model(reads: &Arc<AtomicBool>) -> ModelServer {
    let reads = Arc::clone(reads);
    ModelServer::start(move |nth, body| {
        let said = body["messages"][1]["content"].as_str().expect("a text");
        let text = said.rsplit("\n\n").next().expect("a text");
        let wait = Duration::from_millis(2 + (nth as u64 * 7) % 11);
        if text.contains("unreadable") && !reads.load(Ordering::SeqCst) {
            return (wait, Reply::error(400, "unreadable"));
        }
        let word = text.rsplit(' ').next().expect("a word");
        let entity = json!({"kind": "word", "name": word, "quote": text, "confidence": 1});
        (wait, Reply::content(&json!({"entities": [entity]}).to_string()))
    })
}

/// Rows of these numbers with these last words.
fn asked(rows: impl Iterator<Item = (u32, String)>) -> String {
    let row =
        |(n, word)| format!("{}\n", json!({"n": n, "text": format!("Row {n} ends on {word}")}));
    rows.map(row).collect()
}

fn words(folder: &Folder) -> Vec<String> {
    let database = Connection::open(folder.path("out/words.db")).expect("the database");
    let mut all = Vec::new();
    for sql in [
        "SELECT n || name FROM word ORDER BY 1",
        "SELECT \"table\" || key FROM _flow_rows WHERE run = (SELECT max(run) FROM _flow_rows) \
         ORDER BY 1",
    ] {
        let mut query = database.prepare(sql).expect("a table");
        let rows = query.query_map([], |row| row.get::<_, String>(0)).expect("rows");
        all.extend(rows.map(|row| row.expect("a row")));
    }
    all
}

#[test]
fn rows_that_vanished_go_after_any_kills() {
    let server = model(&Arc::default());
    let line = format!("run asked.yaml --url {}", server.url());
    let before = asked((0_u32..120).map(|n| (n, format!("w{n}"))));
    // Every fifth is gone, every seventh says something else, some are new.
    let changed = |n: u32| if n.is_multiple_of(7) { format!("x{n}") } else { format!("w{n}") };
    let after = asked((0_u32..150).filter(|n| !n.is_multiple_of(5)).map(|n| (n, changed(n))));
    let folder = |rows: &str| {
        let folder = Folder::new();
        folder.file("asked.yaml", ASKED);
        folder.file("rows.jsonl", rows);
        folder
    };
    let unbroken = folder(&after);
    assert_eq!(unbroken.flow(&line).code, 0);

    let broken = folder(&before);
    assert_eq!(broken.flow(&line).code, 0);
    broken.file("rows.jsonl", &after);
    let first = server.calls();
    let mut killed = 0;
    for after in [1, 3, 9, 11, 9] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flow"));
        command.current_dir(broken.path(".")).args(line.split(' '));
        let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = silent.spawn().expect("the binary");
        let until = server.calls() + after;
        while server.calls() < until && child.try_wait().expect("a status").is_none() {
            std::thread::yield_now();
        }
        killed += usize::from(child.try_wait().expect("a status").is_none());
        child.kill().expect("killed, or gone");
        child.wait().expect("an end");
    }
    let answer = broken.flow(&format!("{line} --report report.json"));
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(killed > 0);
    assert_eq!(words(&broken), words(&unbroken));
    let report: Value = serde_json::from_str(&broken.read("report.json")).expect("JSON");
    // 24 rows went and 14 have another key now.
    assert_eq!(report["written"][0]["removed"], 24 + 14, "{}", answer.out);
    // 24 rows are new and 14 differ; at most the calls in flight are made again.
    let calls = server.calls() - first;
    assert!((38..=38 + killed * 8).contains(&calls), "{calls} calls, {killed} kills");
}

#[test]
fn two_runs_at_once_do_not_remove_each_others_rows() {
    let folder = Folder::new();
    folder.file("asked.yaml", ASKED);
    folder.file("a.jsonl", asked([(1, "a".to_owned())].into_iter()));
    folder.file("b.jsonl", asked([(2, "b".to_owned())].into_iter()));
    let (free, held) =
        (model(&Arc::default()), ModelServer::start(|_, _| (Duration::ZERO, Reply::Hang)));
    let second = format!("run asked.yaml --url {} --input b.jsonl", free.url());
    let mut first = std::process::Command::new(env!("CARGO_BIN_EXE_flow"));
    first.current_dir(folder.path("."));
    first.args(["run", "asked.yaml", "--url", &held.url(), "--input", "a.jsonl"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("flow");
    while held.calls() == 0 && first.try_wait().expect("a status").is_none() {
        std::thread::yield_now();
    }
    let refused = folder.flow(&second);
    first.kill().expect("killed, or gone");
    first.wait().expect("an end");
    assert_eq!(refused.code, 1, "{}", refused.out);
    let message = "error: `saved`: another run of this node keeps `sqlite:out/words.db` in sync";
    assert!(refused.err.starts_with(message), "{}", refused.err);
    assert_eq!(free.calls(), 0, "nothing is paid");
    assert_eq!(folder.flow(&second).code, 0, "the end of the process ends its claim");
    let mut left: Vec<String> = std::fs::read_dir(folder.path("out"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["words.db", "words.jsonl"]);
}

#[test]
fn a_retry_that_leaves_nothing_behind_is_whole() {
    let reads = Arc::default();
    let server = model(&reads);
    let line = format!("run asked.yaml --url {}", server.url());
    let folder = Folder::new();
    folder.file("asked.yaml", ASKED);
    let row = |n, word: &str| (n, word.to_owned());
    let three = [row(1, "one"), row(2, "unreadable"), row(3, "three")];
    folder.file("rows.jsonl", asked(three.clone().into_iter()));
    assert_eq!(folder.flow(&line).code, 0);
    let file = |name| folder.read(name).lines().count();
    assert_eq!(file("out/words.jsonl"), 2);
    reads.store(true, Ordering::SeqCst);
    folder.file("rows.jsonl", asked(three.clone().into_iter().chain([row(4, "four")])));
    let part = folder.flow(&format!("{line} --only-failed"));
    assert_eq!(part.code, 0, "{}", part.err);
    assert!(
        part.out.contains("not written, as the run is not whole: out/words.jsonl"),
        "{}",
        part.out
    );
    assert_eq!((file("out/words.jsonl"), words(&folder).len()), (2, 2 * 3));
    folder.file("rows.jsonl", asked(three.into_iter().skip(1)));
    let whole = folder.flow(&format!("{line} --only-failed"));
    assert!(whole.out.contains("table word  2 records, 1 row removed\n"), "{}", whole.out);
    assert_eq!(file("out/words.jsonl"), 2);
    assert_eq!(words(&folder)[..2], ["2unreadable", "3three"]);
}
