//! From an entity schema to the JSON Schema of a model's answer.

use serde_json::{Map, Value, json};

use super::{EntitySchema, Field, FieldType, Kind};

/// The schema of an answer with all kinds at once: `{"entities": [{"kind": ..}]}`.
///
/// Kept to what strict modes of servers take: every property required, nothing additional, what
/// may be missing is null.
pub(crate) fn answer_schema(schema: &EntitySchema) -> Value {
    let kinds: Vec<Value> = schema.kinds.iter().map(entity).collect();
    object(&[("entities".to_owned(), json!({"type": "array", "items": {"anyOf": kinds}}))])
}

fn entity(kind: &Kind) -> Value {
    let fields: Vec<(String, Value)> =
        kind.fields.iter().map(|field| (field.name.clone(), property(field))).collect();
    let mut entity = object(&[
        ("kind".to_owned(), json!({"type": "string", "enum": [kind.name]})),
        ("name".to_owned(), json!({"type": "string", "description": "a short name for it"})),
        (
            "quote".to_owned(),
            json!({"type": "string", "description": "the words of the text, copied exactly"}),
        ),
        ("confidence".to_owned(), json!({"type": "number", "description": "from 0 to 1"})),
        ("fields".to_owned(), object(&fields)),
    ]);
    describe(&mut entity, &kind.description);
    entity
}

fn property(field: &Field) -> Value {
    let mut property = match &field.of {
        FieldType::Text => json!({"type": ["string", "null"]}),
        FieldType::Number => json!({"type": ["number", "null"]}),
        FieldType::Integer => json!({"type": ["integer", "null"]}),
        FieldType::Boolean => json!({"type": ["boolean", "null"]}),
        FieldType::Texts => json!({"type": ["array", "null"], "items": {"type": "string"}}),
        FieldType::Choice(choices) => {
            let values: Vec<Value> =
                choices.iter().map(|choice| json!(choice)).chain([Value::Null]).collect();
            json!({"type": ["string", "null"], "enum": values})
        }
    };
    describe(&mut property, &field.description);
    property
}

fn object(properties: &[(String, Value)]) -> Value {
    let required: Vec<&str> = properties.iter().map(|(name, _)| name.as_str()).collect();
    json!({
        "type": "object",
        "properties": properties.iter().cloned().collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

fn describe(schema: &mut Value, description: &str) {
    if !description.is_empty() {
        schema["description"] = json!(description);
    }
}
