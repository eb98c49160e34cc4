//! The command line of `flow rejects` and `flow retry`.

use clap::{Arg, Command};

use super::history::within;
use super::{of_a_run, state, switch};

/// `flow rejects`.
pub(super) fn rejects() -> Command {
    Command::new("rejects")
        .about("Look at the records that a run could not use, try them again, or give them up")
        .after_help(
            "Examples:\n  flow rejects list                              those of the last run, by reason\n  \
             flow rejects list --run 5 --node entities\n  \
             flow rejects show mail/17.eml                  one of them, whole\n  \
             flow rejects retry --reason 'no usable answer' try these again\n  \
             flow rejects drop mail/17.eml                  do not try it again until it changes\n\n\
             RECORD is a file, a file and a line (`rows.jsonl:12`), the end of such a path, or the\n\
             beginning of the id that `list` shows. Runs stand in the ledger beside the pipeline\n\
             file; from elsewhere, name its folder with `--in`.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            which(Command::new("list").about("List them, by node and reason")).args([
                run(),
                record(),
                switch("dropped", "List those that were given up"),
                switch("json", "Print them as JSON"),
            ]),
            which(Command::new("show").about("Show one whole: record, reason, answer, what to do"))
                .args([run(), record(), switch("json", "Print it as JSON")]),
            trying(which(Command::new("retry").about("Try them again; the same as `flow retry`")))
                .args([run(), record()]),
            which(Command::new("drop").about("Give them up: not tried again until they change"))
                .args([
                    run(),
                    record(),
                    switch("undo", "Take it back"),
                    switch("json", "Print how many as JSON"),
                ]),
        ])
}

/// `flow retry`.
pub(super) fn retry() -> Command {
    trying(which(Command::new("retry").about("Run only what an earlier run could not use")))
        .after_help(
            "Examples:\n  flow retry                      the rejects of the last run\n  \
             flow retry --plan               what would that do, and cost?\n  \
             flow retry 5 --node entities    those of run 5 at a node\n  \
             flow retry --reason timeout --max-cost 0.50\n\n\
             The pipeline file of that run is run with the parameters of that run. What was answered\n\
             is taken from the ledger; what was never tried is left for the next `flow run`.",
        )
        .args([
            run_arg().value_name("RUN").help("A run by its number, or `last` [default: last]"),
            Arg::new("record").long("record").value_name("RECORD").help("Only this record"),
        ])
}

/// Which rejects, of which ledger.
fn which(command: Command) -> Command {
    command.args([
        Arg::new("node").long("node").value_name("NODE").help("Only those of this node"),
        Arg::new("reason")
            .long("reason")
            .value_name("TEXT")
            .help("Only those whose reason holds this"),
        within(),
        state(),
    ])
}

/// How they are tried.
fn trying(command: Command) -> Command {
    command.arg(switch("plan", "Say what it would do and cost, and do nothing")).args(of_a_run())
}

fn run() -> Arg {
    run_arg()
        .long("run")
        .value_name("RUN")
        .help("Those of this run: its number, or `last` [default: last]")
}

fn run_arg() -> Arg {
    Arg::new("run")
}

fn record() -> Arg {
    Arg::new("record")
        .value_name("RECORD")
        .help("Only this record: its file, `FILE:LINE`, or its id")
}
