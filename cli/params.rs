//! Parameters that a file declares, as flags of the command that reads it.

use std::ffi::OsString;

use clap::builder::ArgAction;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};
use flow_dsl::Inputs;
use flow_dsl::check::{ParamDecl, ParamType};
use serde_json::{Value, json};

use crate::args;
use crate::exit::Trouble;

/// Before the name of a parameter, where clap wants an identity: no flag of ours begins like this.
const PREFIX: &str = "param:";

/// The command line with the parameters as flags of `command`.
pub(crate) fn add(root: Command, command: &str, flags: &[ParamDecl]) -> Command {
    let taken = args::built_in(&root, command);
    root.mut_subcommand(command, |mut command| {
        let mut hidden = Vec::new();
        for flag in flags {
            if taken.contains(&flag.name) || !is_word(&flag.name) {
                hidden.push(format!("--param {}=VALUE  {}", flag.name, help(flag)));
            } else {
                command = command.arg(argument(flag));
            }
        }
        if hidden.is_empty() {
            return command;
        }
        let note = "These parameters of the file cannot be flags; give them by:";
        let before = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        command.after_help(format!("{note}\n  {}\n\n{before}", hidden.join("\n  ")))
    })
}

fn is_word(name: &str) -> bool {
    name.starts_with(char::is_alphabetic)
        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

fn help(flag: &ParamDecl) -> String {
    let default = match &flag.default {
        Some(default) => format!("[default: {default}]"),
        None => "[required]".to_owned(),
    };
    flag.help.iter().cloned().chain([default]).collect::<Vec<_>>().join(" ")
}

fn argument(flag: &ParamDecl) -> Arg {
    let arg = Arg::new(format!("{PREFIX}{}", flag.name))
        .long(flag.name.clone())
        .help(help(flag))
        .action(ArgAction::Append)
        .allow_hyphen_values(matches!(flag.ty, ParamType::Integer | ParamType::Number))
        .help_heading("Parameters of the file");
    if flag.ty == ParamType::Bool {
        return arg
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true");
    }
    let arg = arg.value_name(flag.ty.name().to_uppercase());
    if flag.choices.is_empty() {
        return arg;
    }
    arg.value_parser(PossibleValuesParser::new(flag.choices.clone()))
}

/// The command line with `--flag true` written as `--flag=true`: without a value such a flag means
/// `true`, so that otherwise the word behind it would be taken for a file.
pub(crate) fn joined(argv: &[OsString], flags: &[ParamDecl]) -> Vec<OsString> {
    let is_flag = |word: &OsString| {
        let name = word.to_str().and_then(|word| word.strip_prefix("--"));
        flags.iter().any(|flag| flag.ty == ParamType::Bool && name == Some(&flag.name))
    };
    let mut joined: Vec<OsString> = Vec::with_capacity(argv.len());
    for word in argv {
        match joined.last_mut() {
            Some(flag) if (word == "true" || word == "false") && is_flag(flag) => {
                flag.push("=");
                flag.push(word);
            }
            _ => joined.push(word.clone()),
        }
    }
    joined
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
    Ok(Inputs { profiles: many("profile"), sets, params, complete: true })
}

/// The same as JSON, to be kept.
pub(crate) fn to_json(inputs: &Inputs) -> Value {
    json!({"params": inputs.params, "profiles": inputs.profiles, "sets": inputs.sets})
}

/// What was kept.
pub(crate) fn from_json(kept: &Value) -> Inputs {
    let pairs = |name: &str| serde_json::from_value(kept[name].clone()).unwrap_or_default();
    Inputs {
        params: pairs("params"),
        sets: pairs("sets"),
        profiles: serde_json::from_value(kept["profiles"].clone()).unwrap_or_default(),
        complete: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Vec<ParamDecl> {
        let flag = |name: &str, ty| ParamDecl {
            name: name.to_owned(),
            ty,
            default: None,
            help: None,
            choices: if name == "mode" { vec!["fast".to_owned()] } else { Vec::new() },
        };
        vec![
            flag("input", ParamType::Glob),
            flag("quick", ParamType::Bool),
            flag("count", ParamType::Integer),
            flag("set", ParamType::String),
            flag("mode", ParamType::String),
        ]
    }

    fn given(line: &str) -> Result<Vec<String>, String> {
        let argv = ["flow", "run", "f.yaml"].into_iter().chain(line.split_whitespace());
        let command = add(args::command(), "run", &flags());
        let argv: Vec<OsString> = argv.map(OsString::from).collect();
        let matches = command
            .try_get_matches_from(joined(&argv, &flags()))
            .map_err(|error| error.to_string())?;
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
            ("--quick false", vec!["quick=false"]),
            ("--quick true --quick", vec!["quick=true", "quick=true"]),
            ("--input false", vec!["input=false"]),
            ("--count -3", vec!["count=-3"]),
            ("--param input=y", vec!["input=y"]),
            ("--set a.b=c=d", vec!["set a.b=c=d"]),
            ("--param set=z", vec!["set=z"]),
            ("--mode fast", vec!["mode=fast"]),
        ] {
            assert_eq!(
                given(line),
                Ok(expected.iter().map(ToString::to_string).collect()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_was_given_is_kept_as_json() {
        let pair = |name: &str| vec![(name.to_owned(), "b=c".to_owned())];
        let inputs = Inputs {
            params: pair("a"),
            profiles: vec!["p".to_owned()],
            sets: pair("a.b"),
            complete: true,
        };
        let kept = to_json(&inputs);
        assert_eq!(to_json(&from_json(&kept)), kept);
        assert_eq!(to_json(&from_json(&Value::Null)), to_json(&Inputs::default()));
    }

    #[test]
    fn a_mistyped_flag_is_refused_with_the_closest() {
        let error = given("--inptu x").unwrap_err();
        assert!(error.contains("'--input'"), "{error}");
        let error = given("--mode fsat").unwrap_err();
        assert!(error.contains("[possible values: fast]"), "{error}");
        let error = given("--param x").unwrap_err();
        assert_eq!(error, "`--param x` has no `=` between name and value");
    }
}
