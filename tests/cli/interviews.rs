//! The first workload: `pipelines/interviews.yaml`, over its own interviews and over real ones.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;

use crate::folder::{Answer, Folder};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The pipeline with its schema and its interviews, in a folder of its own.
pub(crate) fn interviews() -> Folder {
    let folder = Folder::new();
    for part in ["interviews.yaml", "interviews.flow", "schemas/business.yaml"] {
        folder.file(part, std::fs::read(project("pipelines").join(part)).expect("the pipeline"));
    }
    let data = std::fs::read_dir(project("pipelines/data/interviews")).expect("the interviews");
    for path in data.map(|entry| entry.expect("an entry").path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        folder.file(&format!("data/interviews/{name}"), std::fs::read(&path).expect("a file"));
    }
    folder
}

fn ok(answer: Answer) -> String {
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    answer.out
}

/// An entity as it is stored.
struct Row {
    kind: String,
    name: String,
    quote: String,
    start: u32,
    end: u32,
    confidence: f64,
    source: String,
}

fn rows(folder: &Folder) -> Vec<Row> {
    let database = Connection::open(folder.path("out/intelligence.db")).expect("the database");
    let mut query = database
        .prepare(
            "SELECT kind, name, quote, start, end, confidence, source FROM entities \
             ORDER BY kind, source, start, name, id",
        )
        .expect("the table");
    let rows = query.query_map([], |row| {
        Ok(Row {
            kind: row.get(0)?,
            name: row.get(1)?,
            quote: row.get(2)?,
            start: row.get(3)?,
            end: row.get(4)?,
            confidence: row.get(5)?,
            source: row.get(6)?,
        })
    });
    rows.expect("rows").collect::<Result<_, _>>().expect("rows")
}

/// Every quote is what stands in the text of its source between its ends.
fn check_quotes(rows: &[Row], text_of: impl Fn(&str) -> String) {
    let mut texts: BTreeMap<&str, Vec<char>> = BTreeMap::new();
    for row in rows {
        let text =
            texts.entry(&row.source).or_insert_with(|| text_of(&row.source).chars().collect());
        let said: String = text[row.start as usize..row.end as usize].iter().collect();
        assert_eq!(said, row.quote, "{} {}", row.source, row.start);
    }
}

#[test]
fn the_plan_and_the_graph_of_the_interviews() {
    let folder = interviews();
    let line = "interviews.yaml --set stages.entities.parallelism=4";
    insta::assert_snapshot!("interviews_plan", ok(folder.flow(&format!("plan {line}"))));
    insta::assert_snapshot!("interviews_graph", ok(folder.flow(&format!("graph {line}"))));
}

#[test]
fn the_interviews_are_read_extracted_stored_and_reported() {
    let folder = interviews();
    let account = ok(folder.flow("run interviews.yaml"));
    for said in ["every record accounted for", "13-empty.json", "14-broken.json"] {
        assert!(account.contains(said), "{account}");
    }
    insta::assert_snapshot!("interviews_report", folder.read("out/report.md"));
    let rows = rows(&folder);
    let mut shown = String::new();
    let mut of_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        let count = of_kind.entry(&row.kind).or_default();
        *count += 1;
        if *count <= 3 {
            let Row { kind, name, quote, start, end, confidence, source } = row;
            writeln!(shown, "{kind} | {name} | {confidence} | {source} {start}..{end} | {quote}")
                .expect("a line");
        }
    }
    assert_eq!(of_kind.len(), 17);
    insta::assert_snapshot!("interviews_rows", shown);
    check_quotes(&rows, |source| {
        let json: Value = serde_json::from_str(&folder.read(source)).expect("JSON");
        json["text"].as_str().expect("a text").to_owned()
    });
}

#[test]
fn both_spellings_plan_the_same_and_leave_the_same() {
    let left = ["yaml", "flow"].map(|spelling| {
        let folder = interviews();
        let file = format!("interviews.{spelling}");
        let plan = ok(folder.flow(&format!("plan {file} --format json")));
        let graph = ok(folder.flow(&format!("graph {file} --format json")));
        ok(folder.flow(&format!("run {file}")));
        let (report, table) = (folder.read("out/report.json"), folder.read("out/failed.jsonl"));
        let rows: Vec<_> = rows(&folder)
            .into_iter()
            .map(|row| (row.kind, row.name, row.quote, row.start, row.source))
            .collect();
        assert!(rows.len() > 500);
        (plan.replace(&file, "FILE"), graph.replace(&file, "FILE"), report, table, rows)
    });
    assert_eq!(left[0], left[1]);
}

#[test]
fn a_second_run_changes_no_row_and_the_report_by_no_byte() {
    let folder = interviews();
    ok(folder.flow("run interviews.yaml"));
    let count = rows(&folder).len();
    let report = folder.read("out/report.json");
    ok(folder.flow("run interviews.yaml --set stages.entities.parallelism=1"));
    assert_eq!(rows(&folder).len(), count);
    assert_eq!(folder.read("out/report.json"), report);
}

/// Real interviews by others, beside the project; not part of it.
#[expect(clippy::print_stdout, reason = "a test that skips says so")]
fn real(folder: &str) -> Option<PathBuf> {
    let path = project("../shared/data/interviews").join(folder);
    if path.is_dir() {
        return path.canonicalize().ok();
    }
    println!("SKIPPED: {} is not there", path.display());
    None
}

#[test]
fn real_interviews_by_parameters_alone() {
    for (name, pattern, text, count) in
        [("transcripts", "*.json", "parts | join", 60), ("earnings", "*.txt", "text", 41)]
    {
        let Some(real) = real(name) else { return };
        let folder = interviews();
        let input = real.join(pattern);
        let mut command = folder.command("run interviews.yaml --report run.json --text");
        command.arg(text).arg("--input").arg(&input);
        let account = ok(crate::folder::answer(&mut command));
        assert!(account.contains("every record accounted for"), "{account}");
        let report: Value = serde_json::from_str(&folder.read("run.json")).expect("JSON");
        assert_eq!(report["nodes"][0]["passed"], count, "{account}");
        let rows = rows(&folder);
        assert!(rows.len() > 200, "{} entities", rows.len());
        check_quotes(&rows, |source| {
            let file = std::fs::read_to_string(folder.path(".").join(source)).expect("the source");
            match serde_json::from_str::<Value>(&file) {
                Ok(json) => json["parts"]
                    .as_array()
                    .expect("parts")
                    .iter()
                    .map(|part| part.as_str().expect("a part"))
                    .collect(),
                Err(_) => file,
            }
        });
    }
}
