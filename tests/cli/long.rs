//! Long runs: what they say in their log, and that nothing that changes meanwhile changes them.

use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::folder::{Folder, answer};
use crate::model_server::{ModelServer, Reply};

const PIPELINE: &str = r#"flow: long
params:
  url: {type: string}
secrets:
  LOOPBACK_KEY: {env: LOOPBACK_KEY}
models:
  chat: {provider: openai, base_url: "{{ params.url }}", model: chat, key: LOOPBACK_KEY}
stages:
  rows: {uses: read, with: {path: rows.jsonl}}
  found:
    uses: extract
    from: rows
    parallelism: 1
    retry: 1
    backoff: 1ms..2ms
    with: {model: chat, schema: words.yaml, prompt: prompt.md, attempts: 1, carry: [n]}
  saved: {uses: store, from: found, with: {to: out/words.jsonl, columns: [n, name]}}
"#;
const KEY: &str = "sk-loopback-0123456789";

fn folder(rows: u32) -> Folder {
    let folder = Folder::new();
    folder.file("long.yaml", PIPELINE);
    folder.file("words.yaml", "kinds:\n  word: {description: A word.}\n");
    folder.file("prompt.md", "Find the words.\n");
    let rows = (0..rows).map(|n| format!("{}\n", json!({"n": n, "text": format!("Here is w{n}")})));
    folder.file("rows.jsonl", rows.collect::<String>());
    folder
}

fn found(text: &str) -> Reply {
    let word = text.rsplit(' ').next().expect("a word");
    let entity = json!({"kind": "word", "name": word, "quote": text, "confidence": 1});
    Reply::content(&json!({"entities": [entity]}).to_string())
}

fn text_of(body: &serde_json::Value) -> String {
    let said = body["messages"][1]["content"].as_str().expect("a text");
    said.rsplit("\n\n").next().expect("a text").to_owned()
}

#[test]
fn a_run_has_a_log_that_tells_what_happened_and_no_secret() {
    let server = ModelServer::start(|nth, body| {
        let text = text_of(body);
        let reply = match nth {
            0 => Reply::error_with(429, "slowly", "retry-after", "1"),
            _ if text.contains("w3") => Reply::error(400, &format!("bad\nkey {KEY}")),
            _ => found(&text),
        };
        (Duration::ZERO, reply)
    });
    let folder = folder(5);
    let mut run = folder.command(&format!("run long.yaml --url {}", server.url()));
    let run = answer(run.env("LOOPBACK_KEY", KEY));
    assert_eq!(run.code, 0, "{}", run.err);
    let log = folder.flow("logs");
    assert_eq!((log.code, log.err.as_str()), (0, ""));
    for line in [
        "INFO the run begins run=1 file=\"long.yaml\" pipeline=\"long\"",
        "INFO the server asks for patience url=",
        "INFO rejected node=\"found\" from=\"rows.jsonl\" line=4 reason=",
        "INFO counted node=\"found\" in=5 passed=4 filtered=0 rejected=1 pending=0 out=4",
        "INFO the run ends took=",
    ] {
        assert_eq!(log.out.matches(line).count(), 1, "{line}: {}", log.out);
    }
    assert!(!log.out.contains(KEY) && log.out.contains("***"), "{}", log.out);
    assert!(log.out.lines().all(|line| line.starts_with("20")), "a line is a line: {}", log.out);
    assert_eq!(folder.flow("logs 1 --in .").out, log.out);
    let strict = format!("run long.yaml --url {} --set stages.found.max_failures=0", server.url());
    assert_eq!(answer(folder.command(&strict).env("LOOPBACK_KEY", KEY)).code, 3);
    let broken = folder.flow("logs").out;
    let line = "WARN the run ends before its time node=\"found\" why=";
    assert!(broken.contains("INFO the run begins run=2") && broken.contains(line), "{broken}");
    let missing = folder.flow("logs 3");
    assert_eq!(missing.code, 2);
    std::fs::remove_file(folder.path(".flow/logs/1.log")).expect("a log");
    let missing = folder.flow("logs 1");
    assert!(missing.err.contains("run 1 has no log any more"), "{}", missing.err);
}

/// Starts a run and waits until a call of it hangs at the server.
fn held(folder: &Folder, server: &ModelServer) -> Child {
    let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_flow"));
    run.current_dir(folder.path(".")).args(["run", "long.yaml", "--url", &server.url()]);
    run.env("LOOPBACK_KEY", KEY).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = run.spawn().expect("flow starts");
    while server.calls() == 0 && run.try_wait().expect("a status").is_none() {
        std::thread::yield_now();
    }
    run
}

#[test]
fn a_log_is_followed_until_its_run_ends() {
    let server = ModelServer::start(|_, _| (Duration::ZERO, Reply::Hang));
    let folder = folder(1);
    let mut run = held(&folder, &server);
    let mut follow = std::process::Command::new(env!("CARGO_BIN_EXE_flow"));
    follow.current_dir(folder.path(".")).args(["logs", "--follow"]);
    let follow = follow.stdout(Stdio::piped()).spawn().expect("flow starts");
    run.kill().expect("killed");
    run.wait().expect("an end");
    let output = follow.wait_with_output().expect("an end");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
}

#[test]
fn what_is_edited_during_a_run_changes_the_next_one() {
    let folder = Arc::new(folder(3));
    let (asked, now) = (Arc::new(Mutex::new(Vec::new())), Arc::downgrade(&folder));
    let seen = Arc::clone(&asked);
    let server = ModelServer::start(move |nth, body| {
        let folder = now.upgrade().expect("the folder");
        if nth == 0 {
            folder.file("long.yaml", "flow: another\n");
            folder.file("words.yaml", "kinds:\n  place: {description: A place.}\n");
            folder.file("prompt.md", "Find the places.\n");
        }
        seen.lock().expect("no panic").push(body["messages"].to_string());
        (Duration::ZERO, found(&text_of(body)))
    });
    let run = || {
        let mut run = folder.command(&format!("run long.yaml --url {}", server.url()));
        answer(run.env("LOOPBACK_KEY", KEY))
    };
    let first = run();
    assert_eq!((first.code, server.calls()), (0, 3), "{}", first.err);
    for asked in asked.lock().expect("no panic").drain(..) {
        assert!(asked.contains("Find the words.") && !asked.contains("place"), "{asked}");
    }
    assert_eq!(folder.read("out/words.jsonl").lines().count(), 3);
    assert_eq!(folder.flow("show last --file-text").out, PIPELINE);
    folder.file("long.yaml", PIPELINE);
    assert_eq!(run().code, 0);
    let asked = asked.lock().expect("no panic");
    assert!(asked.len() == 3 && asked.iter().all(|asked| asked.contains("Find the places.")));
}

#[test]
fn a_run_takes_as_long_as_it_takes_whatever_is_done_to_the_clock() {
    let folder = Folder::small();
    assert_eq!(folder.flow("run small.yaml").code, 0);
    let before = folder.flow("runs").out;
    let ledger = rusqlite::Connection::open(folder.path(".flow/ledger.db")).expect("the ledger");
    for sql in [
        "UPDATE runs SET ended = started - 3600000",
        "UPDATE runs SET ended = started + 36000000000000",
    ] {
        ledger.execute(sql, []).expect("a run");
        assert_eq!(folder.flow("runs").out, before, "{sql}");
        assert_eq!(folder.flow("show 1").code, 0, "{sql}");
    }
}
