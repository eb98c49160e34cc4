//! Whether the models of a node can be asked as the file wants it.

use flow_dsl::pipeline::PipelineNode;
use flow_dsl::{Code, Diagnostic, Pipeline};

use super::settings;
use crate::stage::{Asked, Stage};

/// Under a budget, what a call costs at most must be known; a retry can only go to a model that the
/// stage can ask.
pub(super) fn fit(
    pipeline: &Pipeline,
    node: &PipelineNode,
    stage: &Stage,
) -> Result<(), Vec<Diagnostic>> {
    let asked = match stage {
        Stage::Call(call) => call.models(),
        _ => Vec::new(),
    };
    let mut found = Vec::new();
    let budget = pipeline.budget;
    if budget.run.is_some() || budget.day.is_some() || node.hints.budget.is_some() {
        found.extend(asked.iter().filter_map(|asked| unpriced(pipeline, node, asked)));
    }
    for step in node.hints.on_retry.iter().flat_map(|steps| &steps.value) {
        let Some(model) = &step.model else { continue };
        if asked.iter().all(|asked| asked.name != model.value) {
            let message = format!("`{}` cannot ask `{}`", node.name.value, model.value);
            let found_here = Diagnostic::new(Code::F0509, &pipeline.source, model.span, message);
            found.push(
                found_here
                    .label("named as the model of a retry")
                    .help("take the step out, or let the node ask a model that makes calls"),
            );
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

fn unpriced(pipeline: &Pipeline, node: &PipelineNode, asked: &Asked) -> Option<Diagnostic> {
    let (missing, help) = match (asked.price, asked.most_output) {
        (Some(_), Some(_)) => return None,
        (None, Some(_)) => (
            "its price",
            "give it `price: {input: .., output: ..}`, in US dollars for a million tokens",
        ),
        (Some(_), None) => ("the most tokens of its answer", "give it `max_tokens`"),
        (None, None) => (
            "its price and the most tokens of its answer",
            "give it `price: {input: .., output: ..}`, in US dollars for a million tokens, and `max_tokens`",
        ),
    };
    let message = format!("a budget cannot be kept: `{}` does not say {missing}", asked.name);
    let declared = pipeline.models.iter().find(|model| model.name.value == asked.name);
    let (source, span) = match declared {
        Some(model) => (pipeline.source.clone(), model.name.span),
        None => settings::place(pipeline, node, "model"),
    };
    let label = format!("asked by `{}`", node.name.value);
    Some(Diagnostic::new(Code::F0508, &source, span, message).label(label).help(help))
}
