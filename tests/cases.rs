//! The corpus of broken files: what is said of each, word for word.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its cases must fail")]

#[path = "../dsl/tests/catalog/mod.rs"]
mod catalog;
#[path = "../cli/render.rs"]
mod render;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use flow_dsl::{Code, Diagnostic, Inputs, Pipeline, Severity, check, parse};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "flow"))
        .collect();
    files.sort();
    files
}

/// Arguments stand in the file: `# args: --profile x --set a=b --param c=d --complete`.
fn inputs(text: &str) -> Inputs {
    let mut inputs = Inputs::default();
    let line = text.lines().find_map(|line| line.strip_prefix("# args: ")).unwrap_or_default();
    let mut words = line.split_whitespace();
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap().to_owned();
        let pair = |text: String| {
            let (name, value) = text.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        };
        match word {
            "--profile" => inputs.profiles.push(value()),
            "--set" => inputs.sets.push(pair(value())),
            "--param" => inputs.params.push(pair(value())),
            "--complete" => inputs.complete = true,
            other => panic!("{other} is no argument of a case"),
        }
    }
    inputs
}

fn diagnose(path: &Path) -> (Option<Pipeline>, Vec<Diagnostic>) {
    let name = path.file_name().unwrap().to_string_lossy();
    let bytes = fs::read(path).unwrap();
    let source = match parse::decode(name, bytes) {
        Ok(source) => source,
        Err(found) => return (None, vec![*found]),
    };
    let (ast, mut found) = parse(&source);
    let (pipeline, more) = check(&ast, &catalog::catalog(), &inputs(&source.text));
    found.extend(more);
    found.sort_by_key(|found| {
        (!std::sync::Arc::ptr_eq(&found.source, &source), found.label.span.start)
    });
    (pipeline, found)
}

#[test]
fn every_broken_file_is_explained() {
    insta::with_settings!({snapshot_path => "cases/snapshots", prepend_module_to_snapshot => false}, {
        for path in files() {
            let (_, found) = diagnose(&path);
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let name = name.strip_suffix(".yaml").unwrap_or(&name).to_owned();
            insta::assert_snapshot!(name, render::render(&found, false));
        }
    });
}

#[test]
fn a_pipeline_comes_of_a_file_without_errors_and_of_no_other() {
    for path in files() {
        let (pipeline, found) = diagnose(&path);
        let wrong = found.iter().any(|found| found.severity == Severity::Error);
        assert_eq!(pipeline.is_none(), wrong, "{}", path.display());
    }
}

#[test]
fn a_right_file_is_passed_in_silence() {
    for name in ["right.yaml", "right.flow"] {
        let path = files().into_iter().find(|path| path.ends_with(name)).unwrap();
        let (pipeline, found) = diagnose(&path);
        assert_eq!(found, []);
        assert!(pipeline.is_some());
    }
}

#[test]
fn as_many_mistakes_as_were_planted_are_told_and_no_other() {
    for (name, count) in [("fifteen.yaml", 15), ("twenty.yaml", 22), ("fourteen.flow", 14)] {
        planted_mistakes_are_told(name, count);
    }
}

fn planted_mistakes_are_told(name: &str, count: usize) {
    let path = files().into_iter().find(|path| path.ends_with(name)).unwrap();
    let (_, mut found) = diagnose(&path);
    found.retain(|found| found.severity == Severity::Error);
    let marks = fs::read_to_string(&path).unwrap();
    let planted: Vec<(usize, &str)> = marks
        .lines()
        .enumerate()
        .filter_map(|(line, text)| Some((line + 1, text.split_once("# wrong: ")?.1)))
        .flat_map(|(line, codes)| codes.split(' ').map(move |code| (line, code)))
        .collect();
    let told: Vec<(usize, &str)> = found
        .iter()
        .map(|found| (found.source.line_column(found.label.span.start).0, found.code.name()))
        .collect();
    assert_eq!(told, planted);
    assert_eq!(told.len(), count, "{name}");
}

#[test]
fn every_code_has_a_case() {
    let seen: BTreeSet<Code> =
        files().iter().flat_map(|path| diagnose(path).1).map(|found| found.code).collect();
    // Found by `plan`, or only in a file too large to keep.
    let elsewhere =
        |code: Code| code == Code::F0106 || (code.name().starts_with("F05") && code != Code::F0504);
    let missing: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| !seen.contains(code) && !elsewhere(**code))
        .map(|code| code.name())
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}
