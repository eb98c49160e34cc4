//! Signals to a run whose call is never answered.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::folder::Folder;

const PIPELINE: &str = r#"flow: slow
models:
  small: {provider: ollama, base_url: "http://ADDRESS", model: m}
stages:
  rows:
    uses: read
    with: {path: data.jsonl}
  people:
    uses: extract
    from: rows
    with: {model: small, schema: people.yaml, text: text}
  saved:
    uses: store
    from: people
    with: {to: people.jsonl}
"#;
const SCHEMA: &str = "kinds:\n  person: {description: somebody}\n";

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// A run whose call is in flight.
struct Slow {
    child: Child,
    said: Receiver<String>,
    _folder: Folder,
    _server: (TcpListener, TcpStream),
}

/// Starts it in a shell that hands it on `by` some command.
fn start(by: &str) -> Slow {
    let folder = Folder::new();
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("an address").to_string();
    folder.file("slow.yaml", PIPELINE.replace("ADDRESS", &address));
    folder.file("people.yaml", SCHEMA);
    folder.file("data.jsonl", "{\"text\": \"Ann met Bob.\"}\n");
    let script = format!("{by} \"$0\" run slow.yaml --progress none --grace 100ms");
    let mut child = Command::new("sh")
        .current_dir(folder.path("."))
        .args(["-c", &script, env!("CARGO_BIN_EXE_flow")])
        .env("FLOW_STATE", folder.path(".state"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let call = accepted(&server, &mut child);
    let (say, said) = channel();
    let lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
    #[expect(clippy::disallowed_methods, reason = "a test must not wait for ever")]
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
    Slow { child, said, _folder: folder, _server: (server, call) }
}

/// The first call; a run that ends without one is told of instead of waited for.
fn accepted(server: &TcpListener, child: &mut Child) -> TcpStream {
    server.set_nonblocking(true).expect("a mode");
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience && child.try_wait().expect("a status").is_none() {
        if let Ok((call, _)) = server.accept() {
            return call;
        }
        std::thread::yield_now();
    }
    child.kill().expect("killed, or gone");
    panic!("no call came");
}

impl Slow {
    fn send(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("a signal");
    }

    fn next(&mut self) -> String {
        self.said.recv_timeout(PATIENCE).expect("a line")
    }

    fn end(mut self) {
        assert_eq!(self.child.wait().expect("an end").code(), Some(130));
    }
}

#[test]
fn a_program_that_asks_waits_for_the_time_of_grace_and_no_longer() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        // Whoever runs the tests may ignore the end of the terminal himself.
        let mut run = start("exec env --default-signal=HUP");
        run.send(signal);
        assert!(run.next().starts_with("finishing what is in flight, for at most "));
        assert_eq!(run.next(), "the time of grace is over; stopping at once");
        run.end();
    }
}

#[test]
fn the_end_of_the_terminal_is_ignored_under_nohup() {
    let mut run = start("trap '' HUP; exec");
    run.send(Signal::SIGHUP);
    run.send(Signal::SIGINT);
    assert!(run.next().ends_with("press Ctrl-C again to stop at once"));
    run.send(Signal::SIGINT);
    assert_eq!(run.next(), "stopping at once");
    run.end();
}
