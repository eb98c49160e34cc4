//! What `store` leaves behind, from records that are as they should be and from all others.

use std::fs;
use std::path::Path;

use flow_engine::prelude::*;
use flow_engine::testing::{build_in, record, refusal, write_all};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::Store;

fn sink(folder: &Path, settings: Value) -> Box<dyn Sink> {
    match build_in::<Store>(folder, settings).unwrap() {
        Stage::Sink(sink) => sink,
        other => panic!("{other:?} is not a sink"),
    }
}

/// Writes batches as one run; gives the reasons of the refused.
fn run(folder: &Path, settings: &Value, batches: &[Value]) -> Vec<String> {
    let mut sink = sink(folder, settings.clone());
    let mut reasons = Vec::new();
    for batch in batches {
        let rows = batch.as_array().cloned().unwrap_or_default();
        let refused = sink.write(0, rows.into_iter().map(numbered).collect()).unwrap();
        reasons.extend(refused.into_iter().map(|(_, failure)| failure.reason));
    }
    sink.commit(&[]).unwrap();
    reasons
}

/// A record whose id depends on its content.
fn numbered(object: Value) -> Record {
    let id = RecordId::of(object.to_string().as_bytes());
    let mut record = record(object);
    record.id = id;
    record
}

/// The rows of a query, as JSON with types as SQLite has them.
fn rows(folder: &Path, query: &str) -> Value {
    let connection = Connection::open(folder.join("t.db")).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..width)
            .map(|at| {
                Ok(match row.get_ref(at)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(integer) => json!(integer),
                    ValueRef::Real(real) => json!(real),
                    ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
                    ValueRef::Blob(_) => json!("blob"),
                })
            })
            .collect::<Result<Value, _>>()
    });
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn values_are_kept_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"to": "sqlite:t.db", "table": "t", "key": "k"});
    let batch = json!([
        {"k": 1, "v": "007"}, {"k": 2, "v": 7}, {"k": 3, "v": 7.0}, {"k": 4, "v": true},
        {"k": 5, "v": null}, {"k": 6, "v": [1, {"a": "ü"}]}, {"k": 7, "v": u64::MAX},
        {"k": 8, "v": "a\0b'\";"}, {"k": 9, "v": i64::MIN}, {"k": 10}
    ]);
    assert_eq!(run(folder.path(), &settings, &[batch]), Vec::<String>::new());
    let expected = json!([
        ["007", "text"],
        [7, "integer"],
        [7.0, "real"],
        [1, "integer"],
        [null, "null"],
        ["[1,{\"a\":\"ü\"}]", "text"],
        ["18446744073709551615", "text"],
        ["a\0b'\";", "text"],
        [i64::MIN, "integer"],
        [null, "null"]
    ]);
    assert_eq!(rows(folder.path(), "SELECT v, typeof(v) FROM t ORDER BY k"), expected);
    let mode: String = Connection::open(folder.path().join("t.db"))
        .unwrap()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_record_changes_the_row_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"to": "sqlite:t.db", "table": "t", "key": ["a", "b"]});
    run(
        folder.path(),
        &settings,
        &[json!([{"a": 1, "b": "x", "n": 1}, {"a": 1, "b": "y", "n": 2}])],
    );
    run(
        folder.path(),
        &settings,
        &[json!([{"b": "x", "a": 1, "n": 3}]), json!([{"a": 1, "b": "x", "m": 4}])],
    );
    run(folder.path(), &settings, &[json!([{"a": 1, "b": "x"}])]);
    let found = rows(folder.path(), "SELECT a, b, n, m FROM t ORDER BY b");
    assert_eq!(found, json!([[1, "x", 3, 4], [1, "y", 2, null]]));
}

