//! A model on loopback that speaks the OpenAI chat wire format: retries, patience, limits, tokens,
//! and every fault with a message that says what happened.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::folder::{Answer, Folder, answer};
use crate::model_server::{ModelServer, Reply};

const PIPELINE: &str = r#"flow: asked
params:
  url: {type: string}
  key: {type: string, default: ""}
secrets:
  LOOPBACK_KEY: {env: LOOPBACK_KEY}
limits:
  loopback: {requests: 600/min, concurrency: 3}
models:
  loopback: {provider: openai, base_url: "{{ params.url }}", model: loopback, limit: loopback, key: LOOPBACK_KEY}
schemas:
  people: {kinds: {person: {description: somebody with a name, fields: {role: string}}}}
stages:
  texts: {uses: read, with: {path: texts.jsonl}}
  people:
    uses: extract
    from: texts
    parallelism: 8
    retry: 2
    backoff: 1ms..5ms
    timeout: 2s
    with: {model: loopback, schema: people}
  saved: {uses: store, from: people, with: {to: people.jsonl}}
  dead: {uses: store, from: people.failed, with: {to: dead.jsonl}}
"#;

/// The content of an answer that finds one person in every text.
fn found() -> String {
    let ada = json!({"kind": "person", "name": "Ada", "quote": "Ada came in.", "confidence": 0.9, "fields": {"role": null}});
    json!({"entities": [ada]}).to_string()
}

/// Runs the pipeline over so many texts against a server.
fn ask(server: &ModelServer, texts: usize, line: &str) -> (Folder, Answer, Value) {
    let folder = Folder::new();
    folder.file("asked.yaml", PIPELINE);
    let rows: Vec<String> = (0..texts)
        .map(|id| json!({"id": id, "text": format!("Ada came in. It was {id}.")}).to_string())
        .collect();
    folder.file("texts.jsonl", rows.join("\n"));
    let mut command = folder
        .command(&format!("run asked.yaml --report report.json --url {} {line}", server.url()));
    let answer = answer(command.env("LOOPBACK_KEY", "s3cret-key").timeout(Duration::from_mins(1)));
    let report = serde_json::from_str(&folder.read("report.json")).expect("a report");
    (folder, answer, report)
}

fn node<'a>(report: &'a Value, name: &str) -> &'a Value {
    let nodes = report["nodes"].as_array().expect("nodes");
    nodes.iter().find(|node| node["node"] == name).expect("the node")
}

#[test]
fn answers_become_entities_and_tokens_are_counted() {
    let server = ModelServer::start(|_, _| (Duration::from_millis(30), Reply::content(&found())));
    let (folder, answer, report) = ask(&server, 12, "");
    assert_eq!(answer.code, 0, "{}", answer.err);
    let lines = folder.read("people.jsonl");
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&first["quote"], &first["start"], &first["end"]),
        (&json!("Ada came in."), &json!(0), &json!(12))
    );
    assert_eq!((lines.lines().count(), server.calls()), (12, 12));
    let usage = &node(&report, "people")["usage"];
    assert_eq!((&usage["calls"], &usage["input_tokens"]), (&json!(12), &json!(1200)));
    assert!(usage["output_tokens"].as_u64() > Some(0), "{usage}");
    assert!(answer.out.contains("tokens"), "{}", answer.out);
    let [waits, latency] = ["waits", "latency"].map(|name| &node(&report, "people")[name]);
    let nanos = |time: &Value| time["secs"].as_u64().zip(time["nanos"].as_u64());
    assert!(nanos(&waits["limit"]) > Some((0, 0)), "{waits}");
    assert_eq!(nanos(&waits["gate"]), Some((0, 0)), "{waits}");
    assert!(nanos(&latency["p50"]) >= Some((0, 25_000_000)), "{latency}");
    assert!(nanos(&latency["p95"]) >= nanos(&latency["p50"]), "{latency}");
    // The limit allows three at once, although the node would have eight.
    assert_eq!(server.most_at_once(), 3);
}

