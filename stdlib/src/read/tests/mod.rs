//! What `read` brings from files that are as they should be, and from all others.

mod csv;
mod json;

use std::path::Path;

use flow_engine::prelude::*;
use flow_engine::testing::{build_in, pull_all, refusal};
use tempfile::TempDir;

use super::Read;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

fn source(folder: &Path, settings: Value) -> Box<dyn Source> {
    match build_in::<Read>(folder, settings).unwrap() {
        Stage::Source(source) => source,
        other => panic!("{other:?} is not a source"),
    }
}

/// Records as `path:line fields`, rejects as `path:line reason`.
fn read(folder: &Path, settings: Value) -> (Vec<String>, Vec<String>) {
    let (records, rejects) = pull_all(&mut *source(folder, settings));
    let place = |record: &Record| {
        let path = record.path.as_deref().unwrap_or("?");
        if record.line > 0 { format!("{path}:{}", record.line) } else { path.to_owned() }
    };
    let shown =
        |record: &Record| format!("{} {}", place(record), serde_json::to_string(record).unwrap());
    (
        records.iter().map(shown).collect(),
        rejects.iter().map(|(record, reason)| format!("{} {reason}", place(record))).collect(),
    )
}

#[track_caller]
fn check(name: &str, bytes: &[u8], settings: Value, records: &[&str], rejects: &[&str]) {
    let folder = folder(&[(name, bytes)]);
    let mut all = json!({"path": name});
    if let (Some(all), Value::Object(settings)) = (all.as_object_mut(), settings) {
        all.extend(settings);
    }
    let (found, rejected) = read(folder.path(), all.clone());
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
    assert_eq!(found, records, "{all} over {shown}");
    assert_eq!(rejected, rejects, "{all} over {shown}");
}

