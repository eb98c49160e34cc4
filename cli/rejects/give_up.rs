//! `flow rejects drop`: gives rejects up, or takes that back.

use std::fmt::Write as _;

use clap::ArgMatches;
use serde_json::json;

use super::Chosen;
use crate::exit::{Exit, Trouble};
use crate::number::counted;
use crate::{state, terminal};

pub(super) fn give_up(matches: &ArgMatches, chosen: &Chosen) -> Result<Exit, Trouble> {
    let undo = matches.get_flag("undo");
    let rows = chosen.rows(Some(undo))?;
    let changed =
        chosen.ledger.drop_rejects(&chosen.filter(None), !undo).map_err(state::trouble)?;
    if matches.get_flag("json") {
        terminal::out(&format!("{}\n", json!({"run": chosen.run.run, "changed": changed})))?;
        return Ok(Exit::Done);
    }
    let text = if rows.is_empty() && undo {
        format!("no such reject of {} was given up\n", chosen.name())
    } else if rows.is_empty() {
        format!("{}: nothing to give up\n", chosen.nothing()?)
    } else {
        let without_key = rows.iter().filter(|row| row.key.is_none()).count() as u64;
        done(chosen, changed, without_key, undo)
    };
    terminal::out(&text)?;
    Ok(Exit::Done)
}

fn done(chosen: &Chosen, changed: u64, without_key: u64, undo: bool) -> String {
    let (rejects, run) = (counted(changed, "reject"), chosen.name());
    if undo {
        return format!("{rejects} of {run}: no longer given up; the next run tries them\n");
    }
    let mut text = format!("{rejects} of {run}: given up");
    if changed > without_key {
        text.push_str(
            "; not tried again until the record or its node changes\n\
             (`--undo` takes it back, `flow rejects list --dropped` lists them)",
        );
    }
    text.push('\n');
    if without_key > 0 {
        let _ = writeln!(
            text,
            "{} of them at a source, a light map, a gather or a store: hidden here, and met again by \
             the next run, which pays nothing for it",
            counted(without_key, "reject")
        );
    }
    text
}
