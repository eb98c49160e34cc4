//! The one door to the world. Every call that leaves the process passes here, where limits,
//! patience, counting and the hiding of secrets are done once. A stage asks the door and never
//! builds a client.

mod http;
mod limit;
mod meter;
mod secret;

use std::collections::HashMap;
use std::sync::OnceLock;

use flow_dsl::pipeline::Limit;

pub use http::{Answer, Request};
pub use meter::{Meter, UsageCount};
pub use secret::{Secret, Secrets, UnsetSecret};

use limit::Limiter;

/// The door, with the limits that all nodes of a run share.
#[derive(Debug)]
pub struct Door {
    limits: HashMap<String, Limiter>,
    client: OnceLock<reqwest::Client>,
}

impl Door {
    /// A door with these limits.
    pub fn new(limits: &[Limit]) -> Self {
        let limits =
            limits.iter().map(|limit| (limit.name.value.clone(), Limiter::new(limit))).collect();
        Self { limits, client: OnceLock::new() }
    }

    /// Waits until a named limit lets one call of about so many tokens through. Keep the pass for
    /// as long as the call takes. A name that is not declared limits nothing.
    pub async fn enter(&self, limit: &str, tokens: u64, meter: &Meter) -> Option<limit::Pass<'_>> {
        let limiter = self.limits.get(limit)?;
        let _waiting = meter.wait();
        Some(limiter.enter(tokens).await)
    }
}
