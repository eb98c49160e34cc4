//! A disk that is full, a folder that may not be written to, a ledger that is damaged or of another
//! version: each run ends in order and says what is the matter, and the next one goes on.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use crate::folder::{Answer, Folder};
use crate::model_server::{ModelServer, Reply};

const PIPELINE: &str = r#"flow: room
params:
  url: {type: string}
  db: {type: string, default: "sqlite:out/words.db"}
  file: {type: string, default: out/words.jsonl}
models:
  chat: {provider: openai, base_url: "{{ params.url }}", model: chat}
schemas:
  words: {kinds: {word: {description: A word.}}}
stages:
  rows: {uses: read, with: {path: rows.jsonl}}
  found: {uses: extract, from: rows, parallelism: 4, with: {model: chat, schema: words, carry: [n, text]}}
  saved: {uses: store, from: found, batch_size: 5, with: {to: "{{ params.db }}", table: words, key: n}}
  file: {uses: store, from: found, with: {to: "{{ params.file }}", columns: [n, name, text]}}
"#;
/// Calls that are in flight at most.
const AT_ONCE: u64 = 4;
const ROWS: u64 = 120;

/// A disk of one megabyte of which all but a part is taken.
struct Disk {
    path: PathBuf,
    _folder: Folder,
}

impl Disk {
    /// Nothing, and loudly, where this program may not mount one.
    fn with_room(free: usize) -> Option<Self> {
        let folder = Folder::new();
        let path = folder.path(".").canonicalize().expect("the folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs"]).arg(&path);
        if !mount.output().is_ok_and(|output| output.status.success()) {
            // Not through the harness, which would keep it to itself.
            let said = b"SKIPPED: no small disk may be mounted here; run this test as root\n";
            std::io::stderr().write_all(said).expect("stderr");
            return None;
        }
        let disk = Self { path, _folder: folder };
        std::fs::write(disk.path.join("ballast"), vec![0; (1 << 20) - free]).expect("a file");
        Some(disk)
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path.join("ballast")).expect("a file");
        let larger = ["-o", "remount,size=64m"];
        let done = Command::new("mount").args(larger).arg(&self.path).status().expect("mount");
        assert!(done.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}

struct Asked {
    folder: Folder,
    server: ModelServer,
    times: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Asked {
    fn new() -> Self {
        let times = Arc::<Mutex<BTreeMap<String, u64>>>::default();
        let seen = Arc::clone(&times);
        let server = ModelServer::start(move |_, body| {
            let said = body["messages"][1]["content"].as_str().expect("a text");
            let text = said.rsplit("\n\n").next().expect("a text");
            let word = text.split(' ').nth(1).expect("a word").to_owned();
            *seen.lock().expect("no panic").entry(word.clone()).or_default() += 1;
            let entity = json!({"kind": "word", "name": word, "quote": word, "confidence": 1});
            (Duration::ZERO, Reply::content(&json!({"entities": [entity]}).to_string()))
        });
        let folder = Folder::new();
        folder.file("room.yaml", PIPELINE);
        let text = "and so on ".repeat(400);
        let row = |n| format!("{}\n", json!({"n": n, "text": format!("Word w{n} {text}")}));
        folder.file("rows.jsonl", (0..ROWS).map(row).collect::<String>());
        Self { folder, server, times }
    }

    fn run(&self, more: &str) -> Answer {
        self.folder.flow(&format!("run room.yaml --url {} {more}", self.server.url()))
    }

    /// Texts that were asked about, and calls beyond one for each.
    fn asked(&self) -> (u64, u64) {
        let times = self.times.lock().expect("no panic");
        (times.len() as u64, times.values().map(|times| times - 1).sum())
    }
}

/// What is stored, in canonical order.
fn stored(database: PathBuf, file: PathBuf) -> Vec<String> {
    let database = Connection::open(database).expect("the database");
    let sql = "SELECT json_array(n, id, name, text) FROM words ORDER BY n";
    let mut query = database.prepare(sql).expect("a table");
    let rows = query.query_map([], |row| row.get(0)).expect("rows");
    let mut all: Vec<String> = rows.map(|row| row.expect("a row")).collect();
    let file = std::fs::read_to_string(file).expect("the file");
    all.extend(file.lines().map(str::to_owned));
    all.sort();
    all
}

#[test]
fn a_full_disk_ends_the_run_in_order_and_the_next_one_goes_on() {
    let whole = Asked::new();
    assert_eq!(whole.run("").code, 0);
    let whole = stored(whole.folder.path("out/words.db"), whole.folder.path("out/words.jsonl"));
    assert_eq!(whole.len() as u64, 2 * ROWS);
    for (what, message, again) in [
        ("store", "error: `saved`: `sqlite:DISK/words.db` cannot be written: database or disk", 0),
        ("file", "error: `file`: `DISK/words.jsonl` cannot be written: No space left on", 0),
        // What was in flight could not be kept.
        ("ledger", "the ledger `DISK/ledger.db`: database or disk is full; ", 2 * AT_ONCE),
    ] {
        let Some(disk) = Disk::with_room(200 << 10) else { return };
        let asked = Asked::new();
        let at = disk.path.display().to_string();
        let (mut database, mut file) =
            (asked.folder.path("out/words.db"), asked.folder.path("out/words.jsonl"));
        let more = match what {
            "store" => {
                database = disk.path.join("words.db");
                format!("--db sqlite:{at}/words.db")
            }
            "file" => {
                file = disk.path.join("words.jsonl");
                format!("--file {at}/words.jsonl")
            }
            _ => format!("--state {at}"),
        };
        let broken = asked.run(&more);
        assert_eq!(broken.code, 1, "{what}: {}{}", broken.out, broken.err);
        let said = broken.err.replace(&at, "DISK");
        assert!(said.contains(message), "{what}: {said}");
        let room = said.split("at least ").nth(1).unwrap_or_default();
        assert!(
            room.contains(" KiB more are needed, and ") && room.contains(" KiB are free\n"),
            "{said}"
        );
        assert!(said.contains("help: Make room on the disk"), "{said}");
        assert!(asked.asked().0 > 0, "{what}: {said}");
        disk.make_room();
        let next = asked.run(&more);
        assert_eq!(next.code, 0, "{what}: {}", next.err);
        let (texts, twice) = asked.asked();
        assert!(texts == ROWS && twice <= again, "{what}: {twice} of {texts} asked again");
        assert_eq!(stored(database, file), whole, "{what}");
    }
}

#[test]
fn a_ledger_that_cannot_be_used_is_named_before_anything_is_paid() {
    let asked = Asked::new();
    assert_eq!(asked.run("").code, 0);
    let ledger = Connection::open(asked.folder.path(".flow/ledger.db")).expect("the ledger");
    ledger.pragma_update(None, "user_version", 99).expect("a version");
    drop(ledger);
    let newer = asked.run("");
    assert_eq!(newer.code, 1, "{}", newer.out);
    assert!(newer.err.contains("is of a newer flow (version 99 of the ledger"), "{}", newer.err);
    assert!(newer.err.contains("another folder with `--state DIR`"), "{}", newer.err);
    asked.folder.file("taken", "");
    let taken = asked.run("--state taken");
    assert_eq!(taken.code, 1);
    assert!(taken.err.contains("the folder `taken` cannot be made"), "{}", taken.err);
    assert_eq!(asked.asked(), (ROWS, 0));
    let ledger = Connection::open(asked.folder.path(".flow/ledger.db")).expect("the ledger");
    let version = ledger.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0));
    assert_eq!(version, Ok(99), "it is left alone");
}
