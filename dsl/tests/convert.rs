//! The laws of conversion: the same meaning and the same comments, there and back.

mod catalog;

use std::path::Path;

use flow_dsl::{Code, Inputs, SourceFile, Spelling, check, convert, format, meaning, parse};
use proptest::prelude::*;

const FLOW: &str = include_str!("sample.flow");
const YAML: &str = include_str!("sample.yaml");

fn comments(text: &str) -> Vec<String> {
    let behind = |line: &str| line.find("# ").map(|at| line[at..].trim_end().to_owned());
    let mut all: Vec<String> = text.lines().filter_map(behind).collect();
    all.sort();
    all
}

/// Converts a text there and back, and checks the laws; gives both texts.
fn both_ways(name: &str, text: &str) -> Option<(String, String)> {
    let (before, found) = parse(&SourceFile::new(name, text));
    let other = convert(&SourceFile::new(name, text)).ok().filter(|_| found.is_empty())?;
    let (end, back) = match before.source.spelling {
        Spelling::Yaml => ("a.flow", "a.yaml"),
        Spelling::Flow => ("a.yaml", "a.flow"),
    };
    let there = SourceFile::new(end, other.as_str());
    assert_eq!(format(&there).as_ref(), Ok(&other), "not laid out: {other}");
    let again = convert(&there);
    let again = again.unwrap_or_else(|error| panic!("{error:?}: {text}\n{other}"));
    let (after, found) = parse(&SourceFile::new(back, again.as_str()));
    assert_eq!(found, [], "{again}");
    assert!(meaning(&before.root, 0).says_the_same(&meaning(&after.root, 0)), "{text}\n{again}");
    Some((other, again))
}

fn codes(name: &str, text: &str) -> Vec<Code> {
    let (ast, mut found) = parse(&SourceFile::new(name, text));
    found.extend(check(&ast, &catalog::catalog(), &Inputs::default()).1);
    let mut codes: Vec<Code> = found.iter().map(|found| found.code).collect();
    codes.sort();
    codes
}

#[test]
fn the_samples_become_each_other() {
    for (name, text) in [("a.yaml", YAML), ("a.flow", FLOW)] {
        let (other, again) = both_ways(name, text).unwrap();
        assert_eq!(comments(text), comments(&other), "{other}");
        assert_eq!(comments(text), comments(&again), "{again}");
    }
}

#[test]
fn what_is_wrong_in_one_spelling_is_wrong_in_the_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let name = path.to_string_lossy();
        let Some((other, _)) = both_ways(&name, &text) else { continue };
        let end = if name.ends_with(".flow") { "a.yaml" } else { "a.flow" };
        assert_eq!(codes(&name, &text), codes(end, &other), "{name}\n{other}");
        count += 1;
    }
    assert!(count > 20, "only {count} files could be converted");
}

#[test]
fn comments_go_along_to_what_they_are_about() {
    let flow = "# first\nflow a  # name\n\n# why\nstage b: read {\n  # path\n  path: x  # here\n}\n# last\n";
    let (yaml, back) = both_ways("a.flow", flow).unwrap();
    assert_eq!(
        yaml,
        "# first\nflow: a  # name\n\nstages:\n  # why\n  b:\n    uses: read\n    with:\n      # path\n      path: x  # here\n# last\n"
    );
    assert_eq!(back, flow.replace("}\n# last", "}\n\n# last"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_goes_there_and_back(text in "[ -~\\n\\tü€\u{85}\u{2028}\u{feff}😀]{0,30}", key in "[ -~ü]{1,10}") {
        let json = serde_json::json!({"flow": "a", "stages": {"b": {"uses": "x", "with": {"t": text, key: [1, null, {"d": text}]}}}});
        both_ways("a.yaml", &json.to_string());
    }
}
