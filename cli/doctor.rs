//! `flow doctor`: look at this machine, and with a file at what that file needs.

use std::fmt::Write as _;
use std::path::Path;

use clap::ArgMatches;
use flow_dsl::pipeline::{Model, Secret, SecretFrom};
use flow_dsl::tree::Node;
use flow_dsl::{Catalog, Pipeline};
use flow_engine::door::Door;
use flow_stdlib::REGISTRY;

use crate::exit::{Exit, Trouble};
use crate::load::Loaded;
use crate::table::{Align, Table};
use crate::{file, machine, number, params, plan, run, terminal};

/// Runs the command.
pub(crate) fn doctor(matches: &ArgMatches, file: Option<&Loaded>) -> Result<Exit, Trouble> {
    terminal::out(&machine_text())?;
    let Some(file) = file else { return Ok(Exit::Done) };
    let inputs = params::inputs(matches)?;
    let pipeline = match file.pipeline(&inputs) {
        Ok(pipeline) => pipeline,
        Err(exit) => return Ok(exit),
    };
    terminal::out(&secrets(&pipeline, &file::folder(&file.path)))?;
    let exit = models(&pipeline)?;
    let plan = match file.plan(&inputs) {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let mut table = Table::new(&[("", Align::Left), ("", Align::Right), ("", Align::Left)]);
    for node in plan.graph.node_weights().filter(|node| node.hints.parallelism_auto) {
        let work = plan::work(&node.stage).to_owned();
        table.row([node.name.clone(), node.hints.parallelism.to_string(), work]);
    }
    let lines = table.text("  ");
    if !lines.is_empty() {
        terminal::out(&format!("\n`parallelism: auto` in {}\n{lines}", pipeline.name))?;
    }
    Ok(exit)
}

fn machine_text() -> String {
    let machine = machine::look();
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let unknown = || "unknown".to_owned();
    let mut cores = machine.cores.map_or_else(unknown, |cores| cores.to_string());
    if let Some(quota) = machine.quota {
        let _ = write!(cores, ", held to {quota:.1} by a control group");
    }
    let mut memory = machine.memory.map_or_else(unknown, number::bytes);
    if let Some(free) = machine.available {
        let _ = write!(memory, ", {} available", number::bytes(free));
    }
    if let Some(most) = machine.memory_limit {
        let _ = write!(memory, ", held to {} by a control group", number::bytes(most));
    }
    let files = match machine.open_files {
        Some(most) if most < 1024 => {
            format!("{most}, which is few: raise it with `ulimit -n 4096`")
        }
        Some(u64::MAX) => "unlimited".to_owned(),
        Some(most) => number::count(most),
        None => unknown(),
    };
    table.row(["flow".to_owned(), env!("CARGO_PKG_VERSION").to_owned()]);
    table.row(["cores".to_owned(), cores]);
    table.row(["memory".to_owned(), memory]);
    table.row(["open files".to_owned(), files]);
    let cores = machine.cores.unwrap_or(1);
    let auto = format!("{cores} at once for heavy maps; for calls, what their stage asks for");
    table.row(["auto".to_owned(), auto]);
    format!("machine\n{}", table.text("  "))
}

/// Whether the servers of the models answer.
fn models(pipeline: &Pipeline) -> Result<Exit, Trouble> {
    if pipeline.models.is_empty() {
        return Ok(Exit::Done);
    }
    let catalog = REGISTRY.catalog();
    let (runtime, door) = (run::runtime()?, Door::new(&pipeline.limits));
    let (mut table, mut exit) = (Table::new(&[("", Align::Left), ("", Align::Left)]), Exit::Done);
    for model in &pipeline.models {
        let state = match server(model, &catalog) {
            None => format!("inside flow (`{}`)", model.provider.value),
            Some(url) => match runtime.block_on(door.reach(&url)) {
                Ok(_) => format!("{url} answers"),
                Err(failure) => {
                    exit = Exit::Broken;
                    format!("no answer: {}", failure.reason)
                }
            },
        };
        table.row([model.name.value.clone(), state]);
    }
    terminal::out(&format!("\nmodels\n{}", table.text("  ")))?;
    Ok(exit)
}

/// Where the server of a model is: as the file says, or as its provider does.
fn server(model: &Model, catalog: &Catalog) -> Option<String> {
    let default = || {
        let spec = catalog.provider(&model.provider.value)?;
        Some(spec.settings.pointer("/properties/base_url/default")?.as_str()?.to_owned())
    };
    model.settings.get("base_url").and_then(Node::as_str).map(str::to_owned).or_else(default)
}

/// Whether each secret is there; never what it is.
fn secrets(pipeline: &Pipeline, folder: &Path) -> String {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for secret in &pipeline.secrets {
        table.row([secret.name.value.clone(), state(secret, folder)]);
    }
    let lines = table.text("  ");
    if lines.is_empty() { lines } else { format!("\nsecrets\n{lines}") }
}

fn state(secret: &Secret, folder: &Path) -> String {
    let set = |is_set| if is_set { "set" } else { "not set" };
    match &secret.from {
        SecretFrom::Env(name) => {
            let is_set = std::env::var_os(name).is_some_and(|value| !value.is_empty());
            format!("{}, environment variable `{name}`", set(is_set))
        }
        SecretFrom::File(path) => {
            let is_set = folder.join(path).metadata().is_ok_and(|found| found.len() > 0);
            format!("{}, file `{path}`", set(is_set))
        }
        SecretFrom::Command(words) => {
            let program = words.first().map_or("", String::as_str);
            format!("asked of `{program}` when it is needed")
        }
    }
}

#[cfg(test)]
mod tests {
    use flow_dsl::{Span, Spanned};

    use super::*;

    #[test]
    fn a_secret_is_set_or_not_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "hush").unwrap();
        for (from, expected) in [
            (SecretFrom::Env("PATH".to_owned()), "set, environment variable `PATH`"),
            (
                SecretFrom::Env("FLOW_NO_SUCH".to_owned()),
                "not set, environment variable `FLOW_NO_SUCH`",
            ),
            (SecretFrom::File("key".to_owned()), "set, file `key`"),
            (SecretFrom::File("none".to_owned()), "not set, file `none`"),
            (
                SecretFrom::Command(vec!["pass".to_owned(), "x".to_owned()]),
                "asked of `pass` when it is needed",
            ),
        ] {
            let name = Spanned::new("KEY".to_owned(), Span::default());
            assert_eq!(state(&Secret { name, from }, folder.path()), expected);
        }
    }

    #[test]
    fn the_machine_has_cores() {
        assert!(
            machine_text().contains("cores") && !machine_text().contains("cores       unknown")
        );
    }
}
