//! What `store` leaves behind, from records that are as they should be and from all others.

use std::fs;
use std::path::Path;

use flow_engine::prelude::*;
use flow_engine::testing::{build_in, record, refusal, write_all};

use super::Store;

pub(super) fn sink(folder: &Path, settings: Value) -> Box<dyn Sink> {
    match build_in::<Store>(folder, settings).unwrap() {
        Stage::Sink(sink) => sink,
        other => panic!("{other:?} is not a sink"),
    }
}

/// Writes batches as one run; gives the reasons of the refused.
pub(super) fn run(folder: &Path, settings: &Value, batches: &[Value]) -> Vec<String> {
    let mut sink = sink(folder, settings.clone());
    let mut reasons = Vec::new();
    for batch in batches {
        let rows = batch.as_array().cloned().unwrap_or_default();
        let refused = sink.write(0, rows.into_iter().map(numbered).collect()).unwrap();
        reasons.extend(refused.into_iter().map(|(_, failure)| failure.reason));
    }
    sink.commit(&Outcome::whole()).unwrap();
    reasons
}

/// A record whose id depends on its content.
fn numbered(object: Value) -> Record {
    let id = RecordId::of(object.to_string().as_bytes());
    let mut record = record(object);
    record.id = id;
    record
}

/// A message with its paths as they are below the folder.
fn seen_from(folder: &Path, message: &str) -> String {
    message.replace(&format!("{}/", folder.display()), "")
}

#[test]
fn a_place_that_cannot_be_a_database_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("d")).unwrap();
    fs::write(folder.path().join("f"), "this is a text and not a database at all, far from it")
        .unwrap();
    for (to, message, help) in [
        ("sqlite:d", "`sqlite:d` is a folder", "Name a file in it"),
        ("sqlite:f", "file is not a database", "It is a file of another kind"),
        ("sqlite:f/t.db", "the folder of `sqlite:f/t.db` cannot be made", "Choose a folder"),
        ("d.jsonl", "`d.jsonl` is a folder", "Name a file in it"),
        ("f/a.jsonl", "`f/a.jsonl` cannot be written", "choose another path"),
    ] {
        fs::create_dir_all(folder.path().join("d.jsonl")).unwrap();
        let mut sink = sink(folder.path(), json!({"to": to}));
        let rows = vec![record(json!({"a": 1}))];
        let error = sink.write(0, rows).and_then(|_| sink.commit(&Outcome::whole())).unwrap_err();
        assert!(seen_from(folder.path(), &error.message).contains(message), "{error}");
        assert!(error.help.as_deref().unwrap_or_default().contains(help), "{error:?}");
        sink.abort();
    }
}

