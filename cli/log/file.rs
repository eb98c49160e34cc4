//! The log of a run: a file beside the ledger that is turned over when it is full, so that a run of
//! weeks has its last lines and not a disk full of them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tracing_subscriber::fmt::MakeWriter;

use crate::terminal;

/// The folder beside the ledger.
const FOLDER: &str = "logs";
/// Bytes of a file; a run has this one and the one before.
const MOST: u64 = 4 << 20;
/// Bytes of the logs of all runs.
const MOST_OF_ALL: u64 = 64 << 20;

/// The log of the run that goes on in this process.
static CURRENT: Mutex<Option<RunLog>> = Mutex::new(None);

/// Where the log of a run is, the newer file last.
pub(crate) fn paths(ledger: &Path, run: u64) -> [PathBuf; 2] {
    let folder = ledger.join(FOLDER);
    [folder.join(format!("{run}.1.log")), folder.join(format!("{run}.log"))]
}

/// From now on lines go to the log of this run. A run whose log cannot be written goes on.
pub(crate) fn begin(ledger: &Path, run: u64) {
    let [before, path] = paths(ledger, run);
    let opened = fs::create_dir_all(ledger.join(FOLDER)).and_then(|()| {
        make_room(&ledger.join(FOLDER), MOST_OF_ALL);
        File::create(&path)
    });
    match opened {
        Ok(file) => *current() = Some(RunLog { before, path, file, size: 0, most: MOST }),
        Err(error) => {
            let path = path.display();
            terminal::err(&format!("warning: this run has no log: `{path}`: {error}\n"));
        }
    }
}

fn current() -> MutexGuard<'static, Option<RunLog>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the logs that were written to longest ago, until the rest takes at most so many bytes.
fn make_room(folder: &Path, most: u64) {
    let mut logs: Vec<(SystemTime, u64, PathBuf)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let data = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((data.modified().ok()?, data.len(), entry.path()))
        })
        .collect();
    logs.sort_unstable_by(|one, other| other.cmp(one));
    let mut taken = 0;
    for (_, size, path) in logs {
        taken += size;
        if taken > most {
            let _ = fs::remove_file(path);
        }
    }
}

#[derive(Debug)]
struct RunLog {
    before: PathBuf,
    path: PathBuf,
    file: File,
    size: u64,
    most: u64,
}

impl RunLog {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > self.most {
            fs::rename(&self.path, &self.before)?;
            (self.file, self.size) = (File::create(&self.path)?, 0);
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }
}

/// Writes lines to the log of the run that goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines;

impl Write for Lines {
    /// A line that cannot be written must not stop the run.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(log) = current().as_mut() {
            let _ = log.line(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_turned_over_and_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let [before, path] = paths(folder.path(), 7);
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        let file = File::create(&path).unwrap();
        let mut log =
            RunLog { before: before.clone(), path: path.clone(), file, size: 0, most: 10 };
        for line in ["one\n", "two\n", "three\n", "four\n", "more than ten\n", "six\n"] {
            log.line(line.as_bytes()).unwrap();
        }
        let read = |path| fs::read_to_string(path).unwrap();
        assert_eq!((read(before), read(path)), ("more than ten\n".to_owned(), "six\n".to_owned()));
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).unwrap().count(), 2);
    }

    #[test]
    fn the_logs_that_were_written_to_longest_ago_go() {
        let folder = tempfile::tempdir().unwrap();
        for (name, age) in [("1.log", 1), ("2.log", 3), ("3.log", 2)] {
            let path = folder.path().join(name);
            fs::write(&path, "0123456789").unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000 - age);
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }
        let left = |most| {
            make_room(folder.path(), most);
            let entries = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(left(30), ["1.log", "2.log", "3.log"]);
        assert_eq!(left(29), ["1.log", "3.log"]);
        assert_eq!(left(0), [""; 0]);
    }
}
