//! `flow doctor FILE`: what the file needs, and whether it is there.

use std::time::Duration;

use crate::folder::{Folder, SMALL};
use crate::model_server::{ModelServer, Reply};

#[test]
fn the_doctor_says_what_a_file_lacks() {
    let folder = Folder::small();
    // A port that was free a moment ago and that nobody listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let declared = format!(
        "secrets:\n  KEY: {{env: FLOW_TEST_UNSET_KEY}}\nmodels:\n  near: {{provider: rules}}\n  \
         far: {{provider: openai, model: m, base_url: \"http://127.0.0.1:{port}/v1\", key: KEY}}\n"
    );
    folder.file("keyed.yaml", SMALL.replace("stages:\n", &format!("{declared}stages:\n")));
    let answer = folder.flow("doctor keyed.yaml");
    assert_eq!(answer.code, 1, "{}{}", answer.out, answer.err);
    for line in [
        "  KEY  not set, environment variable `FLOW_TEST_UNSET_KEY`",
        "  near  inside flow (`rules`)",
        "  far   no answer: ",
    ] {
        assert!(answer.out.contains(line), "{line}: {}", answer.out);
    }
    let reach = folder.flow("doctor small.yaml");
    assert_eq!((reach.code, reach.err.as_str()), (0, ""), "{}", reach.out);
}

#[test]
fn the_doctor_reaches_every_provider() {
    let server = ModelServer::start(|_, _| (Duration::ZERO, Reply::error(404, "not here")));
    let folder = Folder::small();
    let base = format!("http://{}", server.address);
    let model = |name: &&str| {
        format!("  {name}: {{provider: {name}, model: m, base_url: \"{base}/{name}\"}}\n")
    };
    let providers = ["openai", "anthropic", "gemini", "ollama"];
    let declared: String = providers.iter().map(model).collect();
    let declared = format!("models:\n{declared}stages:\n");
    folder.file("all.yaml", SMALL.replace("stages:\n", &declared));
    let answer = folder.flow("doctor all.yaml");
    assert_eq!((answer.code, server.calls()), (0, 4), "{}{}", answer.out, answer.err);
    for name in providers {
        let line = format!("{base}/{name} answers");
        assert!(answer.out.contains(&line), "{line}: {}", answer.out);
    }
}
