//! Laws that hold for any text: no panic, and every span lies in its file.

mod catalog;

use std::path::Path;

use flow_dsl::{Diagnostic, Inputs, SourceFile, Span, check, parse};
use proptest::prelude::*;

const SAMPLE: &str = include_str!("sample.yaml");
const SAMPLE_FLOW: &str = include_str!("sample.flow");

fn lies(source: &SourceFile, span: Span) -> bool {
    let text = &source.text;
    span.start <= span.end
        && span.end <= text.len()
        && text.is_char_boundary(span.start)
        && text.is_char_boundary(span.end)
}

fn nodes_lie(source: &SourceFile, node: &flow_dsl::tree::Node) -> bool {
    use flow_dsl::tree::Value;
    lies(source, node.span)
        && match &node.value {
            Value::List(items) => items.iter().all(|item| nodes_lie(source, item)),
            Value::Map(entries) => entries
                .iter()
                .all(|entry| lies(source, entry.key.span) && nodes_lie(source, &entry.value)),
            _ => true,
        }
}

/// Reads and checks a text in both spellings; gives the diagnostics when every law holds.
fn survives(text: &str) -> Vec<Diagnostic> {
    survives_as("any.flow", text);
    survives_as("any.yaml", text)
}

fn survives_as(name: &str, text: &str) -> Vec<Diagnostic> {
    let source = SourceFile::new(name, text);
    let (ast, mut found) = parse(&source);
    assert!(nodes_lie(&source, &ast.root), "a node lies outside of {text:?}");
    let inputs = Inputs {
        profiles: vec!["openai".to_owned()],
        sets: vec![("stages.entities.parallelism".to_owned(), text.chars().take(40).collect())],
        ..Inputs::default()
    };
    let (pipeline, more) = check(&ast, &catalog::catalog(), &inputs);
    found.extend(more);
    let errors = found.iter().any(|found| found.severity == flow_dsl::Severity::Error);
    assert!(pipeline.is_none() || !errors, "a wrong file gave a pipeline: {text:?}");
    for diagnostic in &found {
        let labels = [&diagnostic.label].into_iter().chain(&diagnostic.others);
        for label in labels {
            assert!(lies(&diagnostic.source, label.span), "{diagnostic:?}");
        }
        if let Some(fix) = &diagnostic.fix {
            assert!(lies(&diagnostic.source, fix.span), "{diagnostic:?}");
        }
    }
    found
}

/// A few characters that mean something, put anywhere into the sample.
fn mutated(sample: &'static str) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\t"),
        Just("\""),
        Just("'"),
        Just("["),
        Just("]"),
        Just("{"),
        Just("}"),
        Just(": "),
        Just("- "),
        Just("\n"),
        Just("\r\n"),
        Just("  "),
        Just("{{ "),
        Just(" }}"),
        Just("{% if"),
        Just("&a "),
        Just("*a"),
        Just("!x "),
        Just("|"),
        Just(">"),
        Just("#"),
        Just("%"),
        Just("?"),
        Just("ü"),
        Just("\u{feff}"),
        Just("\0"),
        Just("---\n"),
        Just("<<: "),
        Just("."),
        Just(".."),
        Just("\"\"\""),
        Just("<-"),
        Just("="),
        Just("\nstage "),
        Just("\nparam ")
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0_usize..6, piece), 1..6);
    edits.prop_map(|edits| {
        let mut text: Vec<char> = sample.chars().collect();
        for (place, cut, piece) in edits {
            let at = place.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, piece.chars());
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in "[ -~\\n\\t\\r\u{0}ü€\u{feff}😀]{0,200}") {
        survives(&text);
    }

    #[test]
    fn text_of_yaml_characters_is_survived(text in "[a-c:\\-\\[\\]{}'\"|>&*!%#?, \\n\\t]{0,80}") {
        survives(&text);
    }

    #[test]
    fn text_of_flow_characters_is_survived(text in "(stage|param|flow|each|[a-c:=\\[\\]{}'\"<>\\-#, \\n\\t]){0,60}") {
        survives(&text);
    }

    #[test]
    fn a_mutated_pipeline_is_survived(text in mutated(SAMPLE)) {
        survives(&text);
    }

    #[test]
    fn a_mutated_flow_file_is_survived(text in mutated(SAMPLE_FLOW)) {
        survives(&text);
    }

    #[test]
    fn a_truncated_flow_file_is_survived(end in 0..SAMPLE_FLOW.len()) {
        survives(&SAMPLE_FLOW[..end]);
    }

    #[test]
    fn a_truncated_pipeline_is_survived(end in 0..SAMPLE.len()) {
        survives(&SAMPLE[..end]);
    }
}

