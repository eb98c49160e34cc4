//! What a report says of records that came in.

use std::path::Path;

use flow_engine::prelude::*;
use flow_engine::report::NodeReport;
use flow_engine::stage::Stage;
use flow_engine::testing::{build_in, record, refusal};

use super::Report;

fn sink(folder: &Path, settings: Value) -> Box<dyn Sink> {
    match build_in::<Report>(folder, settings) {
        Ok(Stage::Sink(sink)) => sink,
        other => panic!("{other:?}"),
    }
}

fn input(path: &str) -> Record {
    let mut record = Record::new(RecordId::of(path.as_bytes()));
    record.path = Some(path.into());
    record
}

fn reject(path: &str, node: &str, reason: &str) -> Record {
    let mut record = input(path);
    record.set("error", json!({"node": node, "reason": reason, "attempts": 1}));
    record
}

fn entity(kind: &str, name: &str, source: &str) -> Record {
    record(json!({
        "kind": kind, "name": name, "confidence": 0.75, "mentions": 2, "source": source,
        "method": "rules", "grounded": true,
    }))
}

fn node(name: &str, received: u64, rejected: u64) -> NodeReport {
    let passed = received - rejected;
    NodeReport {
        node: name.to_owned(),
        stage: "read".to_owned(),
        received,
        passed,
        rejected,
        ..NodeReport::default()
    }
}

fn entities() -> Vec<Record> {
    vec![
        entity("system", "SAP", "a.json"),
        entity("system", "sap", "b.json"),
        entity("system", "Excel | <b>", "a.json"),
        entity("pain", "late post", "a.json"),
    ]
}

fn fill(sink: &mut dyn Sink, entities: Vec<Record>) {
    assert_eq!(sink.write(0, entities).unwrap(), vec![]);
    assert_eq!(
        sink.write(1, vec![input("a.json"), input("b.json"), input("c.json")]).unwrap(),
        vec![]
    );
    assert_eq!(sink.write(2, vec![reject("d.json", "read", "is empty")]).unwrap(), vec![]);
}

#[test]
fn a_report_counts_names_and_validates() {
    let folder = tempfile::tempdir().unwrap();
    let to = json!(["out/r.json", "out/r.md", "out/r.xlsx"]);
    let settings =
        json!({"to": to, "expect": ["pain", "system", "kpi"], "title": "Two interviews"});
    let mut report = sink(folder.path(), settings);
    fill(report.as_mut(), entities());
    let written = report
        .commit(&Outcome {
            nodes: vec![node("interviews", 4, 1), node("entities", 3, 0)],
            ..Outcome::whole()
        })
        .unwrap();
    assert_eq!(written.len(), 3);
    let read = |name: &str| std::fs::read(folder.path().join("out").join(name)).unwrap();
    insta::assert_snapshot!("json", String::from_utf8(read("r.json")).unwrap());
    insta::assert_snapshot!("markdown", String::from_utf8(read("r.md")).unwrap());
    assert!(read("r.xlsx").starts_with(b"PK"));
    assert_eq!(std::fs::read_dir(folder.path().join("out")).unwrap().count(), 3);
}

#[test]
fn the_order_of_records_makes_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["a.json", "a.xlsx", "a.md"];
    let make = |entities: Vec<Record>| -> Vec<Vec<u8>> {
        let mut report = sink(folder.path(), json!({"to": names}));
        fill(report.as_mut(), entities);
        report.commit(&Outcome::whole()).unwrap();
        names.iter().map(|name| std::fs::read(folder.path().join(name)).unwrap()).collect()
    };
    let turned: Vec<Record> = entities().into_iter().rev().collect();
    assert!(make(entities()) == make(turned));
}

/// `check: passed` for each check of the validation.
fn verdict(settings: Value, nodes: &[NodeReport], with: bool) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings;
    settings["to"] = json!("r.json");
    let mut report = sink(folder.path(), settings);
    if with {
        fill(report.as_mut(), entities());
    }
    report.commit(&Outcome { nodes: nodes.to_vec(), ..Outcome::whole() }).unwrap();
    let json = std::fs::read(folder.path().join("r.json")).unwrap();
    let report: Value = serde_json::from_slice(&json).unwrap();
    let checks = report["validation"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["passed"] == json!(false));
    failed
        .map(|check| format!("{}: {}", check["check"], check["detail"]).replace('"', ""))
        .collect()
}

