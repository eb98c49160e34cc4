//! `embed` against a server on loopback: batches over documents, bad texts, lengths.

use std::time::Duration;

use serde_json::{Value, json};

use crate::folder::{Answer, Folder, answer};
use crate::model_server::{ModelServer, Reply};

const PIPELINE: &str = r#"flow: vectors
params:
  url: {type: string}
  size: {type: integer, default: 5}
models:
  m: {provider: openai, model: loopback, base_url: "{{ params.url }}", price: {input: 1}}
stages:
  texts: {uses: read, with: {path: texts.jsonl}}
  pieces: {uses: chunk, from: texts, order: keep, with: {size: "{{ params.size }}", keep: [id]}}
  vectors:
    uses: embed
    from: pieces
    parallelism: 16
    batch_wait: 2s
    retry: 0
    timeout: 30s
    with: {model: m, into: vector}
  saved: {uses: store, from: vectors, with: {to: vectors.jsonl}}
  dead: {uses: store, from: vectors.failed, with: {to: dead.jsonl}}
"#;

/// A vector of two numbers for each text, the last text first; refuses a call with a text that
/// contains `refuse`, and gives a longer vector where one contains `long`.
fn vectors(body: &Value) -> Reply {
    let texts: Vec<&str> =
        body["input"].as_array().expect("texts").iter().filter_map(Value::as_str).collect();
    if texts.iter().any(|text| text.contains("refuse")) {
        return Reply::error(400, "a text is too long");
    }
    let vector = |text: &str| {
        let length = text.len();
        if text.contains("long") { json!([length, 1, 1]) } else { json!([length, 1]) }
    };
    let one = |(at, text): (usize, &&str)| json!({"index": at, "embedding": vector(text)});
    let data: Vec<Value> = texts.iter().enumerate().map(one).rev().collect();
    Reply::json(&json!({"data": data, "usage": {"prompt_tokens": texts.len()}}))
}

fn run(server: &ModelServer, rows: &[Value], line: &str) -> (Folder, Answer, Value) {
    let folder = Folder::new();
    folder.file("vectors.yaml", PIPELINE);
    let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
    folder.file("texts.jsonl", rows.join("\n"));
    let line = format!("run vectors.yaml --report report.json --url {} {line}", server.url());
    let answer = answer(folder.command(&line).timeout(Duration::from_mins(2)));
    let report: Value = serde_json::from_str(&folder.read("report.json")).expect("a report");
    let nodes = report["nodes"].as_array().expect("nodes");
    let usage = nodes.iter().find(|node| node["node"] == "vectors").expect("it")["usage"].clone();
    (folder, answer, usage)
}

fn lines(folder: &Folder, file: &str) -> Vec<Value> {
    let text = folder.read(file);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn chunks_of_many_documents_share_calls() {
    let server = ModelServer::start(|_, body| (Duration::ZERO, vectors(body)));
    // Each word is a chunk: 20,000 of them in 1,000 documents.
    let words = |id: usize| (0..20).map(move |at| format!("{:05x}", 20 * id + at));
    let text = |id: usize| words(id).collect::<Vec<_>>().join(" ");
    let rows: Vec<Value> = (0..1000).map(|id| json!({"id": id, "text": text(id)})).collect();
    let (folder, answer, usage) = run(&server, &rows, "--state none");
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    let found = lines(&folder, "vectors.jsonl");
    assert_eq!(found.len(), 20_000);
    for row in &found {
        let length = row["text"].as_str().expect("a text").len();
        assert_eq!(row["vector"], json!([length, 1]), "{row}");
    }
    let ideal = 20_000_usize.div_ceil(96);
    assert!(server.calls() <= ideal + ideal / 100, "{} calls, ideal {ideal}", server.calls());
    assert_eq!((&usage["calls"], &usage["input_tokens"]), (&json!(server.calls()), &json!(20_000)));
}

#[test]
fn equal_texts_are_asked_for_once() {
    let server = ModelServer::start(|_, body| (Duration::from_millis(100), vectors(body)));
    // In one batch, and in the batches that are asked for at the same time.
    let rows: Vec<Value> =
        (0..60).map(|id| json!({"id": id, "text": format!("text {}", id % 3)})).collect();
    for (line, tokens) in [
        ("--set stages.vectors.batch_size=60", 3),
        ("--set stages.vectors.batch_size=60 --state none", 3),
        ("--set stages.vectors.batch_size=10", 3),
        ("--set stages.vectors.batch_size=1", 3),
    ] {
        let (folder, answer, usage) = run(&server, &rows, &format!("--size 100 {line}"));
        assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
        let found = lines(&folder, "vectors.jsonl");
        assert!(found.len() == 60 && found.iter().all(|row| row["vector"] == json!([6, 1])));
        let counts = (&usage["input_tokens"], &usage["reused"]);
        assert_eq!(counts, (&json!(tokens), &json!(57)), "{line}");
    }
}

#[test]
fn a_text_that_the_server_refuses_is_rejected_alone() {
    let server = ModelServer::start(|_, body| (Duration::ZERO, vectors(body)));
    let text = |id: usize| match id {
        17 | 50 => "refuse me".to_owned(),
        80 => " ".to_owned(),
        _ => format!("text {id}"),
    };
    let rows: Vec<Value> = (0..96).map(|id| json!({"id": id, "text": text(id)})).collect();
    let line = "--size 100 --set stages.vectors.parallelism=1";
    let (folder, answer, usage) = run(&server, &rows, line);
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    let ids: Vec<u64> = lines(&folder, "dead.jsonl")
        .iter()
        .map(|row| {
            let reason = row["error"]["reason"].as_str().expect("a reason");
            assert!(reason.contains("HTTP 400: a text is too long"), "{reason}");
            row["id"].as_u64().expect("a number")
        })
        .collect();
    assert_eq!(ids, [17, 50]);
    assert_eq!(lines(&folder, "vectors.jsonl").len(), 93);
    // One call for all, and two for each halving on the way to the two texts.
    assert!(server.calls() <= 1 + 2 * 2 * 7, "{}", server.calls());
    assert_eq!(usage["input_tokens"], 93);
}

#[test]
fn vectors_of_another_length_are_rejected_with_both_numbers() {
    let server = ModelServer::start(|_, body| (Duration::ZERO, vectors(body)));
    let rows: Vec<Value> = ["one", "a long one", "two"].map(|text| json!({"text": text})).into();
    for (line, dead) in [
        ("", vec!["the vector has 3 numbers, where all of the run have 2"]),
        (
            "--set stages.vectors.with.dimensions=3",
            vec!["the vector has 2 numbers, where all of the run have 3"; 2],
        ),
    ] {
        let (folder, answer, _) = run(&server, &rows, &format!("--size 100 {line}"));
        assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
        let reasons: Vec<Value> = lines(&folder, "dead.jsonl");
        let reasons: Vec<&Value> = reasons.iter().map(|row| &row["error"]["reason"]).collect();
        assert_eq!(reasons, dead, "{line}");
    }
}

#[test]
fn a_model_that_cannot_embed_is_known_before_the_run() {
    let folder = Folder::new();
    folder.file("vectors.yaml", PIPELINE.replace("openai, model: loopback", "anthropic, model: m"));
    folder.file("texts.jsonl", "{\"text\": \"one\"}\n");
    let answer = folder.flow("plan vectors.yaml --url http://127.0.0.1:1");
    assert_eq!(answer.code, 2, "{}", answer.out);
    assert!(answer.err.contains("`m` is of `anthropic`, which cannot embed"), "{}", answer.err);
}
