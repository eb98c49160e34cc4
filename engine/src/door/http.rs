//! A call over HTTP: out with a JSON body, back with bytes or with a failure that says what to do.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::time::Instant;

use super::budget::Hold;
use super::fault::Fault;
use super::gate::Sign;
use super::lane::{Lane, key_of};
use super::span::CallSpan;
use super::{Cause, Door, Endpoint, Meter, Money, Tokens, quota};
use crate::stage::{Failure, FailureKind};

/// The longest answer that is read, unpacked.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// A call to a model.
#[derive(Debug)]
pub struct Request<'a> {
    /// Where it goes.
    pub endpoint: &'a Endpoint,
    /// The JSON body.
    pub body: String,
    /// Tokens that it will use, as far as can be told beforehand.
    pub estimate: Tokens,
    /// The most tokens of the answer, when the server is told them.
    pub most_output: Option<u64>,
    /// Reads the tokens that the server counted from its answer.
    pub used: fn(&Value) -> Tokens,
}

impl Request<'_> {
    /// What it costs at most, where that is known: a token has a byte at least.
    fn most(&self, input: u64) -> Option<Money> {
        let output = self.most_output?;
        self.endpoint.price.map(|price| price.of(Tokens { input, cached: 0, output }))
    }
}

/// What came of a call.
struct Answer {
    json: Result<Value, Fault>,
    /// The server wants everybody to wait.
    patience: Option<Duration>,
    /// The call never arrived, or was refused, and costs nothing.
    free: bool,
}

impl Door {
    /// Posts JSON and reads the whole answer, JSON too.
    ///
    /// Waits for the gate and the limit of the endpoint first. Connection errors, 408, 425, 429 and
    /// 5xx are transient; 401, 403 and a wrong address are fatal; any other status means a bad
    /// record. The patience that a server asks for holds back all calls under the same limit.
    pub async fn post_json(
        &self,
        mut request: Request<'_>,
        meter: &Meter,
    ) -> Result<Value, Failure> {
        let endpoint = request.endpoint;
        let lane = self.lane(endpoint)?;
        let body = std::mem::take(&mut request.body);
        let most = request.most(body.len() as u64);
        let mut hold = self.hold(&request, most, meter).await?;
        let span = CallSpan::new(endpoint, &lane.url, meter);
        let start = Instant::now();
        let estimate = request.estimate.input + request.estimate.output;
        let own = meter.limit().filter(|limit| endpoint.limit.as_deref() != Some(limit));
        let own = own.and_then(|limit| self.limiter(limit, key_of(endpoint)));
        let first = match &own {
            Some(limiter) => Some(self.unless_closing(limiter.enter(estimate, meter)).await?),
            None => None,
        };
        let place = match &lane.gate {
            Some(gate) => Some(self.unless_closing(gate.enter(meter)).await?),
            None => None,
        };
        let pass = self.unless_closing(lane.limiter.enter(estimate, meter)).await?;
        span.out(start.elapsed());
        let place = place.map(super::gate::Through::begin);
        let sent = meter.call(most);
        let start = Instant::now();
        hold.iter_mut().for_each(Hold::sent);
        let answer = self.exchange(&lane, &request, body, (&span, meter)).await;
        if let Some(hold) = hold.as_mut().filter(|_| answer.free) {
            hold.settle(Money::ZERO);
        }
        if answer.free || answer.json.is_ok() {
            sent.settle();
        }
        if let Some(patience) = answer.patience {
            lane.be_patient(patience);
        }
        let sign = answer.json.as_ref().map_or_else(|fault| fault.sign, |_| Sign::Good);
        if let Some(place) = place {
            place.end(sign);
        }
        let json = match answer.json {
            Ok(json) => json,
            Err(fault) => {
                span.failed(fault.class);
                return Err(failed(&lane, endpoint, fault, answer.patience));
            }
        };
        meter.answered(start.elapsed());
        let tokens = (request.used)(&json);
        meter.used(endpoint, tokens);
        // A server that does not say what it used may have used all.
        if let (Some(hold), Some(price)) = (&mut hold, endpoint.price)
            && tokens != Tokens::default()
        {
            hold.settle(price.of(tokens));
        }
        for pass in [Some(pass), first].into_iter().flatten() {
            pass.settle(tokens.input + tokens.output);
        }
        span.used(tokens);
        Ok(json)
    }

