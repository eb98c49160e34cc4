//! `flow restore`: the backups of a store, and one of them put in its place.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::ArgMatches;
use flow_stdlib::backup::{self, Backup, BackupError};

use crate::exit::{Exit, Trouble};
use crate::number;
use crate::table::{Align, Table};
use crate::terminal;

/// Runs the command.
pub(crate) fn restore(matches: &ArgMatches) -> Result<Exit, Trouble> {
    let given = matches.get_one::<PathBuf>("database").cloned().unwrap_or_default();
    let database = match given.to_str().and_then(|path| path.strip_prefix("sqlite:")) {
        Some(path) => PathBuf::from(path),
        None => given,
    };
    let backups = backup::list(&database).map_err(|error| trouble(&database, &error))?;
    if backups.is_empty() {
        return Err(Trouble::wrong(
            format!("there are no backups of `{}`", database.display()),
            "Name the database itself; a `store` with `backup: 5` takes one before each run.",
        ));
    }
    let Some(number) = matches.get_one::<u32>("backup") else {
        terminal::out(&listed(&backups))?;
        return Ok(Exit::Done);
    };
    let restored =
        backup::restore(&database, *number).map_err(|error| trouble(&database, &error))?;
    let kept =
        restored.kept.map(|kept| format!("; what stood there is kept as {}", kept.display()));
    let kept = kept.unwrap_or_default();
    terminal::out(&format!("backup {number} is in place{kept}\n"))?;
    Ok(Exit::Done)
}

fn listed(backups: &[Backup]) -> String {
    let columns = [
        ("backup", Align::Right),
        ("taken", Align::Right),
        ("size", Align::Right),
        ("file", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for backup in backups.iter().rev() {
        // The clock may have been set back since.
        let ago = SystemTime::now().duration_since(backup.at).unwrap_or_default();
        let ago = format!("{} ago", number::duration(ago));
        let file = backup.path.display().to_string();
        table.row([backup.number.to_string(), ago, number::bytes(backup.bytes), file]);
    }
    table.text("")
}

fn trouble(database: &Path, error: &BackupError) -> Trouble {
    let message = format!("`{}`: {error}", database.display());
    match error {
        BackupError::Unknown(_) => {
            Trouble::wrong(message, "Leave the number out to see which backups there are.")
        }
        BackupError::Damaged(..) => Trouble::broken(message, "Nothing was changed; take another."),
        BackupError::InUse => Trouble::broken(
            message,
            "Nothing was changed. Stop the run, or close the program, and restore again.",
        ),
        BackupError::Io(_) | BackupError::Sqlite(_) => {
            Trouble::broken(message, "Check the folder and the room on the disk, and try again.")
        }
    }
}
