//! `flow doctor FILE`: what the file needs, and whether it is there.

use crate::folder::{Folder, SMALL};

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
