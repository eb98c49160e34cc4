//! The state of a limit in a small file, so that all runs of this machine that name the same limit
//! share it. The file is locked for the microseconds of one look at it; its holder may die at any
//! moment.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flow_dsl::pipeline::Limit;
use xxhash_rust::xxh3::xxh3_64;

use super::alive::Alive;
use super::ledger::Ledger;
use super::slots::{Holder, Slots};

/// Looks at a locked file until it is taken for stuck; its holder needs microseconds.
const LOOKS: u32 = 200;
/// After so many looks in vain, somebody else may run in between.
const PATIENT_LOOKS: u32 = 20;
/// A file that was written by so much later than now tells of a clock that was set back.
const SET_BACK: u64 = 1_000_000_000;
/// For how long a file that could not be used is left alone.
const REST: u64 = 1_000_000_000;
/// The numbers in a file: when it was written, the ledger with four for each who has slots, and a
/// checksum.
const NUMBERS: usize = 6;
const OF_HOLDER: usize = 4;

/// What is read of a file: far more than the processes of a machine write.
const MOST_BYTES: u64 = 1 << 20;

/// A ledger in a file.
#[derive(Debug)]
pub(super) struct Shared {
    path: PathBuf,
    clock: fn() -> u64,
    known: Mutex<Known>,
}

/// What this process knows of the file.
#[derive(Debug)]
struct Known {
    file: Option<File>,
    /// As it was seen last; goes on alone while the file cannot be used.
    ledger: Ledger,
    /// Until when it is left alone, since it could not be used.
    rest: u64,
    warned: bool,
    /// Shows that this process lives, once it has slots.
    alive: Option<Alive>,
}

/// What a file holds.
enum Content {
    Ledger {
        written: u64,
        ledger: Ledger,
    },
    /// Nothing, or nothing of ours.
    Nothing,
}

impl Shared {
    /// The file of a limit: by its name, what it says and whose key it is, so that another quota of
    /// the same name is another limit.
    pub(super) fn new(folder: &Path, limit: &Limit, key: &str, clock: fn() -> u64) -> Self {
        let mut clear: String =
            limit.name.value.chars().filter(char::is_ascii_alphanumeric).collect();
        clear.truncate(32);
        let rates = [limit.requests, limit.tokens]
            .map(|rate| rate.map(|rate| (rate.count.to_bits(), rate.per.as_nanos())));
        let said = format!("{} {rates:?} {:?} {key}", limit.name.value, limit.concurrency);
        let key = xxh3_64(said.as_bytes());
        let path = folder.join(format!("{clear}-{key:016x}.limit"));
        let known =
            Known { file: None, ledger: Ledger::default(), rest: 0, warned: false, alive: None };
        Self { path, clock, known: Mutex::new(known) }
    }

