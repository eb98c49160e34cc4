//! A call over HTTP: out with a JSON body, back with bytes or with a failure that says what to do.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{Door, Endpoint, Key, Meter, Tokens};
use crate::stage::{Failure, FailureKind};

/// The longest answer that is read.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Characters of a server's own words that go into a message.
const WORDS: usize = 300;
/// The longest patience that a server may ask for.
const MOST_PATIENCE: Duration = Duration::from_hours(1);

/// A call to a model.
#[derive(Debug)]
pub struct Request<'a> {
    /// Where it goes.
    pub endpoint: &'a Endpoint,
    /// The JSON body.
    pub body: &'a Value,
    /// Tokens that it will use, as far as can be told beforehand.
    pub estimate: Tokens,
    /// Reads the tokens that the server counted from its answer.
    pub used: fn(&Value) -> Tokens,
}

impl Door {
    /// Posts JSON and reads the whole answer, JSON too.
    ///
    /// Waits for the named limit first. Connection errors, 408, 425, 429 and 5xx are transient
    /// (with the patience that `Retry-After` asks for, which holds back all calls under the same
    /// limit); 401, 403 and a wrong address are fatal; any other status means a bad record.
    pub async fn post_json(&self, request: Request<'_>, meter: &Meter) -> Result<Value, Failure> {
        let endpoint = request.endpoint;
        let pass = match endpoint.limit.as_deref() {
            Some(limit) if !meter.holds(limit) => {
                let estimate = request.estimate;
                self.enter(limit, estimate.input + estimate.output, meter).await?
            }
            _ => None,
        };
        meter.call();
        let result = self.exchange(endpoint, request.body).await;
        match &result {
            Ok(answer) => {
                let tokens = (request.used)(answer);
                meter.used(tokens, endpoint.price);
                if let Some(pass) = &pass {
                    pass.settle(tokens.input + tokens.output);
                }
            }
            Err(failure) => {
                if let (Some(pass), Some(patience)) = (&pass, failure.retry_after)
                    && !patience.is_zero()
                {
                    pass.pause(patience);
                }
            }
        }
        result.map_err(|failure| match &endpoint.key {
            Some(key) => Failure { reason: key.secret().hide(&failure.reason), ..failure },
            None => failure,
        })
    }

    /// Asks a server for anything at all, within five seconds: the status that it answers with, to
    /// tell that it is there.
    pub async fn reach(&self, url: &str) -> Result<u16, Failure> {
        let call = self.client()?.get(url).timeout(Duration::from_secs(5)).send();
        let answer = call.await.map_err(|error| unreached(url, &error))?;
        Ok(answer.status().as_u16())
    }

    async fn exchange(&self, endpoint: &Endpoint, body: &Value) -> Result<Value, Failure> {
        let url = endpoint.url.as_str();
        let mut call = self.client()?.post(url).json(body);
        for (name, value) in &endpoint.headers {
            call = call.header(*name, value);
        }
        call = match &endpoint.key {
            Some(Key::Bearer(secret)) => call.bearer_auth(secret.expose()),
            Some(Key::Header(name, secret)) => call.header(*name, secret.expose()),
            None => call,
        };
        let mut response = call.send().await.map_err(|error| unreached(url, &error))?;
        let status = response.status().as_u16();
        let patience = retry_after(response.headers());
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| {
            Failure::transient(format!("{url}: the answer broke off: {}", innermost(&error)))
        })? {
            if body.len() + piece.len() > MOST_BYTES {
                return Err(Failure::bad(format!(
                    "{url}: the answer is longer than {MOST_BYTES} bytes"
                )));
            }
            body.extend_from_slice(&piece);
        }
        if let Some(key) = &endpoint.key {
            body = key.secret().hide_bytes(body);
        }
        if !(200..300).contains(&status) {
            return Err(refused(url, status, patience, &body));
        }
        serde_json::from_slice(&body).map_err(|_| {
            let words = words_of(&body);
            Failure::transient(format!("{url}: the answer is not JSON{words}"))
        })
    }

    fn client(&self) -> Result<&reqwest::Client, Failure> {
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
            .map_err(|error| Failure::fatal(format!("no HTTP client: {}", innermost(&error))))?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn unreached(url: &str, error: &reqwest::Error) -> Failure {
    let reason = format!("{url}: {}", innermost(error));
    if error.is_builder() { Failure::fatal(reason) } else { Failure::transient(reason) }
}

/// The last cause says what happened; those around it only where.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn refused(url: &str, status: u16, retry_after: Option<Duration>, body: &[u8]) -> Failure {
    let kind = match status {
        401 | 403 | 404 | 300..=399 => FailureKind::Fatal,
        408 | 425 | 429 | 500..=599 => FailureKind::Transient,
        _ => FailureKind::Bad,
    };
    let words = words_of(body);
    let meaning = match status {
        401 | 403 => " (the key is refused)",
        404 => " (no such address or model)",
        429 => " (over the server's limit)",
        300..=399 => " (the server sends elsewhere; use the address that it means)",
        _ => "",
    };
    let reason = format!("{url}: HTTP {status}{meaning}{words}");
    let retry_after = retry_after.filter(|_| kind == FailureKind::Transient);
    Failure { reason, kind, retry_after, answer: None }
}

/// The server's own words: the `message` of a JSON error, or the beginning of the body.
fn words_of(body: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| {
        let error = json.get("error").unwrap_or(json);
        error.get("message").unwrap_or(error).as_str()
    });
    let text = message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return String::new();
    }
    let cut: String = words.chars().take(WORDS).collect();
    format!(": {cut}")
}

/// `Retry-After` in both its forms, seconds and a date.
fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let patience = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(SystemTime::now())
            .unwrap_or(Duration::ZERO),
    };
    Some(patience.min(MOST_PATIENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_can_be_done() {
        for (status, body, kind, reason) in [
            (
                401,
                r#"{"error": {"message": "bad key"}}"#,
                FailureKind::Fatal,
                "u: HTTP 401 (the key is refused): bad key",
            ),
            (429, "", FailureKind::Transient, "u: HTTP 429 (over the server's limit)"),
            (
                503,
                "<html>\n  busy</html>",
                FailureKind::Transient,
                "u: HTTP 503: <html> busy</html>",
            ),
            (400, r#"{"error": "too long"}"#, FailureKind::Bad, "u: HTTP 400: too long"),
            (
                302,
                "",
                FailureKind::Fatal,
                "u: HTTP 302 (the server sends elsewhere; use the address that it means)",
            ),
        ] {
            let failure = refused("u", status, Some(Duration::from_secs(1)), body.as_bytes());
            assert_eq!((failure.kind, failure.reason.as_str()), (kind, reason));
            assert_eq!(failure.retry_after.is_some(), kind == FailureKind::Transient);
        }
    }

    #[test]
    fn retry_after_has_two_forms() {
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
        for (text, low, high) in
            [("7", 7, 7), ("0.5", 0, 1), (date.as_str(), 85, 90), ("99999", 3600, 3600)]
        {
            let mut headers = reqwest::header::HeaderMap::new();
            headers.insert("retry-after", text.parse().unwrap());
            let seconds = retry_after(&headers).unwrap().as_secs();
            assert!((low..=high).contains(&seconds), "{text}: {seconds}");
        }
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("retry-after", "soon".parse().unwrap());
        assert_eq!(retry_after(&headers), None);
    }
}
