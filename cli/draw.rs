//! `flow graph`: draw the graph of a pipeline.

use std::path::{Path, PathBuf};

use clap::ArgMatches;

use crate::exit::{Exit, Trouble};
use crate::graph::Drawing;
use crate::load::Loaded;
use crate::{params, terminal};

/// Runs the command.
pub(crate) fn graph(matches: &ArgMatches, file: &Loaded) -> Result<Exit, Trouble> {
    let plan = match file.plan(&params::inputs(matches)?) {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let format = matches.get_one::<String>("format").map_or("tree", String::as_str);
    let picture = Drawing::of(&plan).draw(format);
    match matches.get_one::<PathBuf>("output") {
        Some(path) => write(path, &picture)?,
        None => terminal::out(&picture)?,
    }
    Ok(Exit::Done)
}

/// Writes a file that the user asked for.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    std::fs::write(path, text).map_err(|error| {
        Trouble::broken(
            format!("cannot write `{}`: {error}", path.display()),
            "Name a file in a folder that exists and that you may write to.",
        )
    })
}
