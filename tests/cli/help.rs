//! What the binary says of itself: help, version, completions, suggestions.

use crate::folder::Folder;

#[test]
fn help_teaches_every_command() {
    let folder = Folder::new();
    for command in [
        "",
        "run",
        "check",
        "fmt",
        "convert",
        "plan",
        "graph",
        "show",
        "runs",
        "diff",
        "logs",
        "explain",
        "cache",
        "rejects",
        "retry",
        "stages",
        "doctor",
        "completions",
    ] {
        let answer = folder.flow(&format!("{command} --help"));
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{command}");
        let name = if command.is_empty() { "flow" } else { command };
        insta::assert_snapshot!(format!("help_{name}"), answer.out);
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let answer = Folder::new().flow("--version");
    assert_eq!(answer.out, concat!("flow ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn every_shell_gets_completions() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let answer = folder.flow(&format!("completions {shell}"));
        assert_eq!(answer.code, 0, "{shell}: {}", answer.err);
        assert!(answer.out.contains("dry-run"), "{shell}");
    }
}

#[test]
fn a_mistyped_word_is_refused_with_the_closest() {
    let folder = Folder::small();
    for (line, suggestion) in [
        ("chekc small.yaml", "'check'"),
        ("run small.yaml --dryrun", "'--dry-run'"),
        ("run small.yaml --inptu x", "'--input'"),
        ("graph small.yaml --format sgv", "svg"),
        ("stages filtre", "`filter`"),
    ] {
        let answer = folder.flow(line);
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{line}");
        assert!(answer.err.contains(suggestion), "{line}: {}", answer.err);
    }
}

#[test]
fn the_parameters_of_a_file_are_in_its_help() {
    let folder = Folder::small();
    folder.file("clash.yaml", crate::folder::SMALL.replace("least", "report"));
    insta::assert_snapshot!("help_run_file", folder.flow("run small.yaml --help").out);
    let help = folder.flow("run clash.yaml --help").out;
    assert!(help.contains("--param report=VALUE  smallest n [default: 2]"), "{help}");
}

#[test]
fn every_stage_and_provider_has_a_manual() {
    let folder = Folder::new();
    let list = folder.flow("stages").out;
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once("  "))
        .map(|(name, _)| name)
        .collect();
    assert!(names.contains(&"read") && names.contains(&"gemini"), "{list}");
    for name in names {
        let answer = folder.flow(&format!("stages {name}"));
        assert_eq!(answer.code, 0, "{name}: {}", answer.err);
        assert!(answer.out.starts_with(&format!("{name} (")), "{name}: {}", answer.out);
        let has_settings = answer.out.contains("\nsettings, ");
        assert_eq!(has_settings, name != "rules", "{name}: {}", answer.out);
    }
}

#[test]
fn the_doctor_knows_the_machine() {
    let answer = Folder::new().flow("doctor");
    assert_eq!(answer.code, 0);
    for word in ["cores", "memory", "open files", "auto"] {
        assert!(answer.out.contains(word), "{word}: {}", answer.out);
    }
}
