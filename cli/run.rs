//! `flow run`: run a pipeline, show where it is, account for every record.

use std::path::{Path, PathBuf};
use std::pin::pin;

use clap::ArgMatches;
use flow_engine::door::state;
use flow_engine::plan::Plan;
use flow_engine::report::Report;
use flow_engine::run::{Around, Run};

use crate::exit::{Exit, Trouble};
use crate::graph::{self, Drawing};
use crate::load::{self, Loaded};
use crate::progress::Display;
use crate::screen::Screen;
use crate::signals::Signals;
use crate::{account, cache, draw, foresee, params, plan, terminal};

/// Runs the command.
pub(crate) fn run(matches: &ArgMatches, file: &Loaded, screen: &Screen) -> Result<Exit, Trouble> {
    let report_to = matches.get_one::<PathBuf>("report");
    if let Some(path) = report_to {
        writable(path)?;
    }
    let (inputs, most) = (params::inputs(matches)?, matches.get_one::<f64>("max-cost").copied());
    let again = || file.plan_within(&inputs, most).map(|plan| cache::fresh(matches, plan));
    let plan = match again() {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    if matches.get_flag("dry-run") {
        let tree = graph::tree(&Drawing::of(&plan));
        let ledger = cache::of_plan(matches, &file.path)?;
        let outlook = foresee::outlook(&plan, false, ledger.as_ref(), again)?;
        terminal::out(&format!("{}\ngraph\n{tree}", plan::text(&plan, &outlook)))?;
        return Ok(Exit::Done);
    }
    if !plan.unset.is_empty() {
        load::complain(&plan.unset);
        return Ok(Exit::Wrong);
    }
    let word = matches.get_one::<String>("progress").map_or("auto", String::as_str);
    let ledger = cache::of_run(matches, &file.path, &plan)?;
    let around = Around { limits: state::folder(), ledger };
    let runtime = runtime()?;
    let report = runtime.block_on(drive(plan, around, word, screen));
    // A thread that is stuck in a blocking call must not hold back the account.
    runtime.shutdown_background();
    let report = report?;
    finish(matches, &report, report_to)
}

fn finish(
    matches: &ArgMatches,
    report: &Report,
    report_to: Option<&PathBuf>,
) -> Result<Exit, Trouble> {
    let as_json = || {
        let json = serde_json::to_string_pretty(report).map_err(|error| {
            Trouble::broken(
                format!("the report cannot be written as JSON: {error}"),
                "This is a bug of flow, not a mistake of yours; please report it.",
            )
        });
        json.map(|json| json + "\n")
    };
    terminal::out(&if matches.get_flag("json") { as_json()? } else { account::text(report) })?;
    if let Some(path) = report_to {
        draw::write(path, &as_json()?)?;
    }
    if let Some(error) = account::error(report) {
        terminal::err(&error);
    }
    Ok(account::exit(report))
}

/// A report that cannot be written is better known before the run than after it.
fn writable(path: &Path) -> Result<(), Trouble> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let missing = folder.is_some_and(|folder| !folder.is_dir());
    if missing || path.is_dir() {
        return Err(Trouble::wrong(
            format!("`--report {}` cannot be written", path.display()),
            "Name a file in a folder that exists.",
        ));
    }
    Ok(())
}

/// The threads of a run.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Trouble::broken(
            format!("cannot start threads: {error}"),
            "Raise the limit of processes and open files (`ulimit -u`, `ulimit -n`).",
        )
    })
}

/// What happened while the run went on.
enum Event {
    Ended(Box<Report>),
    Asked,
    Tick,
}

async fn drive(plan: Plan, around: Around, word: &str, screen: &Screen) -> Result<Report, Trouble> {
    let mut display = Display::new(word, screen);
    let mut signals = Signals::new()?;
    let run = Run::start_among(plan, &around);
    let watch = run.watch();
    let mut end = pin!(run.finish());
    let mut ticks = tokio::time::interval(display.period());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut asked = 0;
    loop {
        let event = tokio::select! {
            biased;
            report = &mut end => Event::Ended(Box::new(report)),
            () = signals.next() => Event::Asked,
            _ = ticks.tick() => Event::Tick,
        };
        match event {
            Event::Ended(report) => {
                display.finish(&watch.progress());
                if let Some(ledger) = &around.ledger {
                    cache::settle(ledger, &report).await;
                }
                return Ok(*report);
            }
            Event::Tick => display.update(&watch.progress()),
            Event::Asked => {
                asked += 1;
                watch.cancel();
                screen.beside(match asked {
                    1 => "finishing what is in flight; press Ctrl-C again to stop at once\n",
                    2 => "stopping at once\n",
                    _ => {
                        display.finish(&watch.progress());
                        std::process::exit(i32::from(Exit::Cancelled.code()));
                    }
                });
            }
        }
    }
}