#[test]
fn bad_moods_are_waited_out_as_long_as_the_server_asks() {
    let server = ModelServer::start(|nth, _| match nth {
        0 => (Duration::ZERO, Reply::error_with(429, "slow down", "retry-after", "1")),
        1 => (Duration::ZERO, Reply::error(503, "busy")),
        _ => (Duration::ZERO, Reply::content(&found())),
    });
    let start = Instant::now();
    let (folder, answer, report) = ask(&server, 4, "");
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(folder.read("people.jsonl").lines().count(), 4);
    assert_eq!(node(&report, "people")["retries"], 2);
}

#[test]
fn a_shared_limit_is_not_passed() {
    let server = ModelServer::start(|_, _| (Duration::ZERO, Reply::content(&found())));
    let start = Instant::now();
    let (_, answer, _) = ask(&server, 10, "--set limits.loopback.requests=2/s");
    assert_eq!((answer.code, server.calls()), (0, 10), "{}", answer.err);
    assert!(start.elapsed() >= Duration::from_secs(4), "{:?}", start.elapsed());
}

#[test]
fn two_runs_that_name_the_same_limit_share_it() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let server = ModelServer::start(move |_, _| {
        seen.lock().expect("no panic").push(Instant::now());
        (Duration::ZERO, Reply::content(&found()))
    });
    let state = Folder::new();
    let run = || {
        let folder = Folder::new();
        folder.file("asked.yaml", PIPELINE);
        let rows: Vec<String> =
            (0..100).map(|id| json!({"text": format!("Ada came in {id}.")}).to_string()).collect();
        folder.file("texts.jsonl", rows.join("\n"));
        let line =
            format!("run asked.yaml --set limits.loopback.requests=40/s --url {}", server.url());
        let mut command = folder.command(&line);
        command.env("LOOPBACK_KEY", "s3cret-key").env("FLOW_STATE", state.path("limits"));
        answer(command.timeout(Duration::from_mins(1)))
    };
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(run);
        let other = run();
        (one.join().expect("no panic"), other)
    });
    assert_eq!((one.code, other.code), (0, 0), "{}{}", one.err, other.err);
    let times = times.lock().expect("no panic");
    assert_eq!(times.len(), 200);
    let most = times
        .iter()
        .map(|first| {
            let end = *first + Duration::from_secs(1);
            times.iter().filter(|time| **time >= *first && **time < end).count()
        })
        .max();
    // Each alone would have made 40 in every second; the wire shifts a few.
    assert!(most <= Some(50), "{most:?} in a second");
    let took = times[199] - times[0];
    assert!((4..12).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn two_runs_share_the_calls_at_once_and_one_that_is_killed_leaves_none_behind() {
    let slow = |_, _: &Value| (Duration::from_millis(30), Reply::content(&found()));
    let (server, silent) =
        (ModelServer::start(slow), ModelServer::start(|_, _| (Duration::ZERO, Reply::Hang)));
    let state = Folder::new();
    let fast = "run asked.yaml --set limits.loopback.requests=1000/s --url";
    let folders = [Folder::new(), Folder::new(), Folder::new()];
    for folder in &folders {
        folder.file("asked.yaml", PIPELINE);
        let rows = (0..60).map(|id| json!({"text": format!("Ada came in {id}.")}).to_string());
        folder.file("texts.jsonl", rows.collect::<Vec<_>>().join("\n"));
    }
    let command = |folder: &Folder, url: &str| {
        let mut command = folder.command(&format!("{fast} {url} --set stages.people.timeout=1m"));
        command.env("LOOPBACK_KEY", "k").env("FLOW_STATE", state.path("limits"));
        command
    };
    let killed = command(&folders[0], &silent.url()).timeout(Duration::from_secs(3)).ok();
    assert!(killed.is_err() && silent.calls() == 3, "{} calls", silent.calls());
    let run = |folder| answer(command(folder, &server.url()).timeout(Duration::from_mins(1)));
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| run(&folders[1]));
        let other = run(&folders[2]);
        (one.join().expect("no panic"), other)
    });
    assert_eq!((one.code, other.code), (0, 0), "{}{}", one.err, other.err);
    assert_eq!((server.calls(), server.most_at_once()), (120, 3));
}