#[test]
fn files_hold_what_their_ending_says() {
    let batches =
        [json!([{"a": 1, "b": "x,\"y\"\nz"}, {"a": null, "b": [1]}]), json!([{"b": true}])];
    for (to, settings, expected) in [
        (
            "f.jsonl",
            json!({}),
            "{\"a\":1,\"b\":\"x,\\\"y\\\"\\nz\"}\n{\"a\":null,\"b\":[1]}\n{\"b\":true}\n",
        ),
        ("f.ndjson", json!({"columns": ["a"]}), "{\"a\":1}\n{\"a\":null}\n{}\n"),
        (
            "f.json",
            json!({}),
            "[\n{\"a\":1,\"b\":\"x,\\\"y\\\"\\nz\"},\n{\"a\":null,\"b\":[1]},\n{\"b\":true}\n]\n",
        ),
        ("f.csv", json!({}), "a,b\n1,\"x,\"\"y\"\"\nz\"\n,[1]\n,true\n"),
        ("f.tsv", json!({"columns": ["b", "c"]}), "b\tc\n\"x,\"\"y\"\"\nz\"\t\n[1]\t\ntrue\t\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut all = json!({"to": to});
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        for _ in 0..2 {
            assert_eq!(run(folder.path(), &all, &batches), Vec::<String>::new());
            assert_eq!(fs::read_to_string(folder.path().join(to)).unwrap(), expected);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a part is left of {to}");
    }
}

#[test]
fn a_run_without_records_leaves_a_file_without_records() {
    let folder = tempfile::tempdir().unwrap();
    for (to, settings, expected) in [
        ("f.jsonl", json!({"to": "f.jsonl"}), ""),
        ("f.json", json!({"to": "f.json"}), "[]\n"),
        ("f.csv", json!({"to": "f.csv"}), ""),
        ("g.csv", json!({"to": "g.csv", "columns": ["a", "b"]}), "a,b\n"),
    ] {
        fs::write(folder.path().join(to), "old").unwrap();
        run(folder.path(), &settings, &[]);
        assert_eq!(fs::read_to_string(folder.path().join(to)).unwrap(), expected);
    }
    run(folder.path(), &json!({"to": "sqlite:t.db"}), &[]);
    assert!(!folder.path().join("t.db").exists());
}

#[test]
fn csv_refuses_fields_that_have_no_column() {
    let folder = tempfile::tempdir().unwrap();
    let batches = [json!([{"a": 1}, {"b": 2}]), json!([{"a": 3, "c": 4}, {"b": 5}])];
    let reasons = run(folder.path(), &json!({"to": "f.csv"}), &batches);
    assert_eq!(
        reasons.iter().map(|reason| seen_from(folder.path(), reason)).collect::<Vec<_>>(),
        ["`f.csv` has no column `c`: the columns are those of the first batch; list them all in \
          `columns`"]
    );
    assert_eq!(fs::read_to_string(folder.path().join("f.csv")).unwrap(), "a,b\n1,\n,2\n,5\n");
    let reasons = run(folder.path(), &json!({"to": "f.csv"}), &[json!([{}])]);
    assert_eq!(reasons, ["has no fields, so the CSV file would have no columns"]);
}

#[test]
fn a_broken_run_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("f.jsonl"), "old").unwrap();
    for end_by_abort in [true, false] {
        let mut sink = sink(folder.path(), json!({"to": "f.jsonl"}));
        let long = "x".repeat(300_000);
        sink.write(0, vec![record(json!({"a": long}))]).unwrap();
        assert!(folder.path().join(".f.jsonl.part").exists());
        if end_by_abort {
            assert_eq!(sink.abort(), []);
        }
        drop(sink);
        assert_eq!(fs::read_to_string(folder.path().join("f.jsonl")).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn two_writers_of_one_file_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let row = || vec![record(json!({"a": "x".repeat(300_000)}))];
    let mut one = sink(folder.path(), json!({"to": "f.jsonl"}));
    let mut other = sink(folder.path(), json!({"to": "f.jsonl"}));
    one.write(0, row()).unwrap();
    let error = other.write(0, row()).unwrap_err();
    let message = seen_from(folder.path(), &error.message);
    assert_eq!(message, "`f.jsonl` is being written by another node or run");
    other.abort();
    one.commit(&Outcome::whole()).unwrap();
    let mut third = sink(folder.path(), json!({"to": "f.jsonl"}));
    fs::write(folder.path().join(".f.jsonl.part"), "left by a run that was killed").unwrap();
    third.write(0, vec![record(json!({"a": 1}))]).unwrap();
    third.commit(&Outcome::whole()).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("f.jsonl")).unwrap(), "{\"a\":1}\n");
}

#[test]
fn says_where_it_will_write_and_has_written() {
    let folder = tempfile::tempdir().unwrap();
    for (settings, survey) in [
        (json!({"to": "sqlite:a.db"}), "sqlite:[folder]/a.db, table node, key _id"),
        (
            json!({"to": "sqlite:a.db", "table": "{{ kind }}", "key": ["a", "b"]}),
            "sqlite:[folder]/a.db, table {{ kind }}, key a, b",
        ),
        (json!({"to": "out/f.jsonl"}), "[folder]/out/f.jsonl"),
    ] {
        let shown = sink(folder.path(), settings).survey();
        assert_eq!(shown, survey.replace("[folder]", &folder.path().display().to_string()));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let settings = json!({"to": "sqlite:a.db", "table": "{{ kind }}"});
    let mut sink = sink(folder.path(), settings);
    assert_eq!(write_all(&mut *sink, json!([{"kind": "b"}, {"kind": "a"}])), Vec::<String>::new());
    let to = |table: &str| format!("sqlite:{}/a.db, table {table}", folder.path().display());
    let written = |table: &str| Written::new(to(table), 1);
    assert_eq!(sink.abort(), [written("a"), written("b")]);
}

#[test]
fn refuses_settings_that_make_no_sense() {
    for (settings, expected) in [
        (json!({"to": "x.pdf"}), "to: `x.pdf` is no place that `store` can write to"),
        (json!({"to": ""}), "to: `` is no place that `store` can write to"),
        (json!({"to": "x.db"}), "to: `x.db` does not say that it is a database"),
        (json!({"to": "sqlite:"}), "to: names no file"),
        (json!({"to": "f.csv", "key": "a"}), "key: `f.csv` is a file, which has no key"),
        (json!({"to": "f.csv", "table": "a"}), "table: `f.csv` is a file, which has no table"),
        (json!({"to": "f.csv", "columns": []}), "columns: names no column"),
        (json!({"to": "f.csv", "columns": ["a", "a"]}), "columns.1: names `a` twice"),
        (json!({"to": "sqlite:x", "key": []}), "key: names no field"),
        (json!({"to": "sqlite:x", "table": " "}), "table: is empty"),
        (json!({"to": "sqlite:x", "key": "k", "columns": ["a"]}), "columns: lacks the key `k`"),
    ] {
        assert_eq!(refusal::<Store>(settings), expected);
    }
}
