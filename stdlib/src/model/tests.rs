//! Whole extractions: a schema, a text, and what comes out of it.

use std::path::{Path, PathBuf};

use flow_dsl::pipeline::Model;
use flow_dsl::tree::{Node, Value as Tree};
use flow_dsl::{SourceFile, Span, Spanned};
use flow_engine::door::Secrets;
use flow_engine::prelude::*;
use flow_engine::registry::StageDef;
use flow_engine::testing::{record, refused};

use super::Extract;

/// Builds `extract` in the folder of the pipelines, with one model called `analyst` and a schema
/// called `small`.
pub(super) fn build(settings: Value, model: &str, schema: &str) -> Result<Stage, Vec<BuildError>> {
    let span = Span::default();
    let (settings_of_model, _) = flow_dsl::parse::yaml(&SourceFile::new("model", model));
    let provider = settings_of_model.get("provider").and_then(Node::as_str).unwrap_or_default();
    let rest = settings_of_model.entries().iter().filter(|entry| entry.key.value != "provider");
    let model = Model {
        name: Spanned::new("analyst".to_owned(), span),
        provider: Spanned::new(provider.to_owned(), span),
        limit: None,
        secret: None,
        settings: Node::new(Tree::Map(rest.cloned().collect()), span),
    };
    let source = SourceFile::new("small", schema);
    let (node, _) = flow_dsl::parse::yaml(&source);
    let build = Build {
        pipeline: "test",
        node: "entities",
        folder: &pipelines(),
        params: &json!({}),
        models: &[model],
        limits: &[],
        schemas: &[(Spanned::new("small".to_owned(), span), node)],
        source: &source,
        secrets: &Secrets::default(),
        on_retry: &[],
    };
    (StageDef::of::<Extract>().build)(settings, &build)
}

fn pipelines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines")
}

fn by_rules(settings: Value, schema: &str) -> std::sync::Arc<dyn Heavy> {
    match build(settings, "provider: rules", schema) {
        Ok(Stage::Heavy(stage)) => stage,
        other => panic!("{other:?}"),
    }
}

fn refusal(settings: Value, model: &str, schema: &str) -> String {
    refused(build(settings, model, schema))
}

const SMALL: &str = "
kinds:
  pain:
    cues: [a problem, by hand, no manual]
    hints: [every day]
    unless: [no problem]
    patterns: ['problem is (?<name>[^.]+)']
    fields: {level: {enum: [high], find: {high: nightmare}}}
  tool:
    words: {Excel: [Excel, planilla*], SAP: , slack: }
";

/// `kind name confidence` of each entity of a text.
fn found(text: &str) -> Vec<String> {
    let stage = by_rules(json!({"model": "analyst", "schema": "small"}), SMALL);
    let entities = stage.apply(&record(json!({"text": text}))).unwrap();
    let show = |entity: &Record| {
        let get = |name| entity.get(name).cloned().unwrap_or_default();
        format!("{} {} {}", get("kind"), get("name"), get("confidence")).replace('"', "")
    };
    entities.iter().map(show).collect()
}

