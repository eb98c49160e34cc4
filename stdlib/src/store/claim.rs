//! The claim of a node with `sync` on the rows that it wrote: two runs at once would each remove what
//! the other has written.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flow_engine::stage::StageError;

use crate::part::lock;

/// Held as long as it lives; the end of the process ends it, too.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    _file: File,
}

impl Claim {
    /// Claims the rows of a writer in a database, or says that another run has them.
    pub(super) fn of(database: &Path, writer: u128, to: &str) -> Result<Self, StageError> {
        let name = database.file_name().unwrap_or_default().to_string_lossy();
        let path = database.with_file_name(format!(".{name}.{writer:032x}.sync"));
        let locked = lock(&path).map_err(|error| {
            StageError::new(format!("`{to}` cannot be written: {error}"))
                .help("Choose a file in a folder that exists and may be written to.")
        })?;
        let file = locked.ok_or_else(|| {
            StageError::new(format!("another run of this node keeps `{to}` in sync at the moment"))
                .help("Wait for its end, since each would remove the rows of the other. Nothing was written.")
        })?;
        Ok(Self { path, _file: file })
    }
}

impl Drop for Claim {
    /// The lock goes after the name, so that nobody takes a file that is about to vanish.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
