//! `flow run`: run a pipeline, show where it is, account for every record.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use flow_dsl::Inputs;
use flow_engine::ledger::{Beginning, Journal, Ledger};
use flow_engine::plan::Plan;
use flow_engine::report::{NodeReport, Report};
use flow_engine::run::{Around, Only, Run, Tries};
use tokio::time::{Instant, sleep_until};

use crate::exit::{Exit, Trouble};
use crate::graph::{self, Drawing};
use crate::load::{self, Loaded};
use crate::number::counted;
use crate::progress::Display;
use crate::screen::Screen;
use crate::signals::{Signals, Wish};
use crate::{account, draw, foresee, log, machine, number, params, plan, state, terminal};

/// Bytes that a ledger may have; what was used longest ago goes first.
const MOST: u64 = 4 << 30;

/// Runs the command.
pub(crate) fn run(matches: &ArgMatches, file: &Loaded, screen: &Screen) -> Result<Exit, Trouble> {
    let (inputs, most) = (params::inputs(matches)?, matches.get_one::<f64>("max-cost").copied());
    let again = || file.plan_within(&inputs, most).and_then(|plan| anew(matches, plan));
    let plan = match again() {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    if matches.get_flag("dry-run") {
        let tree = graph::tree(&Drawing::of(&plan));
        let ledger = state::of_plan(matches, &file.path)?;
        let outlook = foresee::outlook(&plan, false, ledger.as_ref(), tries(matches), again)?;
        terminal::out(&format!("{}\ngraph\n{tree}", plan::text(&plan, &outlook)))?;
        return Ok(Exit::Done);
    }
    if is_refused(matches, &plan)? {
        return Ok(Exit::Wrong);
    }
    let (tries, ledger) = (tries(matches), state::of_run(matches, &file.path, &plan)?);
    if ledger.is_none() && tries != Tries::All {
        return Err(Trouble::wrong(
            "without a ledger nobody knows what was rejected before",
            "Leave `--keep-rejects` and `--only-failed` out, or `--state none`.",
        ));
    }
    carry_out(matches, Job { file, inputs: &inputs, plan, ledger, tries }, screen)
}

/// What a run is about.
pub(crate) struct Job<'a> {
    pub(crate) file: &'a Loaded,
    pub(crate) inputs: &'a Inputs,
    pub(crate) plan: Plan,
    pub(crate) ledger: Option<Arc<Ledger>>,
    pub(crate) tries: Tries,
}

/// Runs a plan and accounts for it.
pub(crate) fn carry_out(
    matches: &ArgMatches,
    mut job: Job<'_>,
    screen: &Screen,
) -> Result<Exit, Trouble> {
    let word = matches.get_one::<String>("progress").map_or("auto", String::as_str);
    let durable = matches.get_flag("durable");
    if durable {
        job.plan.make_durable();
    }
    let grace = matches.get_one::<Duration>("grace").copied().unwrap_or_default();
    let around = around(&mut job)?;
    machine::open_more_files();
    let runtime = runtime()?;
    if let Some(ledger) = around.ledger.as_ref().filter(|_| durable) {
        runtime.block_on(ledger.make_durable()).map_err(state::trouble)?;
    }
    let report = runtime.block_on(drive(job.plan, around, (word, grace), screen));
    // A thread that is stuck in a blocking call must not hold back the account.
    runtime.shutdown_background();
    let (report, together) = report?;
    let exit = finish(matches, &report)?;
    if let Some(together) = together.filter(|_| !matches.get_flag("json")) {
        terminal::out(&together)?;
    }
    Ok(exit)
}

/// What speaks against a run before it begins.
pub(crate) fn is_refused(matches: &ArgMatches, plan: &Plan) -> Result<bool, Trouble> {
    if let Some(path) = matches.get_one::<PathBuf>("report") {
        writable(path)?;
    }
    load::complain(&plan.unset);
    Ok(!plan.unset.is_empty())
}

/// Which records of earlier runs are tried, as the flags want it.
fn tries(matches: &ArgMatches) -> Tries {
    match (matches.get_flag("keep-rejects"), matches.get_flag("only-failed")) {
        (_, true) => Tries::Rejected(Only::default()),
        (true, _) => Tries::New,
        _ => Tries::All,
    }
}

/// What a run and those that it goes on with came to together.
fn together(journal: &Journal) -> Option<String> {
    let (run, before) = (journal.run(), journal.continues()?);
    let (earlier, usage) = journal.ledger().usage_with_earlier(run).ok()?;
    let (calls, spent) = (counted(usage.calls, "call"), usage.spent());
    let runs = counted(earlier + 1, "run");
    Some(format!("run {run} goes on with run {before}: {calls}, {spent} in {runs} together\n"))
}

