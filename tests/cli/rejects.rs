//! What a run could not use: listed, shown, tried again, given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::folder::{Answer, Folder};
use crate::model_server::{ModelServer, Reply};

const PIPELINE: &str = r#"
flow: words
params:
  url: {type: string}
models:
  chat: {provider: openai, base_url: "{{ params.url }}", model: chat}
schemas:
  words: {kinds: {word: {description: A word.}}}
stages:
  rows: {uses: read, with: {path: rows.jsonl}}
  found: {uses: extract, from: rows, with: {model: chat, schema: words, carry: [n]}}
  saved: {uses: store, from: found, with: {to: "sqlite:out.db", table: words, key: n}}
"#;

/// A folder in which a run has rejected rows 3 and 7 and a line that is no JSON, and the model,
/// which can be mended.
struct Tried {
    folder: Folder,
    server: ModelServer,
    mended: Arc<AtomicBool>,
}

impl Tried {
    fn new() -> Self {
        let mended = Arc::new(AtomicBool::new(false));
        let is_mended = Arc::clone(&mended);
        let server = ModelServer::start(move |_, body| {
            let said = body["messages"][1]["content"].as_str().expect("a text");
            let bad = said.contains("w3.") || said.contains("w7.");
            if bad && !is_mended.load(Ordering::SeqCst) {
                return (Duration::ZERO, Reply::error(400, "I may not say this"));
            }
            let quote = said.rsplit("\n\n").next().expect("a text");
            let entity = json!({"kind": "word", "name": "w", "quote": quote, "confidence": 1});
            (Duration::ZERO, Reply::content(&json!({"entities": [entity]}).to_string()))
        });
        let folder = Folder::new();
        folder.file("words.yaml", PIPELINE);
        folder.file("rows.jsonl", Self::rows(10) + "no json\n");
        let tried = Self { folder, server, mended };
        let answer = tried.run("");
        assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
        assert_eq!(tried.calls(), 10);
        tried
    }

    fn rows(count: u32) -> String {
        let row = |n| format!("{}\n", json!({"n": n, "text": format!("Here is w{n}.")}));
        (0..count).map(row).collect()
    }

    fn run(&self, more: &str) -> Answer {
        self.folder.flow(&format!("run words.yaml --url {} {more}", self.server.url()))
    }

    fn calls(&self) -> usize {
        self.server.calls()
    }

    /// Runs a command that must go well.
    fn flow(&self, line: &str) -> String {
        let answer = self.folder.flow(line);
        assert_eq!(answer.code, 0, "{line}: {}{}", answer.out, answer.err);
        answer.out
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.flow(line)).expect("JSON")
    }

    /// The origins of the rejects that a command lists.
    fn listed(&self, filters: &str) -> Vec<String> {
        let list = self.json(&format!("rejects list --json {filters}"));
        let rejects = list["rejects"].as_array().expect("rejects");
        let origin = |reject: &Value| reject["origin"].as_str().expect("an origin").to_owned();
        let mut origins: Vec<String> = rejects.iter().map(origin).collect();
        origins.sort();
        origins
    }
}

#[test]
fn rejects_are_listed_by_reason_and_shown_whole() {
    let tried = Tried::new();
    let list = tried.flow("rejects list");
    assert!(list.starts_with("run 1 of words.yaml: 3 rejects\n\nfound: "), "{list}");
    assert!(list.contains("I may not say this") && list.contains("(2 rejects)"), "{list}");
    assert!(list.contains("\n  rows.jsonl:4  ") && list.contains("\n  rows.jsonl:8  "), "{list}");
    for (filters, expected) in [
        ("", vec!["rows.jsonl:11", "rows.jsonl:4", "rows.jsonl:8"]),
        ("--node found", vec!["rows.jsonl:4", "rows.jsonl:8"]),
        ("--reason MAY --run 1", vec!["rows.jsonl:4", "rows.jsonl:8"]),
        ("rows.jsonl:8 --run last --in .", vec!["rows.jsonl:8"]),
        ("rows.jsonl:8 --node rows", vec![]),
        ("rows.jsonl:9", vec![]),
        ("--dropped", vec![]),
        ("--state .flow", vec!["rows.jsonl:11", "rows.jsonl:4", "rows.jsonl:8"]),
    ] {
        assert_eq!(tried.listed(filters), expected, "{filters}");
    }
    let none = tried.flow("rejects list --reason nosuch");
    assert_eq!(none, "run 1 of words.yaml has 3 rejects, but none like this\n");
    let shown = tried.flow("rejects show rows.jsonl:8");
    for part in
        ["found: rows.jsonl:8 (", "\"text\": \"Here is w7.\"", "1 attempt", "flow rejects retry "]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = tried.json("rejects show rows.jsonl:8 --json");
    assert_eq!(shown["input"]["n"], json!(7));
    let id = shown["record"].as_str().expect("an id")[..8].to_owned();
    assert_eq!(tried.listed(&id), ["rows.jsonl:8"]);
    let answer = tried.folder.flow("rejects show");
    assert!(answer.err.starts_with("2 more rejects like this"), "{}", answer.err);
}

