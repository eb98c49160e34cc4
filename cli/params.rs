//! Parameters that a file declares, as flags of the command that reads it.

use clap::builder::ArgAction;
use clap::{Arg, ArgMatches, Command};
use flow_dsl::tree::{Node, Value};
use flow_dsl::{Ast, Inputs};

use crate::args;
use crate::exit::Trouble;

/// Before the name of a parameter, where clap wants an identity: no flag of ours begins like this.
const PREFIX: &str = "param:";

/// A parameter as a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flag {
    pub(crate) name: String,
    kind: String,
    help: String,
}

/// The parameters that a file declares. What is wrong with them is for the checker to say.
pub(crate) fn declared(ast: &Ast) -> Vec<Flag> {
    let params = ast.root.get("params").map(Node::entries).unwrap_or_default();
    params
        .iter()
        .filter(|entry| is_word(&entry.key.value))
        .map(|entry| {
            let text = |key| entry.value.get(key).and_then(Node::as_str).unwrap_or_default();
            let default = entry.value.get("default").map(|node| written(&node.to_json()));
            let default = default.map(|default| format!("[default: {default}]"));
            let parts =
                [text("help").to_owned(), default.unwrap_or_else(|| "[required]".to_owned())];
            let help = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
            let kind = if entry.value.value == Value::Null { "" } else { text("type") };
            Flag { name: entry.key.value.clone(), kind: kind.to_owned(), help: help.join(" ") }
        })
        .collect()
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

fn written(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The command line with the parameters as flags of `command`.
pub(crate) fn add(root: Command, command: &str, flags: &[Flag]) -> Command {
    let taken = args::built_in(&root, command);
    root.mut_subcommand(command, |mut command| {
        let mut hidden = Vec::new();
        for flag in flags {
            if taken.contains(&flag.name) {
                hidden.push(format!("--param {}=VALUE  {}", flag.name, flag.help));
            } else {
                command = command.arg(argument(flag));
            }
        }
        if hidden.is_empty() {
            return command;
        }
        let note = "These parameters are called like flags of flow itself";
        command.after_long_help(format!("{note}; give them by:\n  {}", hidden.join("\n  ")))
    })
}

fn argument(flag: &Flag) -> Arg {
    let arg = Arg::new(format!("{PREFIX}{}", flag.name))
        .long(flag.name.clone())
        .help(flag.help.clone())
        .action(ArgAction::Append)
        .allow_hyphen_values(matches!(flag.kind.as_str(), "int" | "float" | "number"))
        .help_heading("Parameters of the file");
    if flag.kind == "bool" {
        return arg
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true");
    }
    let kind = if flag.kind.is_empty() { "VALUE" } else { &flag.kind };
    arg.value_name(kind.to_uppercase())
}

/// Everything on the command line that changes what the file says.
pub(crate) fn inputs(matches: &ArgMatches) -> Result<Inputs, Trouble> {
    let many = |name: &str| -> Vec<String> {
        matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
    };
    let pairs = |name: &str, example: &str| -> Result<Vec<(String, String)>, Trouble> {
        let split = |text: String| match text.split_once('=') {
            Some((left, right)) if !left.trim().is_empty() => {
                Ok((left.trim().to_owned(), right.to_owned()))
            }
            _ => Err(Trouble::wrong(
                format!("`--{name} {text}` has no `=` between name and value"),
                format!("Write it like `--{name} {example}`."),
            )),
        };
        many(name).into_iter().map(split).collect()
    };
    let mut params = pairs("param", "input=data/a.json")?;
    for id in matches.ids().filter_map(|id| id.as_str().strip_prefix(PREFIX)) {
        let given = many(&format!("{PREFIX}{id}"));
        params.extend(given.into_iter().map(|value| (id.to_owned(), value)));
    }
    let sets = pairs("set", "stages.entities.parallelism=8")?;
    Ok(Inputs { profiles: many("profile"), sets, params })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Vec<Flag> {
        let flag = |name: &str, kind: &str| Flag {
            name: name.to_owned(),
            kind: kind.to_owned(),
            help: String::new(),
        };
        vec![
            flag("input", "glob"),
            flag("quick", "bool"),
            flag("count", "int"),
            flag("set", "text"),
        ]
    }

    fn given(line: &str) -> Result<Vec<String>, String> {
        let argv = ["flow", "run", "f.yaml"].into_iter().chain(line.split_whitespace());
        let command = add(args::command(), "run", &flags());
        let matches = command.try_get_matches_from(argv).map_err(|error| error.to_string())?;
        let (_, matches) = matches.subcommand().ok_or("no command")?;
        let inputs = inputs(matches).map_err(|trouble| trouble.message)?;
        let mut given: Vec<String> =
            inputs.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        given.extend(inputs.sets.iter().map(|(path, value)| format!("set {path}={value}")));
        given.sort();
        Ok(given)
    }

    #[test]
    fn parameters_are_flags() {
        for (line, expected) in [
            ("--input x/*.json", vec!["input=x/*.json"]),
            ("--input=a=b", vec!["input=a=b"]),
            ("--quick", vec!["quick=true"]),
            ("--quick=false", vec!["quick=false"]),
            ("--count -3", vec!["count=-3"]),
            ("--param input=y", vec!["input=y"]),
            ("--set a.b=c=d", vec!["set a.b=c=d"]),
            ("--param set=z", vec!["set=z"]),
        ] {
            assert_eq!(
                given(line),
                Ok(expected.iter().map(ToString::to_string).collect()),
                "{line}"
            );
        }
    }

    #[test]
    fn a_mistyped_flag_is_refused_with_the_closest() {
        let error = given("--inptu x").unwrap_err();
        assert!(error.contains("'--input'"), "{error}");
        let error = given("--param x").unwrap_err();
        assert_eq!(error, "`--param x` has no `=` between name and value");
    }
}
