//! What is sent, and what is made of each answer.

use flow_engine::testing::{record, refused};

use super::answer::Answer;
use super::found::Found;
use super::ground::Ground;
use super::*;
use crate::model::chat::Said;
use crate::model::entity::Entity;
use crate::model::schema::EntitySchema;

const SCHEMA: &str = "
kinds:
  pain:
    description: something that hurts
    fields:
      level: {enum: [high, low], description: how much}
      cost: number
      days: integer
      tags: list
      seen: boolean
  tool: {description: software}
";

const TEXT: &str = "ANA: The  post is “late”.\nÁrea SAP is slow. The post again.";

fn schema() -> EntitySchema {
    let source = flow_dsl::SourceFile::new("schema", SCHEMA);
    crate::model::schema::read(&flow_dsl::parse::yaml(&source).0, &source).unwrap()
}

/// What becomes of a first answer: its entities, or what the model is told of it.
fn outcome(written: &str) -> Result<Vec<String>, String> {
    let schema = schema();
    let kinds: Vec<_> = schema.kinds.iter().collect();
    let mut found = Found::default();
    let wrong = found.take(&kinds, &answer::read(&Said { text: written.to_owned(), cut: false })?);
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    Ok(Ground::new(TEXT).all(found.into_entities()).iter().map(shown).collect())
}

const fn said(entities: Vec<Value>) -> Answer {
    Answer { entities, cut: false }
}

fn shown(entity: &Entity) -> String {
    format!(
        "{} {} {:?} {:?} {}",
        entity.kind, entity.name, entity.quote, entity.span, entity.confidence
    )
}

fn one(change: &Value) -> String {
    let mut entity = json!({"kind": "tool", "name": "SAP", "quote": "SAP is slow", "confidence": 0.8, "fields": {}});
    for (name, value) in change.as_object().unwrap() {
        entity[name] = value.clone();
    }
    json!({"entities": [entity]}).to_string()
}

fn system(sends_schema: bool, instructions: Option<&str>) -> String {
    let template = Template::new(prompt::BUILT_IN).unwrap();
    let instructions = instructions.map(|text| Template::new(text).unwrap());
    let prompt = Prompt::new(template, instructions, sends_schema);
    let parts = parts(&schema(), 1000);
    let told = |who| prompt.system(&parts[0], &record(json!({"who": who})));
    let first = told("Ana").unwrap().to_string();
    assert_ne!(first, *told("Bob").unwrap(), "made for every record");
    first
}

#[test]
fn the_prompt_names_every_kind() {
    let template = Template::new(prompt::BUILT_IN).unwrap();
    let parts = parts(&schema(), 1000);
    let told = Prompt::new(template, None, true).system(&parts[0], &record(json!({}))).unwrap();
    insta::assert_snapshot!(told);
}

#[test]
fn instructions_and_the_form_of_the_answer_come_last() {
    let told = system(false, Some("Read for {{ who }}."));
    insta::assert_snapshot!(&told[told.find("Kinds:").unwrap()..]);
}

#[test]
fn a_wide_schema_is_cut_into_parts_of_about_the_same_size() {
    let one = |nth| format!("\n  kind_{nth}: {{description: own, fields: {{a: string, b: list}}}}");
    let wide = (0..17).map(one).collect::<Vec<_>>().concat();
    let source = flow_dsl::SourceFile::new("schema", format!("kinds:{wide}"));
    let schema = crate::model::schema::read(&flow_dsl::parse::yaml(&source).0, &source).unwrap();
    for (budget, expected) in
        [(100_000, vec![17]), (1600, vec![9, 8]), (1100, vec![6, 6, 5]), (1, vec![1; 17])]
    {
        let sizes: Vec<usize> =
            parts(&schema, budget).iter().map(|part| part.schema.kinds.len()).collect();
        assert_eq!(sizes, expected, "{budget}");
    }
}

