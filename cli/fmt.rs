//! `flow fmt`: lay pipeline files out in the usual way.

use std::fs;
use std::path::Path;

use clap::ArgMatches;

use crate::exit::{Exit, Trouble};
use crate::load::{self, Loaded};
use crate::{Files, terminal};

/// Runs the command.
pub(crate) fn fmt(matches: &ArgMatches, files: Files) -> Exit {
    let only_check = matches.get_flag("check");
    let mut exit = Exit::Done;
    for file in files {
        let done = file.and_then(|file| one(&file, only_check));
        match done {
            Ok(Exit::Done) => {}
            Ok(other) => exit = other,
            Err(trouble) => {
                terminal::err(&trouble.to_string());
                exit = trouble.exit;
            }
        }
    }
    exit
}

fn one(file: &Loaded, only_check: bool) -> Result<Exit, Trouble> {
    let text = match file.formatted() {
        Ok(text) => text,
        Err(found) => {
            load::complain(&found);
            terminal::err(&format!("{}: left as it is, since it cannot be read\n", file.name()));
            return Ok(Exit::Wrong);
        }
    };
    let same = text == file.text();
    if only_check {
        if !same {
            terminal::out(&format!("not formatted: {}\n", file.name()))?;
        }
        return Ok(if same { Exit::Done } else { Exit::Wrong });
    }
    if file.path.as_os_str() == "-" {
        terminal::out(&text)?;
    } else if !same {
        replace(&file.path, &text).map_err(|error| {
            Trouble::broken(
                format!("cannot write `{}`: {error}", file.name()),
                "Give yourself the right to write it and its folder, or make room on the disk.",
            )
        })?;
        terminal::out(&format!("formatted: {}\n", file.name()))?;
    }
    Ok(Exit::Done)
}

/// Puts a text in the place of a file at once, so that nobody sees half of it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // What a link leads to is replaced, not the link.
    let path = fs::canonicalize(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = path.with_file_name(format!(".{name}.part"));
    fs::write(&beside, text)?;
    let moved = fs::metadata(&path)
        .and_then(|metadata| fs::set_permissions(&beside, metadata.permissions()))
        .and_then(|()| fs::rename(&beside, &path));
    if moved.is_err() {
        // The first failure is the one to tell of.
        let _ = fs::remove_file(&beside);
    }
    moved
}
