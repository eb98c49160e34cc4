//! A small catalog that stands still, so that the corpus does not change with the stdlib.

use flow_dsl::catalog::{Catalog, Fields, PortSpec, ProviderSpec, Shape, StageSpec, Work};
use serde_json::{Value, json};

const IN: &[PortSpec] = &[PortSpec { name: "in", required: true }];
const SIDES: &[PortSpec] =
    &[PortSpec { name: "left", required: true }, PortSpec { name: "right", required: true }];

fn stage(
    name: &'static str,
    shape: Shape,
    ports: &'static [PortSpec],
    fields: fn(&Value) -> Fields,
    settings: Value,
) -> StageSpec {
    StageSpec { name, shape, work: |_| Work::Light, ports, doc: String::new(), settings, fields }
}

fn closed(properties: &Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "$defs": {
            "Unmatched": {
                "oneOf": [
                    {"description": "Left out.", "type": "string", "const": "drop"},
                    {"description": "Kept.", "type": "string", "const": "keep"},
                ],
            },
        },
    })
}

fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Object(map) => map.keys().cloned().collect(),
        Value::String(word) => vec![word.clone()],
        _ => Vec::new(),
    }
}

fn added(settings: &Value) -> Fields {
    Fields::Changed { added: words(&settings["fields"]), removed: words(&settings["remove"]) }
}

fn read_fields(settings: &Value) -> Fields {
    match &settings["fields"] {
        Value::Null => Fields::Unknown,
        fields => Fields::Exactly(words(fields)),
    }
}

fn found_fields(_: &Value) -> Fields {
    Fields::Exactly(
        ["id", "type", "kind", "name", "fields", "quote", "confidence"].map(str::to_owned).to_vec(),
    )
}

/// The stages and providers of the corpus.
pub(crate) fn catalog() -> Catalog {
    let stages = [sources(), maps(), heavy(), ends()].concat();
    let providers = vec![
        ProviderSpec {
            name: "rules",
            doc: String::new(),
            settings: closed(&json!({"threshold": {"type": ["number", "null"]}}), &[]),
            secret: None,
        },
        ProviderSpec {
            name: "openai",
            doc: String::new(),
            settings: closed(
                &json!({
                    "model": {"type": "string"},
                    "base_url": {"type": ["string", "null"]},
                    "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
                }),
                &["model"],
            ),
            secret: Some("OPENAI_API_KEY"),
        },
    ];
    Catalog { stages, providers }
}

fn sources() -> Vec<StageSpec> {
    vec![stage(
        "read",
        Shape::Source,
        &[],
        read_fields,
        closed(
            &json!({
                "path": {"type": "string", "format": "path"},
                "rows": {"type": ["string", "null"], "format": "range"},
                "largest": {"type": ["string", "null"], "format": "size"},
                "header": {"type": ["boolean", "null"]},
                "fields": {"type": ["array", "null"], "items": {"type": "string"}},
            }),
            &["path"],
        ),
    )]
}

fn maps() -> Vec<StageSpec> {
    let same = |_: &Value| Fields::SAME;
    vec![
        stage(
            "filter",
            Shape::Map,
            IN,
            same,
            closed(&json!({"where": {"type": "string", "format": "expression"}}), &["where"]),
        ),
        stage(
            "set",
            Shape::Map,
            IN,
            added,
            closed(
                &json!({
                    "fields": {
                        "type": "object",
                        "additionalProperties": {
                            "anyOf": [
                                {"type": "string", "format": "template"},
                                {"type": "object", "properties": {
                                    "expr": {"type": "string", "format": "expression"},
                                }, "required": ["expr"], "additionalProperties": false},
                            ],
                        },
                    },
                    "remove": {"type": "array", "items": {"type": "string", "format": "field"}},
                }),
                &["fields"],
            ),
        ),
    ]
}

fn heavy() -> Vec<StageSpec> {
    let same = |_: &Value| Fields::SAME;
    let stages = vec![
        stage(
            "chunk",
            Shape::Map,
            IN,
            same,
            closed(
                &json!({
                    "size": {"type": "integer", "minimum": 1, "maximum": 100_000},
                    "by": {"type": "string", "enum": ["tokens", "characters"]},
                    "every": {"type": "string", "format": "duration"},
                    "speed": {"type": "string", "format": "rate"},
                    "marks": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                }),
                &[],
            ),
        ),
        stage(
            "extract",
            Shape::Map,
            IN,
            found_fields,
            closed(
                &json!({
                    "model": {"type": "string", "format": "model"},
                    "schema": {"type": "string", "format": "schema"},
                    "limit": {"type": "string", "format": "limit"},
                }),
                &["model", "schema"],
            ),
        ),
    ];
    let work = |provider: Option<&str>| match provider {
        Some("openai") => Work::Call,
        _ => Work::Heavy,
    };
    stages.into_iter().map(|stage| StageSpec { work, ..stage }).collect()
}

fn ends() -> Vec<StageSpec> {
    let unknown = |_: &Value| Fields::Unknown;
    vec![
        stage(
            "consolidate",
            Shape::Gather,
            IN,
            |_| Fields::SAME,
            closed(
                &json!({"by": {"type": "array", "items": {"type": "string", "format": "field"}}}),
                &["by"],
            ),
        ),
        stage(
            "join",
            Shape::Gather,
            SIDES,
            unknown,
            closed(
                &json!({
                    "on": {"type": "string"},
                    "unmatched": {"$ref": "#/$defs/Unmatched"},
                }),
                &["on"],
            ),
        ),
        stage(
            "store",
            Shape::Sink,
            IN,
            unknown,
            closed(
                &json!({
                    "to": {"type": "string", "format": "path"},
                    "table": {"type": "string", "format": "template"},
                    "key": {
                        "anyOf": [
                            {"type": "string", "format": "field"},
                            {"type": "array", "items": {"type": "string", "format": "field"}},
                            {"type": "null"},
                        ],
                    },
                }),
                &["to"],
            ),
        ),
    ]
}
