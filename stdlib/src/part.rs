//! A file that is written beside its place, and put there only when it is whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Write};
use std::path::{Path, PathBuf};

use flow_engine::room::{self, PAGE};
use flow_engine::stage::StageError;

/// A file under way. Its part file is locked, so that two writers of one target are told.
#[derive(Debug)]
pub(crate) struct Part {
    /// As it is shown.
    to: String,
    target: PathBuf,
    beside: PathBuf,
    file: Option<File>,
}

impl Part {
    /// The file that it becomes.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Touches nothing yet.
    pub(crate) fn new(to: &str, target: PathBuf) -> Self {
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = target.with_file_name(format!(".{name}.part"));
        Self { to: to.to_owned(), target, beside, file: None }
    }

    /// Writes bytes at the end.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        if self.file.is_none() {
            self.file = Some(self.open()?);
        }
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes));
        written.map_err(|error| self.broke_with(&error, bytes.len() as u64))
    }

    /// Puts the file in its place, on disk.
    pub(crate) fn commit(&mut self) -> Result<(), StageError> {
        self.commit_as(&self.target.clone())
    }

    /// The same under another name.
    pub(crate) fn commit_as(&mut self, target: &Path) -> Result<(), StageError> {
        self.write(&[])?;
        let put = |file: &File| {
            file.sync_all()?;
            fs::rename(&self.beside, target)?;
            // That the name survives a power cut is worth an attempt; not all systems can do it.
            let _ = File::open(folder_of(target)).and_then(|folder| folder.sync_all());
            Ok(())
        };
        self.file.as_ref().map_or(Ok(()), put).map_err(|error| self.broke(&error))?;
        self.file = None;
        Ok(())
    }

    /// Removes what was written; what stood in its place stays.
    pub(crate) fn abort(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.beside);
        }
    }

    fn open(&self) -> Result<File, StageError> {
        if self.target.is_dir() {
            return Err(StageError::new(format!("`{}` is a folder", self.to))
                .help("Name a file in it, such as `out/records.jsonl`."));
        }
        let broke = |error| self.broke(&error);
        fs::create_dir_all(folder_of(&self.target)).map_err(broke)?;
        let Some(file) = lock(&self.beside).map_err(broke)? else {
            let message = format!("`{}` is being written by another node or run", self.to);
            return Err(StageError::new(message)
                .help("Give each `store` a file of its own, or wait for the other run to end."));
        };
        file.set_len(0).map(|()| file).map_err(broke)
    }

    fn broke(&self, error: &Error) -> StageError {
        self.broke_with(error, PAGE)
    }

    /// The same, when so many bytes could not be written.
    fn broke_with(&self, error: &Error, needed: u64) -> StageError {
        let mut message = format!("`{}` cannot be written: {error}", self.to);
        if error.kind() == ErrorKind::StorageFull {
            message = format!("{message}; {}", room::wanted(&self.target, needed.max(PAGE)));
        }
        let help = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Make room on the disk.",
            ErrorKind::FileTooLarge => "Raise the limit of the size of files (`ulimit -f`).",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "Choose a folder that may be written to."
            }
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                "A file stands where a folder should be; choose another path."
            }
            _ => "Check the path and the disk; the file that was there before is untouched.",
        };
        StageError::new(message).help(help)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.abort();
    }
}

/// The folder that a path lies in; `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => path,
    }
}

/// Opens a file, made when it is not there, and locks it; nothing when somebody else holds it. Where
/// files cannot be locked, everybody may have it.
pub(crate) fn lock(path: &Path) -> Result<Option<File>, Error> {
    for _ in 0..100 {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) if !is_same_file(&file, path) => {}
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                return Ok(Some(file));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether the file still goes by this name: the last one to hold it may have renamed or
/// removed it before it let the lock go.
#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Elsewhere a file that is open cannot be renamed away.
#[cfg(not(unix))]
fn is_same_file(_: &File, _: &Path) -> bool {
    true
}
