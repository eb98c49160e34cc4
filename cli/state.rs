//! The ledger of a folder: of a run that begins, of a plan, of the commands that look back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ArgMatches;
use flow_engine::ledger::{FOLDER, Ledger};
use flow_engine::plan::Plan;
use flow_engine::stage::{Stage, StageError};
use flow_engine::words::counted;

use crate::exit::{Exit, Trouble};
use crate::{file, terminal};

/// The word that stands for no ledger at all.
const NONE: &str = "none";

/// The ledger of a run. A run that pays for nothing goes on without one where none can be kept.
pub(crate) fn of_run(
    matches: &ArgMatches,
    file: &Path,
    plan: &Plan,
) -> Result<Option<Arc<Ledger>>, Trouble> {
    let Some(folder) = folder(matches, &file::folder(file)) else { return Ok(None) };
    let pays = plan.graph.node_weights().any(|node| {
        let cache = node.hints.cache;
        matches!(node.stage, Stage::Call(_)) && (cache.reads || cache.writes)
    });
    match open(&folder) {
        Ok(ledger) => Ok(Some(Arc::new(ledger))),
        Err(trouble) if pays => Err(trouble),
        Err(trouble) => {
            let message = format!("warning: this run is not noted: {}\n", trouble.message);
            terminal::err(&message);
            Ok(None)
        }
    }
}

/// The ledger that a run would find, when there is one already.
pub(crate) fn of_plan(matches: &ArgMatches, file: &Path) -> Result<Option<Arc<Ledger>>, Trouble> {
    match folder(matches, &file::folder(file)).filter(|folder| Ledger::is_in(folder)) {
        Some(folder) => open(&folder).map(|ledger| Some(Arc::new(ledger))),
        None => Ok(None),
    }
}

/// The ledger that a command looks back into: that of `--state`, of the folder that is named, of
/// the current one, or of the only one in it that has any.
pub(crate) fn to_look_at(
    matches: &ArgMatches,
    named: Option<&PathBuf>,
) -> Result<(PathBuf, Ledger), Trouble> {
    let start = named.cloned().unwrap_or_else(|| PathBuf::from("."));
    let own = folder(matches, &start).filter(|folder| Ledger::is_in(folder));
    let found = own.or_else(|| if named.is_none() { only_below() } else { None });
    let Some(found) = found else {
        return Err(Trouble::wrong(
            format!("no run has been noted in `{}`", start.join(FOLDER).display()),
            "Name the folder of the pipeline, or the ledger's own with `--state DIR`.",
        ));
    };
    let ledger = open(&found)?;
    Ok((found, ledger))
}

/// The only ledger in the folders of the current one.
fn only_below() -> Option<PathBuf> {
    let entries = std::fs::read_dir(".").ok()?.flatten();
    let folders = entries.map(|entry| entry.path().join(FOLDER));
    let mut ledgers = folders.filter(|folder| Ledger::is_in(folder));
    let first = ledgers.next()?;
    let first = first.strip_prefix(".").map(Path::to_path_buf).unwrap_or(first);
    ledgers.next().is_none().then_some(first)
}

/// The name of a pipeline file in a ledger: from the folder in which the ledger's own lies, so that
/// the whole may be moved.
pub(crate) fn name_of(file: &Path, ledger: &Ledger) -> String {
    let absolute = |path: &Path| std::fs::canonicalize(path).ok();
    let home = ledger.folder().parent().map(|home| match home {
        home if home.as_os_str().is_empty() => Path::new("."),
        home => home,
    });
    let (Some(file), Some(home)) = (absolute(file), home.and_then(absolute)) else {
        return file.display().to_string();
    };
    file.strip_prefix(&home).unwrap_or(&file).display().to_string()
}

/// The pipeline file of a name in a ledger.
pub(crate) fn file_of(name: &str, ledger: &Ledger) -> PathBuf {
    let home = ledger.folder().parent().unwrap_or(Path::new(""));
    home.strip_prefix(".").unwrap_or(home).join(name)
}

/// The folder of the ledger: `--state`, or the one beside the pipeline.
fn folder(matches: &ArgMatches, beside: &Path) -> Option<PathBuf> {
    match matches.get_one::<PathBuf>("state") {
        Some(word) if word.as_os_str() == NONE => None,
        Some(state) => Some(state.clone()),
        None => Some(beside.join(FOLDER)),
    }
}

fn open(folder: &Path) -> Result<Ledger, Trouble> {
    let ledger = Ledger::open(folder).map_err(trouble)?;
    if let Some(salvaged) = ledger.salvaged() {
        terminal::err(&format!(
            "warning: the ledger was damaged; it is put aside as `{}`, and {} of it are taken \
             over\n",
            salvaged.aside.display(),
            counted(salvaged.answers, "answer")
        ));
    }
    Ok(ledger)
}

/// The world broke.
pub(crate) fn trouble(error: StageError) -> Trouble {
    Trouble { exit: Exit::Broken, message: error.message, help: error.help }
}
