//! Many writers into one SQLite file: no row is lost, and nobody is told that it is locked.

use rusqlite::Connection;

use crate::folder::Folder;

const PIPELINE: &str = r#"flow: together
params:
  name: {type: string}
stages:
  texts: {uses: read, with: {path: "{{ params.name }}/*.txt"}}
  found: {uses: extract, from: texts, parallelism: 44, with: {model: analyst, schema: words}}
  saved: {uses: store, from: found, batch_size: 3, with: {to: "sqlite:all.db", table: "{{ kind }}", key: id}}
models:
  analyst: {provider: rules}
schemas:
  words:
    kinds:
      tool: {words: [Excel, SAP]}
      trouble: {cues: [the problem is]}
"#;

/// 44 texts of four entities each.
fn texts(folder: &Folder, name: &str) {
    for at in 0..44 {
        let text = format!(
            "We use Excel here, number {at}. The problem is the printer of {name}.\n\
             SAP came later. The problem is the wait of {at} days.\n"
        );
        folder.file(&format!("{name}/{at}.txt"), text);
    }
}

fn count(folder: &Folder, table: &str) -> i64 {
    let database = Connection::open(folder.path("all.db")).expect("the database");
    let query = format!("SELECT count(*) FROM {table}");
    database.query_row(&query, [], |row| row.get(0)).expect("a count")
}

#[test]
fn two_runs_of_44_extractions_at_once_share_one_database() {
    let folder = Folder::new();
    folder.file("together.yaml", PIPELINE);
    let names = ["first", "second"];
    for name in names {
        texts(&folder, name);
    }
    let runs: Vec<std::process::Child> = names
        .iter()
        .map(|name| {
            std::process::Command::new(env!("CARGO_BIN_EXE_flow"))
                .current_dir(folder.path("."))
                .args(["run", "together.yaml", "--progress", "none", "--name", name])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .expect("flow starts")
        })
        .collect();
    for run in runs {
        let output = run.wait_with_output().expect("flow ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(!said.contains("locked"), "{said}");
    }
    assert_eq!((count(&folder, "tool"), count(&folder, "trouble")), (2 * 44 * 2, 2 * 44 * 2));
    // Once more changes nothing: the rows are known by their key.
    assert_eq!(folder.flow("run together.yaml --name first").code, 0);
    assert_eq!((count(&folder, "tool"), count(&folder, "trouble")), (2 * 44 * 2, 2 * 44 * 2));
}
