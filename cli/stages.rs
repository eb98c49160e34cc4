//! `flow stages`: the list of stages, and the manual of each, from its doc comments and its schema.

use std::fmt::Write as _;

use clap::ArgMatches;
use flow_dsl::catalog::{Catalog, Shape, StageSpec};
use flow_dsl::suggest;
use flow_stdlib::REGISTRY;
use serde_json::Value;

use crate::exit::{Exit, Trouble};
use crate::graph;
use crate::table::{Align, Table};
use crate::terminal;

/// Runs the command.
pub(crate) fn stages(matches: &ArgMatches) -> Result<Exit, Trouble> {
    let catalog = REGISTRY.catalog();
    let text = match matches.get_one::<String>("name") {
        None => list(&catalog),
        Some(name) => match catalog.stage(name) {
            Some(stage) => manual(stage),
            None => return Err(unknown(&catalog, name)),
        },
    };
    terminal::out(&text)?;
    Ok(Exit::Done)
}

fn unknown(catalog: &Catalog, name: &str) -> Trouble {
    let names = catalog.stages.iter().map(|stage| stage.name);
    let help = suggest::closest(name, names).map_or_else(
        || "`flow stages` lists those that there are.".to_owned(),
        |close| format!("Did you mean `{close}`?"),
    );
    Trouble::wrong(format!("no stage called `{name}`"), help)
}

/// One line for each stage, under its shape.
fn list(catalog: &Catalog) -> String {
    let mut text = String::new();
    for (shape, heading) in [
        (Shape::Source, "sources bring records in"),
        (Shape::Map, "maps make records of records"),
        (Shape::Gather, "gathers see all records, then answer"),
        (Shape::Sink, "sinks write records away"),
    ] {
        let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
        for stage in catalog.stages.iter().filter(|stage| stage.shape == shape) {
            table.row([stage.name.to_owned(), first_sentence(&stage.doc)]);
        }
        let lines = table.text("  ");
        if !lines.is_empty() {
            let _ = writeln!(text, "{heading}\n{lines}");
        }
    }
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for provider in &catalog.providers {
        table.row([provider.name.to_owned(), first_sentence(&provider.doc)]);
    }
    let lines = table.text("  ");
    if !lines.is_empty() {
        let _ =
            writeln!(text, "model providers, for `models: {{NAME: {{provider: ...}}}}`\n{lines}");
    }
    text.push_str("`flow stages NAME` prints the manual of one.\n");
    text
}

/// What stands before the first empty line, up to the end of its first sentence.
fn first_sentence(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match paragraph.split_once(". ") {
        Some((sentence, _)) => format!("{}.", sentence.trim()),
        None => paragraph.trim().to_owned(),
    }
}

fn manual(stage: &StageSpec) -> String {
    let article = graph::shape(stage.shape);
    let mut text = format!("{} ({article})\n\n{}\n", stage.name, stage.doc.trim());
    if stage.ports.len() > 1 {
        text.push_str("\nports\n");
        for port in stage.ports {
            let optional = if port.required { "" } else { ", may be left unwired" };
            let _ = writeln!(text, "  {}{optional}", port.name);
        }
    }
    let settings = settings(&stage.settings);
    if !settings.is_empty() {
        let _ = write!(text, "\nsettings, under `with:`\n{settings}");
    }
    text
}

fn settings(schema: &Value) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return String::new();
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut text = String::new();
    for (name, setting) in properties {
        let default = setting.get("default").filter(|default| !default.is_null());
        let presence = if required.contains(&name.as_str()) {
            "required".to_owned()
        } else {
            default.map_or_else(|| "optional".to_owned(), |default| format!("default {default}"))
        };
        let _ = writeln!(text, "  {name}: {}, {presence}", kind(setting, schema, 0));
        let doc = setting.get("description").and_then(Value::as_str).unwrap_or_default();
        for line in doc.lines() {
            let _ = writeln!(text, "{}", format!("      {line}").trim_end());
        }
    }
    text
}

