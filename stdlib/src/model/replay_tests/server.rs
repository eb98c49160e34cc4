//! A server on loopback that answers each call with what it was last given, and keeps what it was
//! asked.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::cassette::Exchange;

/// A call that came in.
#[derive(Clone, Default)]
pub(super) struct Asked {
    /// The first line and the headers, in lower case.
    pub(super) head: String,
    pub(super) body: Value,
}

#[derive(Default)]
struct State {
    answer: Vec<u8>,
    asked: Asked,
}

pub(super) struct Server {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        #[expect(clippy::disallowed_methods, reason = "the server is apart from what is tested")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &shared).await;
            }
        });
        Self { url, state }
    }

    /// Answers from now on as was recorded.
    pub(super) fn answer(&self, exchange: &Exchange) {
        // How the bytes were cut for the wire is not part of the answer.
        let of_the_wire = ["transfer-encoding", "content-length", "connection", "keep-alive"];
        let headers = exchange.headers.iter();
        let headers: String = headers
            .filter(|(name, _)| !of_the_wire.contains(&name.to_lowercase().as_str()))
            .flat_map(|(name, value)| [name.as_str(), ": ", value.as_str(), "\r\n"])
            .collect();
        let (status, length) = (exchange.status, exchange.body.len());
        let mut answer = format!(
            "HTTP/1.1 {status} Recorded\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n"
        )
        .into_bytes();
        answer.extend_from_slice(&exchange.body);
        self.state.lock().unwrap().answer = answer;
    }

    /// The last call.
    pub(super) fn asked(&self) -> Asked {
        self.state.lock().unwrap().asked.clone()
    }
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut input = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(read) => input.extend_from_slice(&piece[..read]),
        }
        let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&input[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        if input.len() < end + 4 + length {
            continue;
        }
        let body = serde_json::from_slice(&input[end + 4..]).unwrap_or_default();
        let answer = {
            let mut state = state.lock().unwrap();
            state.asked = Asked { head, body };
            state.answer.clone()
        };
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
        return;
    }
}
