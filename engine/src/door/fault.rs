//! What can go wrong with a call over HTTP, in words, and what can be done about it.

use std::error::Error;
use std::io;

use serde_json::Value;

use super::gate::Sign;
use crate::stage::{Failure, FailureKind};

/// What a system says when a program, or all of them, have too many files open (ENFILE, EMFILE).
const TOO_MANY_FILES: [i32; 2] = [23, 24];
/// Characters of a server's own words that go into a message.
const WORDS: usize = 300;

/// A call that came to nothing.
#[derive(Debug)]
pub(super) struct Fault {
    /// A lowercase fragment.
    pub(super) reason: String,
    pub(super) kind: FailureKind,
    /// One word for it, as OpenTelemetry wants.
    pub(super) class: &'static str,
    /// What it says of the server's load.
    pub(super) sign: Sign,
    /// What to do, where the run stops for it.
    pub(super) help: Option<&'static str>,
}

impl Fault {
    fn new(kind: FailureKind, class: &'static str, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), kind, class, sign: Sign::None, help: None }
    }

    const fn overload(mut self) -> Self {
        self.sign = Sign::Bad;
        self
    }

    const fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }

    /// Nothing can be sent at all.
    pub(super) fn no_client(failure: Failure) -> Self {
        Self::new(failure.kind, "client", failure.reason)
    }

    /// As the failure of a call to this address.
    pub(super) fn at(self, url: &str) -> Failure {
        let reason = format!("{url}: {}", self.reason);
        let help = self.help.map(Into::into);
        Failure { reason, kind: self.kind, retry_after: None, answer: None, help }
    }

    /// No answer came, or it broke off.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        use FailureKind::{Fatal, Transient};
        if error.is_builder() {
            return Self::new(Fatal, "address", last(error).to_string());
        }
        let connecting = error.is_connect();
        for cause in causes(error) {
            if let Some(tls) = rustls_error(cause) {
                return tls_fault(tls);
            }
            if cause.to_string() == "dns error" {
                return Self::new(Transient, "dns", "the host is not found");
            }
            if let Some(hyper) = cause.downcast_ref::<hyper::Error>()
                && let Some(fault) = hyper_fault(hyper)
            {
                return fault;
            }
        }
        let io = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last();
        if io.and_then(io::Error::raw_os_error).is_some_and(|code| TOO_MANY_FILES.contains(&code)) {
            return Self::too_many_files();
        }
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => {
                let reason = "the connection is refused; nobody listens there";
                Self::new(Transient, "connection_refused", reason).overload()
            }
            Some(
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe,
            ) if error.is_body() || error.is_decode() => {
                let reason = "the answer broke off: the connection was reset";
                Self::new(Transient, "connection_reset", reason).overload()
            }
            Some(
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe,
            ) => {
                let reason = "the connection was reset before an answer came";
                Self::new(Transient, "connection_reset", reason).overload()
            }
            _ if error.is_timeout() && connecting => {
                let reason = "no connection within 10s";
                Self::new(Transient, "connect_timeout", reason).overload()
            }
            _ if connecting => {
                let reason = format!("no connection: {}", last(error));
                Self::new(Transient, "connect", reason).overload()
            }
            _ if error.is_decode() && !causes(error).any(<dyn Error>::is::<hyper::Error>) => {
                let reason = format!("the answer cannot be unpacked: {}", last(error));
                Self::new(Transient, "compression", reason)
            }
            _ => {
                let reason = format!("the answer broke off: {}", last(error));
                Self::new(Transient, "broken_off", reason).overload()
            }
        }
    }

    fn too_many_files() -> Self {
        let reason = "no connection: this program may have no more files and connections open";
        let fault = Self::new(FailureKind::Fatal, "too_many_files", reason);
        fault.help("Raise the limit (`ulimit -n`), or lower the `parallelism` of what calls.")
    }

    /// The answer is longer than is read.
    pub(super) fn too_long(most: usize) -> Self {
        let reason = format!("the answer is longer than {} MiB", most / 1024 / 1024);
        Self::new(FailureKind::Bad, "too_long", reason)
    }

    /// The server refuses.
    pub(super) fn refused(status: u16, location: Option<&str>, body: &[u8]) -> Self {
        // Gemini calls a key that it does not know a bad request.
        let meant = if status == 400 && holds(body, "API_KEY_INVALID") { 401 } else { status };
        let kind = match meant {
            401 | 403 | 404 | 407 | 300..=399 => FailureKind::Fatal,
            408 | 425 | 429 | 500..=599 => FailureKind::Transient,
            _ => FailureKind::Bad,
        };
        let meaning = match meant {
            300..=399 => " (the server sends elsewhere; use the address that it means)",
            401 | 403 => " (the key is refused)",
            404 => " (no such address or model)",
            407 => " (the proxy wants a password)",
            408 => " (the server did not get the call in time)",
            413 => " (the call is too large)",
            429 => " (over the server's limit)",
            529 => " (the server is overloaded)",
            _ => "",
        };
        let words = match location {
            Some(location) if matches!(status, 300..=399) => {
                format!(": {}", start(&bare(location)))
            }
            _ => words_of(body),
        };
        let fault = Self::new(kind, class(meant), format!("HTTP {status}{meaning}{words}"));
        match status {
            408 | 429 | 502..=504 | 529 => fault.overload(),
            _ => fault,
        }
    }

    /// The answer is no JSON.
    pub(super) fn not_json(body: &[u8], error: &serde_json::Error) -> Self {
        let again = |class, reason| Self::new(FailureKind::Transient, class, reason);
        let Ok(text) = std::str::from_utf8(body) else {
            return again("not_utf8", "the answer is not UTF-8".to_owned());
        };
        let text = text.trim_start();
        if text.is_empty() {
            again("empty", "the answer is empty".to_owned())
        } else if text.starts_with('<') {
            again("html", format!("the answer is a page and not JSON{}", words_of(body)))
        } else if error.is_eof() {
            again("json", "the answer is JSON that is cut off".to_owned())
        } else {
            again("json", format!("the answer is not JSON{}", words_of(body)))
        }
    }
}

