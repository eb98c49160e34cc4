//! `flow check`: find every mistake in pipeline files.

use clap::ArgMatches;
use flow_dsl::Inputs;

use crate::exit::{Exit, Trouble};
use crate::load::{Checked, Count, Loaded};
use crate::{Files, number, params, render, terminal};

/// Runs the command.
pub(crate) fn check(matches: &ArgMatches, files: Files) -> Result<Exit, Trouble> {
    // A file may be right although a parameter that it needs is only given when it is run.
    let inputs = Inputs { complete: false, ..params::inputs(matches)? };
    let format = matches.get_one::<String>("format").map_or("text", String::as_str);
    let known: Vec<Vec<String>> = files
        .iter()
        .filter_map(|file| file.as_ref().ok())
        .map(|file| file.flags().into_iter().map(|flag| flag.name).collect())
        .collect();
    let (mut all, mut exit) = (Vec::new(), Exit::Done);
    for file in files {
        match file {
            Ok(file) => {
                let inputs =
                    if known.len() > 1 { own(&inputs, &file, &known) } else { inputs.clone() };
                let checked = file.judge(&inputs);
                let count = Count::of(&checked.diagnostics);
                if count.errors > 0 || (count.warnings > 0 && matches.get_flag("deny-warnings")) {
                    exit = Exit::Wrong;
                }
                if format != "json" {
                    show(&file, &checked, format)?;
                }
                all.extend(checked.diagnostics);
            }
            Err(trouble) => {
                terminal::err(&trouble.to_string());
                exit = trouble.exit;
            }
        }
    }
    if format == "json" {
        terminal::out(&render::json(&all))?;
    }
    Ok(exit)
}

/// Of the parameters given for several files, those that are for this one: those that it declares,
/// and those that nobody does, so that they are called unknown.
fn own(inputs: &Inputs, file: &Loaded, known: &[Vec<String>]) -> Inputs {
    let flags = file.flags();
    let mut own = inputs.clone();
    own.params.retain(|(name, _)| {
        flags.iter().any(|flag| flag.name == *name)
            || !known.iter().flatten().any(|known| known == name)
    });
    own
}

fn show(file: &Loaded, checked: &Checked, format: &str) -> Result<(), Trouble> {
    if !checked.diagnostics.is_empty() {
        terminal::err(&match format {
            "short" => render::short(&checked.diagnostics),
            _ => render::render(&checked.diagnostics, terminal::colour()),
        });
    }
    match &checked.pipeline {
        Some(pipeline) => terminal::out(&format!(
            "ok: {}, {}\n",
            pipeline.name,
            number::counted(pipeline.nodes.len() as u64, "node")
        )),
        None if format == "text" => {
            terminal::err(&format!("{}: {}\n", file.name(), render::summary(&checked.diagnostics)));
            Ok(())
        }
        None => Ok(()),
    }
}