/// A plan as the flags want it: which answers of earlier runs are used.
pub(crate) fn anew(matches: &ArgMatches, mut plan: Plan) -> Result<Plan, Exit> {
    if matches.get_flag("fresh") {
        plan.forget_all();
    }
    if let Some(node) = matches.get_one::<String>("from")
        && !plan.forget_from(node)
    {
        let names: Vec<&str> = plan.names().collect();
        let message = format!("error: no node `{node}`\n  help: the nodes: {}\n", names.join(", "));
        terminal::err(&message);
        return Err(Exit::Wrong);
    }
    Ok(plan)
}

/// What the run has in common with others: limits, and the ledger, in which it is noted.
fn around(job: &mut Job<'_>) -> Result<Around, Trouble> {
    let limits = flow_engine::door::state::folder();
    let tries = std::mem::take(&mut job.tries);
    let Some(ledger) = job.ledger.take() else {
        return Ok(Around { limits, tries, ..Around::default() });
    };
    let beginning = Beginning {
        file: &state::name_of(&job.file.path, &ledger),
        source: job.file.text(),
        inputs: &params::to_json(job.inputs),
        flow: env!("CARGO_PKG_VERSION"),
    };
    let current = ledger.begin(&job.plan, &beginning).map_err(state::trouble)?;
    let journal = Journal::new(Arc::clone(&ledger), current);
    log::file::begin(ledger.folder(), journal.run());
    let (run, file, flow) = (journal.run(), beginning.file, beginning.flow);
    tracing::info!(run, file, pipeline = job.plan.name, flow, "the run begins");
    if let Some(before) = journal.continues() {
        tracing::info!("it goes on with run {before}");
    }
    Ok(Around { limits, ledger: Some(ledger), journal: Some(Arc::new(journal)), tries })
}

/// The end of a run. What it has written stands, whatever becomes of the ledger now.
async fn settle(journal: &Journal, report: &Report) {
    let ledger = journal.ledger();
    let ended = journal.flush().and_then(|()| ledger.end(journal.run(), report));
    let noted = ledger.note(&report.nodes).await;
    for error in
        [ended, noted, ledger.settle(MOST).await.map(drop)].into_iter().filter_map(Result::err)
    {
        terminal::err(&format!("warning: {}\n", error.message));
    }
}

fn log_end(report: &Report) {
    for node in &report.nodes {
        let NodeReport { node, received, passed, filtered, rejected, pending, out, .. } = node;
        tracing::info!(node, r#in = received, passed, filtered, rejected, pending, out, "counted");
    }
    let (took, calls) = (number::duration(report.elapsed), report.usage.calls);
    let (cost, status) = (report.usage.spent(), account::ending(&report.status));
    tracing::info!(%took, calls, reused = report.usage.reused, %cost, status, "the run ends");
}

fn finish(matches: &ArgMatches, report: &Report) -> Result<Exit, Trouble> {
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
    if let Some(path) = matches.get_one::<PathBuf>("report") {
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
    Asked(Wish),
    /// Whoever asked waits no longer.
    Late,
    Tick,
}

async fn drive(
    plan: Plan,
    around: Around,
    (word, grace): (&str, Duration),
    screen: &Screen,
) -> Result<(Report, Option<String>), Trouble> {
    let mut display = Display::new(word, screen);
    let mut signals = Signals::new()?;
    let run = Run::start_among(plan, &around);
    let watch = run.watch();
    let mut end = pin!(run.finish());
    let mut ticks = tokio::time::interval(display.period());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut asked = 0;
    let mut late: Option<Instant> = None;
    loop {
        let event = tokio::select! {
            biased;
            report = &mut end => Event::Ended(Box::new(report)),
            wish = signals.next() => Event::Asked(wish),
            () = sleep_until(late.unwrap_or_else(Instant::now)), if late.is_some() => Event::Late,
            _ = ticks.tick() => Event::Tick,
        };
        match event {
            Event::Ended(report) => {
                display.finish(&watch.progress());
                log_end(&report);
                let Some(journal) = &around.journal else { return Ok((*report, None)) };
                settle(journal, &report).await;
                return Ok((*report, together(journal)));
            }
            Event::Tick => display.update(&watch.progress()),
            Event::Late => {
                late = None;
                asked += 1;
                watch.stop();
                screen.beside("the time of grace is over; stopping at once\n");
            }
            Event::Asked(wish) => {
                asked += 1;
                watch.cancel();
                if (asked, wish) == (1, Wish::Program) {
                    let seconds = number::duration(grace);
                    screen.beside(&format!("finishing what is in flight, for at most {seconds}\n"));
                    late = Instant::now().checked_add(grace);
                    continue;
                }
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
