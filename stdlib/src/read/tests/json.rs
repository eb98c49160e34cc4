//! JSON and JSONL, sound and broken.

use super::*;

#[test]
fn a_json_file_is_a_record_or_a_list_of_them() {
    let none = || json!({});
    for (text, records, rejects) in [
        (r#"{"a": 1}"#, vec![r#"f.json {"a":1}"#], vec![]),
        (r#"[{"a": 1}, {"b": 2}]"#, vec![r#"f.json {"a":1}"#, r#"f.json {"b":2}"#], vec![]),
        (
            r#"[{"a": 1}, 2]"#,
            vec![r#"f.json {"a":1}"#],
            vec!["f.json:1 item 2 is a number, not an object"],
        ),
        ("[]", vec![], vec![]),
        ("", vec![], vec!["f.json is empty"]),
        (" \n", vec![], vec!["f.json is empty"]),
        ("3", vec![], vec!["f.json holds a number, not an object or a list"]),
        (
            "{\n\"a\": [1,",
            vec![],
            vec!["f.json:2 is cut off: the JSON ends in the middle of a value"],
        ),
        (
            "{\n\"a\": \"x",
            vec![],
            vec!["f.json:2 is cut off: the JSON ends in the middle of a string"],
        ),
        ("{\"a\" 1}", vec![], vec!["f.json:1 is not JSON: expected `:` at column 6"]),
        ("{} {}", vec![], vec!["f.json:1 is not JSON: trailing characters at column 4"]),
        ("{\"a\": 1e999}", vec![], vec!["f.json:1 is not JSON: number out of range at column 11"]),
    ] {
        check("f.json", text.as_bytes(), none(), &records, &rejects);
    }
    check(
        "f.json",
        b"{\"a\": \"\xFF\"}",
        none(),
        &[],
        &["f.json is not UTF-8 text: byte 7 cannot be read"],
    );
    for (deep, reason) in [
        (b"[".repeat(100_000), "is cut off: the JSON ends in the middle of a list"),
        (b"{\"a\":".repeat(100_000), "is cut off: the JSON ends in the middle of a value"),
        (
            [b"{\"a\":".repeat(200), b"1".to_vec(), b"}".repeat(200)].concat(),
            "is not JSON: recursion limit exceeded at column 636",
        ),
    ] {
        check("f.json", &deep, none(), &[], &[&format!("f.json:1 {reason}")]);
    }
}

#[test]
fn an_item_that_cannot_be_read_takes_no_other_with_it() {
    check(
        "f.json",
        b"[{\"a\": 1}, {\"a\": 1e999},\n {\"a\": {\"b\": 2, \"b\": 3}}, {\"n\":\n 123456789012345678901},\n\n[],{\"a\": 2}]",
        json!({}),
        &[r#"f.json {"a":1}"#, r#"f.json {"a":2}"#],
        &[
            "f.json:1 item 2 is not JSON: number out of range at column 22",
            "f.json:2 item 3 names `a.b` twice, so that one of its values would be lost",
            "f.json:2 item 4 holds at `n` the number 123456789012345678901, which 64 bits cannot \
             hold exactly; write it as text, in quotation marks",
            "f.json:5 item 5 is a list, not an object",
        ],
    );
}

#[test]
fn records_may_lie_inside_a_json_file() {
    for (text, records, rejects) in [
        (r#"{"d": {"i": [{"a": 1}]}}"#, vec![r#"f.json {"a":1}"#], vec![]),
        (r#"{"d": {}}"#, vec![], vec!["f.json has no `d.i`: no `i`"]),
        (r#"{"d": 1, "d": {"i": []}}"#, vec![], vec!["f.json names `d` twice on the way to `d.i`"]),
        (r#"{"d": [1]}"#, vec![], vec!["f.json has no `d.i`: a list where `i` should be"]),
        (r#"{"d": {"i": "x"}}"#, vec![], vec!["f.json holds a string at `d.i`, not a list"]),
    ] {
        check("f.json", text.as_bytes(), json!({"records": "d.i"}), &records, &rejects);
    }
}

#[test]
fn a_jsonl_file_has_a_record_on_each_line() {
    let text = b"{\"a\": 1}\r\n\n  \n{\"a\": 3}\nno\n{\"a\": \n[1]\n{\"a\": \"\xFF\"}\n{\"a\": 4}";
    let records = [r#"f.jsonl:1 {"a":1}"#, r#"f.jsonl:4 {"a":3}"#, r#"f.jsonl:9 {"a":4}"#];
    let rejects = [
        "f.jsonl:5 is not JSON: expected ident at column 2",
        "f.jsonl:6 is cut off: the JSON ends in the middle of a value",
        "f.jsonl:7 is a list, not an object",
        "f.jsonl:8 is not UTF-8 text: byte 7 cannot be read",
    ];
    check("f.jsonl", text, json!({}), &records, &rejects);
    check("f.jsonl", b"", json!({}), &[], &[]);
    check("f.ndjson", b"\xEF\xBB\xBF{}", json!({}), &["f.ndjson:1 {}"], &[]);
    check("f.log", b"{}\n", json!({"format": "jsonl"}), &["f.log:1 {}"], &[]);
}

#[test]
fn a_line_whose_values_would_be_altered_is_rejected_with_its_field() {
    let text = b"{\"a\": 2, \"a\": 3}\n{\"a\": {\"n\": -99999999999999999999}}\n{\"a\": 1e20}\n";
    check(
        "f.jsonl",
        text,
        json!({}),
        &[r#"f.jsonl:3 {"a":1e+20}"#],
        &[
            "f.jsonl:1 names `a` twice, so that one of its values would be lost",
            "f.jsonl:2 holds at `a.n` the number -99999999999999999999, which 64 bits cannot hold \
             exactly; write it as text, in quotation marks",
        ],
    );
}

#[test]
fn a_line_that_is_too_long_is_rejected_and_the_next_one_read() {
    let long = format!("{{\"a\": \"{}\"}}\n{{\"a\": 1}}\n", "x".repeat(3000));
    check(
        "f.jsonl",
        long.as_bytes(),
        json!({"max_bytes": "1KiB"}),
        &[r#"f.jsonl:2 {"a":1}"#],
        &["f.jsonl:1 is longer than 1024 bytes, the most that `max_bytes` allows"],
    );
}

#[test]
fn a_broken_line_keeps_its_text() {
    let folder = folder(&[("f.jsonl", b"{\"a\": 1,,}\n")]);
    let (_, rejects) = pull_all(&mut *source(folder.path(), json!({"path": "f.jsonl"})));
    assert_eq!(rejects[0].0.get("raw"), Some(&json!("{\"a\": 1,,}")));
}
