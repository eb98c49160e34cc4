//! What the stdlib offers, as data: the only thing that `check` knows of stages.

use serde_json::Value;

/// Every stage and every model provider that a file may name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// The stages, by name.
    pub stages: Vec<StageSpec>,
    /// The model providers, by name.
    pub providers: Vec<ProviderSpec>,
}

impl Catalog {
    /// The stage called `name`.
    pub fn stage(&self, name: &str) -> Option<&StageSpec> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// The provider called `name`.
    pub fn provider(&self, name: &str) -> Option<&ProviderSpec> {
        self.providers.iter().find(|provider| provider.name == name)
    }
}

/// The shape of a stage, as far as wiring is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Brings records in; has no input.
    Source,
    /// A function of a record or a batch.
    Map,
    /// Sees all records, then answers.
    Gather,
    /// Writes records away; has no output but its rejects.
    Sink,
}

/// What a map costs, which decides the hints that it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Microseconds: done in place, one record after another.
    Light,
    /// Milliseconds of CPU: several at once.
    Heavy,
    /// Waits for the world: many batches at once.
    Call,
    /// The file alone does not tell.
    Either,
}

/// What a stage is, for the checker, the manual and the editor.
#[derive(Debug, Clone)]
pub struct StageSpec {
    /// The word after `uses:`.
    pub name: &'static str,
    /// Its shape.
    pub shape: Shape,
    /// What it costs as a map, given the provider of the model that it names.
    pub work: fn(provider: Option<&str>) -> Work,
    /// Input ports; the first is the one meant when none is named. Empty for a source.
    pub ports: &'static [PortSpec],
    /// The manual, from the doc comment of the settings.
    pub doc: String,
    /// JSON Schema of the settings. `format` says what a string means: `duration`, `size`, `rate`,
    /// `range`, `template` (over record fields), `expression`, `field` (the name of one), `path`,
    /// `model`, `limit`, `schema` (a declared name, or a path).
    pub settings: Value,
    /// Which fields leave the stage, given its settings as JSON.
    pub fields: fn(&Value) -> Fields,
}

/// An input port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortSpec {
    /// Its name, as in `from: {left: a}`.
    pub name: &'static str,
    /// Whether something must be wired to it.
    pub required: bool,
}

/// How a stage changes the fields of the records that pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fields {
    /// Nothing is known of what leaves: no name is ever called unknown behind it.
    Unknown,
    /// What came in, less `removed`, plus `added`.
    Changed {
        /// Fields that are there afterwards.
        added: Vec<String>,
        /// Fields that are gone afterwards.
        removed: Vec<String>,
    },
    /// Exactly these.
    Exactly(Vec<String>),
}

impl Fields {
    /// The records leave as they came.
    pub const SAME: Self = Self::Changed { added: Vec::new(), removed: Vec::new() };
}

/// What a model provider is.
#[derive(Debug, Clone)]
pub struct ProviderSpec {
    /// The word after `provider:`.
    pub name: &'static str,
    /// The manual.
    pub doc: String,
    /// JSON Schema of what may stand beside `provider` (and `limit`, which every model may have).
    pub settings: Value,
    /// The secret that it uses when the model names none with `key:`.
    pub secret: Option<&'static str>,
}
