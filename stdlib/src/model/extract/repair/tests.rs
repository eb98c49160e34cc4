//! Broken JSON, hostile texts, and what is right and stays so.

use serde_json::json;

use super::*;

fn values(text: &str) -> Vec<Value> {
    super::values(text).0
}

#[test]
fn what_is_wrong_is_set_right() {
    for (written, expected) in [
        (r#"{"a": [1, 2,"#, json!({"a": [1, 2]})),
        (r#"{"a": "cut o"#, json!({"a": "cut o"})),
        (r#"{"a": "b", "c"#, json!({"a": "b"})),
        (r#"{"a": "b"}``"#, json!({"a": "b"})),
        (
            r#"{'a': True, b: None, // c
             "d": x y, }"#,
            json!({"a": true, "b": null, "d": "x y"}),
        ),
        (
            r#"{"a": "he said "no, "never"", "b": 1}"#,
            json!({"a": "he said \"no, \"never\"", "b": 1}),
        ),
        (r#"{"a": "New York, "b": "c"}"#, json!({"a": "New York", "b": "c"})),
        (r#"{"a: "b"}"#, json!({"a": "b"})),
        (r#"{"a": ["b", "c"}"#, json!({"a": ["b", "c"]})),
        (r#"{"a": [{"b": 1}, {"b": 2], "c": 3}"#, json!({"a": [{"b": 1}, {"b": 2}], "c": 3})),
        (r#"{"a": "\u00e9\ud83e\udd80\ud800\q\u"}"#, json!({"a": "é🦀\u{fffd}\\q\\u"})),
        ("{\"a\": \"two\nlines\"}", json!({"a": "two\nlines"})),
        (
            r#"{"a": .5, "b": 1., "c": 1_000, "d": 1/3}"#,
            json!({"a": 0.5, "b": 1.0, "c": 1000, "d": "1/3"}),
        ),
    ] {
        assert_eq!(values(written), [expected], "{written}");
    }
}

#[test]
fn what_is_cut_off_is_known() {
    for (written, cut) in [
        ("[1, {\"a\": 2}]", false),
        ("[1, {'a': 2,}]", false),
        ("{'a': [1}", false),
        ("[1", true),
        ("{\"a\": \"b", true),
        ("[{'a': 2}", true),
    ] {
        assert_eq!(super::values(written).1, cut, "{written}");
    }
}

#[test]
fn words_around_are_passed_over() {
    assert_eq!(values("none at all"), [] as [Value; 0]);
    let written = "First [1] then:\n```json\n{\"a\": 1}\n```\nDone.";
    assert_eq!(values(written), [json!([1]), json!({"a": 1})]);
}

#[test]
fn hostile_texts_end_soon() {
    for piece in
        ["[", "{\"a\":", "\"", "{", "[\"", "'a\" ", "```", "{/*", "{\"a\":\"b\"c", "\\", "{\"a\\"]
    {
        let text = format!("{{{}", piece.repeat(50_000));
        let start = std::time::Instant::now();
        values(&text);
        assert!(start.elapsed().as_secs() < 10, "{piece}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in r#"[\[\]{}"':,\\ua0 é“/*#.-]{0,60}"#) {
        values(&text);
    }

    #[test]
    fn what_is_right_stays(text in r#"[a-z"\\{}\[\]:, é\n]{0,20}"#, number: i32) {
        let value = json!({"a": [text, number, null, true, {"b": text, "c": 0.5}], "d": {}});
        let Value::Object(_) = &value else { unreachable!() };
        let compact = value.to_string();
        proptest::prop_assert_eq!(values(&compact), [value]);
    }
}

/// A text's outer white space is nobody's business.
fn trimmed(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.trim()),
        Value::Array(items) => items.iter().map(trimmed).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.trim(), trimmed(value))).collect()
        }
        other => other.clone(),
    }
}

/// Where another repairer reads an object or a list, most are read as it does; the rest may be
/// read otherwise with as good a reason.
#[test]
fn broken_json_of_models_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/json_repair/cases.json");
    let Ok(cases) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: there is no {path}");
        return;
    };
    let mut cases: Vec<Value> = serde_json::from_str(&cases).unwrap();
    cases.retain(|case| case["output"].is_object() || case["output"].is_array());
    let agrees = |case: &&Value| {
        let read: Vec<Value> =
            values(case["input"].as_str().unwrap()).iter().map(trimmed).collect();
        let expected = trimmed(&case["output"]);
        read == [expected.clone()] || json!(read) == expected
    };
    let (same, all) = (cases.iter().filter(agrees).count(), cases.len());
    println!("{same} of {all} as another repairer");
    assert!(same >= 150 && all == 215, "{same} of {all}");
}
