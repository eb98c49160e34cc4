//! Files that a run would write over: twice, or while it reads them.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use flow_dsl::pipeline::PipelineNode;
use flow_dsl::{Code, Diagnostic, Pipeline};

use super::PlanNode;
use super::settings::place;
use crate::stage::Stage;

/// All that is wrong with the files that sinks replace.
pub(super) fn check<'a>(
    pipeline: &Pipeline,
    planned: &(impl Iterator<Item = (&'a PipelineNode, &'a PlanNode)> + Clone),
) -> Vec<Diagnostic> {
    let nodes = || planned.clone().map(|(node, planned)| (node, &planned.stage));
    let mut writers: HashMap<PathBuf, &PipelineNode> = HashMap::new();
    let mut diagnostics = Vec::new();
    for (node, stage) in nodes() {
        let Stage::Sink(sink) = stage else { continue };
        for target in sink.targets().iter().map(|target| one_name(target)) {
            match writers.get(&target) {
                Some(other) => diagnostics.push(written_twice(pipeline, node, other, &target)),
                None => drop(writers.insert(target, node)),
            }
        }
    }
    // To ask for the size of each file is cheaper than to find the one name of each.
    let size = |path: &Path| fs::metadata(path).map(|file| file.len()).ok();
    let sizes: Vec<u64> = writers.keys().filter_map(|target| size(target)).collect();
    for (node, stage) in nodes() {
        let Stage::Source(source) = stage else { continue };
        let files = if sizes.is_empty() { Vec::new() } else { source.files() };
        for file in files.iter().filter(|file| size(file).is_some_and(|size| sizes.contains(&size)))
        {
            if let Some(writer) = writers.get(&one_name(file)) {
                diagnostics.push(written_while_read(pipeline, writer, node, file));
            }
        }
    }
    diagnostics
}

/// A name that a file has to itself: without links where it is there, without `.` and `..` where
/// not.
fn one_name(path: &Path) -> PathBuf {
    let plain = plain(path);
    plain.canonicalize().unwrap_or_else(|_| match (plain.parent(), plain.file_name()) {
        (Some(folder), Some(name)) => {
            folder.canonicalize().map_or_else(|_| plain.clone(), |folder| folder.join(name))
        }
        _ => plain.clone(),
    })
}

/// A path without `.` and with each `..` taken back.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// Two sinks that would rename their temporary files to one and the same.
fn written_twice(
    pipeline: &Pipeline,
    node: &PipelineNode,
    first: &PipelineNode,
    target: &Path,
) -> Diagnostic {
    let (first_name, name) = (&first.name.value, &node.name.value);
    let message = format!("`{first_name}` and `{name}` both write `{}`", target.display());
    let (source, span) = place(pipeline, node, "to");
    let (other, before) = place(pipeline, first, "to");
    let diagnostic = Diagnostic::new(Code::F0505, &source, span, message)
        .help("give each its own file, or let one node read from both");
    if other.name == source.name {
        diagnostic.other(before, "written here first")
    } else {
        diagnostic
    }
}

/// A sink that would put its file in the place of one that is read.
fn written_while_read(
    pipeline: &Pipeline,
    writer: &PipelineNode,
    reader: &PipelineNode,
    file: &Path,
) -> Diagnostic {
    let (writer_name, reader_name) = (&writer.name.value, &reader.name.value);
    let message = format!(
        "`{writer_name}` would write over `{}`, which `{reader_name}` reads",
        plain(file).display()
    );
    let (source, span) = place(pipeline, writer, "to");
    let (other, read) = place(pipeline, reader, "path");
    let diagnostic = Diagnostic::new(Code::F0506, &source, span, message)
        .help("write to a file of another name, or read a pattern that does not match this one");
    if other.name == source.name { diagnostic.other(read, "read here") } else { diagnostic }
}
