//! The stages, one file each. A stage spawns no task, makes no channel, reads no clock, opens no
//! socket by itself, and knows no other stage.

/// Everything that a pipeline file may name.
pub const REGISTRY: flow_engine::registry::Registry =
    flow_engine::registry::Registry { stages: &[], providers: &[] };
