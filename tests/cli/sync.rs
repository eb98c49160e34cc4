//! Stores that follow their input, and the rejects of runs that are not whole.

use rusqlite::Connection;
use serde_json::Value;

use crate::folder::Folder;

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
