//! `flow convert`: a pipeline file in the other spelling.

use clap::ArgMatches;
use flow_dsl::Unconverted;

use crate::exit::{Exit, Trouble};
use crate::load::{self, Loaded};
use crate::terminal;

/// Runs the command.
pub(crate) fn convert(matches: &ArgMatches, file: &Loaded) -> Result<Exit, Trouble> {
    let text = match file.converted() {
        Ok(text) => text,
        Err(Unconverted::Wrong(found)) => {
            load::complain(&found);
            return Ok(Exit::Wrong);
        }
        Err(Unconverted::Lost) => {
            return Err(Trouble::wrong(
                format!("`{}` says something that the other spelling cannot say", file.name()),
                "Mend what `flow check` shows, and take out what is not supported yet.",
            ));
        }
    };
    let Some(path) = matches.get_one::<std::path::PathBuf>("output") else {
        terminal::out(&text)?;
        return Ok(Exit::Done);
    };
    std::fs::write(path, text).map_err(|error| {
        Trouble::broken(
            format!("cannot write `{}`: {error}", path.display()),
            "Check that its folder is there and that you may write in it.",
        )
    })?;
    Ok(Exit::Done)
}
