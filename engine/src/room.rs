//! Room on a disk: what a message says when there is too little.

use std::path::Path;

/// The least that is written of a database.
pub const PAGE: u64 = 4096;

/// `at least 300 KiB more are needed, and 12 KiB are free`, of the disk on which a file is to lie;
/// only the former where the system does not say what is free.
pub fn wanted(path: &Path, needed: u64) -> String {
    let needed = format!("at least {} KiB more are needed", needed.div_ceil(1024));
    match free(path) {
        Some(free) => format!("{needed}, and {} KiB are free", free / 1024),
        None => needed,
    }
}

#[cfg(unix)]
fn free(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let disk = nix::sys::statvfs::statvfs(there).ok()?;
    Some(wide(disk.blocks_available()).saturating_mul(wide(disk.fragment_size())))
}

/// They are not of one type on all systems.
#[cfg(unix)]
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

#[cfg(not(unix))]
const fn free(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_rounded_up_and_what_is_free_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let said = wanted(&folder.path().join("not/there.db"), 1025);
        assert!(said.starts_with("at least 2 KiB more are needed, and "), "{said}");
        assert!(said.ends_with(" KiB are free"), "{said}");
    }
}
