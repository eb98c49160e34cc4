//! What is noted of a run, and what a later run makes of it. Real ledgers, in temporary folders.

use std::path::Path;

use super::*;
use crate::factor::Factor;
use crate::ledger::{Beginning, Fate, Filter, Journal, Ledger, Standing};
use crate::report::Status;
use crate::run::{Around, Only, Tries};

/// Asks a model about each record, unless the answer is known; numbers that end in 3 are refused
/// until `mended`.
struct Asks {
    calls: Arc<AtomicU64>,
    mended: bool,
    schema: &'static str,
}

#[async_trait]
impl Call for Asks {
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

    fn factors(&self) -> Vec<Factor> {
        vec![Factor::new("schema", self.schema)]
    }
}

impl Asks {
    async fn ask(&self, record: &Record, context: &CallContext) -> Result<Vec<Record>, Failure> {
        let question = format!("{} {}", self.schema, number(record));
        if context.answers.get(&question, &context.meter, context.record)?.is_none() {
            self.calls.fetch_add(1, Ordering::Relaxed);
            if number(record) % 10 == 3 && !self.mended {
                return Err(Failure::bad("the model refuses").answer("no"));
            }
            context.answers.keep(&question, "yes").await?;
        }
        let mut found = record.child(0);
        found.set("n", json!(number(record)));
        Ok(vec![found])
    }
}

/// A run of numbers through a model into a store.
struct Try<'a> {
    folder: &'a Path,
    numbers: u64,
    mended: bool,
    schema: &'static str,
    tries: Tries,
}

/// What a run came to.
struct Came {
    report: Report,
    calls: u64,
    stored: Vec<u64>,
    run: u64,
}

impl Try<'_> {
    fn graph(&self, calls: &Arc<AtomicU64>) -> (Graph, Arc<super::Kept>) {
        let mut graph = Graph::new();
        let source = graph.node("rows", numbers(self.numbers), hints(), &[]);
        let asks = Asks { calls: Arc::clone(calls), mended: self.mended, schema: self.schema };
        let found = graph.node("found", Stage::Call(Arc::new(asks)), hints(), &[source]);
        let (sink, kept) = keep();
        graph.node("saved", sink, hints(), &[found]);
        (graph, kept)
    }

    fn around(&self, plan: &Plan) -> Around {
        let ledger = Arc::new(Ledger::open(self.folder).expect("a ledger"));
        let inputs = json!({});
        let beginning = Beginning { file: "f.yaml", source: "flow: f", inputs: &inputs, flow: "0" };
        let current = ledger.begin(plan, &beginning).expect("a run");
        let journal = Some(Arc::new(Journal::new(Arc::clone(&ledger), current)));
        Around { limits: None, ledger: Some(ledger), journal, tries: self.tries.clone() }
    }

    async fn run(&self) -> Came {
        let calls = Arc::new(AtomicU64::new(0));
        let (graph, kept) = self.graph(&calls);
        let plan = graph.plan();
        let around = self.around(&plan);
        let report = Run::start_among(plan, &around).finish().await;
        assert_eq!(report.imbalances(), Vec::<String>::new());
        let journal = around.journal.expect("a journal");
        journal.flush().expect("written");
        journal.ledger().end(journal.run(), &report).expect("noted");
        let stored = kept.sorted();
        Came { report, calls: calls.load(Ordering::Relaxed), stored, run: journal.run() }
    }
}

fn first(folder: &Path) -> Try<'_> {
    Try { folder, numbers: 20, mended: false, schema: "a", tries: Tries::All }
}

