//! What `store` leaves behind in a database.

use std::fs;
use std::path::Path;

use flow_engine::prelude::*;
use flow_engine::testing::record;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::tests::{run, sink};

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
fn members_of_an_object_are_lifted_into_columns() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"to": "sqlite:t.db", "table": "t", "key": "id", "expand": ["fields"]});
    let batch = json!([{"name": "a", "fields": {"id": 1, "name": "b"}}, {"id": 2, "fields": 3}]);
    let reasons = run(folder.path(), &settings, &[batch]);
    assert_eq!(reasons, ["field `fields` is no object: `expand` cannot lift it"]);
    assert_eq!(rows(folder.path(), "SELECT id, name, fields_name FROM t"), json!([[1, "a", "b"]]));
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
fn a_later_run_that_finds_less_removes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"to": "sqlite:t.db", "table": "t", "key": "k"});
    for batch in [json!([{"k": 1, "v": 1}, {"k": 2, "v": 1}]), json!([{"k": 1, "v": 2}])] {
        assert_eq!(run(folder.path(), &settings, &[batch]), Vec::<String>::new());
    }
    let expected = json!([[1, 2], [2, 1]]);
    assert_eq!(rows(folder.path(), "SELECT k, v FROM t ORDER BY k"), expected);
}
