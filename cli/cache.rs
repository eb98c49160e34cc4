//! What was paid for and is kept: the ledger of a run, and `flow cache`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ArgMatches;
use flow_engine::ledger::{FOLDER, Ledger};
use flow_engine::plan::Plan;
use flow_engine::report::Report;
use flow_engine::stage::{Stage, StageError};
use flow_engine::words::counted;

use crate::exit::{Exit, Trouble};
use crate::number;
use crate::table::{Align, Table};
use crate::terminal;

/// Bytes that a ledger may have; what was used longest ago goes first.
const MOST: u64 = 4 << 30;
/// The word that stands for no ledger at all.
const NONE: &str = "none";

/// A plan as `--fresh` wants it: no answer of an earlier run is used.
pub(crate) fn fresh(matches: &ArgMatches, mut plan: Plan) -> Plan {
    for node in plan.graph.node_weights_mut() {
        node.hints.cache.reads &= !matches.get_flag("fresh");
    }
    plan
}

/// The ledger of a run, when a node of the plan keeps answers or uses them.
pub(crate) fn of_run(
    matches: &ArgMatches,
    file: &Path,
    plan: &Plan,
) -> Result<Option<Arc<Ledger>>, Trouble> {
    let wanted = plan.graph.node_weights().any(|node| {
        let cache = node.hints.cache;
        matches!(node.stage, Stage::Call(_)) && (cache.reads || cache.writes)
    });
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    match state(matches, &folder) {
        Some(state) if wanted => open(&state).map(|ledger| Some(Arc::new(ledger))),
        _ => Ok(None),
    }
}

/// The end of a run. What it has written stands, whatever becomes of the ledger now.
pub(crate) async fn settle(ledger: &Ledger, report: &Report) {
    let noted = ledger.note(&report.nodes).await;
    if let Err(error) = noted.and(ledger.settle(MOST).await) {
        terminal::err(&format!("warning: {}\n", error.message));
    }
}

/// The ledger that a run would find, when there is one already.
pub(crate) fn of_plan(matches: &ArgMatches, file: &Path) -> Result<Option<Arc<Ledger>>, Trouble> {
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let state = state(matches, &folder);
    match state.filter(|state| Ledger::is_in(state)) {
        Some(state) => open(&state).map(|ledger| Some(Arc::new(ledger))),
        None => Ok(None),
    }
}

/// The folder of the ledger: `--state`, or the one beside the pipeline.
fn state(matches: &ArgMatches, folder: &Path) -> Option<PathBuf> {
    match matches.get_one::<PathBuf>("state") {
        Some(word) if word.as_os_str() == NONE => None,
        Some(state) => Some(state.clone()),
        None => Some(folder.join(FOLDER)),
    }
}

fn open(state: &Path) -> Result<Ledger, Trouble> {
    let ledger = Ledger::open(state).map_err(trouble)?;
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

fn trouble(error: StageError) -> Trouble {
    Trouble { exit: Exit::Broken, message: error.message, help: error.help }
}

/// Runs the command.
pub(crate) fn cache(matches: &ArgMatches) -> Result<Exit, Trouble> {
    let Some((act, matches)) = matches.subcommand() else { return Ok(Exit::Wrong) };
    let folder = matches.get_one::<PathBuf>("folder").cloned().unwrap_or_default();
    let Some(state) = state(matches, &folder).filter(|state| Ledger::is_in(state)) else {
        return Err(Trouble::wrong(
            format!("no run has kept anything in `{}`", folder.join(FOLDER).display()),
            "Name the folder of the pipeline, or the ledger's own with `--state DIR`.",
        ));
    };
    let ledger = open(&state)?;
    if act == "stats" {
        terminal::out(&stats(&ledger)?)?;
        return Ok(Exit::Done);
    }
    let most = match matches.try_get_one::<u64>("to") {
        Ok(Some(most)) => *most,
        _ => 0,
    };
    let runtime = crate::run::runtime()?;
    let gone = runtime.block_on(ledger.prune(most)).map_err(trouble)?;
    terminal::out(&format!("{} taken away\n", counted(gone, "answer")))?;
    Ok(Exit::Done)
}

fn stats(ledger: &Ledger) -> Result<String, Trouble> {
    let mut table = Table::new(&[
        ("node", Align::Left),
        ("answers", Align::Right),
        ("bytes", Align::Right),
        ("oldest", Align::Right),
        ("last used", Align::Right),
    ]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ago = |at: u64| {
        let days = now.as_secs().saturating_sub(at) / 86_400;
        if days == 0 { "today".to_owned() } else { format!("{} ago", counted(days, "day")) }
    };
    for node in ledger.stats().map_err(trouble)? {
        let (oldest, used) = (ago(node.oldest), ago(node.used));
        let size = number::bytes(node.bytes);
        table.row([node.node, node.answers.to_string(), size, oldest, used]);
    }
    Ok(table.text(""))
}
