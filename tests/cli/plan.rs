//! `flow plan`, `flow graph`, `flow run --dry-run`, and what changes a file from outside.

use crate::folder::{Answer, Folder, SMALL};

fn ok(answer: Answer) -> String {
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    answer.out
}

#[test]
fn the_plan_shows_everything_resolved() {
    insta::assert_snapshot!("plan", ok(Folder::small().flow("plan small.yaml")));
}

#[test]
fn the_plan_as_json_has_every_node_and_edge() {
    let text = ok(Folder::small().flow("plan small.yaml --format json"));
    let plan: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let names: Vec<&str> = plan["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|node| node["node"].as_str())
        .collect();
    assert_eq!(names, ["rows", "big", "saved", "dead"]);
    assert_eq!(plan["edges"].as_array().map(Vec::len), Some(3));
    assert_eq!(plan["nodes"][0]["reads"]["records"], serde_json::Value::Null);
}

#[test]
fn graphs_are_drawn_in_every_format() {
    let folder = Folder::small();
    for format in ["tree", "mermaid", "dot", "json"] {
        let text = ok(folder.flow(&format!("graph small.yaml --format {format}")));
        insta::assert_snapshot!(format!("graph_{format}"), text);
    }
    assert_eq!(ok(folder.flow("graph small.yaml --format svg --output out.svg")), "");
    insta::assert_snapshot!("graph_svg", folder.read("out.svg"));
}

#[test]
fn a_dry_run_shows_the_plan_and_the_graph_and_writes_nothing() {
    let folder = Folder::small();
    let text = ok(folder.flow("run small.yaml --dry-run"));
    let plan = ok(folder.flow("plan small.yaml"));
    let graph = ok(folder.flow("graph small.yaml"));
    assert_eq!(text, format!("{plan}\ngraph\n{graph}"));
    assert!(!folder.path("out").exists());
}

#[test]
fn a_hint_that_is_not_read_is_warned_of_and_not_shown() {
    let folder = Folder::small();
    let idle = "from: rows\n    timeout: 7s\n    retry: 9\n    batch_wait: 3s";
    folder.file("idle.yaml", SMALL.replacen("from: rows", idle, 1));
    let answer = folder.flow("plan idle.yaml");
    assert_eq!(answer.out, folder.flow("plan small.yaml").out);
    assert_eq!(answer.err.matches("does nothing here: `filter` is a light map").count(), 3);
    let json = folder.flow("plan idle.yaml --format json").out;
    let plan: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let big = &plan["nodes"][1];
    assert_eq!((&big["timeout_ms"], &big["retry"]), (&serde_json::Value::Null, &0.into()));
}

#[test]
fn flags_profiles_and_overrides_reach_the_plan() {
    let folder = Folder::small();
    folder.file("other/b.jsonl", crate::folder::ROWS);
    for (line, expected) in [
        ("--input other/*.jsonl", "other/*.jsonl"),
        ("--input=other/*.jsonl", "other/*.jsonl"),
        ("--param input=other/*.jsonl", "other/*.jsonl"),
        ("--set stages.saved.with.to=out/else.jsonl", "out/else.jsonl"),
        ("--set stages.big.buffer=77", "77"),
    ] {
        let text = ok(folder.flow(&format!("plan small.yaml {line}")));
        assert!(text.contains(expected), "{line}: {text}");
    }
}

#[test]
fn what_does_not_fit_the_file_is_refused() {
    let folder = Folder::small();
    for (line, word) in [
        ("--least many", "least"),
        ("--profile strikt", "strict"),
        ("--set stages.bigg.buffer=7", "big"),
        ("--set nonsense", "`--set nonsense` has no `=`"),
        ("--param lest=3", "least"),
    ] {
        let answer = folder.flow(&format!("plan small.yaml {line}"));
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{line}: {}", answer.err);
        assert!(answer.err.contains(word), "{line}: {}", answer.err);
    }
}

#[test]
fn a_file_that_is_broken_is_blamed_before_its_flags() {
    let folder = Folder::new();
    folder.file("broken.yaml", SMALL.replace("params:", "params: ["));
    let answer = folder.flow("plan broken.yaml --input x");
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("error[F01"), "{}", answer.err);
    assert!(!answer.err.contains("--input"), "{}", answer.err);
    let answer = folder.flow("plan missing.yaml --input x --help");
    assert!(answer.err.starts_with("error: no file `missing.yaml`"), "{}", answer.err);
}

#[test]
fn a_picture_that_cannot_be_written_says_so() {
    let answer = Folder::small().flow("graph small.yaml --format svg --output no/where.svg");
    assert_eq!(answer.code, 1);
    assert!(answer.err.starts_with("error: cannot write `no/where.svg`"), "{}", answer.err);
}

#[test]
fn two_nodes_that_write_one_file_are_refused() {
    let folder = Folder::small();
    let answer = folder.flow("plan small.yaml --set stages.dead.with.to=./out/x/../big.jsonl");
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("error[F0505]: `saved` and `dead` both write"), "{}", answer.err);
}

#[cfg(unix)]
#[test]
fn a_node_that_would_write_over_a_file_that_is_read_is_refused() {
    let folder = Folder::small();
    let rows = folder.read("data/a.jsonl");
    std::os::unix::fs::symlink("data/a.jsonl", folder.path("link.jsonl")).expect("a link");
    std::os::unix::fs::symlink("data", folder.path("other")).expect("a link");
    for to in ["data/a.jsonl", "./x/../data/./a.jsonl", "link.jsonl", "other/a.jsonl"] {
        for line in ["plan", "run"] {
            let answer = folder.flow(&format!("{line} small.yaml --set stages.dead.with.to={to}"));
            assert_eq!(answer.code, 2, "{to}: {}", answer.out);
            assert!(answer.err.contains("error[F0506]: `dead` would write over"), "{}", answer.err);
            assert!(answer.err.contains("which `rows` reads"), "{}", answer.err);
        }
    }
    assert_eq!(folder.read("data/a.jsonl"), rows);
    ok(folder.flow("plan small.yaml --set stages.dead.with.to=data/b.txt.jsonl"));
}
