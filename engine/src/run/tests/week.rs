//! A week of a run, in paused time: what it holds at its end is what it held after its first day.

use std::path::Path;
use std::process::Command;

use super::*;
use crate::ledger::{Beginning, Filter, Journal, Ledger};
use crate::run::Around;
use tokio::time::Instant;

const DAY: Duration = Duration::from_hours(24);
const RECORDS: u64 = 4_800;
/// Memory that may come and go, as allocators keep what was freed.
const SLACK: u64 = 3 << 20;
/// Says that this process has nothing to do but the week.
const ALONE: &str = "FLOW_WEEK";

/// What the process holds at a time.
#[derive(Debug, Clone, Copy)]
struct Held {
    at: Duration,
    bytes: u64,
    files: usize,
}

impl Held {
    fn now(start: Instant) -> Self {
        let pages = std::fs::read_to_string("/proc/self/statm").expect("the memory");
        let pages: u64 = pages.split(' ').nth(1).expect("pages").parse().expect("a number");
        let files = std::fs::read_dir("/proc/self/fd").expect("the files").count();
        Self { at: start.elapsed(), bytes: pages * 4096, files }
    }
}

/// A model behind a limit: answers after seconds, is away, overloaded or silent at times, and
/// refuses some for good.
struct Model {
    start: Instant,
    held: Arc<Mutex<Vec<Held>>>,
}

#[async_trait]
impl Call for Model {
    async fn apply(
        &self,
        batch: &[Record],
        context: &CallContext,
    ) -> Vec<Result<Vec<Record>, Failure>> {
        let mut results = Vec::new();
        for record in batch {
            results.push(self.ask(record, &context.about(record)).await);
        }
        results
    }
}

impl Model {
    async fn ask(&self, record: &Record, context: &CallContext) -> Result<Vec<Record>, Failure> {
        context.door.enter("slow", &context.meter).await?;
        let n = number(record);
        if n.is_multiple_of(25) && context.attempt == 1 {
            self.held.lock().unwrap().push(Held::now(self.start));
        }
        match (n % 20, context.attempt) {
            (3, 1) => return Err(Failure::transient("overloaded")),
            (7, 1) => tokio::time::sleep(DAY).await,
            (11, 1 | 2) => {
                let patience = Some(Duration::from_mins(10));
                return Err(Failure { retry_after: patience, ..Failure::transient("slowly") });
            }
            (13, _) => return Err(Failure::bad(format!("number {n} is refused")).answer("no")),
            _ => tokio::time::sleep(Duration::from_secs(5 + n % 60)).await,
        }
        let question = format!("what of {n}? {}", "so many words ".repeat(20));
        context.answers.keep(&question, &format!("{n} {}", "words ".repeat(50))).await?;
        let mut found = record.child(0);
        found.set("n", json!(n));
        Ok(vec![found])
    }
}

/// Counts, and keeps nothing.
struct Counts(Arc<AtomicU64>);

impl Sink for Counts {
    fn survey(&self) -> String {
        "a count".to_owned()
    }

    fn row(&self, record: &Record) -> Option<String> {
        Some(record.id.to_string())
    }

    fn write(
        &mut self,
        _: usize,
        batch: Vec<Record>,
    ) -> Result<Vec<(Record, Failure)>, StageError> {
        self.0.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(Vec::new())
    }

    fn commit(&mut self, _: &Outcome) -> Result<Vec<Written>, StageError> {
        Ok(Vec::new())
    }

    fn abort(&mut self) -> Vec<Written> {
        Vec::new()
    }
}

fn graph(model: Model, stored: &Arc<AtomicU64>) -> Graph {
    let mut graph = Graph::new();
    graph.limits.push(Limit {
        name: flow_dsl::Spanned::new("slow".to_owned(), flow_dsl::Span::default()),
        requests: flow_dsl::scalar::rate("32/h"),
        tokens: None,
        concurrency: None,
    });
    let rows = graph.node("rows", numbers(RECORDS), hints(), &[]);
    let asked = Resolved {
        parallelism: 8,
        retry: 3,
        timeout: Some(Duration::from_mins(2)),
        limit: Some("slow".to_owned()),
        ..hints()
    };
    let found = graph.node("found", Stage::Call(Arc::new(model)), asked, &[rows]);
    graph.node("saved", Stage::Sink(Box::new(Counts(Arc::clone(stored)))), hints(), &[found]);
    graph
}

fn around(folder: &Path, plan: &Plan) -> Around {
    let ledger = Arc::new(Ledger::open(folder).expect("a ledger"));
    let inputs = json!({});
    let beginning = Beginning { file: "f.yaml", source: "flow: f", inputs: &inputs, flow: "0" };
    let current = ledger.begin(plan, &beginning).expect("a run");
    let journal = Some(Arc::new(Journal::new(Arc::clone(&ledger), current)));
    Around { ledger: Some(ledger), journal, ..Around::default() }
}

async fn week() {
    let folder = tempfile::tempdir().expect("a folder");
    let (held, stored) = (Arc::<Mutex<Vec<Held>>>::default(), Arc::new(AtomicU64::new(0)));
    let start = Instant::now();
    let plan = graph(Model { start, held: Arc::clone(&held) }, &stored).plan();
    let around = around(folder.path(), &plan);
    let report = Run::start_among(plan, &around).finish().await;
    assert_eq!(report.imbalances(), Vec::<String>::new());
    let journal = around.journal.expect("a journal");
    journal.flush().expect("written");
    journal.ledger().end(journal.run(), &report).expect("noted");
    assert!(report.elapsed > 7 * DAY, "{:?}", report.elapsed);
    let rejected = RECORDS / 20;
    assert_eq!(stored.load(Ordering::Relaxed), RECORDS - rejected);
    assert!(node(&report, "found").retries > RECORDS / 10);
    let filter = Filter { run: Some(1), node: Some("found"), ..Filter::default() };
    assert_eq!(journal.ledger().fates(&filter).expect("fates").len() as u64, RECORDS);

    let held = held.lock().unwrap();
    let most = |from: Duration, to: Duration| {
        let then = held.iter().filter(|held| (from..to).contains(&held.at));
        then.fold((0, 0), |most, held| (most.0.max(held.bytes), most.1.max(held.files)))
    };
    let (first, last) = (most(DAY, 2 * DAY), most(6 * DAY, 30 * DAY));
    println!("held on the second day {first:?}, on the last {last:?}");
    assert!(first.0 > 0 && last.0 <= first.0 + SLACK, "memory grew from {first:?} to {last:?}");
    assert!(last.1 <= first.1, "files grew from {first:?} to {last:?}");
}

/// In a process of its own: what other tests hold at the same time does not count.
#[test]
fn memory_and_files_are_flat_over_a_week() {
    if std::env::var_os(ALONE).is_some() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().start_paused(true).build().expect("a runtime").block_on(week());
        return;
    }
    let name = "run::tests::week::memory_and_files_are_flat_over_a_week";
    let mut alone = Command::new(std::env::current_exe().expect("this program"));
    let output = alone.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output();
    let output = output.expect("this program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{why}");
    println!("{said}");
}
