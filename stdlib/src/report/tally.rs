//! Counts over the records of a run: as much as a report needs, and no record.

use std::collections::BTreeMap;

use flow_engine::prelude::*;

/// Different names, and different inputs, that are counted one by one. What comes beyond them is
/// counted together, and the report says so.
pub(super) const MOST: usize = 100_000;
/// Kinds that are counted one by one.
pub(super) const MOST_KINDS: usize = 10_000;
/// Methods that are counted one by one.
const MOST_METHODS: usize = 100;
/// Rejects that are named one by one.
pub(super) const MOST_REJECTS: usize = 10_000;

/// The counts.
#[derive(Debug)]
pub(super) struct Tally {
    by: String,
    name: String,
    /// By kind.
    pub(super) kinds: BTreeMap<String, KindCount>,
    /// Entities of kinds beyond [`MOST_KINDS`].
    pub(super) other_kinds: u64,
    /// Different names of all kinds.
    names: usize,
    /// By the file, and line, that they came from.
    pub(super) inputs: BTreeMap<String, InputCount>,
    /// Records of inputs beyond [`MOST`].
    pub(super) uncounted_inputs: u64,
    /// Entities by the method that found them.
    pub(super) methods: BTreeMap<String, u64>,
    /// Entities whose quote stands nowhere in the text.
    pub(super) ungrounded: u64,
    /// Rejects by what is said of them, each with how often it is said.
    pub(super) rejects: BTreeMap<RejectKey, u64>,
    /// Rejects beyond [`MOST_REJECTS`].
    pub(super) unnamed_rejects: u64,
}

/// Counts for a kind.
#[derive(Debug, Default)]
pub(super) struct KindCount {
    pub(super) entities: u64,
    /// The sum of the confidences in thousandths: a whole number, so that the order in which they
    /// came makes no difference.
    pub(super) confidence: u64,
    /// How many of them have one.
    pub(super) confident: u64,
    /// By the name in lower case.
    pub(super) names: BTreeMap<String, NameCount>,
    /// Entities with a name beyond [`MOST`].
    pub(super) other_names: u64,
}

/// Counts for a name.
#[derive(Debug, Default)]
pub(super) struct NameCount {
    /// The first of its spellings in the alphabet.
    pub(super) spelling: String,
    pub(super) entities: u64,
    pub(super) mentions: u64,
}

/// Counts for an input.
#[derive(Debug, Default)]
pub(super) struct InputCount {
    /// Records that were to be processed.
    pub(super) records: u64,
    pub(super) entities: u64,
    pub(super) rejects: u64,
}

/// What is said of a reject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RejectKey {
    pub(super) input: String,
    pub(super) node: String,
    pub(super) reason: String,
}

impl Tally {
    /// Counts by these fields; the kinds that must have data are counted whatever comes before
    /// them.
    pub(super) fn new(by: String, name: String, expect: &[String]) -> Self {
        Self {
            by,
            name,
            kinds: expect.iter().map(|kind| (kind.clone(), KindCount::default())).collect(),
            other_kinds: 0,
            names: 0,
            inputs: BTreeMap::new(),
            uncounted_inputs: 0,
            methods: BTreeMap::new(),
            ungrounded: 0,
            rejects: BTreeMap::new(),
            unnamed_rejects: 0,
        }
    }

    /// Counts an entity.
    pub(super) fn entity(&mut self, record: &Record) -> Result<(), Failure> {
        let Some(kind) = record.get(&self.by).and_then(text) else {
            return Err(Failure::bad(format!("has no `{}` to count by", self.by)));
        };
        self.of_kind(record, kind);
        if let Some(method) = record.get("method").and_then(text) {
            let known = self.methods.len() < MOST_METHODS || self.methods.contains_key(&method);
            let method = if known { method } else { "others".to_owned() };
            *self.methods.entry(method).or_default() += 1;
        }
        self.ungrounded += u64::from(record.get("grounded") == Some(&Value::Bool(false)));
        let source = record.get("source").and_then(text).unwrap_or_else(|| record.origin());
        self.of_input(source, |input| input.entities += 1);
        Ok(())
    }

    fn of_kind(&mut self, record: &Record, kind: String) {
        if self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(&kind) {
            self.other_kinds += 1;
            return;
        }
        let count = self.kinds.entry(kind).or_default();
        count.entities += 1;
        if let Some(sure) = record.get("confidence").and_then(Value::as_f64) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 0 to 1000"
            )]
            let thousandths = (sure.clamp(0.0, 1.0) * 1000.0).round() as u64;
            count.confidence += thousandths;
            count.confident += 1;
        }
        if let Some(name) = record.get(&self.name).and_then(text) {
            let mentions = record.get("mentions").and_then(Value::as_u64).unwrap_or(1);
            self.names += usize::from(count.name(&name, mentions, self.names < MOST));
        }
    }

    /// Counts a record that was to be processed.
    pub(super) fn input(&mut self, record: &Record) {
        self.of_input(record.origin(), |input| input.records += 1);
    }

    /// Counts a reject.
    pub(super) fn reject(&mut self, record: &Record) {
        let input = record.origin();
        let said = |name: &str| {
            let error = record.get("error").and_then(|error| error.get(name));
            error.and_then(text).unwrap_or_else(|| "unknown".to_owned())
        };
        let key = RejectKey { input: input.clone(), node: said("node"), reason: said("reason") };
        if self.rejects.len() < MOST_REJECTS || self.rejects.contains_key(&key) {
            *self.rejects.entry(key).or_default() += 1;
        } else {
            self.unnamed_rejects += 1;
        }
        self.of_input(input, |input| input.rejects += 1);
    }

    fn of_input(&mut self, name: String, change: impl FnOnce(&mut InputCount)) {
        if self.inputs.len() < MOST || self.inputs.contains_key(&name) {
            change(self.inputs.entry(name).or_default());
        } else {
            self.uncounted_inputs += 1;
        }
    }
}

impl KindCount {
    /// Counts a name, a new one only where there is room; says whether it is one.
    fn name(&mut self, name: &str, mentions: u64, room: bool) -> bool {
        let key = name.trim().to_lowercase();
        let new = !self.names.contains_key(&key);
        if new && !room {
            self.other_names += 1;
            return false;
        }
        let count = self.names.entry(key).or_default();
        if count.entities == 0 || name < count.spelling.as_str() {
            name.clone_into(&mut count.spelling);
        }
        count.entities += 1;
        count.mentions += mentions;
        new
    }
}

/// A value as one writes it; nothing for null and for an empty text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        other => Some(other.to_string()),
    }
}