#[tokio::test]
async fn it_is_noted_what_became_of_every_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let came = first(folder.path()).run().await;
    assert_eq!((came.calls, came.run), (20, 1));
    let ledger = Ledger::open(folder.path()).expect("a ledger");
    let count = |node, fate| {
        let filter = Filter { run: Some(1), node, fate, ..Filter::default() };
        ledger.fates(&filter).expect("fates").len()
    };
    assert_eq!(count(Some("found"), None), 20);
    assert_eq!(count(Some("found"), Some(Fate::Passed)), 18);
    assert_eq!(count(None, Some(Fate::Rejected)), 2);
    assert_eq!(count(Some("saved"), Some(Fate::Written)), 18);
    let rejects =
        ledger.fates(&Filter { reason: Some("REFUSES"), ..Filter::default() }).expect("fates");
    let reject = &rejects[0];
    assert_eq!((reject.node.as_str(), reject.asked, reject.reused), ("found", 1, 0));
    assert_eq!(
        (reject.reason.as_deref(), reject.answer.as_deref()),
        (Some("the model refuses"), Some("no"))
    );
    let input = ledger.text(reject.input).expect("a ledger").expect("the record");
    assert_eq!(input.text, r#"{"n":3}"#);
    let id = reject.record.to_string();
    for name in [id.as_str(), &id[..6]] {
        let found = ledger.fates(&Filter { record: Some(name), ..Filter::default() });
        assert_eq!(found.expect("fates").as_slice(), std::slice::from_ref(reject));
    }
    let past = ledger.run(1).expect("a ledger").expect("a run");
    assert_eq!(past.standing, Standing::Ended(Status::Done));
    assert_eq!(past.report.expect("a report").nodes, came.report.nodes);
}

#[tokio::test]
async fn what_was_rejected_is_tried_again_as_the_run_says() {
    let only = |reason: Option<&str>| {
        Tries::Rejected(Only { reason: reason.map(str::to_owned), ..Only::default() })
    };
    // Who is tried, with what: calls, stored, rejected, pending.
    for (tries, mended, schema, numbers, expected) in [
        (Tries::All, false, "a", 20, (2, 18, 2, 0)),
        (Tries::All, true, "a", 25, (7, 25, 0, 0)),
        (Tries::New, true, "a", 25, (5, 23, 2, 0)),
        (Tries::New, true, "b", 20, (20, 20, 0, 0)),
        (only(None), true, "a", 25, (2, 20, 0, 5)),
        (only(Some("refuses")), true, "a", 20, (2, 20, 0, 0)),
        (only(Some("other")), true, "a", 20, (0, 18, 2, 0)),
        // The node has changed, perhaps to mend what was rejected.
        (only(None), true, "b", 20, (2, 2, 0, 18)),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        first(folder.path()).run().await;
        let words = format!("{tries:?} {mended} {schema} {numbers}");
        let came = Try { folder: folder.path(), numbers, mended, schema, tries }.run().await;
        let found = node(&came.report, "found");
        let stored = came.stored.len();
        assert_eq!((came.calls, stored, found.rejected, found.pending), expected, "{words}");
    }
}

#[tokio::test]
async fn a_reject_that_was_given_up_is_not_tried_until_it_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    first(folder.path()).run().await;
    let ledger = Ledger::open(folder.path()).expect("a ledger");
    let drop_at = |node: &str, dropped| {
        let filter = Filter { run: Some(1), node: Some(node), ..Filter::default() };
        ledger.drop_rejects(&filter, dropped).expect("a ledger")
    };
    assert_eq!((drop_at("rows", true), drop_at("found", true), drop_at("found", true)), (0, 2, 0));
    let again = Try { mended: true, ..first(folder.path()) };
    let only = Try { tries: Tries::Rejected(Only::default()), ..first(folder.path()) };
    for given_up in [&again, &again, &only] {
        let came = given_up.run().await;
        assert_eq!((came.calls, node(&came.report, "found").rejected), (0, 2));
        let rejects =
            Filter { run: Some(came.run), fate: Some(Fate::Rejected), ..Filter::default() };
        let listed = Filter { dropped: Some(false), ..rejects.clone() };
        let count = |filter| ledger.count_fates(filter).expect("a ledger");
        assert_eq!((count(&rejects), count(&listed)), (2, 0));
    }
    // It is taken back for the runs since then, too.
    assert_eq!(drop_at("found", false), 2);
    let came = again.run().await;
    assert_eq!((came.calls, node(&came.report, "found").rejected), (2, 0));
    drop_at("found", true);
    let came = Try { schema: "b", ..again }.run().await;
    assert_eq!((came.calls, node(&came.report, "found").rejected), (20, 0));
}

