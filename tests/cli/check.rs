//! `flow check`: exit codes, messages, and files that are no pipeline at all.

use crate::folder::{Folder, SMALL};

#[test]
fn a_right_file_is_ok() {
    let answer = Folder::small().flow("check small.yaml");
    assert_eq!(
        (answer.code, answer.out.as_str(), answer.err.as_str()),
        (0, "ok: small, 4 nodes\n", "")
    );
}

#[test]
fn a_wrong_file_fails_with_all_its_mistakes() {
    let folder = Folder::small();
    let wrong = SMALL.replace("uses: filter", "uses: filtre").replace("from: big", "from: bigg");
    folder.file("wrong.yaml", wrong);
    let answer = folder.flow("check wrong.yaml");
    assert_eq!((answer.code, answer.out.as_str()), (2, ""));
    insta::assert_snapshot!("wrong_text", answer.err);
    let short = folder.flow("check wrong.yaml --format short");
    assert_eq!(short.code, 2);
    insta::assert_snapshot!("wrong_short", short.err);
}

#[test]
fn json_goes_to_the_standard_output() {
    let folder = Folder::small();
    folder.file("wrong.yaml", SMALL.replace("uses: filter", "uses: filtre"));
    let answer = folder.flow("check wrong.yaml small.yaml --format json");
    assert_eq!((answer.code, answer.err.as_str()), (2, ""));
    let found: serde_json::Value = serde_json::from_str(&answer.out).expect("JSON");
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(folder.flow("check small.yaml --format json").out, "[]\n");
}

#[test]
fn warnings_fail_only_when_denied() {
    let folder = Folder::small();
    // Nobody reads what `big` passes on.
    folder.file("unread.yaml", SMALL.replace("from: big", "from: rows"));
    let answer = folder.flow("check unread.yaml");
    assert_eq!((answer.code, answer.out.as_str()), (0, "ok: small, 4 nodes\n"), "{}", answer.err);
    assert!(answer.err.contains("warning"), "{}", answer.err);
    assert_eq!(folder.flow("check unread.yaml --deny-warnings").code, 2);
}

#[test]
fn what_only_a_stage_can_judge_is_found_without_a_plan() {
    let folder = Folder::small();
    let wrong = SMALL
        .replace("out/dead.jsonl", "./out/big.jsonl")
        .replace("read\n    with: {", "read\n    with: {format: csv, delimiter: abc, ")
        + "  more:\n    uses: extract\n    from: rows\n    with: {model: m, schema: kinds.yaml}\n  \
           again:\n    uses: extract\n    from: rows\n    with: {model: m, schema: kinds.yaml}\n  \
           rest: {uses: store, from: [more, again], with: {to: out/rest.txt}}\n\
           models: {m: {provider: rules}}\n";
    folder.file("wrong.yaml", wrong);
    folder.file("kinds.yaml", "kinds:\n  pain: {cues: ['(', word], patterns: ['(']}\n");
    let answer = folder.flow("check wrong.yaml --format short");
    assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{}", answer.err);
    insta::assert_snapshot!("wrong_to_stages", answer.err);
    // A plan finds the same.
    let plan = folder.flow("plan wrong.yaml").err;
    assert_eq!(plan.matches("error[").count(), answer.err.matches("error[").count() + 2, "{plan}");
}

#[test]
fn all_that_a_stage_refuses_is_told() {
    let folder = Folder::small();
    let wrong = "
flow: wrong
models: {r: {provider: rules}}
stages:
  rows: {uses: read, with: {path: ['a[', 'b['], delimiter: abc}}
  a: {uses: set, from: rows, with: {fields: {_id: x, b: y}, values: {b: '1', c: '1'}, remove: [c]}}
  b: {uses: chunk, from: a, with: {size: 5, overlap: 9, keep: [id, end, text], unit: words}}
  c: {uses: embed, from: b, with: {model: r, into: _path, dimensions: 0}}
  d: {uses: extract, from: c, with: {model: r, schema: gone.yaml, carry: [_id, kind], prompt: x}}
  e: {uses: report, from: d, with: {to: [a.pdf, b.md, ./b.md], schema: gone.yaml}}
  f: {uses: store, from: c, with: {to: x.csv, key: id, table: t, columns: [a, a], backup: 3}}
  g: {uses: store, from: c, with: {to: 'sqlite:', key: [], table: '', columns: []}}
  h: {uses: store, from: c, with: {to: 'sqlite:x.db', key: 3, sync: true, allow_empty: yes}}
";
    folder.file("wrong.yaml", wrong);
    let answer = folder.flow("check wrong.yaml --format short");
    insta::assert_snapshot!("all_that_a_stage_refuses_is_told", answer.err);
}

