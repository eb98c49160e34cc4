//! Backups of a store, taken by runs and put back by hand.

use rusqlite::Connection;

use crate::folder::{Answer, Folder};

const PIPELINE: &str = r#"flow: notes
stages:
  rows:
    uses: read
    with: {path: "data/*.jsonl"}
  saved:
    uses: store
    from: rows
    with: {to: "sqlite:out/notes.db", key: name, backup: 2}
  again:
    uses: store
    from: rows
    with: {to: "sqlite:out/notes.db"}
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.file("notes.yaml", PIPELINE);
    folder
}

/// A run over a row of its own.
fn run(folder: &Folder, n: u32) -> Answer {
    folder.file("data/a.jsonl", format!("{{\"name\": \"a\", \"n\": {n}}}\n"));
    folder.flow("run notes.yaml")
}

fn stored(folder: &Folder, database: &str) -> u32 {
    let database = Connection::open(folder.path(database)).expect("a database");
    database.query_row("SELECT n FROM saved", [], |row| row.get(0)).expect("a row")
}

fn backups(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path("out/notes.db.backups")).expect("the folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| name != ".lock");
    names.sort_unstable();
    names
}

#[test]
fn each_run_begins_with_one_backup_and_the_newest_are_kept() {
    let folder = folder();
    for n in 1..=4 {
        assert_eq!(run(&folder, n).code, 0);
    }
    assert_eq!(backups(&folder), ["0002.db", "0003.db"]);
    assert_eq!(stored(&folder, "out/notes.db.backups/0002.db"), 2);
    assert_eq!(stored(&folder, "out/notes.db.backups/0003.db"), 3);
    let plan = folder.flow("plan notes.yaml").out;
    assert!(plan.contains("table saved, key name, after a backup"), "{plan}");
}

#[test]
fn a_backup_is_put_back_and_what_stood_there_is_kept() {
    let folder = folder();
    (1..=3).for_each(|n| assert_eq!(run(&folder, n).code, 0));
    let list = folder.flow("restore sqlite:out/notes.db").out;
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].contains("backup") && lines.len() == 3, "{list}");
    assert!(lines[1].trim_start().starts_with("2 "), "{list}");
    let answer = folder.flow("restore out/notes.db 1");
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    let said = "backup 1 is in place; what stood there is kept as out/notes.db.backups/0003.db\n";
    assert_eq!(answer.out, said);
    assert_eq!(stored(&folder, "out/notes.db"), 1);
    assert_eq!(folder.flow("restore out/notes.db 3").code, 0);
    assert_eq!(stored(&folder, "out/notes.db"), 3);
    assert_eq!(run(&folder, 5).code, 0);
    assert_eq!(stored(&folder, "out/notes.db"), 5);
}

#[test]
fn nothing_is_restored_that_would_do_harm() {
    let folder = folder();
    (1..=3).for_each(|n| assert_eq!(run(&folder, n).code, 0));
    let refused = |number: u32, code: i32, message: &str| {
        let answer = folder.flow(&format!("restore out/notes.db {number}"));
        assert_eq!(answer.code, code, "{}{}", answer.out, answer.err);
        assert!(answer.err.starts_with(message), "{}", answer.err);
        assert!(answer.err.contains("  help: "), "{}", answer.err);
        assert_eq!(stored(&folder, "out/notes.db"), 3);
    };
    refused(9, 2, "error: `out/notes.db`: there is no backup 9");
    {
        let other = Connection::open(folder.path("out/notes.db")).expect("the database");
        other.execute_batch("BEGIN; SELECT * FROM saved").expect("a reader");
        refused(1, 1, "error: `out/notes.db`: another program has it open");
    }
    let mut bytes = std::fs::read(folder.path("out/notes.db.backups/0001.db")).expect("a backup");
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x55);
    folder.file("out/notes.db.backups/0001.db", &bytes);
    refused(1, 1, "error: `out/notes.db`: backup 1 is damaged: ");
    assert_eq!(backups(&folder), ["0001.db", "0002.db"]);
    let none = folder.flow("restore out/other.db");
    assert_eq!(none.code, 2);
    assert!(none.err.starts_with("error: there are no backups of `out/other.db`"), "{}", none.err);
}

#[test]
fn a_database_that_is_gone_or_damaged_comes_back() {
    let folder = folder();
    (1..=2).for_each(|n| assert_eq!(run(&folder, n).code, 0));
    folder.file("out/notes.db", "this is a text and no database, and it is long enough to tell");
    let answer = folder.flow("restore out/notes.db 1");
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!(stored(&folder, "out/notes.db"), 1);
    assert_eq!(backups(&folder), ["0001.db", "damaged-1"]);
    std::fs::remove_file(folder.path("out/notes.db")).expect("the database");
    assert_eq!(folder.flow("restore out/notes.db 1").code, 0);
    assert_eq!(stored(&folder, "out/notes.db"), 1);
}

#[test]
fn a_run_whose_backup_fails_writes_nothing() {
    let folder = folder();
    assert_eq!(run(&folder, 1).code, 0);
    // A file stands where the folder should be.
    folder.file("out/notes.db.backups", "");
    let answer = run(&folder, 2);
    assert_eq!(answer.code, 1, "{}", answer.out);
    let message = "no backup of `sqlite:out/notes.db` can be taken: ";
    assert!(answer.err.contains(message), "{}", answer.err);
    assert_eq!(stored(&folder, "out/notes.db"), 1);
}
