//! `report`: what a run has found, counted and validated.

use std::path::PathBuf;

use flow_engine::prelude::*;

use super::content::Content;
use super::tally::Tally;
use super::validation::verdict;
use super::{markdown, workbook};
use crate::model::schema;
use crate::part::Part;
use crate::settings::{OneOrMany, texts};

/// Counts what a run has found, validates it, and writes it down as JSON, XLSX or Markdown.
///
/// Its ports: `in` takes the entities; `inputs`, the records that they were to be found in, so that
/// an input without any entity is named; `rejects`, the `.failed` of the other nodes, so that each
/// reject is named with its reason. The last two need not be wired.
///
/// The report holds the number of entities of each kind and of each input, the most frequent names
/// of each kind (whatever their case), all rejects, the account of every node, by which method the
/// entities were found, and a validation of up to three checks, whose outcome the run prints at its
/// end, too: every expected kind has data (with `expect` or `schema`); every input has data or stands
/// among the rejects; every reject of the run is named. A check that fails does not fail the run.
///
/// It keeps counts, not records, and of these no more than 10,000 kinds, 100,000 names and 100,000
/// inputs: what comes beyond is counted together, and the report says so. The files are written beside their places and put there when the
/// whole run has ended well. The same records give the same report, in whatever order they came.
///
/// ```yaml
/// summary:
///   uses: report
///   from: {in: confident, inputs: interviews, rejects: [interviews.failed, entities.failed]}
///   with: {to: [out/report.json, out/report.xlsx, out/report.md], schema: schemas/business.yaml}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// A file or several: `.json`, `.xlsx` or `.md`.
    #[schemars(extend("format" = "path"))]
    to: OneOrMany,
    /// The title of the report; without it, `Report`.
    #[serde(default)]
    title: Option<String>,
    /// The field to count by; without it, `kind`.
    #[serde(default)]
    by: Option<String>,
    /// The field with the names; without it, `name`.
    #[serde(default)]
    name: Option<String>,
    /// How many of the most frequent names are listed; without it, 10.
    #[serde(default)]
    top: Option<usize>,
    /// Kinds that must have data.
    #[serde(default)]
    expect: Vec<String>,
    /// An entity schema whose kinds must have data.
    #[serde(default)]
    #[schemars(extend("format" = "schema"))]
    schema: Option<String>,
}

impl Config for Report {
    const NAME: &'static str = "report";
    const SHAPE: Shape = Shape::Sink;
    const PORTS: &'static [PortSpec] = &[
        PortSpec { name: "in", required: true },
        PortSpec { name: "inputs", required: false },
        PortSpec { name: "rejects", required: false },
    ];

    fn weigh(settings: &Value, build: &Build<'_>) -> Vec<BuildError> {
        let files = texts(settings, "to");
        let mut refused = Vec::new();
        for (at, to) in files.iter().enumerate() {
            let setting = format!("to.{at}");
            refused.extend(Format::of(to).map_err(|error| error.at(&setting)).err());
            if files[..at].iter().any(|other| build.path(other) == build.path(to)) {
                let error = BuildError::setting(setting, format!("names `{to}` twice"));
                refused.push(error.help("Name each file once."));
            }
        }
        if settings.get("to").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            let error = BuildError::setting("to", "names no file");
            refused.push(error.help("Name one such as `out/report.md`."));
        }
        let schema = settings.get("schema").and_then(Value::as_str);
        refused.extend(schema.and_then(|name| schema::load(build, "schema", name).err()));
        refused
    }

    fn build(self, build: &Build<'_>) -> Result<Stage, BuildError> {
        let files = self.to.0.iter().map(|to| {
            let format = Format::of(to)?;
            Ok(Target { path: build.path(to), format, to: build.shown(to) })
        });
        let files = files.collect::<Result<_, _>>()?;
        let mut expect = self.expect;
        if let Some(name) = &self.schema {
            let schema = schema::load(build, "schema", name)?.schema;
            expect.extend(schema.kinds.into_iter().map(|kind| kind.name));
        }
        let mut seen = std::collections::HashSet::new();
        expect.retain(|kind| seen.insert(kind.clone()));
        let by = self.by.unwrap_or_else(|| "kind".to_owned());
        let name = self.name.unwrap_or_else(|| "name".to_owned());
        Ok(Stage::Sink(Box::new(Writer {
            files,
            title: self.title.unwrap_or_else(|| "Report".to_owned()),
            top: self.top.unwrap_or(10),
            tally: Tally::new(by, name, &expect),
            expect,
        })))
    }
}

/// What a file is to hold.
#[derive(Debug, Clone, Copy)]
enum Format {
    Json,
    Markdown,
    Workbook,
}

impl Format {
    fn of(to: &str) -> Result<Self, BuildError> {
        let ending = PathBuf::from(to).extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            _ if to.contains('\0') => Err(BuildError::setting("to", "holds a null character")),
            Some("json") => Ok(Self::Json),
            Some("md" | "markdown") => Ok(Self::Markdown),
            Some("xlsx") => Ok(Self::Workbook),
            _ => Err(BuildError::setting("to", format!("`{to}` has no ending that is known"))
                .help("End it in `.json`, `.xlsx` or `.md`.")),
        }
    }
}

struct Target {
    /// As it is shown.
    to: String,
    path: PathBuf,
    format: Format,
}

struct Writer {
    files: Vec<Target>,
    title: String,
    top: usize,
    expect: Vec<String>,
    tally: Tally,
}

impl Target {
    /// What the file is to hold.
    fn bytes(&self, content: &Content) -> Result<Vec<u8>, StageError> {
        let broke =
            |message: String| StageError::new(format!("`{}` cannot be made: {message}", self.to));
        match self.format {
            Format::Json => {
                let json = serde_json::to_vec_pretty(content);
                let mut json = json.map_err(|error| broke(error.to_string()))?;
                json.push(b'\n');
                Ok(json)
            }
            Format::Markdown => Ok(markdown::write(content).into_bytes()),
            Format::Workbook => workbook::write(content).map_err(|error| broke(error.to_string())),
        }
    }
}

impl Sink for Writer {
    fn survey(&self) -> String {
        self.files.iter().map(|target| target.to.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn targets(&self) -> Vec<PathBuf> {
        self.files.iter().map(|target| target.path.clone()).collect()
    }

    fn write(
        &mut self,
        port: usize,
        batch: Vec<Record>,
    ) -> Result<Vec<(Record, Failure)>, StageError> {
        let mut refused = Vec::new();
        for record in batch {
            match port {
                0 => {
                    if let Err(failure) = self.tally.entity(&record) {
                        refused.push((record, failure));
                    }
                }
                1 => self.tally.input(&record),
                _ => self.tally.reject(&record),
            }
        }
        Ok(refused)
    }

    fn commit(&mut self, outcome: &Outcome) -> Result<Vec<Written>, StageError> {
        let content =
            Content::new(&self.title, &self.tally, self.top, &self.expect, &outcome.nodes);
        let mut parts = Vec::new();
        for target in &self.files {
            let mut part = Part::new(&target.to, target.path.clone());
            part.write(&target.bytes(&content)?)?;
            parts.push(part);
        }
        let mut written = Vec::new();
        for (part, target) in parts.iter_mut().zip(&self.files) {
            part.commit()?;
            written.push(Written::new(&target.to, content.entities));
        }
        if let Some(first) = written.first_mut() {
            first.verdict = Some(verdict(&content.validation));
        }
        Ok(written)
    }

    fn abort(&mut self) -> Vec<Written> {
        Vec::new()
    }
}