#[test]
fn only_the_rejects_that_are_chosen_are_tried_again() {
    let tried = Tried::new();
    let planned = |line: &str| -> Vec<String> {
        let plan = tried.flow(line);
        let words = |line: &str| line.split_whitespace().take(5).collect::<Vec<_>>().join(" ");
        plan.lines().map(words).collect()
    };
    let plan = planned("retry --plan");
    for line in ["rows 1 met again, as", "found 2 tried again", "found chat 2 2 0"] {
        assert!(plan.contains(&line.to_owned()), "{line}: {plan:?}");
    }
    let plan = planned("rejects retry rows.jsonl:8 --plan");
    assert!(plan.contains(&"found chat 1 1 0".to_owned()), "{plan:?}");
    assert_eq!(tried.calls(), 10);
    tried.mended.store(true, Ordering::SeqCst);
    // What is new is left for the next run, and named.
    tried.folder.file("rows.jsonl", Tried::rows(12));
    let account = tried.flow("retry --record rows.jsonl:8");
    assert_eq!(tried.calls(), 11);
    assert!(account.contains("2 records not worked on"), "{account}");
    assert_eq!(tried.listed(""), ["rows.jsonl:4"]);
    tried.flow("rejects retry --node found --run 1");
    assert_eq!((tried.calls(), tried.listed("").len()), (12, 0));
    assert_eq!(tried.flow("retry"), "run 3 of words.yaml has no rejects: nothing to try again\n");
    assert_eq!(tried.run("").code, 0);
    assert_eq!(tried.calls(), 14);
}

#[test]
fn rejects_are_tried_with_what_was_done_to_mend_them() {
    let tried = Tried::new();
    tried.mended.store(true, Ordering::SeqCst);
    let file = PIPELINE.replace("schema: words,", "schema: words, instructions: Be kind.,");
    tried.folder.file("words.yaml", file);
    let answer = tried.folder.flow("retry");
    assert!(answer.err.contains("`words.yaml` has changed since run 1"), "{}", answer.err);
    assert_eq!(tried.calls(), 12);
    assert!(answer.out.contains("8 records not worked on"), "{}", answer.out);
    assert_eq!(tried.listed(""), ["rows.jsonl:11"]);
}

#[test]
fn what_was_given_up_is_not_tried_until_that_is_taken_back() {
    let tried = Tried::new();
    tried.mended.store(true, Ordering::SeqCst);
    let gone = tried.flow("rejects drop rows.jsonl:4");
    assert!(gone.starts_with("1 reject of run 1 of words.yaml: given up; not tried"), "{gone}");
    assert_eq!(tried.listed(""), ["rows.jsonl:11", "rows.jsonl:8"]);
    assert_eq!(tried.listed("--dropped"), ["rows.jsonl:4"]);
    tried.run("");
    tried.run("");
    assert_eq!(tried.calls(), 11);
    assert_eq!(tried.listed("--dropped"), ["rows.jsonl:4"]);
    let hidden = tried.flow("rejects drop --node rows");
    assert!(hidden.contains("met again by the next run"), "{hidden}");
    let list = tried.flow("rejects list");
    assert_eq!(list, "run 3 of words.yaml has no rejects but 2 rejects given up\n");
    let back = tried.json("rejects drop --node found --undo --json");
    assert_eq!(back, json!({"run": 3, "changed": 1}));
    tried.flow("retry");
    assert_eq!(tried.calls(), 12);
}

#[test]
fn what_cannot_be_done_is_said() {
    let tried = Tried::new();
    let empty = Folder::new();
    empty.file("small.yaml", crate::folder::SMALL);
    for (folder, line, code, words) in [
        (&empty, "rejects list", 2, "no run has been noted in `./.flow`"),
        (&empty, "retry --in nowhere", 2, "no run has been noted in `nowhere/.flow`"),
        (&tried.folder, "rejects list --run 9", 2, "there is no run 9, only 1 to 1"),
        (&tried.folder, "retry first", 2, "`first` is no run"),
        (
            &tried.folder,
            "rejects list --node fuond",
            2,
            "run 1 has no node `fuond`\n  help: Its nodes: rows, found, saved.",
        ),
        (&tried.folder, "rejects show rows.jsonl:1", 2, "has 3 rejects, but none like this"),
        (&tried.folder, "rejects", 2, "Examples:"),
    ] {
        let answer = folder.flow(line);
        assert_eq!(answer.code, code, "{line}: {}", answer.err);
        assert!(answer.err.contains(words), "{line}: {}", answer.err);
    }
    let moved = PIPELINE.replace("found", "finds");
    tried.folder.file("words.yaml", &moved);
    let answer = tried.folder.flow("retry --node found");
    assert!(
        answer.err.contains("2 rejects came from nodes that words.yaml has no more"),
        "{}",
        answer.err
    );
    assert_eq!(answer.code, 2);
    std::fs::remove_file(tried.folder.path("words.yaml")).expect("a file");
    let answer = tried.folder.flow("retry");
    assert!(answer.err.contains("the pipeline file of run 1 is gone"), "{}", answer.err);
    assert_eq!((answer.code, tried.calls()), (2, 10));
}