/// The kind of a value in the user's words.
fn kind(value: &Value, root: &Value, depth: usize) -> String {
    if depth > 8 {
        return "value".to_owned();
    }
    if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        let found = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return found.map_or_else(|| "value".to_owned(), |value| kind(value, root, depth + 1));
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = value.get(key).and_then(Value::as_array) {
            return either(choices.iter().map(|choice| kind(choice, root, depth + 1)));
        }
    }
    if let Some(constant) = value.get("const") {
        return word(constant);
    }
    if let Some(words) = value.get("enum").and_then(Value::as_array) {
        return either(words.iter().map(word));
    }
    let format = value.get("format").and_then(Value::as_str);
    match value.get("type") {
        Some(Value::Array(types)) => either(types.iter().map(|one| plain(one, format))),
        Some(Value::String(list)) if list == "array" => {
            let item = value.get("items").map(|item| kind(item, root, depth + 1));
            item.map_or_else(|| "list".to_owned(), |item| format!("list of {item}"))
        }
        Some(Value::String(map)) if map == "object" => {
            let item = value.get("additionalProperties").filter(|item| item.is_object());
            let item = item.map(|item| kind(item, root, depth + 1));
            item.map_or_else(|| "map".to_owned(), |item| format!("map to {item}"))
        }
        Some(one) => plain(one, format),
        None => "value".to_owned(),
    }
}

fn plain(kind: &Value, format: Option<&str>) -> String {
    match (kind.as_str().unwrap_or_default(), format) {
        ("string", Some(format)) => format.to_owned(),
        ("string", None) => "text".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        ("boolean", _) => "true or false".to_owned(),
        (other, _) => other.to_owned(),
    }
}

fn word(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("`{text}`")
}

fn either(choices: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = Vec::new();
    for choice in choices.filter(|choice| choice != "null" && choice != "`null`") {
        if !words.contains(&choice) {
            words.push(choice);
        }
    }
    words.join(" or ")
}

#[cfg(test)]
mod tests {
    use flow_dsl::catalog::{Fields, Work};
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_in_the_users_words() {
        let root = json!({"$defs": {"Mode": {"enum": ["a", "b"]}, "Me": {"$ref": "#/$defs/Me"}}});
        for (schema, words) in [
            (json!({"type": "string"}), "text"),
            (json!({"type": "string", "format": "template"}), "template"),
            (json!({"type": ["integer", "null"], "format": "uint32"}), "whole number"),
            (json!({"type": "array", "items": {"type": "string"}}), "list of text"),
            (
                json!({"type": "object", "additionalProperties": {"type": "number"}}),
                "map to number",
            ),
            (json!({"$ref": "#/$defs/Mode"}), "`a` or `b`"),
            (json!({"anyOf": [{"$ref": "#/$defs/Mode"}, {"type": "null"}]}), "`a` or `b`"),
            (json!({"oneOf": [{"const": "x"}, {"type": "boolean"}]}), "`x` or true or false"),
            (json!({"$ref": "#/$defs/Me"}), "value"),
            (json!(true), "value"),
        ] {
            assert_eq!(kind(&schema, &root, 0), words, "{schema}");
        }
    }

    #[test]
    fn the_manual_is_the_doc_comment_and_the_schema() {
        let stage = StageSpec {
            name: "keep",
            shape: Shape::Map,
            work: |_| Work::Light,
            ports: &[],
            doc: "Keep records. Drop others.\n\nMore.".to_owned(),
            settings: json!({
                "properties": {
                    "field": {"type": "string", "description": "The field to look at.\n\nAll of it."},
                    "most": {"type": "integer", "default": 3},
                    "mode": {"type": ["string", "null"], "default": null},
                },
                "required": ["field"],
            }),
            fields: |_| Fields::Unknown,
        };
        assert_eq!(first_sentence(&stage.doc), "Keep records.");
        assert_eq!(
            manual(&stage),
            "keep (map)\n\nKeep records. Drop others.\n\nMore.\n\nsettings, under `with:`\n  \
             field: text, required\n      The field to look at.\n\n      All of it.\n  \
             most: whole number, default 3\n  mode: text, optional\n"
        );
    }
}