    /// Looks at the state, with the time by which it counts, and changes it.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Ledger, u64) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *known;
        let start = (self.clock)();
        if start < known.rest && known.rest - start <= REST {
            return act(&mut known.ledger, start);
        }
        let locked = self.locked(&mut known.file);
        let now = (self.clock)();
        let (answer, trouble) = match locked {
            Ok(file) => {
                let content = read(file);
                if !matches!(content, Ok(Content::Ledger { .. })) {
                    known.ledger.slots = Slots::default();
                }
                if let Ok(Content::Ledger { written, mut ledger }) = content {
                    let early = written.saturating_sub(now);
                    if early > SET_BACK {
                        ledger.set_back(early);
                    }
                    known.ledger = ledger;
                }
                let seen = known.ledger.clone();
                let answer = act(&mut known.ledger, now);
                let written =
                    if known.ledger == seen { Ok(()) } else { write(file, now, &known.ledger) };
                let unlocked = file.unlock();
                (answer, written.and(unlocked).err())
            }
            Err(error) => {
                // Nobody knows what the others hold.
                known.ledger.slots = Slots::default();
                (act(&mut known.ledger, now), Some(error))
            }
        };
        if let Some(error) = trouble {
            known.file = None;
            known.rest = now + REST;
            self.warn(&mut known.warned, &error);
        }
        answer
    }

    /// Takes one of so many slots, if it is this process's turn; those of the gone are free.
    pub(super) fn take(&self, most: usize) -> bool {
        let Some(id) = self.id() else { return true };
        if self.with(|ledger, now| ledger.slots.take(id, now, most)) {
            return true;
        }
        let holders = self.with(|ledger, _| ledger.slots.0.clone());
        let gone = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let others = holders.iter().map(|holder| holder.id);
            known.alive.as_ref().map(|alive| alive.gone(&self.path, others)).unwrap_or_default()
        };
        !gone.is_empty()
            && self.with(|ledger, now| {
                ledger.slots.bury(&gone);
                ledger.slots.take(id, now, most)
            })
    }

    /// Gives a slot back.
    pub(super) fn give(&self) {
        if let Some(id) = self.id() {
            self.with(|ledger, _| ledger.slots.give(id));
        }
    }

    /// What this process is called by the others; none while the folder cannot be used.
    fn id(&self) -> Option<u64> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *known;
        if let Some(alive) = &known.alive {
            return Some(alive.id);
        }
        let begun = open(&self.path).and_then(|_| Alive::new(&self.path));
        match begun {
            Ok(alive) => Some(known.alive.insert(alive).id),
            Err(error) => {
                self.warn(&mut known.warned, &error);
                None
            }
        }
    }

    /// The file, locked.
    fn locked<'f>(&self, file: &'f mut Option<File>) -> io::Result<&'f mut File> {
        let file = match file {
            Some(file) => file,
            None => file.insert(open(&self.path)?),
        };
        for look in 0..LOOKS {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if look < PATIENT_LOOKS => std::thread::yield_now(),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_micros(50)),
            }
        }
        Err(io::Error::new(io::ErrorKind::WouldBlock, "somebody holds it for too long"))
    }

    fn warn(&self, warned: &mut bool, error: &io::Error) {
        if !std::mem::replace(warned, true) {
            let file = self.path.display();
            tracing::warn!(%file, %error, "this limit is not shared with other runs");
        }
    }
}

/// Nanoseconds by the clock that all processes of a machine share.
pub(super) fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn read(file: &mut File) -> io::Result<Content> {
    let mut bytes = Vec::with_capacity((NUMBERS + OF_HOLDER) * 8);
    file.rewind()?;
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let (numbers, rest) = bytes.as_chunks::<8>();
    let numbers: Vec<u64> = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
    let [written, requests, tokens, until, still, ref holders @ .., sum] = numbers[..] else {
        return Ok(Content::Nothing);
    };
    let (holders, more) = holders.as_chunks::<OF_HOLDER>();
    if !rest.is_empty() || !more.is_empty() || sum != xxh3_64(&bytes[..bytes.len() - 8]) {
        return Ok(Content::Nothing);
    }
    let holder = |&[id, held, taken, asked]: &[u64; OF_HOLDER]| Holder { id, held, taken, asked };
    let slots = Slots(holders.iter().map(holder).collect());
    let ledger = Ledger { next: [requests, tokens], until, still, slots };
    Ok(Content::Ledger { written, ledger })
}

fn write(file: &mut File, now: u64, ledger: &Ledger) -> io::Result<()> {
    let mut bytes = Vec::with_capacity((NUMBERS + OF_HOLDER * ledger.slots.0.len()) * 8);
    let [requests, tokens] = ledger.next;
    let holders = ledger.slots.0.iter();
    let holders = holders.flat_map(|one| [one.id, one.held, one.taken, one.asked]);
    for number in [now, requests, tokens, ledger.until, ledger.still].into_iter().chain(holders) {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
    file.rewind()?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)
}
