//! `read`: bring records in from JSON, JSONL, CSV, plain text and Markdown files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flow_engine::prelude::*;

use super::bytes;
use super::cell::CellType;
use super::csv::{Csv, Dialect};
use super::files::{self, File, Pattern};
use super::json::Json;
use super::lines::Jsonl;
use super::origin::{Origin, Records};
use super::text::Text;
use crate::settings::{Named, OneOrMany, Size, texts};

/// Bytes of a pull, about.
const PULL: usize = 1 << 20;

/// Brings records in from JSON, JSONL, CSV, plain text and Markdown files.
///
/// `path` is a file or a pattern, or a list of them, relative to the folder of the pipeline file:
/// `*` and `?` match within a name, `**` any folders, `[ab]` a character, `{a,b}` either. Files
/// come in the order of the list and, within a pattern, by name; a file that several patterns match
/// is read once. Hidden files match only a pattern that writes the dot. A path or pattern that
/// means no file is an error before anything runs.
///
/// A **JSON** file is one record when it holds an object; of a list each object is a record; with
/// `records: data.items` the list is looked for inside the file. A **JSONL** file (also `.ndjson`)
/// gives a record for each line, a **CSV** file (also `.tsv`) one for each row, with the names of
/// the header; its values are texts, where `types` does not say otherwise. A **text** or **Markdown** file is one record with the
/// field `text`. JSONL and CSV are read as a stream, in little memory whatever their size; the
/// others whole, up to `max_bytes`.
///
/// Values come in as they were written, or not at all: an integer that 64 bits do not hold, and an
/// object that names a member twice, make their record a reject that says where. Write such a number
/// as text, in quotation marks. A number with a fraction or an exponent is the nearest that 64 bits
/// hold.
///
/// Each record answers to `_path` (its file), `_line` (its line, in JSONL and CSV) and `_id`, which
/// depends on these alone. A field of a file that is itself called `_id`, `_path` or `_line` comes
/// in as `source_id`, `source_path` or `source_line`.
///
/// What cannot be read is rejected with its file and line, and the rest is read on: a broken line
/// or a file that is cut off, a row with too few or too many cells, an empty JSON or text file or a
/// CSV file without even a header, a file that may not be read. An empty JSONL file has no records
/// and is no mistake, nor is a CSV file with only a header; empty lines are passed over. Text must
/// be UTF-8, or UTF-16 with a byte order mark.
///
/// With `types: {amount: number, vip: boolean}` the cells of a CSV column are `number`, `integer`,
/// `boolean` (`true`, `yes`, `1`, `false`, `no`, `0`, in any case) or `string`. An empty cell of a
/// typed column is null, blanks around a value do not count, and a row with a cell that is not of
/// its type is rejected. A text is never compared with a number: without a type, `amount >= 50`
/// rejects every row, and `amount | float >= 50` is what one writes.
///
/// A cell of CSV that begins with a quotation mark ends with one, and a mark inside it is written
/// twice; elsewhere a mark is a character like others. A row where that is not so (a mark that is
/// never closed, text behind one that is) is rejected with its first line, and the line after it is
/// read as a row of its own. So nothing that follows is lost; but of a broken row with a line break
/// in a cell, the other lines are read as rows, too. A file whose header cannot be read is rejected
/// whole.
///
/// ```yaml
/// interviews:
///   uses: read
///   with: {path: data/interviews/*.json}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Read {
    /// The file or pattern to read, or a list of them.
    #[schemars(extend("format" = "path"))]
    path: OneOrMany,
    /// What the files hold; `auto` goes by the ending of each file, and takes one that it does not
    /// know for text.
    #[serde(default)]
    format: Format,
    /// What stands between the cells of CSV: one character, or `tab`. The default is a comma, and a
    /// tab for `.tsv` files.
    delimiter: Option<String>,
    /// Whether the first row of CSV names the columns; without it they are called `column_1`,
    /// `column_2` and so on.
    header: Option<bool>,
    /// What columns of CSV hold, by name: `number`, `integer`, `boolean`, or `string`, as all do
    /// that are not named. A file without such a column is rejected.
    #[serde(default)]
    types: Named<CellType>,
    /// The way to the list of records inside a JSON file: `data.items`.
    records: Option<String>,
    /// The largest record: a whole file of JSON, text or Markdown, a line of JSONL, a row of CSV.
    #[serde(default = "default_max_bytes")]
    #[schemars(default = "default_max_bytes_text")]
    max_bytes: Size,
}

