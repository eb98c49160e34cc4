//! The stages, one file each. A stage spawns no task, makes no channel, reads no clock, opens no
//! socket by itself, and knows no other stage.

mod model;
mod part;
mod quality;
mod read;
mod report;
mod settings;
mod store;
mod text;

use flow_engine::registry::{Registry, StageDef};
pub use store::backup;

macro_rules! declare_stages {
    ($($settings:path),* $(,)?) => {
        const STAGES: &[StageDef] = &[$(StageDef::of::<$settings>()),*];
    };
}

declare_stages! {
    model::Embed,
    model::Extract,
    read::Read,
    quality::Filter,
    quality::Set,
    quality::Take,
    report::Report,
    store::Store,
    text::Chunk,
}

/// Everything that a pipeline file may name.
pub const REGISTRY: Registry = Registry { stages: STAGES, providers: model::PROVIDERS };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_and_every_setting_has_a_manual() {
        for stage in REGISTRY.catalog().stages {
            assert!(stage.doc.contains("```yaml"), "{} has no example", stage.name);
            let settings = stage.settings["properties"].as_object();
            for (name, setting) in settings.into_iter().flatten() {
                assert!(setting["description"].is_string(), "{}: {name}", stage.name);
                assert!(!name.starts_with("r#"), "{}: {name}", stage.name);
            }
        }
    }

    #[test]
    fn every_stage_has_a_name_of_its_own() {
        for (at, stage) in STAGES.iter().enumerate() {
            assert!(STAGES[..at].iter().all(|other| other.name != stage.name), "{}", stage.name);
        }
    }
}
