//! Runs the binary in a folder of its own.

use std::path::PathBuf;

use assert_cmd::Command;
use tempfile::TempDir;

/// A pipeline of four nodes over `data/*.jsonl`.
pub(crate) const SMALL: &str = r#"flow: small
title: Rows that are big enough

params:
  input: {type: glob, default: "data/*.jsonl", help: rows to read}
  least: {type: int, default: 2, help: smallest n}

profiles:
  strict:
    params.least: 4

stages:
  rows:
    uses: read
    with: {path: "{{ params.input }}"}
  big:
    uses: filter
    from: rows
    with: {where: n >= params.least}
  saved:
    uses: store
    from: big
    with: {to: out/big.jsonl}
  dead:
    uses: store
    from: rows.failed
    with: {to: out/dead.jsonl}
"#;

/// Five rows and a line that is not JSON.
pub(crate) const ROWS: &str =
    "{\"n\": 1}\n{\"n\": 2}\n{\"n\": 3}\nnot json\n{\"n\": 4}\n{\"n\": 5}\n";

/// What the binary answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder with pipelines and data.
#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// One with `small.yaml` and its rows.
    pub(crate) fn small() -> Self {
        let folder = Self::new();
        folder.file("small.yaml", SMALL);
        folder.file("data/a.jsonl", ROWS);
        folder
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }

    /// Reads a file.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a text file")
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The binary, about to run in the folder.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flow"));
        command.current_dir(self.0.path()).args(line.split_whitespace());
        command.env("FLOW_STATE", self.path(".state"));
        for name in ["FLOW_LOG", "NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.env("FLOW_STATE", self.path(".state"));
        command
    }

    /// Runs the binary with arguments that hold no blanks.
    pub(crate) fn flow(&self, line: &str) -> Answer {
        answer(&mut self.command(line))
    }
}

/// Runs a command to its end.
pub(crate) fn answer(command: &mut Command) -> Answer {
    of(command.output().expect("the binary"))
}

/// Runs to its end a command that `assert_cmd` cannot make.
pub(crate) fn answer_of(command: &mut std::process::Command) -> Answer {
    of(command.output().expect("the binary"))
}

fn of(output: std::process::Output) -> Answer {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}
