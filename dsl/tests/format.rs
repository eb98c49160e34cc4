//! The laws of the formatter: the same tree, the same comments, and done in one go.

use std::path::Path;

use flow_dsl::{SourceFile, format, parse};
use proptest::prelude::*;

const FLOW: &str = include_str!("sample.flow");
const YAML: &str = include_str!("sample.yaml");

/// Formats a text in which nothing is wrong, and checks the laws; nothing when something is.
fn formatted(name: &str, text: &str) -> Option<String> {
    let source = SourceFile::new(name, text);
    let (before, found) = parse(&source);
    let once = format(&source).ok().filter(|_| found.is_empty())?;
    let again = SourceFile::new(name, once.as_str());
    let (after, found) = parse(&again);
    assert_eq!(found, [], "{text:?} became {once:?}");
    assert!(before.root.says_the_same(&after.root), "{text:?} became {once:?}");
    assert_eq!(format(&again).as_ref(), Ok(&once), "{text:?}");
    let visible = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(visible(text), visible(&once), "only blanks may change");
    Some(once)
}

#[test]
fn a_flow_file_is_laid_out_in_the_usual_way() {
    for (ugly, neat) in [
        ("", ""),
        ("\n\n# a\n\n\n\n#b\nflow c", "# a\n\n#b\nflow c\n"),
        (
            "flow   a  \"b\"\n\n\nparam  x :glob=5.00{help:y}\n",
            "flow a \"b\"\n\nparam x: glob = 5.00 { help: y }\n",
        ),
        (
            "stage a:b<-c ,d.failed[retry :3,x:[ 1,2 ]]{ }",
            "stage a: b <- c, d.failed [retry: 3, x: [1, 2]] {}\n",
        ),
        ("stage a:b<-l = c,r=[d,e]", "stage a: b <- l=c, r=[d, e]\n"),
        (
            "  stage a: b\n<- c,\nd\n[x: 1,\ny: 2]\n{\n\n z: [ # why\n1\n\n 2,\n {q: 3,\n r: 4} ]\n\n}",
            "stage a: b\n  <- c,\n  d\n  [x: 1,\n    y: 2]\n{\n  z: [ # why\n    1\n\n    2,\n    { q: 3,\n      r: 4 }]\n}\n",
        ),
        (
            "each a<-b{\n stage c:d<-b{\n e:1\n }\noutput c}",
            "each a <- b {\n  stage c: d <- b {\n    e: 1\n  }\n  output c }\n",
        ),
        ("flow a\r\n\r\n\r\nsecret  b=env\r\n", "flow a\r\n\r\nsecret b = env\r\n"),
        (
            "schema a{b:\"\"\"\n   x\n     y\n   \"\"\"   # c\n}",
            "schema a { b: \"\"\"\n   x\n     y\n   \"\"\"   # c\n}\n",
        ),
    ] {
        assert_eq!(formatted("a.flow", ugly).as_deref().unwrap_or(""), neat, "{ugly:?}");
    }
}

#[test]
fn yaml_is_hardly_touched() {
    for (ugly, neat) in [
        ("\n\nflow:   a  \n\n\n\nb: {c: 1}   # d \n\n\n", "flow:   a\n\nb: {c: 1}   # d\n"),
        ("a: |\n  x  \n\n\n  y\nb: 1 \n", "a: |\n  x  \n\n\n  y\nb: 1\n"),
        ("a: \"x  \n\n\n  y\"\n", "a: \"x  \n\n\n  y\"\n"),
        ("a: 1\r\n\r\n\r\nb: 2  \r\n", "a: 1\r\n\r\nb: 2\r\n"),
        ("a: |+\n  x\n\n\n\nb: 1", "a: |+\n  x\n\n\n\nb: 1"),
    ] {
        assert_eq!(formatted("a.yaml", ugly).as_deref(), Some(neat), "{ugly:?}");
    }
}

#[test]
fn the_files_of_the_house_are_laid_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for name in ["pipelines/interviews.flow", "pipelines/interviews.yaml", "dsl/tests/sample.flow"]
    {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        assert_eq!(formatted(name, &text).as_ref(), Some(&text), "{name}");
    }
}

/// Blanks, line ends and comments put where there is a blank or line end already.
fn disturbed(text: &'static str) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(" "),
        Just("   "),
        Just("\n"),
        Just("\n\n\n"),
        Just("\t"),
        Just(" # c\n"),
        Just("\n# d\n"),
        Just(",\n"),
        Just("\r\n")
    ];
    prop::collection::vec((any::<prop::sample::Index>(), piece), 1..8).prop_map(move |edits| {
        let mut text = text.to_owned();
        for (place, piece) in edits {
            let blanks: Vec<usize> = text.match_indices([' ', '\n']).map(|(at, _)| at).collect();
            text.insert_str(blanks[place.index(blanks.len())], piece);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_for_any_layout_of_a_flow_file(text in disturbed(FLOW)) {
        formatted("a.flow", &text);
    }

    #[test]
    fn the_laws_hold_for_any_layout_of_yaml(text in disturbed(YAML)) {
        formatted("a.yaml", &text);
    }

    #[test]
    fn the_laws_hold_for_any_short_text(text in "(stage|param|flow| a| b|[c:=\\[\\]{}'\"<>\\-#, \\n]){0,40}") {
        formatted("a.flow", &text);
        formatted("a.yaml", &text);
    }
}
