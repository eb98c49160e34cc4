//! Logs on stderr, beside the progress display and not through it.

use std::io::Write;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::exit::Trouble;
use crate::screen::Screen;
use crate::terminal;

/// Whole lines, written above the display.
#[derive(Debug)]
struct Lines(Screen);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.beside(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Screen {
    type Writer = std::io::LineWriter<Box<dyn Write>>;

    fn make_writer(&self) -> Self::Writer {
        std::io::LineWriter::new(Box::new(Lines(self.clone())))
    }
}

/// Turns logging on, when a filter is given.
pub(crate) fn start(filter: Option<&String>, screen: &Screen) -> Result<(), Trouble> {
    let Some(filter) = filter.filter(|filter| !filter.is_empty()) else { return Ok(()) };
    let parsed = EnvFilter::builder().parse(filter).map_err(|error| {
        Trouble::wrong(
            format!("`--log {filter}` is not a filter: {error}"),
            "Name a level (`error`, `warn`, `info`, `debug`, `trace`), or levels by module, \
             as in `info,flow_engine=debug`.",
        )
    })?;
    tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_ansi(terminal::colour())
        .with_writer(screen.clone())
        .try_init()
        .map_err(|error| {
            Trouble::broken(format!("cannot start logging: {error}"), "Run without `--log`.")
        })
}
