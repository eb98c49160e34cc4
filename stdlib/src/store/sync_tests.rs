//! What `sync` removes, and what it leaves alone.

use std::path::Path;

use flow_engine::prelude::*;
use flow_engine::testing::{build_in, record, refusal};
use rusqlite::Connection;

use super::Store;

/// A row of an input.
fn row(path: &str, object: Value) -> Record {
    let mut row = record(object);
    row.path = Some(path.into());
    row
}

fn sink(folder: &Path, more: &Value) -> Box<dyn Sink> {
    let mut settings = json!({"to": "sqlite:t.db", "table": "t", "key": "k", "sync": true});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    match build_in::<Store>(folder, settings).unwrap() {
        Stage::Sink(sink) => sink,
        other => panic!("{other:?}"),
    }
}

/// What a run leaves: the keys of the table `t`, and how many were removed and spared.
fn run(folder: &Path, more: &Value, rows: Vec<Record>, outcome: &Outcome) -> Value {
    let mut sink = sink(folder, more);
    assert_eq!(sink.write(0, rows).unwrap(), vec![]);
    let written = sink.commit(outcome).unwrap();
    let removed: u64 = written.iter().map(|written| written.removed).sum();
    let spared: u64 = written.iter().map(|written| written.spared).sum();
    json!([keys(folder, "t"), removed, spared])
}

fn keys(folder: &Path, table: &str) -> Value {
    let database = Connection::open(folder.join("t.db")).unwrap();
    let mut query = database.prepare(&format!("SELECT k FROM {table} ORDER BY k")).unwrap();
    let keys = query.query_map([], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
    let json = |key| match key {
        rusqlite::types::Value::Integer(integer) => json!(integer),
        rusqlite::types::Value::Real(real) => json!(real),
        rusqlite::types::Value::Text(text) => json!(text),
        other => panic!("{other:?}"),
    };
    keys.map(|key| json(key.unwrap())).collect()
}

fn rows(keys: &[i64]) -> Vec<Record> {
    keys.iter().map(|k| row(&format!("{k}.txt"), json!({"k": k}))).collect()
}

fn failing(paths: &[&str]) -> Outcome {
    let mut outcome = Outcome::whole();
    for path in paths {
        outcome.failed.note(&row(path, json!({})));
    }
    outcome
}

#[test]
fn what_a_whole_run_does_not_make_again_goes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = Outcome::whole();
    let part = Outcome::default();
    let plain = json!({});
    for (keys, outcome, left) in [
        (&[1, 2, 3][..], &whole, json!([[1, 2, 3], 0, 0])),
        (&[1, 3, 4], &whole, json!([[1, 3, 4], 1, 0])),
        (&[5], &part, json!([[1, 3, 4, 5], 0, 0])),
        (&[1, 3, 5], &failing(&["4.txt"]), json!([[1, 3, 4, 5], 0, 1])),
        (&[1, 5], &failing(&["other.txt"]), json!([[1, 5], 2, 0])),
    ] {
        assert_eq!(run(folder, &plain, rows(keys), outcome), left);
    }
    let mut broken = sink(folder, &plain);
    broken.write(0, rows(&[6])).unwrap();
    broken.abort();
    assert_eq!(keys(folder, "t"), json!([1, 5, 6]), "a run that broke removes nothing");
    assert_eq!(run(folder, &plain, rows(&[1]), &whole), json!([[1], 2, 0]));
}

#[test]
fn rows_of_somebody_else_are_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = Outcome::whole();
    let database = Connection::open(folder.join("t.db")).unwrap();
    database.execute_batch("CREATE TABLE t (k PRIMARY KEY COLLATE NOCASE)").unwrap();
    database.execute_batch("INSERT INTO t VALUES ('mine')").unwrap();
    let words = |words: &[&str]| words.iter().map(|k| row("f", json!({"k": k}))).collect();
    let plain = json!({});
    let left = run(folder, &plain, words(&["a", "b"]), &whole);
    assert_eq!(left, json!([["a", "b", "mine"], 0, 0]));
    // The same row by another spelling.
    let left = run(folder, &plain, words(&["A"]), &whole);
    assert_eq!(left, json!([["a", "mine"], 1, 0]));
    // A node of another key is another writer, and keeps what it has written.
    let other = json!({"key": ["k", "n"]});
    database.execute_batch("ALTER TABLE t ADD COLUMN n").unwrap();
    let left = run(folder, &other, vec![row("f", json!({"k": "c", "n": 1}))], &whole);
    assert_eq!(left, json!([["a", "c", "mine"], 0, 0]));
    database.execute_batch("DROP TABLE t").unwrap();
    assert_eq!(run(folder, &plain, words(&["d"]), &whole), json!([["d"], 0, 0]));
}