#[test]
fn entities_are_grounded_in_the_text() {
    for (quote, expected) in [
        ("SAP is slow", r#"tool SAP "SAP is slow" Some((31, 42)) 0.8"#),
        ("the post is \"late\"", r#"tool SAP "The  post is “late" Some((5, 23)) 0.8"#),
        ("area sap is slow", r#"tool SAP "Área SAP is slow" Some((26, 42)) 0.8"#),
        ("'The post again...'", r#"tool SAP "The post again" Some((44, 58)) 0.8"#),
        ("SAP is fast", r#"tool SAP "SAP is fast" None 0.4"#),
        ("...", r#"tool SAP "..." None 0.4"#),
    ] {
        assert_eq!(outcome(&one(&json!({"quote": quote}))), Ok(vec![expected.to_owned()]));
    }
    let twice = one(&json!({"quote": "post"}));
    let entity = twice.trim_start_matches("{\"entities\":[").trim_end_matches("]}");
    assert_eq!(
        outcome(&format!("[{entity}, {entity}, {entity}]")),
        Ok(vec![
            r#"tool SAP "post" Some((10, 14)) 0.8"#.to_owned(),
            r#"tool SAP "post" Some((48, 52)) 0.8"#.to_owned(),
        ])
    );
}

#[test]
fn json_is_found_in_what_models_write() {
    let entity = r#"{"kind": "tool", "name": "SAP", "quote": "SAP", "confidence": 1}"#;
    let expected = Ok(vec![r#"tool SAP "SAP" Some((31, 34)) 1"#.to_owned()]);
    for written in [
        format!("{{\"entities\": [{entity}]}}"),
        format!("```json\n{{\"entities\": [{entity}, {entity}]}}\n```"),
        format!("<think>{{ hm }}</think>\n{{\"entities\": [{entity}]}}"),
        format!("Here it is: [{entity}] Enjoy!"),
    ] {
        assert_eq!(outcome(&written), expected, "{written}");
    }
    assert_eq!(outcome("{\"entities\": []}"), Ok(vec![]));
}

#[test]
fn a_model_is_told_what_is_wrong() {
    for (written, expected) in [
        ("sorry", "is not JSON: sorry"),
        ("{\"entit", "has no `entities`"),
        ("{\"entities\": [", "the answer breaks off after entity 0: add what follows"),
        ("{}", "has no `entities`"),
        ("{\"entities\": 1}", "has `entities` that are not a list"),
        ("{\"entities\": [1]}", "entity 1 is not an object"),
        (&one(&json!({"name": null})), "entity 1 has no `name`"),
        (&one(&json!({"quote": ""})), "entity 1 has no `quote`"),
        (&one(&json!({"kind": 1})), "entity 1 has a `kind` that is not a text"),
        (
            &one(&json!({"kind": "pet"})),
            "entity 1 has the `kind` `pet`, which is none of: pain, tool",
        ),
        (
            &one(&json!({"confidence": 80})),
            "entity 1 has the `confidence` 80, not a number from 0 to 1",
        ),
        (&one(&json!({"confidence": null})), "entity 1 has no `confidence`"),
        (&one(&json!({"kind": "pain", "fields": null})), "entity 1 has no `fields`"),
        (&one(&json!({"fields": []})), "entity 1 has `fields` that are not an object"),
        (
            &one(&json!({"kind": "pain", "fields": {"level": "huge", "days": 1.5}})),
            "entity 1 has the `level` \"huge\", which is not one of: high, low, \
             has the `days` 1.5, which is not a whole number",
        ),
    ] {
        assert_eq!(outcome(written), Err(expected.to_owned()), "{written}");
    }
}

#[test]
fn fields_are_all_there_and_nothing_is_dropped() {
    let schema = schema();
    let kinds: Vec<_> = schema.kinds.iter().collect();
    let fields = json!({"tags": ["a"], "extra": 1, "cost": 2.5, "level": "huge"});
    let written = json!({"kind": "pain", "name": "x", "confidence": 1, "fields": fields});
    let mut found = Found::default();
    assert_eq!(found.take(&kinds, &said(vec![written])).len(), 1);
    assert!(found.make_do());
    let entity = &found.into_entities()[0];
    assert_eq!((entity.quote.as_str(), entity.confidence), ("", 0.5));
    assert_eq!(
        json!(entity.fields).to_string(),
        r#"{"level":null,"cost":2.5,"days":null,"tags":["a"],"seen":null,"extra":1}"#
    );
}

#[test]
fn a_model_may_repeat_itself() {
    let schema = schema();
    let kinds: Vec<_> = schema.kinds.iter().collect();
    let entity = |name| json!({"kind": "tool", "name": name, "quote": "q", "confidence": 1});
    let mut found = Found::default();
    for (answer, expected) in [
        (vec![entity("a"), entity("a")], 2),
        (vec![entity("a"), entity("b"), entity("a")], 3),
        (vec![entity("a"), entity("a"), entity("a")], 4),
        (vec![], 4),
    ] {
        assert_eq!(found.take(&kinds, &said(answer)), [""; 0]);
        assert_eq!(found.len(), expected);
    }
    found.take(&kinds, &said(vec![json!({"kind": "tool"})]));
    assert!(!found.make_do(), "it says nothing");
}

#[test]
fn a_model_is_built_from_its_declaration() {
    let settings = json!({"model": "analyst", "schema": "small", "instructions": "For {{ who }}."});
    let build = |model: &str| crate::model::tests::build(settings.clone(), model, SCHEMA);
    assert!(matches!(build("{provider: openai, model: m}"), Ok(Stage::Call(_))));
    for (model, expected) in [
        ("{provider: openai}", "`analyst` cannot be read: missing field `model`"),
        (
            "{provider: openai, model: m, base_url: 'file:///etc'}",
            "`analyst` has the `base_url` `file:///etc`, which is no web address",
        ),
        ("{provider: other}", "`analyst` is of `other`, which cannot chat"),
    ] {
        let said = refused(build(model));
        assert_eq!(said.split_once(": ").map(|(_, message)| message), Some(expected));
    }
}
