//! Where an entity schema comes from: the pipeline's `schemas`, or a file of its own.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use flow_dsl::SourceFile;
use flow_dsl::tree::Node;
use flow_engine::factor::Factor;
use flow_engine::registry::{Build, BuildError};

use super::{EntitySchema, read};

/// The largest schema file, in bytes.
const MOST_BYTES: u64 = 4 << 20;

/// A schema that was read.
pub(crate) struct Loaded {
    /// The schema.
    pub(crate) schema: EntitySchema,
    /// The file that its spans point into.
    pub(crate) source: Arc<SourceFile>,
    /// All that it says, without comments and spacing.
    pub(crate) factor: Factor,
}

/// The schema that a setting names.
pub(crate) fn load(build: &Build<'_>, setting: &str, name: &str) -> Result<Loaded, BuildError> {
    let declared = build.schemas.iter().find(|(declared, _)| declared.value == name);
    let (node, source) = match declared {
        Some((_, node)) => {
            let source = node.source.as_ref().unwrap_or(build.source);
            (node.clone(), Arc::clone(source))
        }
        None => parse(build, setting, name)?,
    };
    let schema = read(&node, &source).map_err(BuildError::File)?;
    let factor = Factor::new("schema", node.to_json().to_string());
    Ok(Loaded { schema, source, factor })
}

fn parse(
    build: &Build<'_>,
    setting: &str,
    name: &str,
) -> Result<(Node, Arc<SourceFile>), BuildError> {
    let bytes = bytes(&build.path(name)).map_err(|reason| {
        let refusal = BuildError::setting(setting, format!("`{name}` cannot be read: {reason}"));
        refusal
            .help("name a schema that the pipeline declares, or a file; paths start at its folder")
    })?;
    let source = flow_dsl::parse::decode(name, bytes)
        .map_err(|diagnostic| BuildError::File(vec![*diagnostic]))?;
    let (node, diagnostics) = flow_dsl::parse::yaml(&source);
    if diagnostics.is_empty() { Ok((node, source)) } else { Err(BuildError::File(diagnostics)) }
}

/// The bytes of a file that settings name.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| reason(&error))?.len();
    if size > MOST_BYTES {
        return Err(format!("it has {size} bytes, more than 4 MiB"));
    }
    std::fs::read(path).map_err(|error| reason(&error))
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}