#[test]
fn keys_are_found_again_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let odd = json!(["", "a\0b'\"", "ü", 0.1, 1e300, 0.300_000_000_000_000_04, i64::MIN, [1, 2]]);
    let record = |k: &Value| row("f", json!({"k": k}));
    let all: Vec<Record> = odd.as_array().unwrap().iter().map(record).collect();
    run(folder, &json!({}), all, &Outcome::whole());
    let left = run(folder, &json!({}), vec![record(&json!(7))], &Outcome::whole());
    assert_eq!(left, json!([[7], 8, 0]));
}

#[test]
fn a_record_that_changes_its_table_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let by_kind = json!({"table": "{{ kind }}"});
    for (kind, others) in [("t", "u"), ("u", "t")] {
        let rows = vec![
            row("f", json!({"k": 1, "kind": kind})),
            row("f", json!({"k": 2, "kind": others})),
        ];
        run(folder, &by_kind, rows, &Outcome::whole());
        assert_eq!(keys(folder, kind), json!([1]));
        assert_eq!(keys(folder, others), json!([2]));
    }
}

#[test]
fn a_store_is_not_emptied_because_nothing_came() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let whole = Outcome::whole();
    let (plain, empty) = (json!({}), json!({"allow_empty": true}));
    assert_eq!(sink(folder, &plain).commit(&whole).unwrap(), vec![]);
    assert!(!folder.join("t.db").exists());
    run(folder, &plain, rows(&[1, 2]), &whole);
    let error = sink(folder, &plain).commit(&whole).unwrap_err();
    assert!(error.message.contains("`sync` would remove all 2 rows"), "{error}");
    assert_eq!(keys(folder, "t"), json!([1, 2]));
    // Nothing is removed when all of them may be of what failed.
    assert_eq!(run(folder, &plain, vec![], &failing(&["1.txt", "2.txt"])), json!([[1, 2], 0, 2]));
    assert_eq!(run(folder, &empty, vec![], &whole), json!([[], 2, 0]));
}

#[test]
fn many_rows_go_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<i64> = (0..5000).collect();
    run(folder.path(), &json!({}), rows(&all), &Outcome::whole());
    let kept: Vec<i64> = all.into_iter().filter(|k| k % 10 == 0).collect();
    let outcome = failing(&["1.txt", "2499.txt", "4999.txt"]);
    let left = run(folder.path(), &json!({}), rows(&kept), &outcome);
    assert_eq!((&left[1], &left[2]), (&json!(4497), &json!(3)));
    assert_eq!(left[0].as_array().unwrap().len(), 503);
}

#[test]
fn rows_that_take_each_others_place_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    for sync in [false, true] {
        let mut sink = sink(folder.path(), &json!({"key": ["k", "l"], "sync": sync}));
        let rows: Vec<Value> = [(1, "a"), (1, "b"), (1, "a"), (2, "a"), (1, "a")]
            .map(|(k, l)| json!({"k": k, "l": l}))
            .to_vec();
        sink.write(0, rows.into_iter().map(record).collect()).unwrap();
        let written = sink.commit(&Outcome::whole()).unwrap();
        let replaced = written[0].replaced.clone().unwrap();
        assert_eq!((replaced.records, &*replaced.example), (2, "k 1, l \"a\""));
        assert_eq!(written[0].records, 5);
    }
}

#[test]
fn sync_needs_a_key_and_its_words_need_sync() {
    for (settings, expected) in [
        (json!({"to": "sqlite:t.db", "sync": true}), "sync: needs a `key`"),
        (
            json!({"to": "sqlite:t.db", "allow_empty": true}),
            "allow_empty: says nothing without `sync: true`",
        ),
    ] {
        assert_eq!(refusal::<Store>(settings), expected);
    }
    assert_eq!(refusal::<Store>(json!({"to": "f.jsonl", "sync": true})), "built");
}
