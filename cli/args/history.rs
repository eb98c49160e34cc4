//! The commands that look back: at runs, at what was kept of them, at single records.

use clap::{Arg, Command, ValueHint, value_parser};

use super::{file_arg, path, state, switch, with_inputs};

pub(super) fn cache() -> Command {
    let of = |name: &'static str, about| Command::new(name).about(about).args([folder(), state()]);
    Command::new("cache")
        .about("Look at the answers that runs have paid for and kept, or take them away")
        .after_help(
            "Examples:\n  flow cache stats pipelines\n  flow cache prune pipelines --to 500MB\n  \
             flow cache clear pipelines",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            of("stats", "What is kept, by node"),
            of(
                "prune",
                "Take away the records of old runs, then answers that were used longest ago",
            )
            .arg(
                Arg::new("to")
                    .long("to")
                    .value_name("SIZE")
                    .required(true)
                    .value_parser(size)
                    .help("What is left takes at most so much, as 500MB"),
            ),
            of("clear", "Take away all answers"),
        ])
}

/// A number of bytes.
fn size(text: &str) -> Result<u64, String> {
    flow_dsl::scalar::size(text).ok_or_else(|| "write a size with its unit, as 500MB".to_owned())
}

pub(super) fn show() -> Command {
    let command = Command::new("show")
        .about("Show what became of a run, or what a node would ask its model, without asking")
        .after_help(
            "Examples:\n  flow show last                        what became of the last run\n  \
             flow show 7 entities                  the records of a node of run 7\n  \
             flow show 7 entities 03.json          one of them: record, questions, answers, what it gave\n  \
             flow show 7 --file-text               the pipeline file, as it was run\n  \
             flow show interviews.yaml entities --profile openai --record 3",
        )
        .arg(
            file_arg()
                .value_name("RUN|FILE")
                .required(true)
                .help("The number of a run, or `last`; or a pipeline file"),
        );
    with_inputs(command).args([
        Arg::new("node").value_name("NODE").help("The node, as the file calls it"),
        Arg::new("which").value_name("RECORD").help(
            "With a run: a record by the beginning of its id, or by its file, perhaps with `:LINE`",
        ),
        Arg::new("record")
            .long("record")
            .value_name("N")
            .value_parser(value_parser!(usize))
            .default_value("1")
            .help("With a file: the record to ask about, counted from 1 as they come in"),
        most("50").help("With a run: records of a node that are shown"),
        switch("file-text", "With a run: print the pipeline file as it was run"),
        switch("json", "With a run: print as JSON"),
        within(),
        state(),
    ])
}

pub(super) fn runs() -> Command {
    Command::new("runs")
        .about("List the runs of a folder: when, how they ended, what they cost")
        .after_help("Examples:\n  flow runs\n  flow runs pipelines --most 5\n  flow runs --json")
        .args([
            folder(),
            state(),
            most("20").value_parser(value_parser!(usize)).help("The last so many"),
            switch("json", "Print as JSON"),
        ])
}

pub(super) fn logs() -> Command {
    Command::new("logs")
        .about("Print the log of a run: what happened in it, and when")
        .after_help(
            "Examples:\n  flow logs\n  flow logs 7 --in pipelines\n  flow logs last --follow",
        )
        .args([
            Arg::new("run")
                .value_name("RUN")
                .default_value("last")
                .help("The run: a number, or `last`"),
            switch("follow", "Go on until the run ends"),
            within(),
            state(),
        ])
}

pub(super) fn diff() -> Command {
    let run = |name: &'static str, help| Arg::new(name).value_name("RUN").required(true).help(help);
    Command::new("diff")
        .about("Compare two runs: what was given, counts, cost, and what they stored, with causes")
        .after_help("Examples:\n  flow diff 6 7\n  flow diff 6 last --in pipelines --json")
        .args([
            run("a", "The run before: a number, or `last`"),
            run("b", "The run after"),
            switch("json", "Print as JSON"),
            within(),
            state(),
        ])
}

pub(super) fn explain() -> Command {
    Command::new("explain")
        .about("Explain a diagnostic's code, or why a node of a run had to ask its model")
        .after_help(
            "Examples:\n  flow explain F0301\n  \
             flow explain --run last entities            hits and misses of a node, by cause\n  \
             flow explain --run last entities 03.json    of one record, with what changed",
        )
        .args([
            Arg::new("code")
                .value_name("CODE|NODE")
                .required(true)
                .help("The code in brackets behind `error`, as F0301; with `--run`, a node"),
            Arg::new("which")
                .value_name("RECORD")
                .requires("run")
                .help("A record by the beginning of its id, or by its file"),
            Arg::new("run").long("run").value_name("RUN").help("The number of a run, or `last`"),
            within(),
            state(),
        ])
}

pub(super) fn restore() -> Command {
    Command::new("restore")
        .about("List the backups of a store, or put one back in its place")
        .after_help("Examples:\n  flow restore out/records.db\n  flow restore out/records.db 3")
        .args([
            Arg::new("database")
                .value_name("DATABASE")
                .required(true)
                .value_parser(value_parser!(std::path::PathBuf))
                .value_hint(ValueHint::FilePath)
                .help("The database that a `store` with `backup` writes to"),
            Arg::new("backup")
                .value_name("NUMBER")
                .value_parser(value_parser!(u32))
                .help("The backup to put in place; what stands there becomes one itself"),
        ])
}

/// The folder of a pipeline, of commands whose words mean something else.
pub(super) fn within() -> Arg {
    path("in", "FOLDER").help("The folder of the pipeline [default: the current one]")
}

fn folder() -> Arg {
    Arg::new("folder")
        .value_name("FOLDER")
        .value_parser(value_parser!(std::path::PathBuf))
        .value_hint(ValueHint::DirPath)
        .help("The folder of the pipeline [default: the current one]")
}

fn most(default: &'static str) -> Arg {
    Arg::new("most")
        .long("most")
        .value_name("N")
        .value_parser(value_parser!(u64))
        .default_value(default)
}