#[test]
fn a_limit_that_the_node_names_too_is_passed_once() {
    let server = ModelServer::start(|_, _| (Duration::ZERO, Reply::content(&found())));
    let line = "--set stages.people.limit=loopback --set limits.loopback.concurrency=1";
    let (folder, answer, _) = ask(&server, 4, line);
    assert_eq!((answer.code, server.calls()), (0, 4), "{}", answer.err);
    assert_eq!(folder.read("people.jsonl").lines().count(), 4);
}

#[test]
fn a_key_that_a_server_repeats_in_a_good_answer_is_hidden() {
    let said = br#"{"error": {"message": "Incorrect API key provided: s3cret-key"}}"#.to_vec();
    let reply = Reply::Answer(200, Vec::new(), said);
    let server = ModelServer::start(move |_, _| (Duration::ZERO, reply.clone()));
    let (folder, answer, report) = ask(&server, 1, "--log debug");
    let said = report.to_string() + &answer.out + &answer.err + &folder.read("dead.jsonl");
    assert!(said.contains("Incorrect API key provided: ***"), "{said}");
    assert!(!said.contains("s3cret-key"), "{said}");
}

#[test]
fn every_fault_has_a_reason_of_its_own_and_loses_nothing_else() {
    let html = b"<html><body>Bad gateway</body></html>".to_vec();
    let faults: [(&str, Reply, usize, &str); 8] = [
        ("hang", Reply::Hang, 3, "no result within 2s"),
        ("close", Reply::Close, 3, "connection"),
        ("truncate", Reply::Truncate(b"{\"choices\"".to_vec()), 3, "broke off"),
        (
            "html",
            Reply::Answer(502, Vec::new(), html.clone()),
            3,
            "HTTP 502: <html><body>Bad gateway",
        ),
        ("html with 200", Reply::Answer(200, Vec::new(), html), 3, "not JSON"),
        ("prose", Reply::content("I found Ada, of course!"), 1, "not JSON"),
        (
            "too long",
            Reply::error(400, "context length exceeded"),
            1,
            "HTTP 400: context length exceeded",
        ),
        (
            "empty",
            Reply::Answer(200, Vec::new(), b"{\"choices\": []}".to_vec()),
            3,
            "holds no choice",
        ),
    ];
    for (name, fault, attempts, reason) in faults {
        let server = ModelServer::start(move |_, body| {
            let poisoned = body["messages"].to_string().contains("It was 1.");
            (Duration::ZERO, if poisoned { fault.clone() } else { Reply::content(&found()) })
        });
        let (folder, answer, report) = ask(&server, 3, "");
        assert_eq!(answer.code, 0, "{name}: {}{}", answer.out, answer.err);
        assert_eq!(folder.read("people.jsonl").lines().count(), 2, "{name}");
        let dead: Value = serde_json::from_str(&folder.read("dead.jsonl")).expect("one line");
        assert_eq!(dead["id"], 1, "{name}");
        assert_eq!(dead["error"]["attempts"], attempts, "{name}: {dead}");
        let said = dead["error"]["reason"].as_str().expect("a reason");
        assert!(said.contains(reason), "{name}: {said}");
        let answer = dead["error"]["answer"].as_str();
        assert_eq!(answer, (name == "prose").then_some("I found Ada, of course!"), "{name}");
        assert_eq!(node(&report, "people")["rejected"], 1, "{name}");
    }
}

#[test]
fn a_refused_key_stops_the_run_and_is_shown_nowhere() {
    let server = ModelServer::start(|_, _| {
        (Duration::ZERO, Reply::error(401, "Incorrect API key provided: s3cret-key"))
    });
    let (folder, answer, report) = ask(&server, 3, "--log debug");
    assert_eq!(answer.code, 1);
    assert_eq!(report["status"]["status"], "broken");
    let said = report.to_string() + &answer.out + &answer.err;
    assert!(said.contains("the key is refused"), "{said}");
    assert!(!said.contains("s3cret-key"), "{said}");
    assert!(!folder.path("people.jsonl").exists());
}