#[test]
fn the_validation_finds_what_is_missing() {
    let whole = node("read", 4, 1);
    let more = node("read", 5, 2);
    let without = "every input has data or is rejected: 4 inputs: 2 with entities, 1 without any, 1 \
                   rejected; without any: c.json";
    for (settings, node, with, expected) in [
        (json!({"expect": ["pain"]}), &whole, true, &[without][..]),
        (
            json!({"expect": ["kpi"]}),
            &whole,
            true,
            &["every kind has data: 1 of 1 kind without data: kpi", without],
        ),
        (
            json!({}),
            &more,
            true,
            &[
                without,
                "every reject is named: 1 of 2 rejects came here, with reasons; nodes with rejects: read",
            ],
        ),
        (
            json!({}),
            &whole,
            false,
            &[
                "every input has data or is rejected: 0 inputs: 0 with entities, 0 without any, 0 rejected",
                "every reject is named: 0 of 1 reject came here, with reasons; nodes with rejects: read",
            ],
        ),
    ] {
        assert_eq!(verdict(settings, std::slice::from_ref(node), with), expected);
    }
}

#[test]
fn the_verdict_is_said_once_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let verdicts = |settings: Value, inputs: &[&str]| -> Vec<Option<String>> {
        let mut report = sink(folder.path(), settings);
        report.write(0, entities()).unwrap();
        report.write(1, inputs.iter().map(|path| input(path)).collect()).unwrap();
        let written = report.commit(&Outcome::whole()).unwrap();
        written.into_iter().map(|written| written.verdict).collect()
    };
    let to = ["r.json", "r.md"];
    assert_eq!(
        verdicts(json!({"to": to}), &["a.json"]),
        [Some("all 2 checks hold".to_owned()), None]
    );
    let verdict = "1 of 3 checks hold; not that every kind has data: 1 of 2 kinds without data: kpi; \
                   not that every input has data or is rejected: 3 inputs: 2 with entities, 1 \
                   without any, 0 rejected; without any: c.json";
    assert_eq!(
        verdicts(json!({"to": to, "expect": ["pain", "kpi"]}), &["c.json"]),
        [Some(verdict.to_owned()), None]
    );
}

#[test]
fn kinds_beyond_bounds_are_counted_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = sink(folder.path(), json!({"to": "r.json", "expect": ["z"]}));
    let kinds = (0..10_005).map(|n| entity(&format!("k{n:05}"), "x", "a.json"));
    let last = ["z", "k00007"].map(|kind| entity(kind, "x", "a.json"));
    report.write(0, kinds.chain(last).collect()).unwrap();
    let written = report.commit(&Outcome::whole()).unwrap();
    assert_eq!(written[0].records, 10_007);
    let json = std::fs::read(folder.path().join("r.json")).unwrap();
    let report: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(report["kinds"].as_array().unwrap().len(), 10_000);
    assert_eq!(report["kinds"][0]["entities"], 1);
    let remark = "6 entities of other kinds are counted together: there are more than 10000 kinds";
    assert_eq!(report["remarks"], json!([remark]));
}

#[test]
fn a_record_without_a_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = sink(folder.path(), json!({"to": "r.json", "by": "type"}));
    let refused = report.write(0, vec![entity("a", "b", "c"), record(json!({"type": 3}))]).unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].1.reason, "has no `type` to count by");
}

#[test]
fn a_run_that_broke_leaves_the_old_report() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("r.md"), "old").unwrap();
    let mut report = sink(folder.path(), json!({"to": "r.md"}));
    fill(report.as_mut(), entities());
    assert_eq!(report.abort(), vec![]);
    assert_eq!(std::fs::read_to_string(folder.path().join("r.md")).unwrap(), "old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn hostile_texts_fit_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let mut report =
        sink(folder.path(), json!({"to": ["r.json", "r.xlsx", "r.md"], "title": "\u{0}\n# x"}));
    let long = "x".repeat(100_000);
    for name in ["=1+1", "a|b\n# c", "\u{1}\u{fffe}", "\u{202e}", long.as_str()] {
        report.write(0, vec![entity(name, name, name)]).unwrap();
        report.write(2, vec![reject(name, name, name)]).unwrap();
    }
    assert_eq!(report.commit(&Outcome::whole()).unwrap().len(), 3);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (settings, expected) in [
        (json!({"to": "r.pdf"}), "to.0: `r.pdf` has no ending that is known"),
        (json!({"to": "r"}), "to.0: `r` has no ending that is known"),
        (json!({"to": []}), "to: names no file"),
        (json!({"to": ["r.md", "r.md"]}), "to.1: names `r.md` twice"),
        (
            json!({"to": "r.md", "schema": "none"}),
            "schema: `none` cannot be read: there is no such file",
        ),
    ] {
        assert_eq!(refusal::<Report>(settings), expected);
    }
}
