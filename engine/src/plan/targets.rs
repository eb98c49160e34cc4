//! Files that two nodes would write: only one of them could put its own in place.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use flow_dsl::pipeline::PipelineNode;
use flow_dsl::{Code, Diagnostic, Pipeline};

use super::PlanNode;
use super::settings::place;
use crate::stage::Stage;

/// Two sinks that would rename their temporary files to one and the same.
pub(super) fn doubled<'a>(
    pipeline: &Pipeline,
    planned: impl Iterator<Item = (&'a PipelineNode, &'a PlanNode)>,
) -> Vec<Diagnostic> {
    let mut first: HashMap<PathBuf, &PipelineNode> = HashMap::new();
    let mut diagnostics = Vec::new();
    for (node, planned) in planned {
        let Stage::Sink(sink) = &planned.stage else { continue };
        for target in sink.targets().iter().map(|target| plain(target)) {
            match first.get(&target) {
                Some(other) => diagnostics.push(twice(pipeline, other, node, &target)),
                None => drop(first.insert(target, node)),
            }
        }
    }
    diagnostics
}

fn twice(
    pipeline: &Pipeline,
    other: &PipelineNode,
    node: &PipelineNode,
    target: &Path,
) -> Diagnostic {
    let (one, two) = (&other.name.value, &node.name.value);
    let message = format!("`{one}` and `{two}` both write `{}`", target.display());
    let (source, span) = place(pipeline, node, "to");
    let (first, before) = place(pipeline, other, "to");
    let found = Diagnostic::new(Code::F0505, &source, span, message)
        .help("give each its own file, or let one node read from both");
    if first.name == source.name { found.other(before, "written here first") } else { found }
}

/// A path without `.` and with each `..` taken back, so that one file has one name.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}
