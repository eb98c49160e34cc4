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

macro_rules! declare_stages {
    ($($settings:path),* $(,)?) => {
        const STAGES: &[StageDef] = &[$(StageDef::of::<$settings>()),*];
    };
}

declare_stages! {
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
