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
fn a_quotation_mark_that_is_never_closed_does_not_take_all_memory() {
    let text = format!("a\n1\n\"{}", "x\n".repeat(200_000));
    check(
        "f.csv",
        text.as_bytes(),
        json!({"max_bytes": "4KiB"}),
        &[r#"f.csv:2 {"a":"1"}"#],
        &["f.csv:3 is given up here: the row has more than 4096 bytes, the most that `max_bytes` \
           allows; is a quotation mark not closed?"],
    );
}
