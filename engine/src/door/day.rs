//! What was spent today, by all runs of a pipeline on this machine: a small file that they share.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::Money;
use crate::stage::Failure;

const SECONDS_OF_A_DAY: u64 = 86_400;

/// The budget of a day, which begins at midnight UTC.
#[derive(Debug, Clone)]
pub struct Day {
    /// What may be spent.
    pub most: Money,
    /// None when there is no place to keep it.
    path: Option<PathBuf>,
    today: fn() -> u64,
}

/// What the file holds. What calls in flight can cost at most counts as spent, so that a run that
/// is killed has spent rather too much than too little.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Spending {
    /// Days since 1970.
    day: u64,
    /// In millionths of a millionth of a dollar.
    spent: u64,
}

impl Day {
    /// The budget of a pipeline, in the folder for what outlives a run.
    pub fn new(pipeline: &str, most: Money, folder: Option<&Path>) -> Self {
        let name = format!("spending-{:016x}.json", xxh3_64(pipeline.as_bytes()));
        Self { most, path: folder.map(|folder| folder.join(name)), today }
    }

    /// Counts a call that can cost so much, if it still fits; else says what is spent.
    pub(super) fn take(&self, most: Money) -> Result<Result<(), Money>, Failure> {
        let Some(path) = &self.path else {
            let reason = "there is no folder to keep the day's spending in; name one in FLOW_STATE";
            return Err(Failure::fatal(reason));
        };
        let taken = change(path, (self.today)(), |spent| {
            if spent + most <= self.most { Ok(spent + most) } else { Err(spent) }
        });
        taken.map_err(|error| {
            Failure::fatal(format!(
                "the day's spending cannot be kept in `{}`: {error}",
                path.display()
            ))
        })
    }

    /// A call that could cost so much has cost less.
    pub(super) fn settle(&self, most: Money, cost: Money) {
        let Some(path) = &self.path else { return };
        let settled = change(path, (self.today)(), |spent| Ok((spent + cost).less(most)));
        if let Err(error) = settled {
            // Then rather too much counts as spent.
            tracing::warn!(path = %path.display(), %error, "the day's spending cannot be settled");
        }
    }
}

fn today() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() / SECONDS_OF_A_DAY
}

/// Changes what is spent, alone among all processes. The file is replaced as a whole; what is no
/// such file, or is of a day before, counts as nothing spent.
fn change(
    path: &Path,
    today: u64,
    act: impl FnOnce(Money) -> Result<Money, Money>,
) -> io::Result<Result<(), Money>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let lock = path.with_extension("lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(lock)?;
    lock.lock()?;
    let before = match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "the day's spending cannot be read");
            Spending::default()
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Spending::default(),
        Err(error) => return Err(error),
    };
    // A day to come is one of a clock that was set back since: what was spent stays spent.
    let spent = if before.day >= today { Money::from_parts(before.spent) } else { Money::ZERO };
    let after = match act(spent) {
        Ok(after) => after,
        Err(spent) => return Ok(Err(spent)),
    };
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(&serde_json::to_vec(&Spending { day: today, spent: after.parts() })?)?;
    fs::rename(&fresh, path)?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes when it is dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("flow-day-{}-{:x}", std::process::id(), fastrand::u64(..));
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn runs_share_a_day_and_the_next_one_is_new() {
        let folder = Folder::new();
        let one = Day::new("p", Money::dollars(1.0), Some(&folder.0));
        let other = Day::new("p", Money::dollars(1.0), Some(&folder.0));
        let apart = Day::new("q", Money::dollars(1.0), Some(&folder.0));
        let cost = Money::dollars(0.6);
        assert_eq!(one.take(cost).unwrap(), Ok(()));
        assert_eq!(other.take(cost).unwrap(), Err(cost));
        assert_eq!(apart.take(cost).unwrap(), Ok(()));
        one.settle(cost, Money::dollars(0.1));
        assert_eq!(other.take(cost).unwrap(), Ok(()));
        let next = Day { today: || today() + 1, ..one };
        assert_eq!(next.take(cost).unwrap(), Ok(()));
        assert_eq!(next.take(cost).unwrap(), Err(cost));
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_money_back() {
        let folder = Folder::new();
        let day = |today| Day { today, ..Day::new("p", Money::dollars(1.0), Some(&folder.0)) };
        let cost = Money::dollars(0.6);
        assert_eq!(day(|| 20_000).take(cost).unwrap(), Ok(()));
        for today in [|| 19_999, || 0] {
            assert_eq!(day(today).take(cost).unwrap(), Err(cost));
        }
        // What is written now is of today, so that the next day is a new one.
        assert_eq!(day(|| 5).take(Money::dollars(0.1)).unwrap(), Ok(()));
        assert_eq!(day(|| 5).take(cost).unwrap(), Err(Money::dollars(0.7)));
        assert_eq!(day(|| 6).take(cost).unwrap(), Ok(()));
    }

    #[test]
    fn garbage_is_nothing_spent_and_is_mended() {
        let folder = Folder::new();
        let day = Day::new("p", Money::dollars(1.0), Some(&folder.0));
        let path = day.path.clone().unwrap();
        fs::create_dir_all(&folder.0).unwrap();
        for garbage in [&b""[..], b"{", b"[1]", b"\xff\xfe", b"{\"day\": -1, \"spent\": \"x\"}"] {
            fs::write(&path, garbage).unwrap();
            assert_eq!(day.take(Money::dollars(0.7)).unwrap(), Ok(()));
            assert_eq!(day.take(Money::dollars(0.7)).unwrap(), Err(Money::dollars(0.7)));
        }
    }

    #[test]
    fn what_cannot_be_kept_is_said() {
        let folder = Folder::new();
        fs::write(&folder.0, "a file, no folder").unwrap();
        let at = folder.0.join("state");
        let day = Day::new("p", Money::dollars(1.0), Some(&at));
        let reason = day.take(Money::dollars(0.1)).unwrap_err().reason;
        assert!(reason.starts_with("the day's spending cannot be kept in `"), "{reason}");
        let day = Day::new("p", Money::dollars(1.0), None);
        assert!(day.take(Money::dollars(0.1)).unwrap_err().reason.contains("FLOW_STATE"));
        fs::remove_file(&folder.0).unwrap();
    }

    #[test]
    fn many_threads_count_every_call() {
        let folder = Folder::new();
        let day = Day::new("p", Money::dollars(1.0), Some(&folder.0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let most = Money::dollars(0.01);
                        if day.take(most).unwrap().is_ok() {
                            day.settle(most, Money::dollars(0.005));
                        }
                    }
                });
            }
        });
        let spent = day.take(Money::dollars(1.0)).unwrap();
        assert_eq!(spent, Err(Money::dollars(0.8)));
    }
}
