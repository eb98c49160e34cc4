//! The ledger on real files.

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn node() -> Arc<str> {
    Arc::from("found")
}

async fn filled(folder: &Path, answers: u128) -> Ledger {
    let ledger = Ledger::open(folder).expect("a ledger");
    for key in 0..answers {
        ledger.keep(key, &node(), &format!("answer {key}").into(), None).await.expect("kept");
    }
    ledger
}

#[tokio::test]
async fn what_is_kept_is_there_for_the_next_run() {
    let folder = folder();
    let ledger = filled(folder.path(), 3).await;
    assert_eq!(ledger.answer(9, None), Ok(None));
    drop(ledger);
    let ledger = Ledger::open(folder.path()).expect("a ledger");
    for key in 0..3 {
        let answer = ledger.answer(key, Some(Duration::from_hours(1))).expect("a ledger");
        assert_eq!(answer.as_deref(), Some(format!("answer {key}").as_str()));
    }
    let stats = ledger.stats().expect("stats");
    assert_eq!((stats.len(), stats[0].answers, stats[0].bytes), (1, 3, 24));
}

#[tokio::test]
async fn an_answer_is_as_old_as_the_clock_says_and_never_younger_than_new() {
    let folder = folder();
    let ledger = filled(folder.path(), 1).await;
    let (kept, day) = (now(), Some(Duration::from_secs(DAY)));
    for (now, age, found) in [
        (kept, day, true),
        (kept + DAY - 60, day, true),
        (kept + DAY + 60, day, false),
        (kept - 10 * DAY, day, true),
        (0, day, true),
        (u64::MAX >> 1, day, false),
        (u64::MAX >> 1, None, true),
        (0, Some(Duration::MAX), true),
    ] {
        let answer = ledger.answer_at(now, 0, age).unwrap();
        assert_eq!(answer.is_some(), found, "{now} {age:?}");
    }
}

#[tokio::test]
async fn many_keep_at_once_and_share_transactions() {
    let folder = folder();
    let ledger = Ledger::open(folder.path()).expect("a ledger");
    let (node, text): (_, Arc<str>) = (node(), Arc::from("yes"));
    let all = (0..500).map(|key| ledger.keep(key, &node, &text, None));
    let kept = futures::future::join_all(all).await;
    assert!(kept.iter().all(Result::is_ok));
    let other = Ledger::open(folder.path()).expect("a second one beside it");
    assert_eq!(other.stats().expect("stats")[0].answers, 500);
}

#[tokio::test]
async fn those_that_were_used_longest_ago_go_first() {
    let folder = folder();
    let ledger = Ledger::open(folder.path()).expect("a ledger");
    let long: Arc<str> = "x".repeat(100_000).into();
    for key in 0..10 {
        ledger.keep(key, &node(), &long, None).await.expect("kept");
    }
    let sql = "UPDATE answers SET used = 1";
    Connection::open(folder.path().join(FILE)).expect("it").execute(sql, []).expect("old");
    for key in [3, 7] {
        assert!(ledger.answer(key, None).expect("a ledger").is_some());
    }
    assert_eq!(ledger.settle(1 << 30).await, Ok(Pruned::default()));
    // What the tables take by themselves, and a little more than two answers.
    let least = {
        let empty = tempfile::tempdir().expect("a folder");
        drop(Ledger::open(empty.path()).expect("a ledger"));
        std::fs::metadata(empty.path().join(FILE)).expect("the file").len()
    };
    let pruned = ledger.prune(least + 280_000).await;
    assert_eq!(pruned, Ok(Pruned { runs: 0, answers: 8 }));
    for key in 0..10 {
        let left = ledger.answer(key, None).expect("a ledger").is_some();
        assert_eq!(left, key == 3 || key == 7, "{key}");
    }
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_what_can_be_read_is_taken_over() {
    let folder = folder();
    drop(filled(folder.path(), 2000).await);
    let path = folder.path().join(FILE);
    let mut bytes = std::fs::read(&path).expect("the file");
    assert!(bytes.len() > 100_000, "{}", bytes.len());
    // A page of answers that is not the first of them.
    bytes[81_920..86_016].fill(0xa5);
    std::fs::write(&path, &bytes).expect("damage");
    let ledger = Ledger::open(folder.path()).expect("the damage is not seen yet");
    assert_eq!(ledger.salvaged(), None);
    let broke = (0..2000).find_map(|key| ledger.answer(key, None).err()).expect("damage");
    assert!(broke.help.is_some_and(|help| help.contains("the next run puts it aside")));
    drop(ledger);
    let ledger = Ledger::open(folder.path()).expect("a ledger");
    let salvaged = ledger.salvaged().expect("something saved").clone();
    assert_eq!(std::fs::read(&salvaged.aside).expect("the old file"), bytes);
    let answers: u64 = ledger.stats().expect("stats").iter().map(|stats| stats.answers).sum();
    assert_eq!(answers, salvaged.answers);
    assert!((1000..2000).contains(&answers), "{answers}");
    drop(ledger);
    assert!(Ledger::open(folder.path()).expect("a ledger").salvaged().is_none());

    std::fs::write(&path, "no database at all, but long enough to be looked at").expect("junk");
    let _ = std::fs::remove_file(folder.path().join("ledger.db-wal"));
    let salvaged = Ledger::open(folder.path()).expect("a ledger").salvaged().cloned();
    assert_eq!(salvaged.expect("something saved").answers, 0);
}

#[test]
fn a_file_of_a_newer_flow_is_left_alone() {
    let folder = folder();
    drop(Ledger::open(folder.path()).expect("a ledger"));
    let file = Connection::open(folder.path().join(FILE)).expect("it");
    file.pragma_update(None, "user_version", 99).expect("newer");
    let error = Ledger::open(folder.path()).expect_err("refused");
    assert!(error.message.contains("newer flow (version 99"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    std::fs::write(folder.path().join("file"), "").expect("a file");
    let error = Ledger::open(&folder.path().join("file/state")).expect_err("refused");
    assert!(error.message.contains("cannot be made"), "{error}");
}

#[tokio::test]
async fn a_durable_ledger_waits_for_the_disk() {
    let folder = folder();
    let ledger = Ledger::open(folder.path()).expect("a ledger");
    let mode = |connection: &mut rusqlite::Connection| {
        connection.pragma_query_value(None, "synchronous", |row| row.get::<_, u8>(0))
    };
    assert_eq!(ledger.answers.alone(mode).await.ok(), Some(1));
    ledger.make_durable().await.expect("a ledger that waits");
    assert_eq!(ledger.answers.alone(mode).await.ok(), Some(2));
}
