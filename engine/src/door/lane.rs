//! The way to an endpoint, prepared once: the request without its body, the limit and the gate that
//! its calls pass.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::fault::Fault;
use super::gate::Gate;
use super::limit::Limiter;
use super::pulse::Pulse;
use super::{Door, Endpoint, Key};
use crate::seldom::{Seldom, Turn};
use crate::stage::Failure;

/// Patience that is worth a line in the log.
const LONG: Duration = Duration::from_secs(1);

/// The way to an endpoint.
#[derive(Debug)]
pub(super) struct Lane {
    request: reqwest::Request,
    /// The address as it may be shown.
    pub(super) url: String,
    pub(super) limiter: Arc<Limiter>,
    /// Only where no limit says what the server can take.
    pub(super) gate: Option<Arc<Gate>>,
    pub(super) pulse: Arc<Pulse>,
    log: Seldom,
}

/// The ways that were gone so far.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    known: Mutex<HashMap<u64, Arc<Lane>>>,
    /// By limit and key; for models that name no limit, by server and key.
    limiters: Mutex<HashMap<u64, Arc<Limiter>>>,
    /// By server and model.
    gates: Mutex<HashMap<u64, Arc<Gate>>>,
    /// By server.
    pulses: Mutex<HashMap<u64, Arc<Pulse>>>,
}

impl Door {
    /// The way to an endpoint.
    pub(super) fn lane(&self, endpoint: &Endpoint) -> Result<Arc<Lane>, Failure> {
        let id = id(endpoint);
        let known = self.lanes.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = known.get(&id) {
            return Ok(Arc::clone(lane));
        }
        drop(known);
        let lane = Arc::new(self.prepare(endpoint)?);
        let mut known = self.lanes.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(id).or_insert(lane)))
    }

    fn prepare(&self, endpoint: &Endpoint) -> Result<Lane, Failure> {
        let fatal = |what: &str| Failure::fatal(format!("{what} cannot be sent in a header"));
        let request = self.client()?.post(&endpoint.url).build();
        let mut request = request.map_err(|error| Fault::of(&error).at("the model's address"))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &endpoint.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| fatal(name))?;
            headers.insert(header, value.parse().map_err(|_| fatal(name))?);
        }
        if let Some(key) = &endpoint.key {
            let (name, value) = match key {
                Key::Bearer(secret) => (AUTHORIZATION, format!("Bearer {}", secret.expose())),
                Key::Header(name, secret) => (
                    HeaderName::from_bytes(name.as_bytes()).map_err(|_| fatal(name))?,
                    secret.expose().to_owned(),
                ),
            };
            let mut value: HeaderValue = value.parse().map_err(|_| fatal("the key"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut shown = request.url().clone();
        shown.set_query(None);
        let origin = request.url().origin().ascii_serialization();
        let named = endpoint.limit.as_ref().and_then(|limit| self.limiter(limit, key_of(endpoint)));
        let limiter = named.unwrap_or_else(|| {
            kept(&self.lanes.limiters, &["server", &origin, key_of(endpoint)], Limiter::patient)
        });
        let gate = (!limiter.is_stated())
            .then(|| kept(&self.lanes.gates, &[&origin, &endpoint.model], Gate::new));
        let pulse = kept(&self.lanes.pulses, &[&origin], Pulse::default);
        Ok(Lane { request, url: shown.into(), limiter, gate, pulse, log: Seldom::default() })
    }

    /// A named limit, as it holds for a key. A name that is not declared limits
    /// nothing.
    pub(super) fn limiter(&self, name: &str, key: &str) -> Option<Arc<Limiter>> {
        let limit = self.limits.get(name)?;
        let new = || Limiter::new(limit, key, self.folder.as_deref());
        Some(kept(&self.lanes.limiters, &["limit", name, key], new))
    }
}

impl Lane {
    /// The server asks everybody to be patient.
    pub(super) fn be_patient(&self, patience: Duration) {
        if self.limiter.pause(patience)
            && patience >= LONG
            && let Some(Turn { left_out }) = self.log.turn()
        {
            tracing::info!(url = self.url, ?patience, left_out, "the server asks for patience");
        }
    }

    /// A call found nobody there: what the fault means, as far as the others know.
    pub(super) fn missed(&self, fault: Fault) -> Fault {
        let fault = self.pulse.missed(fault);
        if let Some(Turn { left_out }) = self.log.turn() {
            tracing::warn!(url = self.url, left_out, "nobody was found at the server");
        }
        fault
    }

    /// A request with this body.
    pub(super) fn request(&self, body: Vec<u8>) -> reqwest::Request {
        let mut request = reqwest::Request::new(reqwest::Method::POST, self.request.url().clone());
        request.headers_mut().clone_from(self.request.headers());
        *request.body_mut() = Some(body.into());
        request
    }
}

fn kept<T>(known: &Mutex<HashMap<u64, Arc<T>>>, by: &[&str], new: impl FnOnce() -> T) -> Arc<T> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(known.entry(hash(by.iter().copied())).or_insert_with(|| Arc::new(new())))
}

pub(super) fn key_of(endpoint: &Endpoint) -> &str {
    endpoint.key.as_ref().map_or("", |key| key.secret().expose())
}

/// All by which one way differs from another.
fn id(endpoint: &Endpoint) -> u64 {
    let key = key_of(endpoint);
    let limit = endpoint.limit.as_deref().unwrap_or("");
    let headers = endpoint.headers.iter().flat_map(|(name, value)| [*name, value.as_str()]);
    hash([endpoint.url.as_str(), &endpoint.model, limit, key].into_iter().chain(headers))
}

fn hash<'a>(texts: impl Iterator<Item = &'a str>) -> u64 {
    texts.fold(0, |seed, text| xxh3_64_with_seed(text.as_bytes(), seed))
}
