//! CSV, sound and broken.

use super::*;

#[test]
fn a_csv_file_has_a_record_on_each_row() {
    let none = || json!({});
    for (text, settings, records, rejects) in [
        ("a,b\n1,x\n", none(), vec![r#"f.csv:2 {"a":"1","b":"x"}"#], vec![]),
        ("a\n\"x\ny\"\nz", none(), vec![r#"f.csv:2 {"a":"x\ny"}"#, r#"f.csv:4 {"a":"z"}"#], vec![]),
        ("a\n\"say \"\"so\"\", he\"\n", none(), vec![r#"f.csv:2 {"a":"say \"so\", he"}"#], vec![]),
        (
            "a,b\n1\n2,x\n3,x,y\n",
            none(),
            vec![r#"f.csv:3 {"a":"2","b":"x"}"#],
            vec!["f.csv:2 has 1 cell for 2 columns", "f.csv:4 has 3 cells for 2 columns"],
        ),
        ("a;b\n1;x\n", json!({"delimiter": ";"}), vec![r#"f.csv:2 {"a":"1","b":"x"}"#], vec![]),
        (
            "1,x\n",
            json!({"header": false}),
            vec![r#"f.csv:1 {"column_1":"1","column_2":"x"}"#],
            vec![],
        ),
        (" a ,\n1,x\n", none(), vec![r#"f.csv:2 {"a":"1","column_2":"x"}"#], vec![]),
        ("a,b\n", none(), vec![], vec![]),
        ("", none(), vec![], vec!["f.csv is empty: not even a header"]),
        ("", json!({"header": false}), vec![], vec![]),
        ("a,b,a\n1,2,3\n", none(), vec![], vec!["f.csv:1 header names `a` twice"]),
        (
            "a\n1\0\n2\n",
            none(),
            vec![r#"f.csv:3 {"a":"2"}"#],
            vec!["f.csv:2 cell `a` is not text: byte 1 is a null byte"],
        ),
    ] {
        check("f.csv", text.as_bytes(), settings, &records, &rejects);
    }
    check("f.tsv", b"a\tb\n1\tx\n", none(), &[r#"f.tsv:2 {"a":"1","b":"x"}"#], &[]);
    check("f.csv", b"\xEF\xBB\xBFa\n\xC3\xB1\n", none(), &[r#"f.csv:2 {"a":"ñ"}"#], &[]);
    check("f.csv", b"\xFF\xFEa\0\n\0\xF1\0\n\0", none(), &[r#"f.csv:2 {"a":"ñ"}"#], &[]);
    check(
        "f.csv",
        b"a\n\xFF\nb\n",
        none(),
        &[r#"f.csv:3 {"a":"b"}"#],
        &["f.csv:2 cell `a` is not UTF-8 text: byte 0 cannot be read"],
    );
}

#[test]
fn a_column_of_csv_may_have_a_type() {
    for (text, settings, records, rejects) in [
        (
            "a,b,c,d\n1,x,yes,2\n,,,\n1.5,,0,3\n1,x,,y\n",
            json!({"types": {"a": "number", "c": "boolean", "d": "integer"}}),
            vec![
                r#"f.csv:2 {"a":1,"b":"x","c":true,"d":2}"#,
                r#"f.csv:3 {"a":null,"b":"","c":null,"d":null}"#,
                r#"f.csv:4 {"a":1.5,"b":"","c":false,"d":3}"#,
            ],
            vec!["f.csv:5 cell `d` is `y`, not a whole number of 64 bits"],
        ),
        (
            "a,b\n1,2\n",
            json!({"types": {"c": "number"}}),
            vec![],
            vec!["f.csv:1 has no column `c`, which `types` names, only `a`, `b`"],
        ),
        (
            "1,2\n3,4\n",
            json!({"header": false, "types": {"column_2": "integer"}}),
            vec![
                r#"f.csv:1 {"column_1":"1","column_2":2}"#,
                r#"f.csv:2 {"column_1":"3","column_2":4}"#,
            ],
            vec![],
        ),
        (
            "1,2\n3,4\n",
            json!({"header": false, "types": {"column_3": "integer"}}),
            vec![],
            vec![
                "f.csv:1 has no column `column_3`, which `types` names, only `column_1`, `column_2`",
            ],
        ),
    ] {
        check("f.csv", text.as_bytes(), settings, &records, &rejects);
    }
}

#[test]
fn a_row_with_wrong_quotation_marks_takes_no_other_with_it() {
    const OPEN: &str = "opens a quotation mark that is never closed";
    const BEHIND: &str =
        "has text behind a closing quotation mark; write a mark inside a cell twice";
    for (text, records, rejects) in [
        ("a\n1\n\"2\n3\n4", vec!["2 1", "4 3", "5 4"], vec![format!("3 {OPEN}")]),
        ("a\n\"1\n\n\n3\n", vec!["5 3"], vec![format!("2 {OPEN}")]),
        ("a\n\"q\"x\n3\n", vec!["3 3"], vec![format!("2 {BEHIND}")]),
        ("a\n\"q\" \n3\n", vec!["3 3"], vec![format!("2 {BEHIND}")]),
        (
            "a\n\"1\n2\n\"3\n4\n",
            vec!["3 2", "5 4"],
            vec![
                format!("2 {OPEN}: text stands behind the next one, in line 4"),
                format!("4 {OPEN}"),
            ],
        ),
        (
            "a\n\"1\n\"\"2\n\"3\"\r\n",
            vec!["4 3"],
            vec![
                format!("2 {OPEN}: text stands behind the next one, in line 4"),
                format!("3 {BEHIND}"),
            ],
        ),
        ("a\n5\" pipe\n", vec!["2 5\" pipe"], vec![]),
        ("a\n\"x\r\n\ny\"\r\nz\r\n", vec!["2 x\r\n\ny", "5 z"], vec![]),
        ("a\r\"x\ry\"\rz\r\r", vec!["2 x\ry", "4 z"], vec![]),
        ("a\n\"\"\n\"\"\"\"\n\"\"\"b\"\"\"\n", vec!["2 ", "3 \"", "4 \"b\""], vec![]),
    ] {
        let folder = folder(&[("f.csv", text.as_bytes())]);
        let (found, rejected) = pull_all(&mut *source(folder.path(), json!({"path": "f.csv"})));
        let shown = |record: &Record| {
            format!("{} {}", record.line, record.get("a").and_then(Value::as_str).unwrap())
        };
        let reasons: Vec<_> =
            rejected.iter().map(|(record, why)| format!("{} {why}", record.line)).collect();
        assert_eq!(
            (found.iter().map(shown).collect(), reasons),
            (records.into_iter().map(str::to_owned).collect::<Vec<_>>(), rejects),
            "{text:?}"
        );
    }
    check("f.csv", b"a,\"b\n1,2\n", json!({}), &[], &[&format!("f.csv:1 header {OPEN}")]);
    check(
        "f.csv",
        b"\"1\n2,3\n",
        json!({"header": false}),
        &[r#"f.csv:2 {"column_1":"2","column_2":"3"}"#],
        &[&format!("f.csv:1 {OPEN}")],
    );
}

#[test]
fn a_quotation_mark_that_is_never_closed_takes_neither_memory_nor_time() {
    for line in ["x", "x\",\"y"] {
        let text = format!("a\n\"{}", format!("{line}\n").repeat(100_000));
        let folder = folder(&[("f.csv", text.as_bytes())]);
        let settings = json!({"path": "f.csv", "max_bytes": "4KiB"});
        let (records, rejects) = pull_all(&mut *source(folder.path(), settings));
        assert_eq!(records.len() + rejects.len(), 100_000);
        assert!(rejects[0].1.contains("never closed within 4096 bytes"), "{}", rejects[0].1);
        let (records, rejects) = pull_all(&mut *source(folder.path(), json!({"path": "f.csv"})));
        assert_eq!(records.len() + rejects.len(), 100_000);
    }
    check(
        "f.csv",
        format!("a\n\"b\nc\n{}\nd\n", "x".repeat(2000)).as_bytes(),
        json!({"max_bytes": "1KiB"}),
        &[r#"f.csv:3 {"a":"c"}"#, r#"f.csv:5 {"a":"d"}"#],
        &[
            "f.csv:2 opens a quotation mark that is never closed",
            "f.csv:4 is longer than 1024 bytes, the most that `max_bytes` allows",
        ],
    );
}

/// What any text is made of that is hard to take apart.
const PIECES: [&str; 8] = ["a", "\"", "\"\"", ",", "\n", "\r\n", "\"\n", ",\""];

#[test]
fn no_line_is_read_twice_and_sound_rows_are_as_another_reader_has_them() {
    let (mut random, mut sound) = (1_u64, 0);
    for _ in 0..3000 {
        let text: String = std::iter::repeat_with(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            PIECES[usize::try_from(random >> 61).unwrap()]
        })
        .take(12)
        .collect();
        let folder = folder(&[("f.csv", format!("a,b\n{text}").as_bytes())]);
        let (records, rejects) = pull_all(&mut *source(folder.path(), json!({"path": "f.csv"})));
        let mut lines: Vec<u32> = records.iter().map(|record| record.line).collect();
        lines.extend(rejects.iter().map(|(record, _)| record.line));
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), records.len() + rejects.len(), "{text:?}");
        if rejects.is_empty() {
            sound += 1;
            let mut csv =
                ::csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            let theirs: Vec<_> = csv
                .records()
                .map(|row| row.unwrap().iter().map(Value::from).collect::<Vec<_>>())
                .collect();
            let ours: Vec<_> = records
                .iter()
                .map(|record| record.fields().map(|(_, value)| value.clone()).collect::<Vec<_>>())
                .collect();
            assert_eq!(ours, theirs, "{text:?}");
        }
    }
    assert!(sound > 100, "{sound}");
}
