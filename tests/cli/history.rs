//! Runs that are looked back at: what became of them and of their records, and why they differ.

use serde_json::json;

use crate::folder::{Answer, Folder};
use crate::model_server::{ModelServer, Reply};

const PIPELINE: &str = r#"
flow: words
params:
  url: {type: string}
models:
  chat: {provider: openai, base_url: "{{ params.url }}", model: chat, price: {input: 1, output: 2}}
schemas:
  words: {kinds: {word: {description: A word.}}}
stages:
  rows: {uses: read, with: {path: rows.jsonl}}
  found:
    uses: extract
    from: rows
    parallelism: 1
    order: keep
    retry: 0
    with: {model: chat, schema: words, attempts: 1, instructions: "Be brief.", carry: [n]}
  saved: {uses: store, from: found, with: {to: "sqlite:out.db", table: words, key: n}}
"#;

/// A model that finds the last word, and cannot read rows that hold `unreadable`.
fn model() -> ModelServer {
    ModelServer::start(|_, body| {
        let said = body["messages"][1]["content"].as_str().expect("a text");
        let text = said.rsplit("\n\n").next().expect("a text");
        if text.contains("unreadable") {
            return (std::time::Duration::ZERO, Reply::content("I cannot read this."));
        }
        let word = text.rsplit(' ').next().expect("a word");
        let entity = json!({"kind": "word", "name": word, "quote": text, "confidence": 1});
        let answer = json!({"entities": [entity]}).to_string();
        (std::time::Duration::ZERO, Reply::content(&answer))
    })
}

struct Past {
    folder: Folder,
    server: ModelServer,
}

impl Past {
    fn new() -> Self {
        let folder = Folder::new();
        folder.file("words.yaml", PIPELINE);
        let past = Self { folder, server: model() };
        past.rows(&["the first one", "the second one", "this is unreadable", "the fourth one"]);
        past
    }

    fn rows(&self, texts: &[&str]) {
        let row = |(n, text): (usize, &&str)| format!("{}\n", json!({"n": n, "text": text}));
        let rows: String = texts.iter().enumerate().map(row).collect();
        self.folder.file("rows.jsonl", rows);
    }

    fn run(&self, more: &str) -> Answer {
        self.flow(&format!("run words.yaml --url {} {more}", self.server.url()))
    }

    fn flow(&self, line: &str) -> Answer {
        let mut answer = self.folder.flow(line);
        answer.out = answer.out.replace(&self.server.url(), "http://model");
        answer
    }

    fn change(&self, old: &str, new: &str) {
        let file = self.folder.read("words.yaml");
        assert!(file.contains(old), "{old}");
        self.folder.file("words.yaml", file.replace(old, new));
    }

    /// What is printed, without what differs from day to day.
    fn said(&self, line: &str) -> String {
        let answer = self.flow(line);
        assert_eq!(answer.code, 0, "{line}: {}", answer.err);
        answer.out
    }
}

/// Times, and the numbers that come of them, without the blanks that align them.
fn settled<R>(check: impl FnOnce() -> R) -> R {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "[time]");
    settings.add_filter(r" +\b\d+(\.\d)?(ms|s)\b", " [took]");
    // How wide a column is depends on the times in it.
    settings.add_filter(r" {2,}", "  ");
    settings.add_filter(r"flow \d+\.\d+\.\d+", "flow [version]");
    settings.bind(check)
}

#[test]
fn runs_and_their_records_are_shown() {
    let past = Past::new();
    assert_eq!(past.run("").code, 0);
    let id = past.said("show last found --json");
    let id: serde_json::Value = serde_json::from_str(&id).expect("JSON");
    let id = id[0]["record"].as_str().expect("an id").to_owned();
    settled(|| {
        insta::assert_snapshot!("runs", past.said("runs"));
        insta::assert_snapshot!("run", past.said("show 1"));
        insta::assert_snapshot!("node", past.said("show last found"));
        insta::assert_snapshot!("record", past.said(&format!("show last found {}", &id[..6])));
        insta::assert_snapshot!("reject", past.said("show last found rows.jsonl:3"));
    });
    assert_eq!(past.said("show 1 --file-text"), PIPELINE);
}

