//! A model on loopback: speaks HTTP/1.1, and the OpenAI chat wire format unless told otherwise,
//! with chosen latency and faults. It counts what it is asked and how much at once. It ends with the process.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with one call.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers with this status, these further headers and this body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Reads the call and never answers.
    Hang,
    /// Reads the call and closes the connection.
    Close,
    /// Announces more than it sends, then closes the connection.
    Truncate(Vec<u8>),
}

impl Reply {
    /// A success with this body.
    pub(crate) fn json(body: &Value) -> Self {
        Self::Answer(200, Vec::new(), body.to_string().into_bytes())
    }

    /// A successful chat completion with this content; tokens are counted as words.
    pub(crate) fn content(content: &str) -> Self {
        let words = content.split_whitespace().count();
        let body = json!({
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "loopback",
            "choices": [{
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content},
            }],
            "usage": {"prompt_tokens": 100, "completion_tokens": words, "total_tokens": 100 + words},
        });
        Self::json(&body)
    }

    /// The same, cut off at the most tokens.
    pub(crate) fn cut_off(content: &str) -> Self {
        let choice = json!({"finish_reason": "length", "message": {"content": content}});
        Self::json(&json!({"choices": [choice]}))
    }

    /// An error as servers of this format send it.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        let body = json!({"error": {"message": message, "type": "test"}});
        Self::Answer(status, Vec::new(), body.to_string().into_bytes())
    }

    /// An error with a further header.
    pub(crate) fn error_with(
        status: u16,
        message: &str,
        header: &'static str,
        value: &str,
    ) -> Self {
        match Self::error(status, message) {
            Self::Answer(status, _, body) => {
                Self::Answer(status, vec![(header, value.to_owned())], body)
            }
            other => other,
        }
    }
}

type Script = dyn Fn(usize, &Value) -> (Duration, Reply) + Send + Sync;

/// The server.
pub(crate) struct ModelServer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    script: Box<Script>,
    calls: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    /// The first line and the headers of the last call, in lower case.
    head: Mutex<String>,
}

impl ModelServer {
    /// Starts a server whose script says, for the number of the call (from 0) and its body, how
    /// long to wait and what to do then.
    pub(crate) fn start(
        script: impl Fn(usize, &Value) -> (Duration, Reply) + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::new(State {
            script: Box::new(script),
            calls: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            head: Mutex::default(),
        });
        let (tell, told) = std::sync::mpsc::channel();
        let shared = Arc::clone(&state);
        #[expect(clippy::disallowed_methods, reason = "the server is apart from what is tested")]
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime for the server");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                tell.send(listener.local_addr().expect("an address")).expect("the starter waits");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
            });
        });
        let address = told.recv().expect("the server starts");
        Self { address, state }
    }

    /// The `base_url` for a pipeline.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The first line and the headers of the last call, in lower case.
    pub(crate) fn head(&self) -> String {
        self.state.head.lock().expect("no panic").clone()
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.state.calls.load(Ordering::SeqCst)
    }

    /// The most calls that were under way at one time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.state.most_at_once.load(Ordering::SeqCst)
    }
}

/// Serves one connection, call after call.
async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let mut input = Vec::new();
    while let Some((asked, body)) = read_call(&mut stream, &mut input).await {
        *state.head.lock().expect("no panic") = asked;
        let nth = state.calls.fetch_add(1, Ordering::SeqCst);
        let now = state.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_at_once.fetch_max(now, Ordering::SeqCst);
        let (wait, reply) = (state.script)(nth, &body);
        tokio::time::sleep(wait).await;
        state.at_once.fetch_sub(1, Ordering::SeqCst);
        let (head, body) = match reply {
            Reply::Answer(status, headers, body) => (head(status, &headers, body.len()), body),
            Reply::Truncate(body) => (head(200, &[], body.len() + 100), body),
            Reply::Hang => std::future::pending().await,
            Reply::Close => return,
        };
        let truncated = head.contains(&format!("content-length: {}\r\n", body.len() + 100));
        let mut output = head.into_bytes();
        output.extend_from_slice(&body);
        if stream.write_all(&output).await.is_err() || truncated {
            return;
        }
    }
}

fn head(status: u16, headers: &[(&str, String)], length: usize) -> String {
    let head = format!("HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\n");
    let further: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{head}{}content-length: {length}\r\n\r\n", further.concat())
}

/// The head and the JSON body of the next call; nothing when the connection is closed.
async fn read_call(stream: &mut TcpStream, input: &mut Vec<u8>) -> Option<(String, Value)> {
    loop {
        if let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&input[..end]).to_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|value| value.trim().parse().ok())
                .unwrap_or(0);
            let start = end + 4;
            if input.len() >= start + length {
                let body = serde_json::from_slice(&input[start..start + length]);
                input.drain(..start + length);
                return Some((head, body.unwrap_or(Value::Null)));
            }
        }
        let mut piece = vec![0; 16 * 1024];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => input.extend_from_slice(&piece[..read]),
        }
    }
}
