//! The command line: commands, flags, help.

mod history;
mod rejects;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Arg, ArgAction, Command, ValueHint, value_parser};

use crate::graph;
use history::{cache, diff, explain, logs, restore, runs, show};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const ABOUT: &str = "Pipelines of documents, models and stores, written in a file";

const EXAMPLES: &str = "\
Examples:
  flow check pipelines/interviews.yaml            is the file right?
  flow plan pipelines/interviews.yaml             what would a run do?
  flow run pipelines/interviews.yaml              do it
  flow graph pipelines/interviews.yaml --format svg --output graph.svg
  flow runs pipelines                             what has been run?
  flow stages                                     what can a stage do?
  flow stages extract                             the manual of one

A parameter that the file declares is a flag: `params: {input: ...}` gives `--input`.
`flow run FILE --help` lists them.

Exit codes: 0 done, 1 the world broke, 2 the file or the command line is wrong,
3 more records failed than allowed, 4 the next call might have passed a budget,
130 stopped by Ctrl-C.";

const RUN_EXAMPLES: &str = "\
Examples:
  flow run interviews.yaml
  flow run interviews.yaml --input 'data/*.json'        a parameter of the file
  flow run interviews.yaml --param input='data/*.json'  the same, whatever it is called
  flow run interviews.yaml --profile openai             overrides that the file declares
  flow run interviews.yaml --set stages.entities.parallelism=8
  flow run interviews.yaml --max-cost 0.50              stop before calls cost more
  flow run interviews.yaml --dry-run                    plan and graph, nothing else
  flow run interviews.yaml --report report.json

The account is printed at the end: what became of every record at every node.
Ctrl-C finishes what is in flight, keeps what is whole, and reports; twice stops at once.";