#[tokio::test]
async fn a_run_whose_process_is_gone_was_killed_and_the_next_one_goes_on_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let killed = first(folder.path());
    let calls = Arc::default();
    let plan = killed.graph(&calls).0.plan();
    let around = killed.around(&plan);
    let ledger = Ledger::open(folder.path()).expect("a ledger");
    let standing = || ledger.run(1).expect("a ledger").expect("a run").standing;
    assert_eq!(standing(), Standing::Running);
    // One that goes on beside it does not go on with it.
    let beside = killed.around(&killed.graph(&calls).0.plan());
    assert_eq!(beside.journal.as_ref().expect("a journal").continues(), None);
    let report = Run::start_among(killed.graph(&calls).0.plan(), &beside).finish().await;
    ledger.end(2, &report).expect("noted");
    assert_eq!(standing(), Standing::Running);
    drop(around);
    assert_eq!(standing(), Standing::Killed);
    drop(killed.around(&killed.graph(&calls).0.plan()));
    let came = killed.run().await;
    let past = |run| ledger.run(run).expect("a ledger").expect("a run");
    assert_eq!((came.run, past(4).continues), (4, Some(3)));
    assert!(past(4).is_whole());
    let came = killed.run().await;
    assert_eq!(past(came.run).continues, None);
    assert_eq!(ledger.runs().expect("runs").len(), 5);
}

#[tokio::test]
async fn the_records_of_old_runs_go_before_any_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    for schema in ["a", "b", "c"] {
        Try { schema, numbers: 200, ..first(folder.path()) }.run().await;
    }
    let ledger = Ledger::open(folder.path()).expect("a ledger");
    let of = |run| ledger.count_fates(&Filter { run: Some(run), ..Filter::default() });
    assert_eq!([of(1), of(2), of(3)], [Ok(380), Ok(380), Ok(380)]);
    let pruned = ledger.prune(1).await.expect("pruned");
    assert_eq!((pruned.runs, [of(1), of(2), of(3)]), (2, [Ok(0), Ok(0), Ok(380)]));
    assert!(pruned.answers > 0);
    assert_eq!(ledger.runs().expect("runs").len(), 3);
    // What is left speaks of texts that are there.
    for row in ledger.fates(&Filter { run: Some(3), ..Filter::default() }).expect("fates") {
        for hash in row.made.iter().map(|(_, hash)| *hash).chain([row.input]) {
            assert!(ledger.text(hash).expect("a ledger").is_some());
        }
    }
    let factors = ledger.factors(3, "found").expect("factors");
    assert_eq!(ledger.text(factors["schema"]).expect("a ledger").expect("a text").text, "c");
}

/// Doubles numbers, and counts how often it does.
struct Doubles(Arc<AtomicU64>);

impl crate::stage::Heavy for Doubles {
    fn apply(&self, record: &Record) -> Result<Vec<Record>, Failure> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match number(record) {
            3 => Err(Failure::bad("no three")),
            4 => Ok(Vec::new()),
            n => {
                let mut double = record.child(0);
                double.set("n", json!(n * 2));
                Ok(vec![double, record.child(1)])
            }
        }
    }
}

#[tokio::test]
async fn what_a_heavy_map_made_is_used_again_where_the_file_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let on = Cache::default();
    let off = Cache { reads: false, writes: false, age: None };
    let mut before: Option<Vec<Record>> = None;
    // Three is tried again, as it was rejected.
    for (cache, applied) in [(off, 20), (on, 20), (on, 1), (Cache { reads: false, ..on }, 20)] {
        let count = Arc::new(AtomicU64::new(0));
        let mut graph = Graph::new();
        let source = graph.node("rows", numbers(20), hints(), &[]);
        let heavy = Stage::Heavy(Arc::new(Doubles(Arc::clone(&count))));
        let order = Order::Keep;
        let twice = graph.node("twice", heavy, Resolved { order, cache, ..hints() }, &[source]);
        let (sink, kept) = keep();
        graph.node("saved", sink, hints(), &[twice]);
        let plan = graph.plan();
        let around = first(folder.path()).around(&plan);
        let report = Run::start_among(plan, &around).finish().await;
        let twice = node(&report, "twice");
        assert_eq!((twice.passed, twice.filtered, twice.rejected), (18, 1, 1));
        assert_eq!(count.load(Ordering::Relaxed), applied, "{cache:?}");
        let made = kept.records.lock().expect("records").clone();
        assert_eq!(before.get_or_insert_with(|| made.clone()), &made);
    }
}