#[test]
fn without_a_key_a_run_that_is_repeated_leaves_one_row_for_each_record() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"to": "sqlite:deep/er/../t.db"});
    for _ in 0..2 {
        run(folder.path(), &settings, &[json!([{"n": 1}, {"n": 2}]), json!([{"n": 3}, {}])]);
    }
    fs::copy(folder.path().join("deep/t.db"), folder.path().join("t.db")).unwrap();
    assert_eq!(
        rows(folder.path(), "SELECT count(*), count(DISTINCT _id), sum(n) FROM node"),
        json!([[4, 4, 6]])
    );
}

#[test]
fn the_table_may_depend_on_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"to": "sqlite:t.db", "table": "{{ kind }}"});
    let batch = json!([{"kind": "a b", "n": 1}, {"kind": "x\"; DROP TABLE y; --", "m": 2}]);
    assert_eq!(run(folder.path(), &settings, &[batch]), Vec::<String>::new());
    let reasons = run(
        folder.path(),
        &settings,
        &[json!([{"kind": "A B"}, {"kind": ""}, {"kind": "sqlite_x"}, {"n": 1}, {"kind": "a\0"}])],
    );
    assert_eq!(
        reasons,
        [
            "table `A B` would be the same as table `a b`: SQLite does not tell capital letters \
             apart",
            "the name of the table is empty",
            "a table cannot be called `sqlite_x`",
            "`{{ kind }}`: no field `kind` here, only: n",
            "a table cannot be called `a\\0`",
        ]
    );
    assert_eq!(rows(folder.path(), "SELECT n FROM \"a b\""), json!([[1]]));
    assert_eq!(rows(folder.path(), "SELECT m FROM \"x\"\"; DROP TABLE y; --\""), json!([[2]]));
}

#[test]
fn a_record_that_cannot_be_a_row_is_refused_and_the_others_stored() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"to": "sqlite:t.db", "table": "t", "key": "k"});
    let mut wide: serde_json::Map<String, Value> =
        (0..2001).map(|n| (format!("c{n}"), json!(n))).collect();
    wide.insert("k".to_owned(), json!("wide"));
    let batch = json!([
        {"k": 1, "name": "a"}, {"name": "b"}, {"k": null}, {"k": 2, "Name": "c"},
        {"k": 3, "x": 1, "X": 2}, {"k": 4, "n\0": 1}, wide, {"k": 5, "": 1, "a\"b": 2, "日本": 3}
    ]);
    assert_eq!(
        run(folder.path(), &settings, &[batch]),
        [
            "has no field `k`, which is the key, only: name",
            "the key `k` is null",
            "field `Name` would fall into column `name` of table `t`: SQLite does not tell capital \
             letters apart",
            "field `X` would fall into column `x` of table `t`: SQLite does not tell capital \
             letters apart",
            "a column cannot be called `n\\0`",
            "table `t` would have 2003 columns, but SQLite has at most 2000",
        ]
    );
    assert_eq!(rows(folder.path(), "SELECT k FROM t ORDER BY k"), json!([[1], [5]]));
}

#[test]
fn constraints_of_a_table_that_was_there_refuse_single_records() {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join("t.db")).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
             CREATE TABLE t (k, n INTEGER CHECK (n > 0), p REFERENCES p);",
        )
        .unwrap();
    let settings = json!({"to": "sqlite:t.db", "table": "t", "key": "k"});
    let batch =
        json!([{"k": 1, "n": 1, "p": 1}, {"k": 2, "n": -1, "p": 1}, {"k": 3, "n": 1, "p": 9}]);
    let reasons = run(folder.path(), &settings, &[batch]);
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].contains("CHECK constraint failed: n > 0"), "{}", reasons[0]);
    assert!(reasons[1].contains("FOREIGN KEY constraint failed"), "{}", reasons[1]);
    assert_eq!(rows(folder.path(), "SELECT k FROM t"), json!([[1]]));
}

#[test]
fn a_key_that_is_not_unique_in_a_table_that_was_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join("t.db")).unwrap();
    connection.execute_batch("CREATE TABLE t (k); INSERT INTO t VALUES (1), (1)").unwrap();
    let mut sink = sink(folder.path(), json!({"to": "sqlite:t.db", "table": "t", "key": "k"}));
    let error = sink.write(0, vec![record(json!({"k": 2}))]).unwrap_err();
    assert!(error.help.unwrap().contains("already holds rows with the same key"));
}