const fn default_max_bytes() -> Size {
    Size(64 << 20)
}

fn default_max_bytes_text() -> &'static str {
    "64MiB"
}

/// What a file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Format {
    #[default]
    Auto,
    Json,
    Jsonl,
    Csv,
    Text,
    Markdown,
}

impl Format {
    /// What a file holds, by its ending when that is left open.
    fn of(self, name: &str) -> Self {
        if self != Self::Auto {
            return self;
        }
        match ending(name).as_str() {
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::Jsonl,
            "csv" | "tsv" => Self::Csv,
            "md" | "markdown" => Self::Markdown,
            _ => Self::Text,
        }
    }

    /// Whether a file that a path or pattern means may hold this.
    fn may_be(self, path: &str, format: Self) -> bool {
        const OPEN: [char; 6] = ['*', '?', '[', ']', '{', '}'];
        let ending = ending(path);
        let open = ending.contains(OPEN) || ending.is_empty() && path.contains(OPEN);
        self == Self::Auto && open || self.of(path) == format
    }

    /// Whether a file is certainly one record.
    const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Markdown)
    }

    const fn is_whole(self) -> bool {
        matches!(self, Self::Text | Self::Markdown | Self::Json)
    }
}

fn ending(name: &str) -> String {
    let ending = Path::new(name).extension().unwrap_or_default();
    ending.to_string_lossy().to_ascii_lowercase()
}

impl Config for Read {
    const NAME: &'static str = "read";
    const SHAPE: Shape = Shape::Source;
    const PORTS: &'static [PortSpec] = &[];

    fn fields(settings: &Value) -> Fields {
        let format = settings.get("format").and_then(Value::as_str).unwrap_or("auto");
        let is_text = |path: &Value| {
            path.as_str().is_some_and(|path| matches!(&*ending(path), "txt" | "md" | "markdown"))
        };
        let text = match (format, settings.get("path")) {
            ("text" | "markdown", _) => true,
            ("auto", Some(Value::Array(paths))) => paths.iter().all(is_text) && !paths.is_empty(),
            ("auto", Some(path)) => is_text(path),
            _ => false,
        };
        if text { Fields::Exactly(vec!["text".to_owned()]) } else { Fields::Unknown }
    }

    fn weigh(settings: &Value, _: &Build<'_>) -> Vec<BuildError> {
        let mut refused = Vec::new();
        if settings.get("path").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            let error = BuildError::setting("path", "names no file");
            refused.push(error.help("Write a file or a pattern, such as `data/*.json`."));
        }
        for (at, path) in texts(settings, "path").into_iter().enumerate() {
            let wrong = Pattern::new(path).err();
            refused.extend(wrong.map(|message| BuildError::setting(format!("path.{at}"), message)));
        }
        let given = settings.get("delimiter").and_then(Value::as_str);
        refused.extend(given.and_then(|given| delimiter(given).err()));
        refused
    }

    fn build(self, build: &Build<'_>) -> Result<Stage, BuildError> {
        for (setting, given, format) in [
            ("delimiter", self.delimiter.is_some(), Format::Csv),
            ("header", self.header.is_some(), Format::Csv),
            ("types", !self.types.0.is_empty(), Format::Csv),
            ("records", self.records.is_some(), Format::Json),
        ] {
            if given && !self.path.0.iter().any(|path| self.format.may_be(path, format)) {
                let (what, files) = match self.format {
                    Format::Auto => ("does not go with these files", ""),
                    _ => {
                        ("does not go with this `format`", ", or give the `format` that they have")
                    }
                };
                let words = if format == Format::Csv { "CSV" } else { "JSON" };
                return Err(BuildError::setting(setting, what)
                    .help(format!("It is for {words} files; leave it out{files}.")));
            }
        }
        let patterns = self.path.0.iter().map(|path| Pattern::new(path));
        let patterns = patterns
            .collect::<Result<Vec<_>, _>>()
            .map_err(|message| BuildError::setting("path", message))?;
        let delimiter = self.delimiter.as_deref().map(delimiter).transpose()?;
        Ok(Stage::Source(Box::new(Reading {
            what: self.path.0.join(", "),
            folder: build.folder.to_owned(),
            patterns,
            format: self.format,
            delimiter,
            header: self.header.unwrap_or(true),
            types: self.types.0.into(),
            records: self.records.map(Arc::from),
            most: self.max_bytes.0,
            count: Arc::default(),
            total: 0,
            files: None,
            current: None,
        })))
    }
}

