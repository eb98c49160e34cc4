//! What is sent, and what is made of each answer.

use flow_engine::stage::FailureKind;

use super::*;
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

/// What becomes of an answer: its entities, or the reason, with a mark for what is worth a retry.
fn outcome(written: &str) -> Result<Vec<String>, String> {
    let read = answer::read(written).and_then(|answer| entities::read(&schema(), &answer, TEXT));
    let shown = |entity: &crate::model::entity::Entity| {
        format!(
            "{} {} {:?} {:?} {}",
            entity.kind, entity.name, entity.quote, entity.span, entity.confidence
        )
    };
    match read {
        Ok(entities) => Ok(entities.iter().map(shown).collect()),
        Err(failure) if failure.kind == FailureKind::Transient => {
            Err(format!("again: {}", failure.reason))
        }
        Err(failure) => Err(failure.reason),
    }
}

fn one(change: &Value) -> String {
    let mut entity = json!({"kind": "tool", "name": "SAP", "quote": "SAP is slow", "confidence": 0.8, "fields": {}});
    for (name, value) in change.as_object().unwrap() {
        entity[name] = value.clone();
    }
    json!({"entities": [entity]}).to_string()
}

#[test]
fn the_prompt_names_every_kind() {
    insta::assert_snapshot!(prompt::system(&schema(), true, "Be brief."));
    let asked = prompt::system(&schema(), false, "");
    assert!(asked.contains("Answer with JSON alone"));
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
    let unknown = outcome(&one(&json!({"kind": "pet"})));
    assert_eq!(unknown, Ok(vec![r#"pet SAP "SAP is slow" None 0.4"#.to_owned()]));
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
fn every_bad_answer_has_its_reason() {
    for (written, expected) in [
        (
            "{\"entit",
            "again: the model's answer is not JSON (EOF while parsing a string at line 1 column 7): {\"entit",
        ),
        (
            "sorry",
            "again: the model's answer is not JSON (expected value at line 1 column 1): sorry",
        ),
        ("{}", "again: the model's answer has no `entities`"),
        ("{\"entities\": 1}", "again: `entities` of the model's answer is not a list"),
        ("{\"entities\": [1]}", "again: entity 1 of the model's answer is not an object"),
    ] {
        assert_eq!(outcome(written), Err(expected.to_owned()));
    }
}

#[test]
fn an_entity_that_lacks_something_is_asked_for_again() {
    for (body, expected) in [
        (one(&json!({"name": null})), "again: entity 1 of the model's answer has no `name`"),
        (one(&json!({"quote": ""})), "again: entity 1 of the model's answer has no `quote`"),
        (
            one(&json!({"kind": 1})),
            "again: entity 1 of the model's answer has a `kind` that is not a text",
        ),
        (
            one(&json!({"confidence": 80})),
            "again: entity 1 of the model's answer has the `confidence` 80, not a number from 0 to 1",
        ),
        (
            one(&json!({"kind": "pain", "fields": null})),
            "again: entity 1 of the model's answer has no `fields`",
        ),
        (
            one(&json!({"fields": []})),
            "again: entity 1 of the model's answer has `fields` that are not an object",
        ),
        (
            one(&json!({"kind": "pain", "fields": {"level": "huge"}})),
            "again: entity 1 of the model's answer has the `level` \"huge\", which a `pain` cannot have",
        ),
        (
            one(&json!({"kind": "pain", "fields": {"days": 1.5}})),
            "again: entity 1 of the model's answer has the `days` 1.5, which a `pain` cannot have",
        ),
    ] {
        assert_eq!(outcome(&body), Err(expected.to_owned()));
    }
}

#[test]
fn fields_are_all_there_and_nothing_is_dropped() {
    let body = one(&json!({"kind": "pain", "fields": {"tags": ["a"], "extra": 1, "cost": 2.5}}));
    let entities = entities::read(&schema(), &answer::read(&body).unwrap(), TEXT).unwrap();
    let fields = json!(entities[0].fields).to_string();
    assert_eq!(
        fields,
        r#"{"level":null,"cost":2.5,"days":null,"tags":["a"],"seen":null,"extra":1}"#
    );
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
        match build(model) {
            Err(BuildError::Setting { message, .. }) => assert_eq!(message, expected),
            other => panic!("{other:?}"),
        }
    }
}
