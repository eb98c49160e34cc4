//! `flow retry`: runs the file of an earlier run again, for its rejects alone.

use std::path::Path;
use std::sync::Arc;

use clap::ArgMatches;
use flow_engine::ledger::{FateRow, Past, Standing};
use flow_engine::plan::Plan;
use flow_engine::run::{Only, Tries};

use super::Chosen;
use crate::exit::{Exit, Trouble};
use crate::foresee;
use crate::load::Loaded;
use crate::number::{count, counted};
use crate::run::{Job, carry_out, is_refused};
use crate::screen::Screen;
use crate::table::{Align, Table};
use crate::{params, state, terminal};

/// Runs the command.
pub(crate) fn retry(matches: &ArgMatches, screen: &Screen) -> Result<Exit, Trouble> {
    let chosen = Chosen::of(matches)?;
    let rows = chosen.rows(Some(false))?;
    if rows.is_empty() {
        terminal::out(&format!("{}: nothing to try again\n", chosen.nothing()?))?;
        return Ok(Exit::Done);
    }
    let file = file(&chosen)?;
    let inputs = params::from_json(&chosen.run.inputs);
    let most = matches.get_one::<f64>("max-cost").copied();
    let again = || file.plan_within(&inputs, most);
    let plan = match again() {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    still_there(&chosen, &rows, &plan)?;
    let Chosen { ledger, run, node, reason, record, .. } = chosen;
    let (ledger, tries) = (Arc::new(ledger), Tries::Rejected(Only { node, reason, record }));
    if matches.get_flag("plan") {
        let outlook = foresee::outlook(&plan, true, Some(&ledger), tries, again)?;
        let needs = foresee::text(&outlook, &plan.limits);
        terminal::out(&format!("{}\n{needs}", what(&run, &rows)))?;
        return Ok(Exit::Done);
    }
    if is_refused(matches, &plan)? {
        return Ok(Exit::Wrong);
    }
    let ledger = Some(ledger);
    carry_out(matches, Job { file: &file, inputs: &inputs, plan, ledger, tries }, screen)
}

/// The pipeline file, as it is now.
fn file(chosen: &Chosen) -> Result<Loaded, Trouble> {
    let (run, path) = (&chosen.run, state::file_of(&chosen.run.file, &chosen.ledger));
    if run.standing == Standing::Running {
        return Err(Trouble::wrong(
            format!("run {} still goes on", run.run),
            "Wait for its end; `flow rejects list` shows its rejects so far.",
        ));
    }
    if Path::new(&run.file) == Path::new("-") {
        return Err(Trouble::wrong(
            format!("run {} read its pipeline from the standard input", run.run),
            "Run it again from there with `flow run - --only-failed`.",
        ));
    }
    if !path.exists() {
        return Err(Trouble::wrong(
            format!("the pipeline file of run {} is gone: `{}`", run.run, path.display()),
            "Put it back, or run it from where it is now with `flow run FILE --only-failed`.",
        ));
    }
    let file = Loaded::read(&path)?;
    let source = chosen.ledger.source(run.run).map_err(state::trouble)?;
    if source.is_some_and(|source| {
        source.hash != flow_engine::ledger::Text::new(file.text().to_owned()).hash
    }) {
        terminal::err(&format!(
            "warning: `{}` has changed since run {}; its rejects are tried as the file is now\n",
            file.name(),
            run.run
        ));
    }
    Ok(file)
}

/// Rejects of nodes that the file has no more cannot be tried.
fn still_there(chosen: &Chosen, rows: &[FateRow], plan: &Plan) -> Result<(), Trouble> {
    let is_gone = |row: &&FateRow| plan.names().all(|name| name != row.node);
    let gone: Vec<&FateRow> = rows.iter().filter(is_gone).collect();
    let Some(first) = gone.first() else { return Ok(()) };
    let message = format!(
        "{} came from nodes that {} has no more, as `{}`",
        counted(gone.len() as u64, "reject"),
        chosen.run.file,
        first.node
    );
    if gone.len() == rows.len() {
        return Err(Trouble::wrong(message, "`flow run` tries all that is new to a node."));
    }
    terminal::err(&format!("warning: {message}; only the others are tried\n"));
    Ok(())
}

/// What is tried again.
fn what(run: &Past, rows: &[FateRow]) -> String {
    let mut nodes: Vec<(&str, bool, u64)> = Vec::new();
    for row in rows {
        let (node, pays) = (row.node.as_str(), row.key.is_some());
        match nodes.iter_mut().find(|(name, ..)| *name == node) {
            Some((.., count)) => *count += 1,
            None => nodes.push((node, pays, 1)),
        }
    }
    let columns = [("rejects of", Align::Left), ("", Align::Right), ("", Align::Left)];
    let mut table = Table::new(&columns);
    for (node, pays, rejects) in nodes {
        let how = if pays { "tried again" } else { "met again, as in every run" };
        table.row([node.to_owned(), count(rejects), how.to_owned()]);
    }
    format!("{}: what run {} could not use, again\n{}", run.file, run.run, table.text("  "))
}