#[test]
fn many_writers_at_once_lose_nothing_and_are_never_locked_out() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"to": "sqlite:t.db", "table": "{{ kind }}", "key": "id"});
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let (folder, settings) = (folder.path(), &settings);
            scope.spawn(move || {
                let batch = |batch: u64| -> Value {
                    let row = |n: u64| {
                        let id = writer * 1000 + batch * 10 + n;
                        json!({"kind": format!("k{}", n % 3), "id": id, format!("f{}", batch % 7): n})
                    };
                    (0..10).map(row).collect()
                };
                let batches: Vec<Value> = (0..15).map(batch).collect();
                assert_eq!(run(folder, settings, &batches), Vec::<String>::new());
            });
        }
    });
    let all = rows(
        folder.path(),
        "SELECT count(*), count(DISTINCT id) FROM \
         (SELECT id FROM k0 UNION ALL SELECT id FROM k1 UNION ALL SELECT id FROM k2)",
    );
    assert_eq!(all, json!([[900, 900]]));
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
        let error = sink.write(0, rows).and_then(|_| sink.commit(&[])).unwrap_err();
        assert!(error.message.contains(message), "{error}");
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
    assert_eq!(
        run(folder.path(), &json!({"to": "f.csv"}), &batches),
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
    assert_eq!(error.message, "`f.jsonl` is being written by another node or run");
    other.abort();
    one.commit(&[]).unwrap();
    let mut third = sink(folder.path(), json!({"to": "f.jsonl"}));
    fs::write(folder.path().join(".f.jsonl.part"), "left by a run that was killed").unwrap();
    third.write(0, vec![record(json!({"a": 1}))]).unwrap();
    third.commit(&[]).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("f.jsonl")).unwrap(), "{\"a\":1}\n");
}

#[test]
fn members_of_an_object_are_lifted_into_columns() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"to": "sqlite:t.db", "table": "t", "key": "id", "expand": ["fields"]});
    let batch = json!([{"name": "a", "fields": {"id": 1, "name": "b"}}, {"id": 2, "fields": 3}]);
    let reasons = run(folder.path(), &settings, &[batch]);
    assert_eq!(reasons, ["field `fields` is no object: `expand` cannot lift it"]);
    assert_eq!(rows(folder.path(), "SELECT id, name, fields_name FROM t"), json!([[1, "a", "b"]]));
}

#[test]
fn says_where_it_will_write_and_has_written() {
    let folder = tempfile::tempdir().unwrap();
    for (settings, survey) in [
        (json!({"to": "sqlite:a.db"}), "sqlite:a.db, table node, key _id"),
        (
            json!({"to": "sqlite:a.db", "table": "{{ kind }}", "key": ["a", "b"]}),
            "sqlite:a.db, table {{ kind }}, key a, b",
        ),
        (json!({"to": "out/f.jsonl"}), "out/f.jsonl"),
    ] {
        assert_eq!(sink(folder.path(), settings).survey(), survey);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let settings = json!({"to": "sqlite:a.db", "table": "{{ kind }}"});
    let mut sink = sink(folder.path(), settings);
    assert_eq!(write_all(&mut *sink, json!([{"kind": "b"}, {"kind": "a"}])), Vec::<String>::new());
    let written = |table: &str| Written { to: format!("sqlite:a.db, table {table}"), records: 1 };
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
        (json!({"to": "f.csv", "columns": ["a", "a"]}), "columns: names `a` twice"),
        (json!({"to": "sqlite:x", "key": []}), "key: names no field"),
        (json!({"to": "sqlite:x", "table": " "}), "table: is empty"),
        (json!({"to": "sqlite:x", "key": "k", "columns": ["a"]}), "columns: lacks the key `k`"),
    ] {
        assert_eq!(refusal::<Store>(settings), expected);
    }
}
