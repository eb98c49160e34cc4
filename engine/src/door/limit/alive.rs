//! Whether a process lives that has a share in a limit: as long as it does it holds a lock, which no
//! death, however sudden, leaves behind.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The sign of life of a process at a limit.
#[derive(Debug)]
pub(super) struct Alive {
    pub(super) id: u64,
    path: PathBuf,
    _lock: File,
}

impl Alive {
    /// Begins to show it, beside the file of the limit.
    pub(super) fn new(limit: &Path) -> io::Result<Self> {
        let id = fastrand::u64(1..);
        let path = sign(limit, id);
        let lock = File::create_new(&path)?;
        lock.lock()?;
        Ok(Self { id, path, _lock: lock })
    }

    /// Those of the others who are gone.
    pub(super) fn gone(&self, limit: &Path, others: impl Iterator<Item = u64>) -> HashSet<u64> {
        others.filter(|id| *id != self.id && is_gone(&sign(limit, *id))).collect()
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // A sign that stays behind is cleared away by whoever finds it.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn sign(limit: &Path, id: u64) -> PathBuf {
    limit.with_extension(format!("{id:016x}.run"))
}

fn is_gone(sign: &Path) -> bool {
    let file = match File::open(sign) {
        Ok(file) => file,
        Err(error) => return error.kind() == io::ErrorKind::NotFound,
    };
    match file.try_lock() {
        Ok(()) => {
            let _ = std::fs::remove_file(sign);
            true
        }
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
    }
}