#[test]
fn a_node_says_why_it_asked() {
    let past = Past::new();
    assert_eq!(past.run("").code, 0);
    past.rows(&["the first one", "the 2nd one", "this is unreadable", "the fourth one", "a fifth"]);
    assert_eq!(past.run("").code, 0);
    past.change("Be brief.", "Be thorough.");
    assert_eq!(past.run("").code, 0);
    assert_eq!(past.run("--fresh").code, 0);
    settled(|| {
        insta::assert_snapshot!("edited", past.said("explain --run 2 found"));
        insta::assert_snapshot!("edited_row", past.said("explain --run 2 found rows.jsonl:2"));
        insta::assert_snapshot!("prompt", past.said("explain --run 3 found"));
        insta::assert_snapshot!("fresh", past.said("explain --run 4 found rows.jsonl:1"));
    });
    // Names, comments and hints decide nothing.
    past.change("flow: words", "# A comment.\nflow:   words # another");
    past.change("parallelism: 1", "parallelism: 2");
    past.change("found:\n", "entities:\n");
    past.change("from: found", "from: entities");
    assert_eq!(past.run("").code, 0);
    let said = past.said("explain --run last entities");
    assert!(
        said.lines().any(|line| line.starts_with("      4 ") && line.ends_with("answered before")),
        "{said}"
    );
}

#[test]
fn two_runs_differ_by_what_was_given_counted_and_stored() {
    let past = Past::new();
    assert_eq!(past.run("").code, 0);
    past.rows(&["the first one", "the second two", "this is readable"]);
    assert_eq!(past.run("--set stages.found.parallelism=2").code, 0);
    past.change("Be brief.", "Be thorough.");
    assert_eq!(past.run("").code, 0);
    settled(|| {
        insta::assert_snapshot!("rows_changed", past.said("diff 1 2"));
        insta::assert_snapshot!("prompt_changed", past.said("diff 2 last"));
    });
    assert_eq!(
        past.said("diff 3 3"),
        "run 3 (done) against run 3 (done)\n\nboth stored the same\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&past.said("diff 1 2 --json")).expect("JSON");
    assert_eq!(json["stored"][0]["how"], "added");
}

#[test]
fn what_is_not_there_is_named() {
    let past = Past::new();
    let nothing = past.flow("runs");
    assert_eq!(nothing.code, 2);
    assert!(nothing.err.contains("no run has been noted in"), "{}", nothing.err);
    past.run("");
    for (line, message) in [
        ("show 7", "there is no run 7, only 1 to 1"),
        ("show last nosuch", "run 1 has no node `nosuch`"),
        ("show last found nosuch", "nothing was noted of a record `nosuch` at `found` in run 1"),
        ("show last found rows.jsonl", "`rows.jsonl` may be one of several records at `found`"),
        ("explain --run x found", "`x` is no run"),
        ("diff 1 2", "there is no run 2"),
        ("runs nosuch", "no run has been noted in `nosuch/.flow`"),
    ] {
        let answer = past.flow(line);
        assert_eq!(answer.code, 2, "{line}");
        assert!(answer.err.contains(message), "{line}: {}", answer.err);
    }
}

#[test]
fn a_run_without_an_end_shows_what_it_has_cost() {
    let past = Past::new();
    past.run("");
    let ledger = rusqlite::Connection::open(past.folder.path(".flow/ledger.db")).expect("it");
    // As a kill leaves it: nothing but what is noted with each answer.
    let sql = "UPDATE runs SET ended = NULL, status = NULL, report = NULL; \
               UPDATE nodes SET account = NULL";
    ledger.execute_batch(sql).expect("changed");
    let said = past.said("show 1");
    assert!(said.starts_with("run 1 of words.yaml: killed\n"), "{said}");
    assert!(said.contains("  found         4"), "{said}");
    assert!(said.ends_with("its counts are noted at its end, which has not come\n"), "{said}");
    assert!(past.said("runs").contains("killed"));
}
