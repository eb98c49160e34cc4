//! Short ways to build and run a stage in a test.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::door::{Meter, Secrets};
use crate::outcome::Outcome;
use crate::record::{Record, RecordId};
use crate::registry::{Build, BuildError, Config, StageDef};
use crate::stage::{CallContext, Failure, Found, Sink, Source, Stage, Verdict};

/// A record with the fields of a JSON object.
pub fn record(object: Value) -> Record {
    match object {
        Value::Object(object) => Record::from_object(RecordId::of(b"test"), object),
        other => Record::from_object(
            RecordId::of(b"test"),
            [("value".into(), other)].into_iter().collect(),
        ),
    }
}

/// Builds a stage from settings, in a folder.
pub fn build_in<C: Config>(folder: &Path, settings: Value) -> Result<Stage, Vec<BuildError>> {
    let source = flow_dsl::SourceFile::new("test.yaml", "");
    let secrets = Secrets::default();
    let build = Build {
        pipeline: "test",
        node: "node",
        folder,
        params: &json!({}),
        models: &[],
        limits: &[],
        schemas: &[],
        source: &source,
        secrets: &secrets,
        on_retry: &[],
    };
    (StageDef::of::<C>().build)(settings, &build)
}

/// Builds a stage from settings.
pub fn build<C: Config>(settings: Value) -> Result<Stage, Vec<BuildError>> {
    build_in::<C>(Path::new("."), settings)
}

/// The messages of what is refused with its settings, a line each.
pub fn refusal<C: Config>(settings: Value) -> String {
    refused(build::<C>(settings))
}

/// The messages of what was refused with its settings, a line each.
pub fn refused(built: Result<Stage, Vec<BuildError>>) -> String {
    let Err(errors) = built else { return "built".to_owned() };
    let lines = errors.into_iter().flat_map(|error| match error {
        BuildError::Setting { setting, message, .. } => vec![format!("{setting}: {message}")],
        BuildError::File(found) => found.into_iter().map(|one| one.message).collect(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Runs a map over rows, one after another, and gives what leaves it; a failure stops with its
/// reason.
///
/// # Panics
/// When the stage cannot be built or is not a map.
pub async fn apply<C: Config>(settings: Value, rows: Value) -> Result<Vec<Value>, String> {
    let stage = build::<C>(settings).map_err(|error| format!("{error:?}"))?;
    let rows = rows.as_array().cloned().unwrap_or_default();
    let records: Vec<Record> = rows.into_iter().map(record).collect();
    let reason = |failure: Failure| failure.reason;
    let mut out = Vec::new();
    match stage {
        Stage::Light(mut stage) => {
            for mut record in records {
                if stage.done() {
                    break;
                }
                match stage.apply(&mut record).map_err(reason)? {
                    Verdict::Pass => out.push(record),
                    Verdict::Drop => {}
                    Verdict::PassLast => {
                        out.push(record);
                        break;
                    }
                }
            }
        }
        Stage::Heavy(stage) => {
            for record in &records {
                out.extend(stage.apply(record).map_err(reason)?);
            }
        }
        Stage::Call(stage) => {
            let context = CallContext {
                door: crate::door::Door::new(&[]).into(),
                attempt: 1,
                step: None,
                meter: Meter::default().into(),
                answers: Arc::default(),
                record: None,
            };
            for result in stage.apply(&records, &context).await {
                out.extend(result.map_err(reason)?);
            }
        }
        other => return Err(format!("{other:?} is not a map")),
    }
    Ok(out.iter().map(|record| Value::Object(record.to_object())).collect())
}

/// Reads a source to its end: records and, for rejects, their reasons.
///
/// # Panics
/// When the source breaks.
#[expect(clippy::panic, reason = "only for tests")]
pub fn pull_all(source: &mut dyn Source) -> (Vec<Record>, Vec<(Record, String)>) {
    let (mut records, mut rejects) = (Vec::new(), Vec::new());
    loop {
        let pull = source.pull(100).unwrap_or_else(|error| panic!("{error}"));
        for found in pull.found {
            match found {
                Found::Record(record) => records.push(record),
                Found::Reject(record, failure) => rejects.push((record, failure.reason)),
            }
        }
        if pull.done {
            return (records, rejects);
        }
    }
}

/// Writes rows to a sink in one batch and commits; gives the reasons of those refused.
///
/// # Panics
/// When the sink breaks.
#[expect(clippy::needless_pass_by_value, reason = "a call reads better with `json!` as it is")]
pub fn write_all(sink: &mut dyn Sink, rows: Value) -> Vec<String> {
    let rows = rows.as_array().cloned().unwrap_or_default();
    let refused = sink
        .write(0, rows.into_iter().map(record).collect())
        .unwrap_or_else(|error| panic!("{error}"));
    sink.commit(&Outcome::whole()).unwrap_or_else(|error| panic!("{error}"));
    refused.into_iter().map(|(_, failure)| failure.reason).collect()
}
