//! `flow run`: account, report, progress, exit codes.

use crate::folder::{Folder, ROWS, SMALL};
use serde_json::Value;

/// Hides what differs from run to run.
fn account(text: &str) -> String {
    let (head, rest) = text.split_once('\n').expect("a heading");
    let ending = head.rsplit_once(" in ").map_or(head, |(ending, _)| ending);
    format!("{ending} in [time]\n{rest}")
}

#[test]
fn a_run_accounts_for_every_record() {
    let folder = Folder::small();
    let answer = folder.flow("run small.yaml");
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    insta::assert_snapshot!("account", account(&answer.out));
    assert_eq!(folder.read("out/big.jsonl").lines().count(), 4);
    assert_eq!(folder.read("out/dead.jsonl").lines().count(), 1);
}

#[test]
fn what_was_written_is_named_as_it_is_seen_from_here() {
    let folder = Folder::new();
    folder.file("deep/small.yaml", SMALL);
    folder.file("deep/data/a.jsonl", ROWS);
    let answer = folder.flow("run deep/small.yaml");
    assert!(answer.out.contains("\n  deep/out/big.jsonl   4 records\n"), "{}", answer.out);
    let plan = folder.flow("plan deep/small.yaml").out;
    assert!(plan.contains("  dead   deep/out/dead.jsonl\n"), "{plan}");
}

#[test]
fn a_flag_that_is_true_or_false_may_have_its_value_behind_it() {
    let folder = Folder::small();
    let strict = "  strict: {type: bool, default: false}\nprofiles:";
    let file = SMALL.replace("\nprofiles:", strict);
    folder.file("small.yaml", file.replace("n >= params.least", "not params.strict or n > 4"));
    for (line, rows) in [
        ("run --strict true small.yaml", 1),
        ("run --strict small.yaml", 1),
        ("run --strict false small.yaml", 5),
        ("run small.yaml --strict=true", 1),
    ] {
        let answer = folder.flow(line);
        assert_eq!(answer.code, 0, "{line}: {}", answer.err);
        assert_eq!(folder.read("out/big.jsonl").lines().count(), rows, "{line}");
    }
}

#[test]
fn parameters_and_profiles_change_what_is_run() {
    for (line, rows) in
        [("", 4), ("--least 5", 1), ("--profile strict", 2), ("--profile strict --least 3", 3)]
    {
        let folder = Folder::small();
        let answer = folder.flow(&format!("run small.yaml {line}"));
        assert_eq!(answer.code, 0, "{line}: {}", answer.err);
        assert_eq!(folder.read("out/big.jsonl").lines().count(), rows, "{line}");
    }
}

#[test]
fn the_report_is_json_in_a_file_or_on_the_standard_output() {
    let folder = Folder::small();
    let answer = folder.flow("run small.yaml --report report.json");
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    let written: Value = serde_json::from_str(&folder.read("report.json")).expect("JSON");
    let printed = folder.flow("run small.yaml --json");
    let printed: Value = serde_json::from_str(&printed.out).expect("JSON");
    for report in [written, printed] {
        assert_eq!(report["pipeline"], "small");
        assert_eq!(report["nodes"][0]["in"], 6);
        assert_eq!(report["rejects"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_the_run() {
    let folder = Folder::small();
    let answer = folder.flow("run small.yaml --report no/where.json");
    assert_eq!(answer.code, 2);
    assert!(answer.err.starts_with("error: `--report no/where.json` cannot be written\n  help: "));
    assert!(!folder.path("out").exists());
}

#[test]
fn progress_as_json_is_one_object_on_each_line() {
    let answer = Folder::small().flow("run small.yaml --progress json");
    assert_eq!(answer.code, 0);
    let lines: Vec<Value> =
        answer.err.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let last = lines.last().expect("a last state");
    assert_eq!(last["nodes"].as_array().map(Vec::len), Some(4));
    assert_eq!(last["nodes"][0]["account"]["in"], 6);
    assert_eq!(last["nodes"][0]["done"], true);
}

#[test]
fn too_many_failures_have_an_exit_code_of_their_own() {
    let folder = Folder::small();
    folder.file("data/b.jsonl", "no\n".repeat(50) + ROWS);
    folder.file("strict.yaml", SMALL.replace("uses: read", "uses: read\n    max_failures: 3"));
    let answer = folder.flow("run strict.yaml");
    assert_eq!(answer.code, 3, "{}{}", answer.out, answer.err);
    assert!(answer.out.starts_with("small: stopped, too many failures in "), "{}", answer.out);
    assert!(answer.err.starts_with("error: `rows`: "), "{}", answer.err);
    // The rejects are wanted most now.
    assert!(answer.out.contains("written, of a run that is not whole\n"), "{}", answer.out);
    let rejected = answer.out.lines().find(|line| line.contains("  rows ")).expect("the node");
    let rejects = folder.read("out/dead.partial.jsonl").lines().count();
    assert!(rejects >= 4 && rejected.contains(&format!(" {rejects} ")), "{rejects}: {rejected}");
    assert!(answer.out.contains("not written, as the run is not whole: "), "{}", answer.out);
    assert!(!folder.path("out/big.jsonl").exists());
}

#[test]
fn a_secret_that_is_not_set_is_asked_for_before_the_run() {
    let folder = Folder::small();
    let models = "secrets:\n  KEY: {env: FLOW_TEST_UNSET_KEY}\nmodels:\n  far: {provider: openai, \
                  model: m, base_url: \"http://127.0.0.1:9\", key: KEY}\n";
    let found =
        "  found:\n    uses: extract\n    from: big\n    with: {model: far, schema: s.yaml}\n";
    let text = SMALL.replace("stages:", &format!("{models}stages:"));
    let text = text
        .replace("  saved:", &format!("{found}  saved:"))
        .replace("from: big\n    with: {to", "from: found\n    with: {to");
    folder.file("keyed.yaml", text);
    folder.file("s.yaml", "kinds:\n  person:\n    description: somebody\n");
    let answer = folder.flow("run keyed.yaml");
    assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{}", answer.err);
    assert!(answer.err.contains("F0503"), "{}", answer.err);
}

#[test]
fn logs_go_to_stderr_when_they_are_asked_for() {
    let folder = Folder::small();
    assert_eq!(folder.flow("run small.yaml --log trace --progress none").code, 0);
    let answer = folder.flow("run small.yaml --log =loud=");
    assert_eq!(answer.code, 2);
    assert!(answer.err.starts_with("error: `--log =loud=` is not a filter"), "{}", answer.err);
}

#[cfg(unix)]
#[test]
fn a_signal_finishes_what_is_in_flight_and_accounts_for_it() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let folder = Folder::small();
    folder.file("data/many.jsonl", "{\"n\": 3}\n".repeat(4_000_000));
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flow"))
            .current_dir(folder.path("."))
            .args(["run", "small.yaml", "--progress", "json", "--report", "report.json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let working = |line: &str| {
            let progress: Value = serde_json::from_str(line).expect("JSON");
            progress["nodes"][2]["account"]["passed"].as_u64() > Some(0)
        };
        assert!(lines.by_ref().map_while(Result::ok).any(|line| working(&line)), "it began");
        kill(pid, signal).expect("a signal");
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        assert!(
            rest.iter().any(|line| line.starts_with("finishing what is in flight")),
            "{rest:?}"
        );
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(130));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.starts_with("small: cancelled in "), "{text}");
        assert!(text.contains("every record accounted for"), "{text}");
        let report: Value = serde_json::from_str(&folder.read("report.json")).expect("JSON");
        assert_eq!(report["status"]["status"], "cancelled");
    }
}