#[test]
fn no_mistake_hides_another() {
    let folder = Folder::small();
    let wrong = "
flow: wrong
models: {m: {provider: rules}, h: {provider: opnai}}
stages:
  rows: {uses: read, with: {path: data/*.jsonl, delimiter: abc, formt: csv}}
  one: {uses: filter, from: rows, when: \"x ==\", with: {where: id = 1 and}}
  two: {uses: filter, from: one, with: {where: nosuchfn(id)}}
  three: {uses: set, from: two, with: {fields: {a: \"{{ id | nosuchfilter }}\"}}}
  four: {uses: extract, from: three, with: {model: analyst, schema: kinds.yaml}}
  five: {uses: extract, from: three, with: {model: h, schema: gone.yaml}}
  six: {uses: extract, from: three, on_retry: [{model: h}], with: {model: m, schema: kinds.yaml}}
  a: {uses: store, from: [four, five, six], with: {to: out.parquet}}
  b: {uses: store, from: [four, five, six], with: {to: out.db, tabel: x}}
  c: {uses: stoer, from: [four, five, six], with: {to: out.parquet}}
  d: {uses: store, from: four.failed, with: {to: out.csv}}
  e: {uses: store, from: five.failed, with: {to: ./out.csv}}
";
    folder.file("wrong.yaml", wrong);
    folder.file("kinds.yaml", "kinds:\n  pain: {cues: ['(', word], patterns: ['(']}\n");
    let answer = folder.flow("check wrong.yaml --format short");
    assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{}", answer.err);
    insta::assert_snapshot!("no_mistake_hides_another", answer.err);
    let plan = folder.flow("plan wrong.yaml").err;
    assert_eq!(plan.matches("error[").count(), answer.err.lines().count(), "{plan}");
}

#[test]
fn an_input_that_is_not_there_is_only_a_warning() {
    let folder = Folder::new();
    folder.file("small.yaml", SMALL);
    let answer = folder.flow("check small.yaml");
    assert_eq!((answer.code, answer.out.as_str()), (0, "ok: small, 4 nodes\n"), "{}", answer.err);
    assert!(answer.err.starts_with("warning[F0502]"), "{}", answer.err);
    assert!(answer.err.contains("= note: a run would be refused"), "{}", answer.err);
    assert_eq!(folder.flow("plan small.yaml").code, 2);
}

#[test]
fn a_check_looks_for_no_secret_and_waits_for_params() {
    let folder = Folder::new();
    let file = SMALL
        .replace(", default: \"data/*.jsonl\"", "")
        .replace("profiles:", "secrets: {K: {command: [touch, asked]}}\nmodels: {m: {provider: openai, model: x, key: K}}\nprofiles:")
        .replace("from: big", "from: found")
        + "  found:\n    uses: extract\n    from: big\n    with: {model: m, schema: s}\n\
           schemas: {s: {kinds: {pain: }}}\n";
    folder.file("file.yaml", file);
    let answer = folder.flow("check file.yaml");
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    assert!(!folder.path("asked").exists());
    folder.flow("plan file.yaml --input x");
    assert!(folder.path("asked").exists());
}

#[test]
fn several_files_are_checked_and_the_worst_decides() {
    let folder = Folder::small();
    let answer = folder.flow("check small.yaml missing.yaml small.yaml --least 3");
    assert_eq!(answer.code, 2);
    assert_eq!(answer.out, "ok: small, 4 nodes\nok: small, 4 nodes\n", "{}", answer.err);
    assert!(answer.err.starts_with("error: no file `missing.yaml`\n  help: "), "{}", answer.err);
}

#[test]
fn a_parameter_is_given_to_the_files_that_declare_it() {
    let folder = Folder::small();
    folder.file("plain.yaml", SMALL.replace("least", "lowest"));
    let answer = folder.flow("check small.yaml plain.yaml --param least=3 --lowest 1");
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!(folder.flow("check small.yaml plain.yaml --param leats=3").code, 2);
}

#[test]
fn a_file_may_come_by_the_standard_input() {
    let folder = Folder::new();
    let answer = crate::folder::answer(folder.command("check -").write_stdin(SMALL));
    assert_eq!((answer.code, answer.out.as_str()), (0, "ok: small, 4 nodes\n"), "{}", answer.err);
    let answer =
        crate::folder::answer(folder.command("check -").write_stdin("flow: x\nstages: 3\n"));
    assert!(answer.code == 2 && answer.err.ends_with("<stdin>: 1 error\n"), "{}", answer.err);
    // The first word tells the spelling, since there is no ending.
    let flow = "flow x\nstage rows: read { path: data/a.jsonl }\nstage out: store <- rows { to: out/a.jsonl, limt: 3 }\n";
    folder.file("data/a.jsonl", crate::folder::ROWS);
    let answer = crate::folder::answer(folder.command("check - --format short").write_stdin(flow));
    let said = "<stdin>:3:45: error[F0202]: `store` has no setting `limt`\n";
    assert_eq!((answer.code, answer.err.as_str()), (2, said));
}

#[test]
fn what_is_no_pipeline_file_is_named_with_help() {
    let folder = Folder::new();
    folder.file("folder/x", "");
    folder.file("empty.yaml", "");
    folder.file("utf16.yaml", b"\xff\xfef\0l\0");
    folder.file("latin.yaml", b"flow: x\ntitle: caf\xe9\n");
    folder.file("zero.yaml", b"flow: \0");
    folder.file("list.yaml", "- a\n");
    folder.file("huge.yaml", vec![b'#'; (16 << 20) + 1]);
    for (name, message) in [
        ("missing.yaml", "error: no file `missing.yaml`\n"),
        ("folder", "error: `folder` is a folder, not a pipeline file\n"),
        ("empty.yaml", "error[F0112]: the file is empty\n"),
        ("utf16.yaml", "error[F0113]: the file is UTF-16, not UTF-8\n"),
        ("latin.yaml", "error[F0113]: the file is not UTF-8 text"),
        ("zero.yaml", "error[F01"),
        ("list.yaml", "error[F0112]: a pipeline file holds `key: value` lines, not a list\n"),
        ("huge.yaml", "error: `huge.yaml` is larger than 16.0 MiB\n"),
    ] {
        for command in ["check", "run", "plan", "graph", "doctor"] {
            let answer = folder.flow(&format!("{command} {name}"));
            assert_eq!(answer.code, 2, "{command} {name}: {answer:?}");
            assert!(answer.err.starts_with(message), "{command} {name}: {}", answer.err);
            assert!(answer.err.contains("help: "), "{command} {name}: {}", answer.err);
        }
    }
}
