//! `flow`: pipelines of documents, models and stores from a file, on the command line.

mod account;
mod args;
mod cache;
mod check;
mod completions;
mod convert;
mod doctor;
mod draw;
mod exit;
mod explain;
mod file;
mod fmt;
mod foresee;
mod graph;
mod history;
mod load;
mod log;
mod machine;
mod number;
mod otlp;
mod params;
mod plan;
mod progress;
mod rejects;
mod render;
mod restore;
mod run;
mod scan;
mod screen;
mod show;
mod signals;
mod stages;
mod state;
mod table;
mod terminal;
mod written;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::ArgMatches;
use clap::error::ErrorKind;
use exit::{Exit, Trouble};
use load::Loaded;
use screen::Screen;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The files of a command, read and parsed.
type Files = Vec<Result<Loaded, Trouble>>;

fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let exit = flow(&argv).unwrap_or_else(|trouble| {
        terminal::err(&trouble.to_string());
        trouble.exit
    });
    exit.into()
}

/// Reads the files first: the parameters that they declare are flags.
fn flow(argv: &[OsString]) -> Result<Exit, Trouble> {
    let mut command = args::command();
    let scan = scan::scan(&command, argv);
    let mut flags: Vec<flow_dsl::check::ParamDecl> = Vec::new();
    let is_file = |path: &&std::path::PathBuf| !path.to_str().is_some_and(history::is_run);
    let files = scan.files.iter().filter(is_file);
    let mut files: Files = files.map(|path| Loaded::read(path)).collect();
    if let Some(name) = &scan.command {
        let several = name == "check" || name == "fmt";
        if let Some(at) = files.iter().position(Result::is_err).filter(|_| !several && !scan.help) {
            return files.swap_remove(at).map(|_| Exit::Done);
        }
        // How a file is written depends on no parameter.
        let asks = files.iter().flatten().filter(|_| name != "fmt" && name != "convert");
        for flag in asks.flat_map(Loaded::flags) {
            if flags.iter().all(|known| known.name != flag.name) {
                flags.push(flag);
            }
        }
        command = params::add(command, name, &flags);
    }
    match command.try_get_matches_from(params::joined(argv, &flags)) {
        Ok(matches) => dispatch(&matches, files),
        Err(error) => refuse(&error, files),
    }
}

/// A flag may be unknown only because the file that declares it is broken: then that is the news.
fn refuse(error: &clap::Error, files: Files) -> Result<Exit, Trouble> {
    if error.kind() == ErrorKind::UnknownArgument {
        for file in files {
            let file = file?;
            if file.is_broken()
                && let Err(exit) = file.pipeline(&flow_dsl::Inputs::default())
            {
                return Ok(exit);
            }
        }
    }
    // A reader that went away is no error.
    let _ = error.print();
    Ok(if error.exit_code() == 0 { Exit::Done } else { Exit::Wrong })
}

fn dispatch(matches: &ArgMatches, files: Files) -> Result<Exit, Trouble> {
    let screen = Screen::default();
    let collector = match matches.subcommand() {
        Some(("run", matches)) => matches.get_one::<String>("otlp"),
        _ => None,
    };
    let runs = matches!(matches.subcommand_name(), Some("run" | "retry" | "rejects"));
    let export = log::start(matches.get_one::<String>("log"), collector, runs, &screen)?;
    let exit = command(matches, files, &screen);
    if let Some(trouble) = export.and_then(otlp::Export::finish) {
        terminal::err(&trouble);
    }
    exit
}

fn command(matches: &ArgMatches, files: Files, screen: &Screen) -> Result<Exit, Trouble> {
    match matches.subcommand() {
        Some(("run", matches)) => run::run(matches, &the_one(matches, files)?, screen),
        Some(("restore", matches)) => restore::restore(matches),
        Some(("rejects", matches)) => rejects::rejects(matches, screen),
        Some(("retry", matches)) => rejects::retry(matches, screen),
        Some(("cache", matches)) => cache::cache(matches),
        Some(("check", matches)) => check::check(matches, files),
        Some(("convert", matches)) => convert::convert(matches, &the_one(matches, files)?),
        Some(("fmt", matches)) => Ok(fmt::fmt(matches, files)),
        Some(("plan", matches)) => plan::plan(matches, &the_one(matches, files)?),
        Some(("graph", matches)) => draw::graph(matches, &the_one(matches, files)?),
        Some(("runs", matches)) => history::runs(matches),
        Some(("diff", matches)) => history::diff(matches),
        Some(("logs", matches)) => history::logs(matches),
        Some(("show", matches)) => match run_of(matches, "file") {
            Some(run) => history::show(matches, &run),
            None => show::show(matches, &the_one(matches, files)?),
        },
        Some(("stages", matches)) => stages::stages(matches),
        Some(("doctor", matches)) if !matches.contains_id("file") => doctor::doctor(matches, None),
        Some(("doctor", matches)) => doctor::doctor(matches, Some(&the_one(matches, files)?)),
        Some(("explain", matches)) => match matches.get_one::<String>("run") {
            Some(run) => history::explain(matches, run),
            None => explain::explain(matches),
        },
        Some(("completions", matches)) => completions::completions(matches),
        _ => Ok(Exit::Wrong),
    }
}

/// The run that a word means that may mean a file as well.
fn run_of(matches: &ArgMatches, name: &str) -> Option<String> {
    let word = matches.get_one::<std::path::PathBuf>(name)?.to_str()?;
    history::is_run(word).then(|| word.to_owned())
}

/// The file of a command that takes one. The first look at the command line has read it, unless it
/// was misled by flags that nobody knew; then they are known to be wrong by now.
fn the_one(matches: &ArgMatches, files: Files) -> Result<Loaded, Trouble> {
    let path = matches.get_one::<std::path::PathBuf>("file").map_or(Path::new("-"), |path| path);
    for file in files {
        let file = file?;
        if file.path == path {
            return Ok(file);
        }
    }
    Loaded::read(path)
}
