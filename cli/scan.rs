//! A first look at the command line: which command, which files. The parameters that a file
//! declares are flags, so the file is read before the command line can be understood.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::Command;

/// What the first look finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The command, when it is one that reads a file.
    pub(crate) command: Option<String>,
    /// The files that it is probably about.
    pub(crate) files: Vec<PathBuf>,
    /// Whether its help is asked for.
    pub(crate) help: bool,
}

/// Looks at the command line without judging it.
pub(crate) fn scan(root: &Command, argv: &[OsString]) -> Scan {
    let mut words = argv.iter().skip(1).peekable();
    let mut scan = Scan::default();
    let mut known: Vec<(String, bool)> = flags(root);
    // Whether the words after the file mean something else.
    let mut others = false;
    // Words after a flag that is not built in: its value, or the file.
    let mut doubtful = Vec::new();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "--" {
            scan.files.extend(words.by_ref().map(PathBuf::from));
        } else if text == "--help" || text == "-h" {
            scan.help = true;
        } else if let Some(flag) = text.strip_prefix('-').filter(|flag| !flag.is_empty()) {
            let flag = flag.strip_prefix('-').unwrap_or(flag);
            let takes_value = known.iter().find(|(name, _)| name == flag).map(|(_, takes)| *takes);
            match takes_value {
                Some(true) => drop(words.next()),
                None if !flag.contains('=') => {
                    doubtful.extend(words.next_if(|next| !is_flag(next)).map(PathBuf::from));
                }
                _ => {}
            }
        } else if scan.command.is_none() {
            let Some(command) = root.find_subcommand(text.as_ref()) else { return scan };
            if command.get_arguments().all(|arg| arg.get_id() != "file") {
                return Scan { help: scan.help, ..Scan::default() };
            }
            known.extend(flags(command));
            others = command.get_positionals().any(|arg| arg.get_id() != "file");
            scan.command = Some(command.get_name().to_owned());
        } else {
            scan.files.push(PathBuf::from(word));
        }
    }
    if others {
        scan.files.truncate(1);
    }
    if scan.files.is_empty() {
        let is_pipeline = |path: &PathBuf| {
            path.extension().is_some_and(|end| ["yaml", "yml", "flow"].iter().any(|e| end == *e))
        };
        scan.files.extend(doubtful.into_iter().filter(is_pipeline));
    }
    scan
}

fn is_flag(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"-") && word != "-"
}

/// The flags of a command, and whether each takes a value.
fn flags(command: &Command) -> Vec<(String, bool)> {
    let mut flags = Vec::new();
    for arg in command.get_arguments() {
        let takes = arg.get_action().takes_values();
        flags.extend(arg.get_long().map(|name| (name.to_owned(), takes)));
        flags.extend(arg.get_short().map(|name| (name.to_string(), takes)));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_found_among_flags_that_nobody_knows_yet() {
        for (line, command, files) in [
            ("run f.yaml", Some("run"), vec!["f.yaml"]),
            ("run --input x/*.json f.yaml", Some("run"), vec!["f.yaml"]),
            ("run f.yaml --input x.json --db=y", Some("run"), vec!["f.yaml"]),
            ("run --quick f.yaml", Some("run"), vec!["f.yaml"]),
            ("run --profile p --set a.b=c f.yaml", Some("run"), vec!["f.yaml"]),
            ("--log debug run f.yaml", Some("run"), vec!["f.yaml"]),
            ("check a.yaml b.yaml -", Some("check"), vec!["a.yaml", "b.yaml", "-"]),
            ("run -- --odd.yaml", Some("run"), vec!["--odd.yaml"]),
            ("show f.yaml node", Some("show"), vec!["f.yaml"]),
            ("run", Some("run"), vec![]),
            ("stages f.yaml", None, vec![]),
            ("nonsense f.yaml", None, vec![]),
            ("", None, vec![]),
        ] {
            let argv: Vec<OsString> =
                ["flow"].into_iter().chain(line.split_whitespace()).map(OsString::from).collect();
            let scan = scan(&crate::args::command(), &argv);
            assert_eq!(scan.command.as_deref(), command, "{line}");
            assert_eq!(scan.files, files.iter().map(PathBuf::from).collect::<Vec<_>>(), "{line}");
        }
    }
}
