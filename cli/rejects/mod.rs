//! `flow rejects` and `flow retry`: the records that a run could not use, and what to do with them.

mod give_up;
mod list;
mod retry;
mod show;

use std::path::PathBuf;

use clap::ArgMatches;
use flow_engine::ledger::{Fate, FateRow, Filter, Ledger, Past, Standing};
use serde_json::{Value, json};

use crate::exit::{Exit, Trouble};
use crate::number::counted;
use crate::screen::Screen;
use crate::{history, state};
pub(crate) use retry::retry;

/// Runs the command.
pub(crate) fn rejects(matches: &ArgMatches, screen: &Screen) -> Result<Exit, Trouble> {
    match matches.subcommand() {
        Some(("list", matches)) => list::list(matches, &Chosen::of(matches)?),
        Some(("show", matches)) => show::show(matches, &Chosen::of(matches)?),
        Some(("retry", matches)) => retry(matches, screen),
        Some(("drop", matches)) => give_up::give_up(matches, &Chosen::of(matches)?),
        _ => Ok(Exit::Wrong),
    }
}

/// The rejects of a run that the command line names.
struct Chosen {
    ledger: Ledger,
    run: Past,
    node: Option<String>,
    reason: Option<String>,
    record: Option<String>,
}

impl Chosen {
    fn of(matches: &ArgMatches) -> Result<Self, Trouble> {
        let word = |name: &str| matches.get_one::<String>(name).cloned();
        let ledger = history::ledger(matches)?;
        let run = history::find(&ledger, &word("run").unwrap_or_else(|| "last".to_owned()))?;
        let (node, reason, record) = (word("node"), word("reason"), word("record"));
        let nodes = ledger.accounts(run.run).map_err(state::trouble)?;
        if let Some(name) = &node
            && nodes.iter().all(|node| node.node != *name)
        {
            let names: Vec<&str> = nodes.iter().map(|node| node.node.as_str()).collect();
            return Err(Trouble::wrong(
                format!("run {} has no node `{name}`", run.run),
                format!("Its nodes: {}.", names.join(", ")),
            ));
        }
        Ok(Self { ledger, run, node, reason, record })
    }

    /// What is chosen, given up or not.
    fn filter(&self, dropped: Option<bool>) -> Filter<'_> {
        Filter {
            run: Some(self.run.run),
            node: self.node.as_deref(),
            fate: Some(Fate::Rejected),
            reason: self.reason.as_deref(),
            record: self.record.as_deref(),
            dropped,
            most: None,
        }
    }

    fn rows(&self, dropped: Option<bool>) -> Result<Vec<FateRow>, Trouble> {
        self.ledger.fates(&self.filter(dropped)).map_err(state::trouble)
    }

    /// Why nothing is chosen.
    fn nothing(&self) -> Result<String, Trouble> {
        let count = |dropped| {
            let run = Some(self.run.run);
            let all = Filter { run, fate: Some(Fate::Rejected), dropped, ..Filter::default() };
            self.ledger.count_fates(&all).map_err(state::trouble)
        };
        let (all, dropped) = (count(None)?, count(Some(true))?);
        let run = self.name();
        Ok(match (all, dropped) {
            (0, _) => format!("{run} has no rejects"),
            (all, dropped) if all == dropped => {
                format!("{run} has no rejects but {} given up", counted(dropped, "reject"))
            }
            (all, _) => format!("{run} has {}, but none like this", counted(all, "reject")),
        })
    }

    /// The run in words.
    fn name(&self) -> String {
        let standing = match self.run.standing {
            Standing::Running => ", which still goes on,",
            Standing::Killed => ", which was killed,",
            Standing::Ended(_) => "",
        };
        format!("run {} of {}{standing}", self.run.run, self.run.file)
    }
}

/// Flags that name the same run and ledger again, for words about what to type next.
fn flags(matches: &ArgMatches) -> String {
    let flag = |name: &str| {
        let path = matches.get_one::<PathBuf>(name)?;
        Some(format!(" --{name} {}", path.display()))
    };
    let run = matches.get_one::<String>("run").map(|run| format!(" --run {run}"));
    [run, flag("in"), flag("state")].into_iter().flatten().collect()
}

/// A row for programs.
fn json(row: &FateRow) -> Value {
    json!({
        "run": row.run,
        "node": row.node,
        "record": row.record.to_string(),
        "origin": row.origin(),
        "path": row.path,
        "line": (row.line > 0).then_some(row.line),
        "reason": row.reason,
        "attempts": row.attempts,
        "answer": row.answer,
        "dropped": row.dropped,
    })
}

/// What tells a record from others, short enough to be typed.
fn short(row: &FateRow) -> String {
    row.record.to_string().chars().take(8).collect()
}
