//! Pipeline to run: plan, edges, the loop that drives a stage, accounting, the door to the world.
//! Knows no concrete stage and never prints.

pub mod door;
pub mod expr;
pub mod factor;
pub mod failure;
pub mod json;
pub mod ledger;
pub mod outcome;
pub mod plan;
pub mod preview;
pub mod record;
pub mod registry;
pub mod report;
pub mod room;
pub mod run;
mod seldom;
pub mod stage;
pub mod testing;
pub mod words;

/// What a stage file needs.
pub mod prelude {
    pub use async_trait::async_trait;
    pub use flow_dsl::catalog::{Fields, PortSpec, Shape, Work};
    pub use schemars::JsonSchema;
    pub use serde::Deserialize;
    pub use serde_json::{Value, json};

    pub use crate::door::Door;
    pub use crate::expr::{Expr, Template};
    pub use crate::factor::Factor;
    pub use crate::ledger::Answers;
    pub use crate::outcome::Outcome;
    pub use crate::record::{Record, RecordId};
    pub use crate::registry::{Build, BuildError, Config};
    pub use crate::stage::{
        Call, CallContext, Failure, Found, Gather, Heavy, Light, Pull, Sink, Source, Stage,
        StageError, Survey, Verdict, Written,
    };
}
