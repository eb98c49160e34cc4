//! `flow logs`: what happened in a run, and when.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use flow_engine::ledger::Standing;

use super::{find, ledger};
use crate::exit::{Exit, Trouble};
use crate::{log, terminal};

/// The time between two looks at a log that grows.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs the command.
pub(crate) fn logs(matches: &ArgMatches) -> Result<Exit, Trouble> {
    let ledger = ledger(matches)?;
    let word = matches.get_one::<String>("run").map_or("last", String::as_str);
    let run = find(&ledger, word)?.run;
    let [before, path] = log::file::paths(ledger.folder(), run);
    let mut log = Log::open(path, run)?;
    if let Ok(mut before) = File::open(before) {
        terminal::out(&rest(&mut before)?)?;
    }
    loop {
        // Looked at first: what a run says at its end stands there when it has ended.
        let goes_on = find(&ledger, &run.to_string())?.standing == Standing::Running;
        terminal::out(&log.more()?)?;
        if !goes_on || !matches.get_flag("follow") {
            return Ok(Exit::Done);
        }
        std::thread::sleep(PAUSE);
    }
}

/// A log that may grow, and be turned over, while it is read.
struct Log {
    path: PathBuf,
    file: File,
    read: u64,
}

impl Log {
    fn open(path: PathBuf, run: u64) -> Result<Self, Trouble> {
        match File::open(&path) {
            Ok(file) => Ok(Self { path, file, read: 0 }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Trouble::wrong(
                format!("run {run} has no log any more"),
                "The oldest logs go when all together take more than 64 MiB. What became of its \
                 records is still known: `flow show`.",
            )),
            Err(error) => Err(broken(&error)),
        }
    }

    /// What was written since the last look.
    fn more(&mut self) -> Result<String, Trouble> {
        let mut text = rest(&mut self.file)?;
        self.read += text.len() as u64;
        let turned = std::fs::metadata(&self.path).is_ok_and(|file| file.len() < self.read);
        if turned {
            self.file = File::open(&self.path).map_err(|error| broken(&error))?;
            let new = rest(&mut self.file)?;
            self.read = new.len() as u64;
            text.push_str(&new);
        }
        Ok(text)
    }
}

fn rest(file: &mut File) -> Result<String, Trouble> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| broken(&error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn broken(error: &std::io::Error) -> Trouble {
    Trouble::broken(format!("the log cannot be read: {error}"), "Check the folder of the ledger.")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_log_is_followed_over_its_turn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("7.log");
        let mut file = File::create(&path).unwrap();
        let mut log = Log::open(path.clone(), 7).unwrap();
        let said = |log: &mut Log| log.more().unwrap();
        file.write_all(b"a line\n").unwrap();
        assert_eq!(said(&mut log), "a line\n");
        assert_eq!(said(&mut log), "");
        file.write_all(b"last\n").unwrap();
        std::fs::rename(&path, folder.path().join("7.1.log")).unwrap();
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(said(&mut log), "last\nnew\n");
        assert_eq!(said(&mut log), "");
    }
}