#[test]
fn a_server_that_is_not_there_breaks_the_run_and_the_next_run_takes_up_all() {
    let server = ModelServer::start(|_, _| (Duration::ZERO, Reply::content(&found())));
    let folder = Folder::new();
    folder.file("asked.yaml", PIPELINE);
    folder.file("texts.jsonl", "{\"text\": \"Ada came in.\"}\n".repeat(20));
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = free.local_addr().expect("an address");
    drop(free);
    let run = |url: &str, line: &str| {
        let mut command = folder.command(&format!("run asked.yaml --url {url} {line}"));
        answer(command.env("LOOPBACK_KEY", "k").timeout(Duration::from_mins(1)))
    };
    let limit = "--set stages.people.retry=1";
    let url = format!("http://{dead}/v1");
    let broken = run(&url, limit);
    assert_eq!(broken.code, 1, "{}{}", broken.out, broken.err);
    let said = format!(
        "error: `people`: {url}/chat/completions: the connection is refused; nobody listens there\n  \
         help: Start the server, or name the right one in `base_url` of the model"
    );
    assert!(broken.err.contains(&said), "{}", broken.err);
    let sums = "every record accounted for; 20 records not worked on";
    assert!(broken.out.contains(sums), "{}", broken.out);
    assert!(!folder.path("dead.jsonl").exists(), "nothing was rejected");
    assert!(!folder.path("people.jsonl").exists());
    let whole = run(&server.url(), limit);
    assert_eq!(whole.code, 0, "{}", whole.err);
    assert_eq!(folder.read("people.jsonl").lines().count(), 20);
}

#[test]
fn a_server_that_answers_nothing_breaks_the_run_and_one_that_has_answered_does_not() {
    let silent = ModelServer::start(|_, _| (Duration::ZERO, Reply::Hang));
    let line = "--set stages.people.timeout=200ms";
    let (folder, broken, _) = ask(&silent, 20, &format!("{line} --set stages.people.retry=3"));
    assert_eq!(broken.code, 1, "{}{}", broken.out, broken.err);
    let said =
        format!("no result within 200ms; {}/chat/completions has answered none of", silent.url());
    assert!(broken.err.contains(&said), "{}", broken.err);
    assert!(broken.err.contains("raise the `timeout` of the node"), "{}", broken.err);
    assert!(broken.out.contains("20 records not worked on"), "{}", broken.out);
    assert!(!folder.path("dead.jsonl").exists(), "nothing was rejected");

    let slow = ModelServer::start(|nth, _| {
        (Duration::ZERO, if nth == 0 { Reply::content(&found()) } else { Reply::Hang })
    });
    let (folder, run, _) = ask(&slow, 6, &format!("{line} --set stages.people.retry=1"));
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert_eq!(folder.read("dead.jsonl").matches("no result within 200ms").count(), 5);
}

#[test]
fn a_secret_that_is_not_set_is_known_before_the_first_call() {
    let server = ModelServer::start(|_, _| (Duration::ZERO, Reply::content(&found())));
    let folder = Folder::new();
    folder.file("asked.yaml", PIPELINE);
    folder.file("texts.jsonl", "{\"text\": \"Ada came in.\"}\n");
    let line = format!("asked.yaml --url {}", server.url());
    let mut command = folder.command(&format!("run {line}"));
    let run = answer(command.env_remove("LOOPBACK_KEY"));
    assert_eq!((run.code, server.calls()), (2, 0));
    assert!(run.err.contains("error[F0503]"), "{}", run.err);
    let plan = answer(folder.command(&format!("plan {line}")).env_remove("LOOPBACK_KEY"));
    assert_eq!(plan.code, 0, "{}", plan.err);
}
