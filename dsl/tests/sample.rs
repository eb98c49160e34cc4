//! The sample of the language, from text to pipeline.

mod catalog;

use std::time::Duration;

use flow_dsl::check::ParamType;
use flow_dsl::pipeline::{OnError, Output, Parallelism};
use flow_dsl::{Diagnostic, Inputs, Pipeline, SourceFile, check, parse};

const SAMPLE: &str = include_str!("sample.yaml");

fn checked(text: &str, inputs: &Inputs) -> (Option<Pipeline>, Vec<Diagnostic>) {
    let (ast, mut found) = parse(&SourceFile::new("sample.yaml", text));
    let (pipeline, more) = check(&ast, &catalog::catalog(), inputs);
    found.extend(more);
    (pipeline, found)
}

fn sample(inputs: &Inputs) -> Pipeline {
    let (pipeline, found) = checked(SAMPLE, inputs);
    assert_eq!(found, []);
    pipeline.unwrap_or_else(|| panic!("no pipeline of the sample"))
}

#[test]
fn the_sample_is_a_pipeline_without_a_word() {
    let pipeline = sample(&Inputs::default());
    assert_eq!(pipeline.name, "interviews");
    let names: Vec<&str> = pipeline.nodes.iter().map(|node| node.name.value.as_str()).collect();
    assert_eq!(names, ["interviews", "entities", "confident", "merged", "saved", "dead"]);
    let read = pipeline.nodes[0].settings.to_json();
    assert_eq!(read["path"], "data/interviews/*.json");
    let saved = &pipeline.nodes[4];
    assert_eq!(saved.settings.to_json()["to"], "sqlite:intelligence.db");
    assert_eq!(saved.settings.to_json()["table"], "{{ type }}");
    let dead: Vec<_> =
        pipeline.nodes[5].inputs.iter().map(|wire| (wire.from, wire.output)).collect();
    assert_eq!(dead, [(0, Output::Failed), (1, Output::Failed)]);
}

#[test]
fn the_file_in_the_manual_is_right() {
    let manual = include_str!("../../docs/language.md");
    let parts: Vec<&str> = manual.split("```").collect();
    let text = parts.iter().find_map(|part| part.strip_prefix("yaml\n")).unwrap();
    let (pipeline, found) = checked(text, &Inputs::default());
    assert_eq!(found, []);
    assert!(pipeline.is_some());
}

#[test]
fn every_span_of_a_pipeline_lies_in_its_file() {
    let pair = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
    let far = " ".repeat(3000);
    let inputs = Inputs {
        sets: [
            ("models.analyst", format!("{far}{{provider: openai, model: x, limit: openai}}")),
            ("limits.openai", format!("{far}{{concurrency: 3}}")),
            ("stages.entities.timeout", format!("{far}3s")),
        ]
        .map(|(path, value)| pair((path, value.as_str())))
        .to_vec(),
        ..Inputs::default()
    };
    let pipeline = sample(&inputs);
    let model = &pipeline.models[0];
    let spans = [
        model.name.span,
        model.provider.span,
        model.limit.as_ref().unwrap().span,
        pipeline.limits[0].name.span,
        pipeline.nodes[1].hints.timeout.as_ref().unwrap().span,
    ];
    assert!(spans.iter().all(|span| span.end <= SAMPLE.len()), "{spans:?}");
}

#[test]
fn hints_come_from_the_node_and_then_from_defaults() {
    let pipeline = sample(&Inputs::default());
    let hints = &pipeline.nodes[1].hints;
    let value = |hint: &Option<flow_dsl::Spanned<Duration>>| hint.as_ref().map(|hint| hint.value);
    assert_eq!(hints.parallelism.as_ref().unwrap().value, Parallelism::Exactly(4));
    assert_eq!(value(&hints.timeout), Some(Duration::from_mins(2)));
    assert_eq!(hints.retry.as_ref().unwrap().value, 3);
    assert_eq!(hints.on_error.as_ref().unwrap().value, OnError::Reject);
    assert_eq!(
        hints.backoff.as_ref().unwrap().value,
        (Duration::from_secs(1), Duration::from_mins(1))
    );
}

#[test]
fn profiles_sets_and_params_change_it() {
    let pair = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
    let inputs = Inputs {
        profiles: vec!["openai".into()],
        sets: [
            ("stages.entities.parallelism", "8"),
            ("stages.saved.with.to", "out/a.jsonl"),
            ("limits.openai.requests", "10/s"),
            ("params.input", "y/*.json"),
            ("models.analyst.temperature", "0.5"),
        ]
        .map(pair)
        .to_vec(),
        params: vec![pair(("db", "x.db"))],
        complete: true,
    };
    let pipeline = sample(&inputs);
    let model = &pipeline.models[0];
    assert_eq!(model.provider.value, "openai");
    assert_eq!(model.secret.as_ref().unwrap().value, "OPENAI_API_KEY");
    assert_eq!(model.limit.as_ref().unwrap().value, "openai");
    assert_eq!(
        model.settings.to_json(),
        serde_json::json!({"model": "gpt-4o-mini", "temperature": 0.5})
    );
    let hint = pipeline.nodes[1].hints.parallelism.as_ref().unwrap();
    assert_eq!(hint.value, Parallelism::Exactly(8));
    assert_eq!(pipeline.nodes[4].settings.to_json()["to"], "out/a.jsonl");
    assert!((pipeline.limits[0].requests.unwrap().count - 10.0).abs() < 1e-9);
    assert_eq!(pipeline.nodes[0].settings.to_json()["path"], "y/*.json");
}

#[test]
fn params_are_declared_for_the_command_line() {
    let (ast, _) = parse(&SourceFile::new("sample.yaml", SAMPLE));
    let params = flow_dsl::check::declared_params(&ast);
    let told: Vec<_> = params
        .iter()
        .map(|param| (param.name.as_str(), param.ty, param.default.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("input", ParamType::Glob, Some("data/interviews/*.json")),
            ("db", ParamType::Path, Some("intelligence.db"))
        ]
    );
    assert_eq!(params[0].help.as_deref(), Some("transcripts to read"));
}