    /// Sets aside what a call can cost at most, if a budget wants it.
    async fn hold(
        &self,
        request: &Request<'_>,
        most: Option<Money>,
        meter: &Meter,
    ) -> Result<Option<Hold<'_>>, Failure> {
        if !self.purse.binds(meter.node()) {
            return Ok(None);
        }
        let Some(most) = most else {
            let model = &request.endpoint.model;
            return Err(Failure::fatal(format!(
                "nobody knows what a call of `{model}` can cost, so that no budget can be kept"
            )));
        };
        let _waiting = meter.wait(Cause::Budget);
        self.unless_closing(self.purse.hold(meter.node(), most)).await?.map(Some)
    }

    /// Asks a server for anything at all, within five seconds: the status that it answers with, to
    /// tell that it is there.
    pub async fn reach(&self, url: &str) -> Result<u16, Failure> {
        let call = self.client()?.get(url).timeout(Duration::from_secs(5)).send();
        let answer = call.await.map_err(|error| Fault::of(&error).at(url))?;
        Ok(answer.status().as_u16())
    }

    /// Hands JSON to a server that gives nothing back, within five seconds: once, and without the
    /// span that a call to a model has.
    pub async fn deliver(&self, url: &str, body: &Value) -> Result<(), Failure> {
        let call = self.client()?.post(url).json(body).timeout(Duration::from_secs(5)).send();
        let mut answer = call.await.map_err(|error| Fault::of(&error).at(url))?;
        let status = answer.status().as_u16();
        let body = read(&mut answer).await.map_err(|fault| fault.at(url))?;
        match status {
            200..300 => Ok(()),
            _ => Err(Fault::refused(status, None, &body).at(url)),
        }
    }

    async fn exchange(
        &self,
        lane: &Lane,
        request: &Request<'_>,
        body: String,
        (span, meter): (&CallSpan, &Meter),
    ) -> Answer {
        let failed = |fault, patience, free| Answer { json: Err(fault), patience, free };
        let client = match self.client() {
            Ok(client) => client,
            Err(failure) => return failed(Fault::no_client(failure), None, true),
        };
        let waiting = lane.pulse.call(&lane.url, meter);
        let sent = client.execute(lane.request(body.into_bytes())).await;
        waiting.end();
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => {
                let nobody = error.is_connect();
                let mut fault = Fault::of(&error);
                if nobody && fault.kind == FailureKind::Transient {
                    fault = lane.missed(fault);
                }
                return failed(fault, None, nobody || error.is_builder());
            }
        };
        lane.pulse.heard();
        let status = response.status().as_u16();
        span.status(status);
        let refused = !(200..300).contains(&status);
        let patience =
            quota::patience(response.headers(), status, request.estimate, SystemTime::now());
        let body = match read(&mut response).await {
            Ok(body) => body,
            Err(fault) => return failed(fault, patience, refused),
        };
        if refused {
            let location = response.headers().get(reqwest::header::LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            return failed(Fault::refused(status, location, &body), patience, true);
        }
        let mut json =
            serde_json::from_slice(&body).map_err(|error| Fault::not_json(&body, &error));
        if let (Ok(json), Some(key)) = (&mut json, &request.endpoint.key) {
            key.secret().hide_in(json);
        }
        Answer { json, patience, free: false }
    }

    pub(super) fn client(&self) -> Result<&reqwest::Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Only the first installation counts; any later one is refused, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("flow/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::fatal(format!("no HTTP client: {error}")))?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn failed(lane: &Lane, endpoint: &Endpoint, fault: Fault, patience: Option<Duration>) -> Failure {
    let mut failure = fault.at(&lane.url);
    if failure.kind == FailureKind::Transient {
        failure.retry_after = patience;
    }
    if let Some(key) = &endpoint.key {
        failure.reason = key.secret().hide(&failure.reason);
    }
    failure
}

/// Reads a body to its end, but never more than so much, unpacked.
async fn read(response: &mut reqwest::Response) -> Result<Vec<u8>, Fault> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > MOST_BYTES) {
        return Err(Fault::too_long(MOST_BYTES));
    }
    let mut body = Vec::with_capacity(announced.unwrap_or_default());
    while let Some(piece) = response.chunk().await.map_err(|error| Fault::of(&error))? {
        if body.len() + piece.len() > MOST_BYTES {
            return Err(Fault::too_long(MOST_BYTES));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