#[test]
fn rules_find_what_the_schema_says() {
    for (text, expected) in [
        ("The invoices are typed by hand.", &["pain invoices are typed by hand 0.75"][..]),
        (
            "The invoices are typed by hand every day.",
            &["pain invoices are typed by hand every day 0.825"],
        ),
        ("We do it by hand and it is a problem.", &["pain We do it by hand 0.938"]),
        ("That is not really a problem here.", &["pain is not really a problem here 0.375"]),
        ("Is that a problem for you?", &["pain Is that a problem for you 0.375"]),
        ("There is no manual for it.", &["pain There is no manual for it 0.75"]),
        ("It is no problem to do by hand.", &[]),
        ("The problem is the late post.", &["pain late post 0.8"]),
        ("By hand.", &["pain By hand 0.75"]),
        ("Never by hand. By hand?", &["pain Never by hand 0.375", "pain By hand 0.375"]),
        ("Three words here.", &[]),
        ("In SAP, in Excel, then SAP.", &["tool SAP 0.8", "tool Excel 0.8"]),
        ("We excel at sap. We have SAP. SAP again.", &["tool SAP 0.8"]),
        ("Todo está en PLANILLAS o en Slack.", &["tool Excel 0.8", "tool slack 0.8"]),
        ("INTERVIEWER: Is it by hand, in SAP?\nANA: Yes.", &[]),
        ("Nothing of the kind.", &[]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
}

#[test]
fn a_name_is_found_once_with_its_mentions() {
    let stage = by_rules(json!({"model": "analyst", "schema": "small"}), SMALL);
    let entities = stage.apply(&record(json!({"text": "SAP. We use SAP. Not SAP?"}))).unwrap();
    assert_eq!(entities.len(), 1);
    assert_eq!(entities[0].get("mentions"), Some(&json!(3)));
}

#[test]
fn a_text_that_is_none_is_a_bad_record() {
    let stage = by_rules(json!({"model": "analyst", "schema": "small"}), SMALL);
    for (row, reason) in [
        (json!({"text": ""}), "`text` is empty"),
        (json!({"text": " \n"}), "`text` is empty"),
        (json!({"text": null}), "`text` is null, not a text"),
        (json!({"text": 5}), "`text` is a number, not a text"),
        (json!({"text": ["a"]}), "`text` is a list, not a text"),
        (json!({"body": "a"}), "`text`: no field `text` here, only: body"),
    ] {
        assert_eq!(stage.apply(&record(row)).unwrap_err().reason, reason);
    }
}

#[test]
fn what_is_carried_goes_along() {
    let row = json!({"meta": {"company": "Acme"}, "parts": ["By ", "SAP."], "day": 3});
    for (carry, expected) in [
        (json!(["day"]), json!({"day": 3})),
        (json!({"who": "meta.company", "n": "day + 1"}), json!({"who": "Acme", "n": 4})),
    ] {
        let settings =
            json!({"model": "analyst", "schema": "small", "text": "parts | join", "carry": carry});
        let Fields::Exactly(fields) = Extract::fields(&settings) else { panic!("not exact") };
        let entities = by_rules(settings, SMALL).apply(&record(row.clone())).unwrap();
        let entity = entities[0].to_object();
        assert_eq!(entity.keys().cloned().collect::<Vec<_>>(), fields);
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&entity[name], value);
        }
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let schema = |schema: &str| json!({"model": "analyst", "schema": schema});
    for (settings, schema, expected) in [
        (schema("none.yaml"), "", "schema: `none.yaml` cannot be read: there is no such file"),
        (
            schema("small"),
            "kinds: {a: {}, b: {cues: x}}",
            "rules can never find `a`: it has no cues, patterns or words",
        ),
        (
            json!({"model": "analyst", "schema": "small", "carry": ["kind"]}),
            SMALL,
            "carry.0: every entity has a field `kind` already",
        ),
    ] {
        assert_eq!(refusal(settings, "provider: rules", schema), expected);
    }
}

#[test]
fn hostile_texts_do_no_harm() {
    let many = "SAP by hand ".repeat(20_000);
    let deep = "(".repeat(50_000);
    for text in [
        many.as_str(),
        &deep,
        "\u{feff}SAP",
        "a\0b SAP",
        "\u{202e}SAP",
        "İSAP ß SAP",
        ":\n: :",
        "A:",
    ] {
        for entity in found(text) {
            assert!(entity.starts_with("tool SAP") || entity.starts_with("pain"), "{entity}");
        }
    }
}

/// The records that the sample gives by the schema of the sample.
fn sample(file: &str) -> Vec<Record> {
    let stage = by_rules(json!({"model": "analyst", "schema": "schemas/business.yaml"}), "");
    let json = std::fs::read(pipelines().join("data/interviews").join(file)).unwrap();
    let mut row = record(serde_json::from_slice(&json).unwrap());
    row.path = Some(file.into());
    let entities = stage.apply(&row).unwrap();
    let text: Vec<char> = row.get("text").and_then(Value::as_str).unwrap().chars().collect();
    for entity in &entities {
        let at = |name| usize::try_from(entity.get(name).unwrap().as_u64().unwrap()).unwrap();
        let quote: String = text[at("start")..at("end")].iter().collect();
        assert_eq!(entity.get("quote"), Some(&json!(quote)));
    }
    entities
}

#[test]
fn a_transcript_gives_these_entities() {
    let lines: Vec<String> = sample("09-mirador-gerencia.json")
        .iter()
        .map(|entity| {
            let get = |name: &str| entity.get(name).cloned().unwrap_or_default();
            let name = get("name");
            format!(
                "{} {} {}..{} {} {}",
                get("kind"),
                get("confidence"),
                get("start"),
                get("end"),
                name,
                get("fields")
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_same_text_gives_the_same_ids_and_no_two_alike() {
    let ids =
        |entities: Vec<Record>| -> Vec<RecordId> { entities.iter().map(|one| one.id).collect() };
    let first = ids(sample("01-harbourline-operations.json"));
    assert_eq!(first, ids(sample("01-harbourline-operations.json")));
    let different: std::collections::HashSet<RecordId> = first.iter().copied().collect();
    assert_eq!(different.len(), first.len());
}
