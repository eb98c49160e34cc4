//! `flow cache`: what was paid for and is kept.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ArgMatches;
use flow_engine::ledger::{Ledger, Pruned};
use flow_engine::words::counted;

use crate::exit::{Exit, Trouble};
use crate::state::{self, trouble};
use crate::table::{Align, Table};
use crate::{number, terminal};

/// Runs the command.
pub(crate) fn cache(matches: &ArgMatches) -> Result<Exit, Trouble> {
    let Some((act, matches)) = matches.subcommand() else { return Ok(Exit::Wrong) };
    let (_, ledger) = state::to_look_at(matches, matches.get_one::<PathBuf>("folder"))?;
    if act == "stats" {
        terminal::out(&stats(&ledger)?)?;
        return Ok(Exit::Done);
    }
    let runtime = crate::run::runtime()?;
    let gone = if let Ok(Some(most)) = matches.try_get_one::<u64>("to") {
        runtime.block_on(ledger.prune(*most))
    } else {
        let cleared = runtime.block_on(ledger.clear());
        cleared.map(|answers| Pruned { answers, ..Pruned::default() })
    };
    let Pruned { runs, answers } = gone.map_err(trouble)?;
    let of_runs = match runs {
        0 => String::new(),
        runs => format!("the records of {} and ", counted(runs, "run")),
    };
    terminal::out(&format!("{of_runs}{} taken away\n", counted(answers, "answer")))?;
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
