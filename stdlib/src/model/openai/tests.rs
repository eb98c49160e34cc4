//! What is sent, and what is made of each answer.

use flow_engine::stage::FailureKind;
use flow_engine::testing::record;

use super::*;

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

fn settings(more: &Value) -> OpenAi {
    let mut settings = json!({"model": "m"});
    for (name, value) in more.as_object().unwrap() {
        settings[name] = value.clone();
    }
    serde_json::from_value(settings).unwrap()
}

fn schema() -> EntitySchema {
    let source = flow_dsl::SourceFile::new("schema", SCHEMA);
    crate::model::schema::read(&flow_dsl::parse::yaml(&source).0, &source).unwrap()
}

fn chat(content: &Value) -> Vec<u8> {
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"});
    json!({"id": "x", "choices": [choice]}).to_string().into_bytes()
}

/// What becomes of an answer: its entities, or the reason, with a mark for what is worth a retry.
fn outcome(body: &[u8]) -> Result<Vec<String>, String> {
    let read = answer::read(body).and_then(|answer| entities::read(&schema(), &answer, TEXT));
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

fn one(change: &Value) -> Vec<u8> {
    let mut entity = json!({"kind": "tool", "name": "SAP", "quote": "SAP is slow", "confidence": 0.8, "fields": {}});
    for (name, value) in change.as_object().unwrap() {
        entity[name] = value.clone();
    }
    chat(&json!(json!({"entities": [entity]}).to_string()))
}

#[test]
fn the_request_is_what_a_strict_server_takes() {
    let schema = schema();
    let settings = settings(&json!({"max_tokens": 500}));
    let system = prompt::system(&schema, settings.structured, "Be brief.");
    let body =
        wire::request(&settings, &system, &prompt::user("ANA: hello"), &answer_schema(&schema));
    insta::assert_json_snapshot!(body);
}

#[test]
fn the_request_follows_the_settings() {
    for (more, name, expected) in [
        (json!({}), "temperature", json!(0.0)),
        (json!({"temperature": null}), "temperature", json!(null)),
        (json!({"max_tokens": 5}), "max_completion_tokens", json!(5)),
        (json!({"max_tokens": 5, "base_url": "http://h/v1"}), "max_tokens", json!(5)),
        (json!({"structured": "json_object"}), "response_format", json!({"type": "json_object"})),
        (json!({"structured": "none"}), "response_format", json!(null)),
    ] {
        let body = wire::request(&settings(&more), "", "", &json!({}));
        assert_eq!(body.get(name).cloned().unwrap_or_default(), expected, "{more}");
    }
    let asked = prompt::system(&schema(), Structured::None, "");
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
    for content in [
        json!(format!("{{\"entities\": [{entity}]}}")),
        json!(format!("```json\n{{\"entities\": [{entity}, {entity}]}}\n```")),
        json!(format!("<think>{{ hm }}</think>\n{{\"entities\": [{entity}]}}")),
        json!(format!("Here it is: [{entity}] Enjoy!")),
        json!([{"type": "text", "text": format!("{{\"entities\": [{entity}]}}")}]),
    ] {
        assert_eq!(outcome(&chat(&content)), expected, "{content}");
    }
    assert_eq!(outcome(&chat(&json!("{\"entities\": []}"))), Ok(vec![]));
}

#[test]
fn every_bad_answer_has_its_reason() {
    let stopped = |why: &str| {
        let choice = json!({"message": {"content": "{\"entit"}, "finish_reason": why});
        json!({"choices": [choice]}).to_string().into_bytes()
    };
    let refused = json!({"choices": [{"message": {"content": null, "refusal": "no"}}]}).to_string();
    for (body, expected) in [
        (b"<html>busy".to_vec(), "again: the server's answer is not JSON: <html>busy"),
        (b"\xff\xfe".to_vec(), "again: the server's answer is not JSON: \u{fffd}\u{fffd}"),
        (b"{}".to_vec(), "again: the server's answer holds no choice"),
        (
            br#"{"error": {"message": "overloaded"}}"#.to_vec(),
            "again: the server answers with an error: overloaded",
        ),
        (refused.into_bytes(), "the model refuses: no"),
        (
            stopped("length"),
            "the model's answer was cut off at its most tokens; raise `max_tokens` of the model, or cut the text into chunks",
        ),
        (stopped("content_filter"), "the server withheld the model's answer (content filter)"),
        (
            stopped("stop"),
            "again: the model's answer is not JSON (EOF while parsing a string at line 1 column 7): {\"entit",
        ),
        (chat(&json!(null)), "again: the model's answer is empty"),
        (chat(&json!(" ")), "again: the model's answer is empty"),
        (
            chat(&json!("sorry")),
            "again: the model's answer is not JSON (expected value at line 1 column 1): sorry",
        ),
        (chat(&json!("{}")), "again: the model's answer has no `entities`"),
        (
            chat(&json!("{\"entities\": 1}")),
            "again: `entities` of the model's answer is not a list",
        ),
        (
            chat(&json!("{\"entities\": [1]}")),
            "again: entity 1 of the model's answer is not an object",
        ),
    ] {
        assert_eq!(outcome(&body), Err(expected.to_owned()));
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
fn tokens_are_counted_where_the_server_says() {
    for (body, expected) in [
        (r#"{"usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}"#, (7, 2)),
        (r#"{"usage": null}"#, (0, 0)),
        ("{}", (0, 0)),
        ("busy", (0, 0)),
    ] {
        let usage = wire::usage(body.as_bytes());
        assert_eq!((usage.input_tokens, usage.output_tokens), expected, "{body}");
    }
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
        ("{provider: other}", "`analyst` is of `other`, which cannot extract"),
    ] {
        match build(model) {
            Err(BuildError::Setting { message, .. }) => assert_eq!(message, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn instructions_know_the_record() {
    let input = Input::of("text");
    let chat = ByChat {
        input,
        schema: schema(),
        instructions: Template::new("For {{ who }}.").ok(),
        settings: settings(&json!({})),
        answer: json!({}),
        url: String::new(),
        key: None,
        limit: None,
    };
    let body = chat.body(&record(json!({"who": "Acme"})), "x").unwrap();
    assert!(body["messages"][0]["content"].as_str().unwrap().ends_with("\nFor Acme.\n"));
    assert!(chat.body(&record(json!({})), "x").is_err());
}