#[test]
fn a_text_file_is_one_record() {
    check("f.txt", b"a\r\nb", json!({}), &[r#"f.txt {"text":"a\r\nb"}"#], &[]);
    check("f.md", b"# a", json!({}), &[r##"f.md {"text":"# a"}"##], &[]);
    check("f.xyz", b"\xFE\xFF\0a", json!({}), &[r#"f.xyz {"text":"a"}"#], &[]);
    check("f.json", b"{", json!({"format": "text"}), &[r#"f.json {"text":"{"}"#], &[]);
    for (bytes, reason) in [
        (b"".as_slice(), "f.txt is empty"),
        (b" \n", "f.txt is empty"),
        (b"caf\xE9", "f.txt is not UTF-8 text: byte 3 cannot be read"),
        (b"a\0b\0", "f.txt is not text: byte 1 is a null byte"),
        (&[b'x'; 2000], "f.txt is larger than 1024 bytes, the most that `max_bytes` allows"),
    ] {
        check("f.txt", bytes, json!({"max_bytes": "1KiB"}), &[], &[reason]);
    }
}

#[test]
fn names_that_every_record_has_are_freed() {
    check(
        "f.jsonl",
        b"{\"_id\": 1, \"_x\": 2}\n{\"_id\": 1, \"source_id\": 2}",
        json!({}),
        &[r#"f.jsonl:1 {"source_id":1,"_x":2}"#],
        &["f.jsonl:2 has both a field `_id`, read as `source_id`, and `source_id`"],
    );
}

#[test]
fn files_come_in_an_order_that_never_changes_and_once() {
    let folder = folder(&[
        ("d/b.txt", b"b"),
        ("d/a.txt", b"a"),
        ("d/c/a.txt", b"ca"),
        ("d/c/e/z.txt", b"cez"),
        ("d/.h.txt", b"hidden"),
        ("d/.h/x.txt", b"hidden"),
        ("d/[x].txt", b"brackets"),
        ("d/ü ä.txt", b"umlauts"),
    ]);
    let absolute = folder.path().join("d/c/*.txt").to_string_lossy().into_owned();
    for (path, names) in [
        (json!("d/a.txt"), vec!["d/a.txt"]),
        (json!("./d/./a.txt"), vec!["d/a.txt"]),
        (json!("d/?.txt"), vec!["d/a.txt", "d/b.txt"]),
        (json!("d/*.txt"), vec!["d/[x].txt", "d/a.txt", "d/b.txt", "d/ü ä.txt"]),
        (json!(["d/b.txt", "d/[ab].txt"]), vec!["d/b.txt", "d/a.txt"]),
        (json!("d/[x].txt"), vec!["d/[x].txt"]),
        (json!("d/{a,c/a}.txt"), vec!["d/a.txt", "d/c/a.txt"]),
        (json!("**/?.txt"), vec!["d/a.txt", "d/b.txt", "d/c/a.txt", "d/c/e/z.txt"]),
        (json!("*/*/*.txt"), vec!["d/c/a.txt"]),
        (json!("d/.h.txt"), vec!["d/.h.txt"]),
        (json!("d/.*/*.txt"), vec!["d/.h/x.txt"]),
        (json!(absolute), vec!["d/c/a.txt"]),
    ] {
        let (records, rejects) = read(folder.path(), json!({"path": path}));
        let found: Vec<&str> =
            records.iter().map(|record| record.rsplit_once(" {").unwrap().0).collect();
        assert_eq!((found, rejects), (names, vec![]), "{path}");
    }
}

#[test]
fn the_same_files_give_the_same_ids() {
    let ids = |folder: &Path| {
        let (records, _) = pull_all(&mut *source(folder, json!({"path": ["*.jsonl", "*.json"]})));
        records.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    let files: [(&str, &[u8]); 2] = [("a.jsonl", b"{}\n{}\n"), ("b.json", b"[{}, {}]")];
    let (one, other) = (folder(&files), folder(&files));
    let all = ids(one.path());
    assert_eq!(all, ids(other.path()));
    assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 4);
}

#[test]
fn a_path_that_means_no_file_says_so_before_the_run() {
    let folder = folder(&[("data/a.json", b"{}")]);
    for (path, expected) in [
        ("data/b.json", "there is no file `data/b.json`"),
        ("data", "`data` is a folder"),
        ("data/*.csv", "`data/*.csv` matches no file in `./data`"),
        ("dta/*.json", "`dta/*.json` matches nothing: the folder `./dta` does not exist"),
    ] {
        let mut source = source(folder.path(), json!({"path": path}));
        let error = source.survey().unwrap_err();
        let here = format!("{}/", folder.path().display());
        assert_eq!(error.message.replace(&here, "./"), expected);
        assert!(error.help.is_some(), "{path}");
        assert_eq!(source.pull(1).unwrap_err(), error);
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_in_circles_and_broken_ones_are_rejected() {
    use std::os::unix::fs::symlink;

    let folder = folder(&[("d/a.txt", b"a")]);
    symlink(folder.path().join("d"), folder.path().join("d/round")).unwrap();
    symlink(folder.path().join("d/a.txt"), folder.path().join("d/link.txt")).unwrap();
    symlink("nowhere", folder.path().join("d/broken.txt")).unwrap();
    let both = [r#"d/a.txt {"text":"a"}"#, r#"d/link.txt {"text":"a"}"#];
    for pattern in ["d/*.txt", "**/*.txt"] {
        let (records, rejects) = read(folder.path(), json!({"path": pattern}));
        assert_eq!(records, both);
        assert_eq!(rejects, ["d/broken.txt is not there any more"]);
    }
}

#[test]
fn a_file_that_vanishes_is_rejected_and_the_others_read() {
    let folder = folder(&[("a.txt", b"a"), ("b.jsonl", b"{}"), ("c.txt", b"c")]);
    let mut source = source(folder.path(), json!({"path": "*"}));
    assert_eq!(source.pull(1).unwrap().found.len(), 1);
    std::fs::remove_file(folder.path().join("b.jsonl")).unwrap();
    let (records, rejects) = pull_all(&mut *source);
    assert_eq!(records.len(), 1);
    assert_eq!(rejects[0].1, "is not there any more");
}

#[test]
fn a_pull_brings_no_more_than_is_asked_and_about_a_mebibyte() {
    let line = format!("{{\"a\": \"{}\"}}\n", "x".repeat(100_000)).repeat(30);
    let folder = folder(&[("a.jsonl", line.as_bytes())]);
    let mut source = source(folder.path(), json!({"path": "*"}));
    assert_eq!(source.progress(), None);
    assert_eq!(source.pull(3).unwrap().found.len(), 3);
    assert_eq!(source.pull(100).unwrap().found.len(), 11);
    assert!(source.progress().is_some_and(|share| share > 0.4 && share < 0.6));
    assert_eq!(pull_all(&mut *source).0.len(), 16);
    assert_eq!(source.progress(), Some(1.0));
}

#[test]
fn the_survey_says_what_is_known_beforehand() {
    let folder =
        folder(&[("a.txt", b"abc"), ("b.txt", b"a"), ("c.jsonl", b"{}\n"), ("d.json", b"[]")]);
    let survey = |path: Value| source(folder.path(), json!({"path": path})).survey().unwrap();
    for (path, what, records, bytes, largest) in [
        (json!("*.txt"), "2 files matching *.txt", Some(2), 4, Some(3)),
        (json!("c.jsonl"), "c.jsonl", None, 3, None),
        (json!(["a.txt", "*.json"]), "2 files matching a.txt, *.json", None, 5, Some(3)),
        (json!("c.*"), "1 file matching c.*", None, 3, None),
    ] {
        let what = what.to_owned();
        assert_eq!(survey(path), Survey { what, records, bytes: Some(bytes), largest });
    }
}

#[test]
fn says_which_fields_it_gives_where_that_is_certain() {
    let text = Fields::Exactly(vec!["text".to_owned()]);
    for (settings, expected) in [
        (json!({"path": "*.md"}), text.clone()),
        (json!({"path": ["*.md", "a.txt"]}), text.clone()),
        (json!({"path": "*", "format": "text"}), text),
        (json!({"path": "*.json"}), Fields::Unknown),
        (json!({"path": "*"}), Fields::Unknown),
        (json!({"path": "*.md", "format": "csv"}), Fields::Unknown),
        (json!({}), Fields::Unknown),
    ] {
        assert_eq!(Read::fields(&settings), expected, "{settings}");
    }
}

#[test]
fn refuses_settings_that_make_no_sense() {
    for (settings, expected) in [
        (json!({"path": []}), "path: names no file"),
        (json!({"path": ""}), "path.0: is empty"),
        (json!({"path": "a\0b"}), "path.0: `a\\0b` holds a null character"),
        (
            json!({"path": "a[b"}),
            "path.0: `a[b` is no pattern: unclosed character class; missing ']'",
        ),
        (json!({"path": "*", "delimiter": "ab"}), "delimiter: `ab` cannot stand between cells"),
        (json!({"path": "*", "delimiter": "\""}), "delimiter: `\"` cannot stand between cells"),
        (
            json!({"path": "*", "format": "json", "header": false}),
            "header: does not go with this `format`",
        ),
        (
            json!({"path": ["a.jsonl", "*.md"], "types": {"n": "number"}}),
            "types: does not go with these files",
        ),
        (json!({"path": "a.csv", "records": "data"}), "records: does not go with these files"),
    ] {
        assert_eq!(refusal::<Read>(settings), expected);
    }
}
