//! What heavy maps have made in earlier runs, kept where the file says `cache`: under the record, by
//! its id and place, and all that decides on what becomes of it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::Xxh3;

use super::page::Page;
use crate::ledger::{Kept, Key, Trial};
use crate::record::{Record, RecordId};
use crate::stage::StageError;

/// The results of a heavy node that outlive its run.
#[derive(Debug, Clone)]
pub(crate) struct Results {
    kept: Kept,
    page: Page,
}

impl Results {
    /// Nothing, where nothing may be used or kept.
    pub(crate) fn new(kept: Kept, page: Page) -> Option<Self> {
        (kept.cache.reads || kept.cache.writes).then_some(Self { kept, page })
    }

    /// What an earlier run made of the record. A result that cannot be read is made anew.
    pub(crate) fn get(&self, record: &Record, trial: &Trial) -> Option<Vec<Record>> {
        let key = key(record, trial).filter(|_| self.kept.cache.reads)?;
        match self.kept.ledger.answer(key, self.kept.cache.age) {
            Ok(text) => read(record, &text?),
            Err(error) => {
                self.page.broke(error);
                None
            }
        }
    }

    /// Keeps what was made of the record; returns when it is safe.
    pub(crate) async fn keep(
        &self,
        record: &Record,
        trial: &Trial,
        made: &[Record],
    ) -> Result<(), StageError> {
        let Some(key) = key(record, trial).filter(|_| self.kept.cache.writes) else {
            return Ok(());
        };
        let text: Arc<str> = write(made).into();
        self.kept.ledger.keep(key, &self.kept.node, &text, None).await
    }
}

/// What the result is kept under.
fn key(record: &Record, trial: &Trial) -> Option<Key> {
    let mut all = Xxh3::new();
    all.update(b"made");
    all.update(&trial.key?.to_le_bytes());
    all.update(&record.id.0.to_le_bytes());
    all.update(record.path.as_deref().unwrap_or_default().as_bytes());
    all.update(&record.line.to_le_bytes());
    Some(all.digest128())
}

fn write(made: &[Record]) -> String {
    let one = |record: &Record| json!([record.id.to_string(), record.to_object()]);
    Value::from(made.iter().map(one).collect::<Vec<_>>()).to_string()
}

fn read(from: &Record, text: &str) -> Option<Vec<Record>> {
    let made: Vec<(String, Map<String, Value>)> = serde_json::from_str(text).ok()?;
    let one = |(id, fields): (String, Map<String, Value>)| {
        let id = RecordId(u128::from_str_radix(&id, 16).ok()?);
        let mut record = Record::from_object(id, fields);
        record.path.clone_from(&from.path);
        record.line = from.line;
        Some(record)
    };
    made.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_to_the_last_bit() {
        let mut from = Record::new(RecordId(7));
        (from.path, from.line) = (Some("a.jsonl".into()), 3);
        let mut made = from.child(0);
        for (name, value) in [
            ("float", json!(0.1 + 0.2)),
            ("hard", json!(1.097_844_002_039_369_3e-308)),
            ("harder", json!(9_007_199_254_740_993.0)),
            ("negative", json!(-0.0)),
            ("big", json!(u64::MAX)),
            ("small", json!(i64::MIN)),
            ("text", json!("\u{1f}\u{2028}\"")),
            ("list", json!([null, {"a": []}])),
        ] {
            made.set(name, value);
        }
        let made = [made, from.child(1)];
        assert_eq!(read(&from, &write(&made)).as_deref(), Some(made.as_slice()));
        assert_eq!(read(&from, "[]"), Some(Vec::new()));
        assert_eq!(read(&from, "[[\"x\", {}]]"), None);
    }
}
