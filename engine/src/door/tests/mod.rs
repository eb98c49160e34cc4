//! The door against a server on loopback that says, byte for byte, what it is told to.

mod faults;
mod gates;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Door, Endpoint, Key, Meter, Operation, Request, Secret, Tokens};
use crate::stage::Failure;

/// What the server does with a connection after it has read the call.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Sends these bytes and closes.
    Say(Vec<u8>),
    /// Sends these bytes and resets the connection.
    Reset(Vec<u8>),
    /// Sends the first bytes, then the others again and again.
    Drip(Vec<u8>, Vec<u8>),
}

impl Act {
    /// An answer with its length.
    pub(super) fn answer(status: u16, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n");
        Self::Say([head.as_bytes(), body].concat())
    }
}

/// Serves until the runtime ends. `act` is told the number of the call, from 0.
pub(super) async fn serve(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let act = Arc::new(act);
    #[expect(clippy::disallowed_methods, reason = "the server is apart from what is tested")]
    tokio::spawn(async move {
        for nth in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let act = act(nth);
            tokio::spawn(async move {
                // The client may have gone.
                let _ = serve_one(stream, act).await;
            });
        }
    });
    address
}

async fn serve_one(mut stream: TcpStream, act: Act) -> std::io::Result<()> {
    let mut input = Vec::new();
    // A call ends with its body, and the first word of TLS is no call.
    while !input.ends_with(b"}") && !input.starts_with(b"\x16") {
        if stream.read_buf(&mut input).await? == 0 {
            break;
        }
    }
    match act {
        Act::Say(bytes) => stream.write_all(&bytes).await,
        Act::Reset(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            stream.set_zero_linger()
        }
        Act::Drip(first, drop) => {
            stream.write_all(&first).await?;
            loop {
                stream.write_all(&drop).await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

pub(super) fn endpoint(url: String) -> Endpoint {
    Endpoint {
        system: "openai",
        model: "loopback".to_owned(),
        operation: Operation::Chat,
        url,
        headers: Vec::new(),
        key: Some(Key::Bearer(Secret::new("s3cret"))),
        limit: None,
        price: None,
    }
}

/// Asks once.
pub(super) async fn ask(door: &Door, endpoint: &Endpoint) -> Result<Value, Failure> {
    let body = json!({"model": "loopback"});
    let used = |answer: &Value| Tokens {
        input: answer["in"].as_u64().unwrap_or_default(),
        ..Tokens::default()
    };
    let request = Request {
        endpoint,
        body: body.to_string(),
        estimate: Tokens::default(),
        most_output: None,
        used,
    };
    door.post_json(request, &Meter::default()).await
}
