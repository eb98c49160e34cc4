//! Logs: on stderr, beside the progress display and not through it, and in the file of a run.

pub(crate) mod file;

use std::io::Write;

use flow_engine::door::CALLS;
use tracing::Level;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::exit::Trouble;
use crate::otlp::{self, Export};
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

/// Turns logging on: to stderr when a filter is given, to the file of a run in a command that runs;
/// and the sending of spans, when a collector is given.
pub(crate) fn start(
    filter: Option<&String>,
    collector: Option<&String>,
    runs: bool,
    screen: &Screen,
) -> Result<Option<Export>, Trouble> {
    let lines = filter.filter(|filter| !filter.is_empty()).map(|filter| lines(filter, screen));
    let sent = collector.filter(|url| !url.is_empty()).map(|url| otlp::start(url));
    let (lines, sent) = (lines.transpose()?, sent.transpose()?);
    let kept = runs.then(kept);
    if lines.is_none() && sent.is_none() && kept.is_none() {
        return Ok(None);
    }
    let (spans, export) = sent.unzip();
    let calls = tracing_subscriber::filter::filter_fn(|metadata| metadata.target() == CALLS);
    let spans = spans.map(|spans| spans.with_filter(calls));
    tracing_subscriber::registry().with(lines).with(spans).with(kept).try_init().map_err(
        |error| Trouble::broken(format!("cannot start logging: {error}"), "Run without `--log`."),
    )?;
    Ok(export)
}

/// What is worth a line in the file of a run: what happened, not each call.
fn kept<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let worth = |metadata: &tracing::Metadata<'_>| {
        let ours = metadata.target().starts_with("flow");
        metadata.is_event() && ours && *metadata.level() <= Level::INFO
    };
    let worth = FilterFn::new(worth).with_max_level_hint(Level::INFO);
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false);
    lines.with_writer(file::Lines).with_filter(worth)
}

fn lines<S>(filter: &str, screen: &Screen) -> Result<impl Layer<S> + use<S>, Trouble>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let parsed = EnvFilter::builder().parse(filter).map_err(|error| {
        Trouble::wrong(
            format!("`--log {filter}` is not a filter: {error}"),
            "Name a level (`error`, `warn`, `info`, `debug`, `trace`), or levels by module, \
             as in `info,flow_engine=debug`.",
        )
    })?;
    let lines = tracing_subscriber::fmt::layer();
    Ok(lines.with_ansi(terminal::colour()).with_writer(screen.clone()).with_filter(parsed))
}