fn hyper_fault(error: &hyper::Error) -> Option<Fault> {
    use FailureKind::Transient;
    if error.to_string() == "message head is too large" {
        Some(Fault::new(Transient, "headers", "the headers of the answer have no end"))
    } else if error.is_parse() {
        let reason = format!("the answer is not HTTP: {error}");
        Some(Fault::new(Transient, "not_http", reason))
    } else if error.is_incomplete_message() {
        let reason = "the connection was closed before an answer came";
        Some(Fault::new(Transient, "closed", reason).overload())
    } else {
        None
    }
}

/// TLS that fails will fail again, so that nothing is gained by trying.
fn tls_fault(error: &rustls::Error) -> Fault {
    let reason = match error {
        rustls::Error::InvalidMessage(_) => {
            "the server does not speak TLS there; write `http://`".to_owned()
        }
        rustls::Error::InvalidCertificate(why) => {
            format!("the server's certificate is not trusted: {why}")
        }
        other => format!("no secure connection: {other}"),
    };
    Fault::new(FailureKind::Fatal, "tls", reason)
}

fn rustls_error<'e>(cause: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    cause.downcast_ref().or_else(|| {
        let inner = cause.downcast_ref::<io::Error>()?.get_ref()?;
        rustls_error(inner)
    })
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The last cause says what happened; those around it only where.
fn last<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}

/// One word for a status.
const fn class(status: u16) -> &'static str {
    match status {
        300..=399 => "redirect",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        407 => "407",
        408 => "408",
        413 => "413",
        429 => "429",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        529 => "529",
        _ if status >= 500 => "5xx",
        _ => "4xx",
    }
}

/// An address without the name and password in it, and without its query.
fn bare(url: &str) -> String {
    let Ok(mut url) = reqwest::Url::parse(url) else {
        return url.split(['?', '#']).next().unwrap_or_default().to_owned();
    };
    // An address that cannot have a name has none.
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// Whether a body says a word.
fn holds(body: &[u8], word: &str) -> bool {
    body.windows(word.len()).any(|window| window == word.as_bytes())
}

/// The server's own words: the `message` of a JSON error, or the beginning of the body.
fn words_of(body: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| {
        let error = json.get("error").unwrap_or(json);
        error.get("message").unwrap_or(error).as_str()
    });
    let text = match message {
        Some(message) => start(message),
        // A character is four bytes at most, and the blanks between words are few.
        None => start(&String::from_utf8_lossy(&body[..body.len().min(8 * WORDS)])),
    };
    if text.is_empty() { text } else { format!(": {text}") }
}

/// The beginning of a text, in one line.
fn start(text: &str) -> String {
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(WORDS) {
        Some((at, _)) => words[..at].to_owned(),
        None => words,
    }
}
