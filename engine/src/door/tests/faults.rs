//! Every fault of the wire has its own message, and says what can be done about it.

use std::io::Write as _;

use super::*;
use crate::stage::FailureKind;

/// Longer than any of the faults needs but the endless ones.
const PATIENCE: Duration = Duration::from_millis(1500);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// The kind of a failure and what it says, without the address.
async fn said(url: String) -> String {
    let door = Door::new(&[]);
    let endpoint = endpoint(url);
    let Ok(answer) = tokio::time::timeout(PATIENCE, ask(&door, &endpoint)).await else {
        return "(never)".to_owned();
    };
    let failure = match answer {
        Ok(json) => return json.to_string(),
        Err(failure) => failure,
    };
    let kind = match failure.kind {
        FailureKind::Bad => "bad",
        FailureKind::Transient => "again",
        FailureKind::Fatal => "fatal",
        FailureKind::Ended => "ended",
        FailureKind::Gone => "gone",
        FailureKind::Away => "away",
        FailureKind::OverBudget => "over budget",
    };
    let patience = failure.retry_after.map(|wait| format!(" (after {}s)", wait.as_secs()));
    let (_, reason) = failure.reason.split_once("/v1: ").unwrap_or(("", &failure.reason));
    format!("{kind}{}: {reason}", patience.unwrap_or_default())
}

fn cases() -> Vec<(&'static str, Act)> {
    let json = "content-type: application/json\r\n";
    let say = |text: &str| Act::Say(text.as_bytes().to_vec());
    let page = b"<html><title>Bad gateway</title></html>";
    let packed = |bytes: Vec<u8>| Act::answer(200, "content-encoding: gzip\r\n", &bytes);
    let whole = gzip(b"{\"a\": 1}");
    let huge = 33 * 1024 * 1024;
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_hours(2));
    vec![
        ("whole", Act::answer(200, json, b"{\"a\":1}")),
        ("reset", Act::Reset(Vec::new())),
        ("closed", say("")),
        ("reset in the body", Act::Reset(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{".to_vec())),
        ("truncated", say("HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{\"a\"")),
        ("chunks", say("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"a\"")),
        ("no chunks", say("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n{\"a\"")),
        ("packed", packed(whole.clone())),
        ("not packed", packed(b"{\"a\": 1}".to_vec())),
        ("half packed", packed(whole[..whole.len() - 12].to_vec())),
        ("bomb", packed(gzip(&vec![b' '; huge]))),
        ("huge", say(&format!("HTTP/1.1 200 X\r\ncontent-length: {huge}\r\n\r\n{{"))),
        ("endless", Act::Drip(b"HTTP/1.1 200 X\r\n\r\n[".to_vec(), vec![b' '; 1024 * 1024])),
        ("page", Act::answer(200, "content-type: text/html\r\n", page)),
        ("text with JSON", Act::answer(200, "content-type: text/plain\r\n", b"{\"a\":1}")),
        ("prose", Act::answer(200, "content-type: text/plain\r\n", b"come back\nlater")),
        ("empty", Act::answer(200, json, b"")),
        ("broken JSON", Act::answer(200, json, b"{\"a\": 1,}")),
        ("cut JSON", Act::answer(200, json, b"{\"a\": [1")),
        ("not UTF-8", Act::answer(200, json, b"{\"a\": \"\xff\"}")),
        ("400", Act::answer(400, json, b"{\"error\": {\"message\": \"too long\"}}")),
        (
            "400 for a refused key",
            Act::answer(
                400,
                json,
                b"{\"error\": {\"message\": \"API key not valid.\", \"details\": [{\"reason\": \"API_KEY_INVALID\"}]}}",
            ),
        ),
        ("401", Act::answer(401, json, b"{\"error\": \"no such key: s3cret\"}")),
        ("403", Act::answer(403, json, b"")),
        ("404", Act::answer(404, json, b"{\"error\": {\"message\": \"no model m\"}}")),
        ("407", Act::answer(407, "", b"")),
        ("408", Act::answer(408, "", b"")),
        ("413", Act::answer(413, "", b"")),
        ("422", Act::answer(422, json, b"[]")),
        ("429", Act::answer(429, "retry-after: 7\r\n", b"")),
        ("429 by date", Act::answer(429, &format!("retry-after: {date}\r\n"), b"")),
        ("429 alone", Act::answer(429, "", b"")),
        ("500", Act::answer(500, "", b"oops")),
        ("502", Act::answer(502, "content-type: text/html\r\n", page)),
        ("503", Act::answer(503, "retry-after: 2\r\n", b"")),
        ("529", Act::answer(529, json, b"{\"error\": {\"message\": \"Overloaded\"}}")),
        ("elsewhere", Act::answer(302, "location: http://u:p@other.example/v2?k=1\r\n", b"")),
        ("TLS", Act::answer(308, "location: https://127.0.0.1/v1\r\n", b"")),
        (
            "drip",
            Act::Drip(b"HTTP/1.1 200 X\r\ncontent-length: 99999\r\n\r\n{".to_vec(), b" ".to_vec()),
        ),
        ("no headers' end", Act::Drip(b"HTTP/1.1 200 X\r\n".to_vec(), b"a: b\r\n".repeat(9999))),
        ("not HTTP", say("SSH-2.0-OpenSSH_9.2\r\n")),
    ]
}

#[tokio::test]
async fn every_fault_has_its_own_words() {
    let mut lines = Vec::new();
    for (name, act) in cases() {
        let address = serve(move |_| act.clone()).await;
        lines.push(format!("{name}: {}", said(format!("http://{address}/v1")).await));
    }
    let address = serve(|_| Act::Say(b"HTTP/1.1 400 X\r\n\r\n".to_vec())).await;
    lines.push(format!("TLS to a plain port: {}", said(format!("https://{address}/v1")).await));
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    lines.push(format!("nobody there: {}", said(format!("http://{free}/v1")).await));
    lines.push(format!("no such host: {}", said("http://nowhere.invalid/v1".to_owned()).await));
    lines.push(format!("no address: {}", said("http://[/v1".to_owned()).await));
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn a_name_and_password_in_the_address_are_used_and_never_shown() {
    let address = serve(|_| Act::answer(500, "", b"")).await;
    let mut endpoint = endpoint(format!("http://me:pass@{address}/v1?key=abc"));
    endpoint.key = None;
    let failure = ask(&Door::new(&[]), &endpoint).await.unwrap_err();
    assert_eq!(failure.reason, format!("http://{address}/v1: HTTP 500"));
}