fn delimiter(text: &str) -> Result<u8, BuildError> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [one] if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r' | 0) => Ok(*one),
        _ => Err(BuildError::setting("delimiter", format!("`{text}` cannot stand between cells"))
            .help("Write one ASCII character that is no quotation mark, or `tab`.")),
    }
}

/// The work.
struct Reading {
    what: String,
    folder: PathBuf,
    patterns: Vec<Pattern>,
    format: Format,
    delimiter: Option<u8>,
    header: bool,
    types: Arc<[(Arc<str>, CellType)]>,
    records: Option<Arc<str>>,
    most: u64,
    /// Bytes read so far, of `total`.
    count: Arc<AtomicU64>,
    total: u64,
    /// Files to come; found with the first pull.
    files: Option<std::vec::IntoIter<File>>,
    current: Option<Box<dyn Records>>,
}

impl Reading {
    fn open(&self, file: File) -> Result<Box<dyn Records>, Found> {
        let origin = Origin {
            name: file.name,
            path: file.path,
            count: Arc::clone(&self.count),
            most: self.most,
        };
        if let Some(trouble) = file.trouble {
            return Err(origin.reject(0, 0, trouble));
        }
        let reject =
            |error: &std::io::Error, origin: &Origin| origin.reject(0, 0, bytes::reason(error));
        Ok(match self.format.of(&origin.name) {
            Format::Json => Box::new(Json::new(origin, self.records.clone())),
            Format::Jsonl => {
                Box::new(Jsonl::new(origin.clone()).map_err(|error| reject(&error, &origin))?)
            }
            Format::Csv => {
                let usual = if ending(&origin.name) == "tsv" { b'\t' } else { b',' };
                let delimiter = self.delimiter.unwrap_or(usual);
                let types = Arc::clone(&self.types);
                let dialect = Dialect { delimiter, header: self.header, types };
                let csv = Csv::new(origin.clone(), dialect);
                Box::new(csv.map_err(|error| reject(&error, &origin))?)
            }
            Format::Auto | Format::Text | Format::Markdown => Box::new(Text::new(origin)),
        })
    }

    fn start(&mut self) -> Result<(), StageError> {
        if self.files.is_none() {
            let files = files::find(&self.folder, &self.patterns)?;
            self.total = files.iter().map(|file| file.bytes).sum();
            self.files = Some(files.into_iter());
        }
        Ok(())
    }
}

impl Source for Reading {
    fn survey(&self) -> Result<Survey, StageError> {
        let files = files::find(&self.folder, &self.patterns)?;
        let formats = || files.iter().map(|file| self.format.of(&file.name));
        let what = match files.as_slice() {
            [one] if *one.name == *self.what => self.what.clone(),
            [_] => format!("1 file matching {}", self.what),
            files => format!("{} files matching {}", files.len(), self.what),
        };
        Ok(Survey {
            what,
            records: formats().all(Format::is_text).then_some(files.len() as u64),
            bytes: Some(files.iter().map(|file| file.bytes).sum()),
            largest: formats()
                .all(Format::is_whole)
                .then(|| files.iter().map(|file| file.bytes).max())
                .flatten(),
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = files::find(&self.folder, &self.patterns).unwrap_or_default();
        files.into_iter().map(|file| file.path).collect()
    }

    fn pull(&mut self, most: usize) -> Result<Pull, StageError> {
        self.start()?;
        let mut found = Vec::with_capacity(most.min(4096));
        let mut bytes = 0;
        while found.len() < most && bytes < PULL {
            if let Some(current) = &mut self.current {
                match current.next() {
                    Some((one, size)) => {
                        bytes += size;
                        found.push(one);
                    }
                    None => self.current = None,
                }
            } else if let Some(file) = self.files.as_mut().and_then(Iterator::next) {
                match self.open(file) {
                    Ok(records) => self.current = Some(records),
                    Err(reject) => found.push(reject),
                }
            } else {
                return Ok(Pull { found, done: true });
            }
        }
        Ok(Pull { found, done: false })
    }

    fn progress(&self) -> Option<f32> {
        if self.files.is_none() || self.total == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
        let share = self.count.load(Ordering::Relaxed) as f32 / self.total as f32;
        Some(share.min(1.0))
    }
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
