//! The one door to the world. Every call that leaves the process passes here, where limits,
//! patience, counting and the hiding of secrets are done once. A stage asks the door and never
//! builds a client.

mod budget;
mod day;
mod endpoint;
mod fault;
mod gate;
mod http;
mod lane;
mod latency;
mod limit;
mod meter;
mod price;
mod pulse;
mod quota;
mod secret;
mod span;
pub mod state;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flow_dsl::pipeline::Limit;
use tokio::sync::watch;

pub use budget::Budgets;
pub use day::Day;
pub use endpoint::{Endpoint, Key, Operation, Tokens};
pub use http::Request;
pub(crate) use meter::Cause;
pub use meter::{Meter, UsageCount};
pub use price::{Money, Price};
pub use secret::{Secret, Secrets, UnsetSecret};
pub use span::CALLS;

use crate::stage::Failure;
use budget::Purse;
use lane::Lanes;

/// The door, with the limits that all nodes of a run share.
#[derive(Debug)]
pub struct Door {
    limits: HashMap<String, Limit>,
    /// Where limits are shared with other runs.
    folder: Option<PathBuf>,
    lanes: Lanes,
    purse: Purse,
    closing: watch::Sender<bool>,
    client: OnceLock<reqwest::Client>,
}

impl Door {
    /// A door with these limits.
    pub fn new(limits: &[Limit]) -> Self {
        Self::shared(limits, None)
    }

    /// A door whose limits hold for all runs that name the same folder.
    pub fn shared(limits: &[Limit], folder: Option<&Path>) -> Self {
        let limits = limits.iter().map(|limit| (limit.name.value.clone(), limit.clone()));
        Self {
            limits: limits.collect(),
            folder: folder.map(Path::to_owned),
            lanes: Lanes::default(),
            purse: Purse::new(Budgets::default()),
            closing: watch::Sender::new(false),
            client: OnceLock::new(),
        }
    }

    /// The same door, whose calls keep to budgets.
    #[must_use]
    pub fn within(self, budgets: Budgets) -> Self {
        Self { purse: Purse::new(budgets), ..self }
    }

    /// Lets nobody through any more: who stands in line turns back, who is through goes on.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits for a named limit alone.
    #[cfg(test)]
    pub(crate) async fn enter(&self, limit: &str, meter: &Meter) -> Result<(), Failure> {
        let Some(limiter) = self.limiter(limit, "") else { return Ok(()) };
        self.unless_closing(limiter.enter(0, meter)).await.map(drop)
    }

    /// Stands in line, unless the run ends meanwhile.
    async fn unless_closing<T>(&self, line: impl Future<Output = T>) -> Result<T, Failure> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            // The sender lives in the door, so that the wait cannot fail.
            _ = closing.wait_for(|closing| *closing) => Err(Failure::ended()),
            through = line => Ok(through),
        }
    }
}
