//! `flow explain`: the page of a diagnostic's code.

use clap::ArgMatches;
use flow_dsl::Code;

use crate::exit::{Exit, Trouble};
use crate::terminal;

/// Runs the command.
pub(crate) fn explain(matches: &ArgMatches) -> Result<Exit, Trouble> {
    let name = matches.get_one::<String>("code").map_or("", String::as_str);
    let Some(code) = Code::of(name) else {
        let known = Code::ALL.iter().map(|code| code.name());
        let help = match flow_dsl::suggest::closest(name, known) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => "A code stands in brackets behind `error`, as `F0301`.".to_owned(),
        };
        return Err(Trouble::wrong(format!("no diagnostic has the code `{name}`"), help));
    };
    terminal::out(&format!("{}: {}\n\n{}", code.name(), code.title(), code.page()))?;
    Ok(Exit::Done)
}
