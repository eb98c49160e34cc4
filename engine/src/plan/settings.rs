//! Where in the file a setting stands, for mistakes that only show when a stage is built.

use std::sync::Arc;

use flow_dsl::pipeline::PipelineNode;
use flow_dsl::tree::{Node, Value};
use flow_dsl::{Code, Diagnostic, Pipeline, SourceFile, Span};

use crate::door::UnsetSecret;
use crate::registry::{Build, BuildError, Registry};

/// The place of a setting, `fields.name` or `to.1` for a part of one, and the text that it stands in (the
/// file, or `--set`); of the stage's name when neither has it.
pub(super) fn place(
    pipeline: &Pipeline,
    node: &PipelineNode,
    setting: &str,
) -> (Arc<SourceFile>, Span) {
    let mut found = None;
    let mut at = &node.settings;
    for part in setting.split('.').filter(|part| !part.is_empty()) {
        let Some(value) = at.get(part).or_else(|| item(at, part)) else { break };
        found = Some(value);
        at = value;
    }
    let source = found.and_then(|found| found.source.as_ref()).unwrap_or(&pipeline.source);
    (Arc::clone(source), found.map_or(node.uses.span, |found| found.span))
}

/// A setting as messages call it: an item of a list by the name of the list.
fn named<'s>(node: &PipelineNode, setting: &'s str) -> &'s str {
    let list = setting.split_once('.').map(|(list, _)| list);
    let is_list = |list: &&str| {
        node.settings.get(list).is_some_and(|list| matches!(list.value, Value::List(_)))
    };
    list.filter(is_list).unwrap_or(setting)
}

fn item<'n>(node: &'n Node, part: &str) -> Option<&'n Node> {
    match &node.value {
        Value::List(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Whether a part of a setting depends on a param that has no value, itself or through one of the
/// names.
pub(super) fn waits(setting: &Node, names: &[&str]) -> bool {
    match &setting.value {
        Value::Bad => true,
        Value::String(text) => names.contains(&text.as_str()),
        Value::List(items) => items.iter().any(|item| waits(item, names)),
        Value::Map(entries) => entries.iter().any(|entry| waits(&entry.value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What a stage refuses, as diagnostics at its settings.
pub(super) fn refused(
    pipeline: &Pipeline,
    node: &PipelineNode,
    errors: Vec<BuildError>,
) -> Vec<Diagnostic> {
    errors.into_iter().flat_map(|error| refusal(pipeline, node, error)).collect()
}

fn refusal(pipeline: &Pipeline, node: &PipelineNode, error: BuildError) -> Vec<Diagnostic> {
    match error {
        BuildError::File(diagnostics) => diagnostics,
        BuildError::Setting { setting, message, help } => {
            let message = if setting.is_empty() {
                format!("`{}`: the settings of `{}`: {message}", node.name.value, node.uses.value)
            } else {
                format!("`{}`: {message}", named(node, &setting))
            };
            let (source, span) = place(pipeline, node, &setting);
            let mut diagnostic = Diagnostic::new(Code::F0501, &source, span, message)
                .label(format!("refused by `{}`", node.uses.value));
            diagnostic.help = help;
            vec![diagnostic]
        }
    }
}

/// What can be said against single settings of a node that cannot be built.
pub(super) fn weighed(
    pipeline: &Pipeline,
    node: &PipelineNode,
    registry: &Registry,
    build: &Build<'_>,
) -> Vec<Diagnostic> {
    let Some(def) = registry.stage(&node.uses.value) else { return Vec::new() };
    let readable = node.settings.entries().iter().filter(|entry| !waits(&entry.value, &[]));
    let settings = readable.map(|entry| (entry.key.value.clone(), entry.value.to_json()));
    refused(pipeline, node, (def.weigh)(&serde_json::Value::Object(settings.collect()), build))
}

/// A secret that this run needs and that is not set.
pub(super) fn unset(pipeline: &Pipeline, secret: &UnsetSecret) -> Diagnostic {
    let declared = pipeline.secrets.iter().find(|declared| declared.name.value == secret.name);
    let named = pipeline.models.iter().filter_map(|model| model.secret.as_ref());
    let span = declared
        .map(|declared| declared.name.span)
        .or_else(|| {
            named.into_iter().find(|named| named.value == secret.name).map(|named| named.span)
        })
        .unwrap_or_default();
    let message = format!("the secret `{}` is not set: {}", secret.name, secret.reason);
    Diagnostic::new(Code::F0503, &pipeline.source, span, message)
        .label("needed by a model of this run")
        .help("set it, or choose a model that needs no key")
}
