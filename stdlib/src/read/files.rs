//! Which files a list of paths and patterns means, in an order that never changes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow_engine::stage::StageError;
use globset::{GlobBuilder, GlobMatcher};

use super::bytes;

const FROM_FOLDER: &str = "Relative paths start at the folder of the pipeline file.";

/// A file that a pattern means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Relative to the pipeline's folder, with forward slashes.
    pub(super) name: Arc<str>,
    /// Where it is.
    pub(super) path: PathBuf,
    /// How large it is.
    pub(super) bytes: u64,
    /// Why it cannot be read, where that is already known.
    pub(super) trouble: Option<String>,
}

/// A pattern, taken apart.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    /// The folder that is searched, as it was written.
    base: String,
    /// What must match below it; nothing for a plain path.
    rest: Option<GlobMatcher>,
    depth: usize,
    deep: bool,
    hidden: bool,
}

impl Pattern {
    /// Takes a pattern apart; the error is a lowercase fragment.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is empty".to_owned());
        }
        if text.contains('\0') {
            return Err(format!("`{}` holds a null character", text.escape_debug()));
        }
        let parts: Vec<&str> = text.split('/').collect();
        let plain = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '{'])).count();
        let base = parts[..plain].join("/");
        let base = if plain > 0 && base.is_empty() { "/".to_owned() } else { base };
        let rest = parts[plain..].join("/");
        let matcher = GlobBuilder::new(&rest)
            .literal_separator(true)
            .build()
            .map_err(|error| format!("`{text}` is no pattern: {}", error.kind()))?;
        Ok(Self {
            text: text.to_owned(),
            base,
            rest: (plain < parts.len()).then(|| matcher.compile_matcher()),
            depth: rest.matches('/').count(),
            deep: rest.contains("**"),
            hidden: parts[plain..].iter().any(|part| part.starts_with('.')),
        })
    }

    /// The files that it means, in order.
    pub(super) fn files(&self, folder: &Path) -> Result<Vec<File>, StageError> {
        let whole = folder.join(&self.text);
        match fs::metadata(&whole) {
            Ok(found) if found.is_dir() => {
                let text = self.text.trim_end_matches('/');
                return Err(StageError::new(format!("`{}` is a folder", self.text)).help(format!(
                    "Write `{text}/*` for the files in it, or `{text}/**/*` for those below too."
                )));
            }
            Ok(found) if !found.is_file() => {
                let message = format!("`{}` is neither a file nor a folder", self.text);
                return Err(StageError::new(message)
                    .help("Write what comes through it to a file first, and read that."));
            }
            Ok(found) => {
                let name = name_of(folder, &self.text);
                return Ok(vec![File { name, path: whole, bytes: found.len(), trouble: None }]);
            }
            Err(_) if self.rest.is_some() => {}
            Err(error) => return Err(missing(&self.text, &whole, &error)),
        }
        let base = folder.join(&self.base);
        if let Err(error) = fs::read_dir(&base) {
            let why =
                if base.exists() { bytes::reason(&error) } else { "does not exist".to_owned() };
            let message =
                format!("`{}` matches nothing: the folder `{}` {why}", self.text, base.display());
            return Err(StageError::new(message).help(FROM_FOLDER));
        }
        let mut walk = Walk { pattern: self, folder, files: Vec::new() };
        walk.enter(&base, "", 0);
        let mut files = walk.files;
        if files.is_empty() {
            let message = format!("`{}` matches no file in `{}`", self.text, base.display());
            return Err(StageError::new(message).help(format!(
                "{FROM_FOLDER} Hidden files match only a pattern that writes the dot."
            )));
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }
}

/// A search for what matches a pattern.
struct Walk<'a> {
    pattern: &'a Pattern,
    folder: &'a Path,
    files: Vec<File>,
}

impl Walk<'_> {
    fn enter(&mut self, at: &Path, below: &str, depth: usize) {
        let entries = match fs::read_dir(at).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(error) => return self.add(below, at, Err(bytes::reason(&error))),
        };
        for entry in entries {
            let name = entry.file_name();
            if !name.as_encoded_bytes().starts_with(b".") || self.pattern.hidden {
                self.look(&entry, &join(below, &name.to_string_lossy()), depth);
            }
        }
    }

    fn look(&mut self, entry: &fs::DirEntry, below: &str, depth: usize) {
        let path = entry.path();
        let found = fs::metadata(&path);
        if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
            // A `**` does not go through links, so that it cannot go round in circles.
            let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if if self.pattern.deep { !link } else { depth < self.pattern.depth } {
                self.enter(&path, below, depth + 1);
            }
            return;
        }
        // A pipe or a socket might never end.
        if found.as_ref().is_ok_and(|found| !found.is_file()) {
            return;
        }
        if !self.pattern.rest.as_ref().is_some_and(|rest| rest.is_match(below)) {
            return;
        }
        let size = match found {
            Ok(_) if path.to_str().is_none() => Err("has a name that is not UTF-8".to_owned()),
            Ok(found) if found.is_file() => Ok(found.len()),
            Ok(_) => Err("is not a regular file".to_owned()),
            Err(error) => Err(bytes::reason(&error)),
        };
        self.add(below, &path, size);
    }

    fn add(&mut self, below: &str, path: &Path, size: Result<u64, String>) {
        let name = name_of(self.folder, &join(&self.pattern.base, below));
        let bytes = size.as_ref().copied().unwrap_or(0);
        self.files.push(File { name, path: path.into(), bytes, trouble: size.err() });
    }
}

/// The files of all patterns, pattern after pattern, each file once.
pub(super) fn find(folder: &Path, patterns: &[Pattern]) -> Result<Vec<File>, StageError> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for pattern in patterns {
        let files = pattern.files(folder)?;
        all.extend(files.into_iter().filter(|file| seen.insert(Arc::clone(&file.name))));
    }
    Ok(all)
}

fn join(base: &str, below: &str) -> String {
    match base {
        "" => below.to_owned(),
        _ if below.is_empty() => base.to_owned(),
        _ => format!("{}/{below}", base.trim_end_matches('/')),
    }
}

/// How records call a file: relative to the pipeline's folder where it lies below that.
fn name_of(folder: &Path, path: &str) -> Arc<str> {
    let absolute = std::path::absolute(folder).unwrap_or_default();
    let path = Path::new(path);
    let path = path.strip_prefix(absolute).unwrap_or(path);
    let plain: PathBuf =
        path.components().filter(|part| *part != std::path::Component::CurDir).collect();
    let name = plain.to_string_lossy();
    if cfg!(windows) { name.replace('\\', "/").into() } else { name.into() }
}

fn missing(text: &str, whole: &Path, error: &std::io::Error) -> StageError {
    if error.kind() != std::io::ErrorKind::NotFound {
        return StageError::new(format!("`{text}` {}", bytes::reason(error)));
    }
    let stem = whole.file_name().unwrap_or_default().to_string_lossy();
    let beside = whole.parent().and_then(|folder| fs::read_dir(folder).ok());
    let names: Vec<String> = beside
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let close = flow_dsl::suggest::closest(&stem, names.iter().map(String::as_str));
    let help = close.map_or_else(
        || FROM_FOLDER.to_owned(),
        |close| format!("Did you mean `{close}`, in the same folder?"),
    );
    StageError::new(format!("there is no file `{text}`")).help(help)
}