#[test]
fn hostile_files_are_survived_quickly() {
    let lines: Vec<String> = (0..3000).map(|depth| " ".repeat(depth) + "a:\n").collect();
    let deep_block = lines.concat();
    for text in [
        "[".repeat(100_000),
        "{".repeat(100_000),
        "a: [".repeat(20_000),
        "- ".repeat(100_000),
        "? ".repeat(20_000),
        "\t".repeat(100_000),
        "\t\n".repeat(50_000),
        "\"".repeat(99_999),
        "a: b: c\n".repeat(20_000),
        "a\n".repeat(50_000),
        "*a ".repeat(20_000),
        "x: ".to_owned() + &"9".repeat(100_000),
        "flow: {{".to_owned() + &"(".repeat(50_000),
        format!("flow: x\nstages: {{a: {{uses: filter, when: '{}'}}}}", "(".repeat(50_000)),
        deep_block,
        "stage a: b { c: [".repeat(20_000),
        "each a <- b {".repeat(20_000),
        "stage a: b { c: [\n".repeat(20_000),
        "each a <- b {\n".repeat(20_000),
        "flow x\nparam a\n".repeat(20_000),
        "stage a: \"\"\"\n".repeat(20_000),
        "stage a: b <- c, c=d\n".repeat(5_000),
        "stage a: b\n#\n".repeat(20_000),
        "stage a: b { c:\n".to_owned() + &"\n".repeat(100_000),
        "{{ ".repeat(50_000),
        "defaults [".to_owned() + &"(".repeat(100_000),
        "nonsense here\n".repeat(20_000),
        "\u{feff}".repeat(1000),
        "-\n\"\n -".to_owned(),
    ] {
        let start = std::time::Instant::now();
        survives(&text);
        let beginning: String = text.chars().take(20).collect();
        assert!(start.elapsed().as_secs() < 20, "{beginning:?} took {:?}", start.elapsed());
    }
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let text = "#".repeat(flow_dsl::parse::MAX_BYTES + 1);
    let codes: Vec<&str> = survives(&text).iter().map(|found| found.code.name()).collect();
    assert!(codes.contains(&"F0106"), "{codes:?}");
}

#[test]
fn the_yaml_test_suite_is_survived() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/yaml-test-suite/src");
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("ATTENTION: the yaml-test-suite is absent, this test has tested nothing");
        return;
    };
    let mut count = 0;
    for file in files {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        survives(&text);
        let source = SourceFile::new("suite.yaml", text.as_ref());
        let (suite, _) = flow_dsl::parse::yaml(&source);
        let flow_dsl::tree::Value::List(cases) = &suite.value else { continue };
        for case in cases {
            if let Some(inner) = case.get("yaml").and_then(flow_dsl::tree::Node::as_str) {
                let signs =
                    [("␣", " "), ("»", "\t"), ("—", ""), ("←", "\r"), ("⇔", "\u{feff}"), ("∎", "")];
                let inner = signs.iter().fold(inner.to_owned(), |text, (a, b)| text.replace(a, b));
                survives(&inner);
                count += 1;
            }
        }
    }
    assert!(count > 300, "only {count} cases were read");
}
