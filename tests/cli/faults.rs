//! A world that does not let the binary read or write: what it says, and what it leaves alone.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;

use crate::folder::{Answer, Folder, answer_of};

/// Whom `root` becomes to be refused anything.
const NOBODY: u32 = 65_534;

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

/// A copy of the binary in the folder, which belongs to somebody whom permissions bind.
fn unprivileged(folder: &Folder) -> Command {
    let binary = folder.path("flow");
    // By a program of its own: a copy that this one has open while another test starts a program
    // cannot be run.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_flow")).arg(&binary).status();
    assert!(copied.expect("cp").success());
    mode(&folder.path("."), 0o755);
    let mut command = Command::new(binary);
    command.current_dir(folder.path("."));
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY);
    }
    command
}

/// Runs the binary in a shell that lets no file grow beyond so many blocks of 512 bytes, as a disk
/// that is nearly full does.
fn in_little_room(folder: &Folder, blocks: u32, line: &str) -> Answer {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" {line}");
    let mut command = Command::new("sh");
    command.current_dir(folder.path(".")).args(["-c", &script, env!("CARGO_BIN_EXE_flow")]);
    answer_of(&mut command)
}

/// Rows of about 100 bytes, and a line that is not JSON.
fn many_rows(folder: &Folder) {
    let text = "x".repeat(80);
    let rows = (0..20_000).map(|n| format!("{{\"n\":{n},\"text\":\"{text}\"}}\n"));
    let mut rows: Vec<String> = rows.collect();
    rows.push("not json\n".to_owned());
    folder.file("data/a.jsonl", rows.concat());
}

#[test]
fn a_file_that_may_not_be_read_is_rejected_and_the_others_are_read() {
    let folder = Folder::small();
    folder.file("data/b.jsonl", "{\"n\": 9}\n");
    mode(&folder.path("data/a.jsonl"), 0o000);
    std::fs::create_dir(folder.path("out")).expect("a folder");
    mode(&folder.path("out"), 0o777);
    let answer = answer_of(unprivileged(&folder).args(["run", "small.yaml"]));
    assert_eq!(answer.code, 0, "{}", answer.out);
    assert!(answer.err.starts_with("warning: this run is not noted: "), "{}", answer.err);
    let reason = "data/a.jsonl  may not be read: permission denied";
    assert!(answer.out.contains(reason), "{}", answer.out);
    assert_eq!(folder.read("out/big.jsonl"), "{\"n\":9}\n");
    assert!(folder.read("out/dead.jsonl").contains("permission denied"));
}

#[test]
fn a_folder_that_may_not_be_written_to_breaks_the_run_and_keeps_the_old_file() {
    for (to, message) in [
        ("out/big.jsonl", "`out/big.jsonl` cannot be written: Permission denied (os error 13)"),
        (
            "sqlite:out/big.db",
            "`sqlite:out/big.db` cannot be written: unable to open database file",
        ),
        ("no/big.jsonl", "`no/big.jsonl` cannot be written: Permission denied (os error 13)"),
        ("sqlite:no/big.db", "the folder of `sqlite:no/big.db` cannot be made: Permission denied"),
    ] {
        let folder = Folder::small();
        folder.file("out/big.jsonl", "old\n");
        mode(&folder.path("out"), 0o555);
        let mut command = unprivileged(&folder);
        mode(&folder.path("."), 0o555);
        command.args(["run", "small.yaml"]);
        command.args(["--set", &format!("stages.saved.with.to={to}")]);
        let spare = Folder::new();
        mode(&spare.path("."), 0o777);
        let dead = spare.path("dead.jsonl");
        command.args(["--set", &format!("stages.dead.with.to={}", dead.display())]);
        let answer = answer_of(&mut command);
        mode(&folder.path("out"), 0o755);
        mode(&folder.path("."), 0o755);
        assert_eq!(answer.code, 1, "{to}: {}", answer.out);
        assert!(answer.err.contains(&format!("error: `saved`: {message}")), "{}", answer.err);
        assert!(answer.err.contains("may be written to.\n"), "{}", answer.err);
        assert_eq!(folder.read("out/big.jsonl"), "old\n");
        let left = std::fs::read_dir(folder.path("out")).expect("the folder").count();
        assert_eq!(left, 1, "{to}");
    }
}

#[test]
fn a_file_that_has_no_room_breaks_the_run_and_keeps_what_was_there() {
    let folder = Folder::small();
    many_rows(&folder);
    folder.file("out/big.jsonl", "old\n");
    let answer = in_little_room(&folder, 400, "run small.yaml");
    assert_eq!(answer.code, 1, "{}", answer.out);
    let message = "error: `saved`: `out/big.jsonl` cannot be written: File too large";
    assert!(answer.err.starts_with(message), "{}", answer.err);
    assert!(answer.err.contains("help: Raise the limit of the size of files"), "{}", answer.err);
    assert_eq!(folder.read("out/big.jsonl"), "old\n");
    assert!(answer.out.contains("not written, as the run is not whole: out/big.jsonl"));
    let mut left: Vec<String> = std::fs::read_dir(folder.path("out"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort_unstable();
    // It did not come to the reject.
    assert_eq!(left, ["big.jsonl"]);
}

#[test]
fn a_database_that_has_no_room_keeps_whole_batches() {
    let folder = Folder::small();
    many_rows(&folder);
    let line = "run small.yaml --set stages.saved.with.to=sqlite:out/big.db \
                --set stages.saved.with.key=n --set stages.saved.batch_size=100";
    let answer = in_little_room(&folder, 1000, line);
    assert_eq!(answer.code, 1, "{}", answer.out);
    let message = "error: `saved`: `sqlite:out/big.db` cannot be written: ";
    assert!(answer.err.starts_with(message), "{}", answer.err);
    assert!(answer.err.contains("what was stored whole is kept"), "{}", answer.err);
    let count = |sql: &str| -> u32 {
        let database = Connection::open(folder.path("out/big.db")).expect("the database");
        database.query_row(sql, [], |row| row.get::<_, u32>(0)).expect("a number")
    };
    let kept = count("SELECT count(*) FROM saved");
    assert!(kept > 0 && kept.is_multiple_of(100) && kept < 19_998, "{kept}");
    let said = format!("sqlite:out/big.db, table saved  {kept}");
    assert!(answer.out.replace(',', "").contains(&said.replace(',', "")), "{}", answer.out);
    let again = folder.flow(line);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(count("SELECT count(*) FROM saved"), 19_998);
}
