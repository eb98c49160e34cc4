//! From settings in a file to a stage: what the stdlib registers and what a build may ask for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow_dsl::catalog::{Catalog, Fields, PortSpec, ProviderSpec, Shape, StageSpec, Work};
use flow_dsl::pipeline::{Limit, Model, RetryStep};
use flow_dsl::tree::Node;
use flow_dsl::{Diagnostic, Spanned};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::stage::Stage;

/// The settings of a stage. The doc comment of the struct is its manual: a first sentence, then
/// paragraphs, then an example in a `yaml` block.
pub trait Config: DeserializeOwned + JsonSchema + Sized + 'static {
    /// The word after `uses:`.
    const NAME: &'static str;
    /// The shape.
    const SHAPE: Shape;
    /// Input ports; empty for a source.
    const PORTS: &'static [PortSpec] = INPUT;
    /// The version of its behaviour: raised when the same settings and the same record give
    /// something else than before.
    const VERSION: u32 = 1;

    /// What a map costs, given the provider of the model that it names.
    fn work(provider: Option<&str>) -> Work {
        let _ = provider;
        Work::Either
    }

    /// Which fields leave the stage, given the settings as JSON.
    fn fields(settings: &Value) -> Fields {
        let _ = settings;
        Fields::Unknown
    }

    /// Everything that can be said against single settings, and against some together. Settings
    /// with a mistake and those that wait for the value of a param are left out: that one is not
    /// there means nothing. A stage is built only when nothing is said.
    fn weigh(settings: &Value, build: &Build<'_>) -> Vec<BuildError> {
        let _ = (settings, build);
        Vec::new()
    }

    /// Makes the stage of settings that [`Self::weigh`] has passed. Reads files that settings name through `build`; touches nothing else.
    fn build(self, build: &Build<'_>) -> Result<Stage, BuildError>;
}

/// The one port of most stages.
pub const INPUT: &[PortSpec] = &[PortSpec { name: "in", required: true }];

/// Why a stage cannot be built.
#[derive(Debug)]
pub enum BuildError {
    /// A setting has a value that the stage refuses.
    Setting {
        /// Its name; a dotted path for a part of it.
        setting: String,
        /// A lowercase fragment: what is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// A file that a setting names has mistakes of its own.
    File(Vec<Diagnostic>),
}

impl BuildError {
    /// A setting and what is wrong with it.
    pub fn setting(setting: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Setting { setting: setting.into(), message: message.into(), help: None }
    }

    /// Says it of another setting, such as an item of a list.
    #[must_use]
    pub fn at(mut self, place: &str) -> Self {
        if let Self::Setting { setting, .. } = &mut self {
            place.clone_into(setting);
        }
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let Self::Setting { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }
}

/// What a stage may ask for while it is built.
#[derive(Debug)]
pub struct Build<'a> {
    /// Name of the pipeline.
    pub pipeline: &'a str,
    /// Name of the node.
    pub node: &'a str,
    /// The pipeline file's folder; relative paths start there.
    pub folder: &'a Path,
    /// `params`, for templates.
    pub params: &'a Value,
    /// Declared models.
    pub models: &'a [Model],
    /// Declared limits.
    pub limits: &'a [Limit],
    /// Declared schemas.
    pub schemas: &'a [(Spanned<String>, Node)],
    /// The pipeline file, which the spans of models and schemas point into.
    pub source: &'a Arc<flow_dsl::SourceFile>,
    /// Values of secrets, found when first asked for.
    pub secrets: &'a crate::door::Secrets,
    /// What changes with each retry of the node.
    pub on_retry: &'a [RetryStep],
}

impl Build<'_> {
    /// A template that comes from elsewhere than the settings; it knows `params`, too.
    pub fn template(&self, text: &str) -> Result<crate::expr::Template, minijinja::Error> {
        crate::expr::with_params(self.params, || crate::expr::Template::new(text))
    }

    /// A path of the file, absolute or relative to the pipeline's folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// A path of the file as it is to be shown: from the folder in which the user is.
    pub fn shown(&self, path: &str) -> String {
        let path = self.path(path);
        path.strip_prefix(".").unwrap_or(&path).display().to_string()
    }

    /// The key of a model: its secret, or nothing when it needs none.
    pub fn key(&self, model: &Model) -> Option<crate::door::Secret> {
        model.secret.as_ref().map(|secret| self.secrets.get(&secret.value))
    }

    /// A declared model; the checker has made sure that it exists.
    pub fn model(&self, name: &str) -> Result<&Model, BuildError> {
        self.models
            .iter()
            .find(|model| model.name.value == name)
            .ok_or_else(|| BuildError::setting("model", format!("no model called `{name}`")))
    }
}

/// A stage of the stdlib, as it stands in the list of all stages.
#[derive(Debug, Clone, Copy)]
pub struct StageDef {
    /// Its name.
    pub name: &'static str,
    /// The version of its behaviour.
    pub version: u32,
    /// What the checker may know.
    pub spec: fn() -> StageSpec,
    /// Makes it.
    pub build: fn(Value, &Build<'_>) -> Result<Stage, Vec<BuildError>>,
    /// Judges its settings one by one.
    pub weigh: fn(&Value, &Build<'_>) -> Vec<BuildError>,
}

impl StageDef {
    /// The entry of a stage.
    pub const fn of<C: Config>() -> Self {
        Self {
            name: C::NAME,
            version: C::VERSION,
            spec: spec::<C>,
            build: build::<C>,
            weigh: C::weigh,
        }
    }
}

fn spec<C: Config>() -> StageSpec {
    let settings = Value::from(schemars::schema_for!(C));
    let doc = settings.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    StageSpec {
        name: C::NAME,
        shape: C::SHAPE,
        work: C::work,
        ports: C::PORTS,
        doc,
        settings,
        fields: C::fields,
    }
}

fn build<C: Config>(settings: Value, build: &Build<'_>) -> Result<Stage, Vec<BuildError>> {
    let refused = C::weigh(&settings, build);
    if !refused.is_empty() {
        return Err(refused);
    }
    let config: C = crate::expr::with_params(build.params, || serde_json::from_value(settings))
        .map_err(|error| vec![BuildError::setting("", format!("cannot be read: {error}"))])?;
    let stage = config.build(build).map_err(|error| vec![error])?;
    debug_assert!(is_said(C::work(None), &stage), "`{}` is {stage:?}", C::NAME);
    Ok(stage)
}

/// Whether a stage is the work that it says it is.
const fn is_said(work: Work, stage: &Stage) -> bool {
    match work {
        Work::Light => matches!(stage, Stage::Light(_)),
        Work::Heavy => matches!(stage, Stage::Heavy(_)),
        Work::Call => matches!(stage, Stage::Call(_)),
        Work::Either => true,
    }
}

/// All that the stdlib offers.
#[derive(Debug, Clone, Copy)]
pub struct Registry {
    /// The stages.
    pub stages: &'static [StageDef],
    /// The model providers.
    pub providers: &'static [fn() -> ProviderSpec],
}

impl Registry {
    /// What the checker may know of it.
    pub fn catalog(&self) -> Catalog {
        Catalog {
            stages: self.stages.iter().map(|stage| (stage.spec)()).collect(),
            providers: self.providers.iter().map(|provider| provider()).collect(),
        }
    }

    /// The stage called `name`.
    pub fn stage(&self, name: &str) -> Option<&StageDef> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}
