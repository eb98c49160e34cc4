//! The one door to the world. Every call that leaves the process passes here, where limits,
//! patience, counting and the hiding of secrets are done once. A stage asks the door and never
//! builds a client.

mod endpoint;
mod http;
mod limit;
mod meter;
mod price;
mod secret;
pub mod state;

use std::collections::HashMap;
use std::sync::OnceLock;

use flow_dsl::pipeline::Limit;
use tokio::sync::watch;

pub use endpoint::{Endpoint, Key, Operation, Tokens};
pub use http::Request;
pub use meter::{Meter, UsageCount};
pub use price::{Money, Price};
pub use secret::{Secret, Secrets, UnsetSecret};

use crate::stage::Failure;
use limit::Limiter;

/// The door, with the limits that all nodes of a run share.
#[derive(Debug)]
pub struct Door {
    limits: HashMap<String, Limiter>,
    closing: watch::Sender<bool>,
    client: OnceLock<reqwest::Client>,
}

impl Door {
    /// A door with these limits.
    pub fn new(limits: &[Limit]) -> Self {
        let limits =
            limits.iter().map(|limit| (limit.name.value.clone(), Limiter::new(limit))).collect();
        Self { limits, closing: watch::Sender::new(false), client: OnceLock::new() }
    }

    /// Lets nobody through any more: who stands in line turns back, who is through goes on.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until a named limit lets one call of about so many tokens through. Keep the pass for
    /// as long as the call takes. A name that is not declared limits nothing. Fails when the run
    /// ends meanwhile.
    pub async fn enter(
        &self,
        limit: &str,
        tokens: u64,
        meter: &Meter,
    ) -> Result<Option<limit::Pass<'_>>, Failure> {
        let Some(limiter) = self.limits.get(limit) else { return Ok(None) };
        let _waiting = meter.wait();
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            // The sender lives in the door, so that the wait cannot fail.
            _ = closing.wait_for(|closing| *closing) => Err(Failure::ended()),
            pass = limiter.enter(tokens) => Ok(Some(pass)),
        }
    }
}