/// The command line without the parameters of any file.
pub(crate) fn command() -> Command {
    Command::new("flow")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .after_help(EXAMPLES)
        .styles(STYLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(false)
        .arg(
            Arg::new("log")
                .long("log")
                .value_name("FILTER")
                .env("FLOW_LOG")
                .hide_env_values(true)
                .global(true)
                .display_order(900)
                .help("Log to stderr: `info`, `debug`, or by module, `flow_engine=trace`"),
        )
        .subcommands([
            run(),
            check(),
            fmt(),
            convert(),
            plan(),
            graph(),
            show(),
            runs(),
            diff(),
            logs(),
            stages(),
            rejects::rejects(),
            rejects::retry(),
            cache(),
            restore(),
            doctor(),
            explain(),
            completions(),
        ])
}

/// The words for which `command` has flags of its own.
pub(crate) fn built_in(root: &Command, command: &str) -> Vec<String> {
    let flags = |command: &Command| -> Vec<String> {
        command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect()
    };
    let own = root.find_subcommand(command).map(flags).unwrap_or_default();
    own.into_iter().chain(flags(root)).chain(["help".to_owned(), "version".to_owned()]).collect()
}

fn run() -> Command {
    with_file(Command::new("run").about("Run a pipeline and account for every record"))
        .after_help(RUN_EXAMPLES)
        .args([
            switch("dry-run", "Print the plan and the graph, and do nothing else"),
            state(),
            switch("fresh", "Use no answers of earlier runs; new ones are kept"),
            from(),
            switch("keep-rejects", "Reject what was rejected before, without trying it again")
                .conflicts_with("only-failed"),
            switch("only-failed", "Try only what was rejected before; what is new is left"),
            Arg::new("otlp")
                .long("otlp")
                .value_name("URL")
                .env("OTEL_EXPORTER_OTLP_ENDPOINT")
                .hide_env_values(true)
                .help("Send a span for each model call to an OpenTelemetry collector, as JSON"),
        ])
        .args(of_a_run())
}

/// The flags of whatever runs a pipeline.
fn of_a_run() -> [Arg; 6] {
    [
        Arg::new("max-cost")
            .long("max-cost")
            .value_name("DOLLARS")
            .value_parser(dollars)
            .help("Stop in order before the calls of the run cost more"),
        words("progress", "WHEN", &["auto", "bar", "plain", "json", "none"])
            .default_value("auto")
            .help("Show progress on stderr: a table on a terminal, lines elsewhere"),
        path("report", "FILE").help("Write the whole report as JSON"),
        Arg::new("grace")
            .long("grace")
            .value_name("TIME")
            .default_value("30s")
            .value_parser(time)
            .help("How long SIGTERM lets calls in flight go on before the run stops at once"),
        switch("durable", "Wait for the disk at each transaction: nothing is lost with the power"),
        switch("json", "Print the whole report as JSON instead of the account"),
    ]
}

fn state() -> Arg {
    path("state", "DIR").help("Where answers that were paid for are kept; `none` keeps nothing")
}

fn from() -> Arg {
    Arg::new("from")
        .long("from")
        .value_name("NODE")
        .help("Use no answers of earlier runs at this node and below")
}

/// A time.
fn time(text: &str) -> Result<std::time::Duration, String> {
    flow_dsl::scalar::duration(text).ok_or_else(|| "write a time with its unit, as 30s".to_owned())
}

fn check() -> Command {
    let command = Command::new("check")
        .about("Find every mistake in pipeline files without running them")
        .after_help(
            "Examples:\n  flow check interviews.yaml\n  flow check pipelines/*.yaml --deny-warnings\n  \
             cat interviews.yaml | flow check - --format json",
        )
        .arg(file_arg().num_args(1..).help("Pipeline files; `-` reads the standard input"));
    with_inputs(command).args([
        words("format", "FORMAT", &["text", "short", "json"])
            .default_value("text")
            .help("How to print mistakes: drawn or one a line on stderr, or as JSON on stdout"),
        switch("deny-warnings", "Fail on warnings too"),
    ])
}

fn fmt() -> Command {
    Command::new("fmt")
        .about("Lay pipeline files out in the usual way; comments and meaning stay")
        .after_help(
            "Examples:\n  flow fmt interviews.flow\n  flow fmt pipelines/*.yaml --check\n  \
             cat interviews.flow | flow fmt -",
        )
        .arg(file_arg().num_args(1..).help("Pipeline files; `-` reads the standard input"))
        .arg_required_else_help(true)
        .arg(switch("check", "Change nothing; fail when a file is laid out in another way"))
}

fn convert() -> Command {
    Command::new("convert")
        .about("Write a pipeline file in the other spelling")
        .after_help(
            "Examples:\n  flow convert interviews.yaml --output interviews.flow\n  \
             flow convert interviews.flow",
        )
        .arg(file_arg().required(true).help("The pipeline file; `-` reads the standard input"))
        .arg(path("output", "FILE").short('o').help("Write to a file instead of stdout"))
        .arg_required_else_help(true)
}

fn plan() -> Command {
    with_file(Command::new("plan").about("Show what a run would do, with everything resolved"))
        .after_help(
            "Examples:\n  flow plan interviews.yaml\n  flow plan interviews.yaml --format json",
        )
        .args([
            words("format", "FORMAT", &["text", "json"])
                .default_value("text")
                .help("How to print the plan"),
            state(),
            switch("fresh", "Plan as if no answers of earlier runs were there"),
            from(),
            switch("exact", "Read all of the input to count calls, however long it takes"),
        ])
}

/// An amount of money.
fn dollars(text: &str) -> Result<f64, String> {
    flow_dsl::scalar::money(text).ok_or_else(|| "write an amount of US dollars, as 0.50".to_owned())
}

fn graph() -> Command {
    with_file(Command::new("graph").about("Draw the graph of a pipeline"))
        .after_help(
            "Examples:\n  flow graph interviews.yaml\n  flow graph interviews.yaml --format mermaid\n  \
             flow graph interviews.yaml --format svg --output graph.svg",
        )
        .args([
            words("format", "FORMAT", &graph::FORMATS).default_value("tree").help("How to draw it"),
            path("output", "FILE").short('o').help("Write to a file instead of stdout"),
        ])
}

fn stages() -> Command {
    Command::new("stages")
        .about("List the stages, or print the manual of one")
        .after_help("Examples:\n  flow stages\n  flow stages extract")
        .arg(Arg::new("name").value_name("NAME").help("The word after `uses:`"))
}

fn doctor() -> Command {
    let command = Command::new("doctor")
        .about("Look at this machine, and with a file at the models and secrets that it needs")
        .after_help("Examples:\n  flow doctor\n  flow doctor interviews.yaml --profile openai")
        .arg(file_arg().help("A pipeline file"));
    with_inputs(command)
}

fn completions() -> Command {
    Command::new("completions")
        .about("Print the completions for a shell")
        .after_help(
            "Examples:\n  flow completions bash > ~/.local/share/bash-completion/completions/flow\n  \
             flow completions zsh > ~/.zfunc/_flow\n  \
             flow completions fish > ~/.config/fish/completions/flow.fish",
        )
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(clap_complete::Shell))
                .help("The shell"),
        )
}

fn with_file(command: Command) -> Command {
    with_inputs(command.arg(file_arg().required(true).help("The pipeline file")))
}

fn file_arg() -> Arg {
    Arg::new("file")
        .value_name("FILE")
        .value_parser(value_parser!(std::path::PathBuf))
        .value_hint(ValueHint::FilePath)
}

/// The flags that change what the file says.
fn with_inputs(command: Command) -> Command {
    let command = command.args([
        many("param", "NAME=VALUE").help("Give a parameter of the file its value"),
        many("profile", "NAME").help("Apply a profile of the file"),
        many("set", "PATH=VALUE")
            .help("Override anything in the file, as in `stages.entities.parallelism=8`"),
    ]);
    let required =
        command.get_arguments().any(|arg| arg.get_id() == "file" && arg.is_required_set());
    if command.get_name() == "check" || required {
        return command.arg_required_else_help(true);
    }
    command
}

fn many(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).action(ArgAction::Append)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn words(name: &'static str, value: &'static str, words: &[&'static str]) -> Arg {
    Arg::new(name).long(name).value_name(value).value_parser(words.to_vec())
}

fn path(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .value_parser(value_parser!(std::path::PathBuf))
        .value_hint(ValueHint::FilePath)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn every_command_teaches_by_example() {
        for sub in command().get_subcommands() {
            let examples = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.starts_with("Examples:\n  flow "), "{}", sub.get_name());
        }
    }
}
