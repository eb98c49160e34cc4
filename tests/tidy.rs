//! The rules of the house, checked against the files themselves.

#![expect(clippy::expect_used, reason = "a test stops at the first thing that is off")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a file may have.
const MOST_LINES: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files of a room, with their texts.
fn rust_files(room: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(room)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("a folder of the house");
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = relative(&path);
                files.push((name, fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no Rust file in {room}");
    files
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

const ROOMS: [&str; 6] = ["dsl/src", "engine/src", "stdlib/src", "cli", "tests", "benches"];

fn all_files() -> Vec<(String, String)> {
    ROOMS.iter().flat_map(|room| rust_files(room)).collect()
}

/// The part of a file that is not its tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn every_file_says_why_it_is_there() {
    let silent: Vec<String> = all_files()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    none(&silent, "a file begins with `//! ` and a sentence");
}

#[test]
fn every_file_fits_in_the_head() {
    let long: Vec<String> = all_files()
        .into_iter()
        .map(|(name, text)| (text.lines().count(), name))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, name)| format!("{name}: {lines}"))
        .collect();
    none(&long, &format!("a file has at most {MOST_LINES} lines"));
}

#[test]
fn no_word_is_left_that_says_it_is_not_done() {
    let words = ["todo!", "unimplemented!", "TODO", "FIXME", "XXX", "#[ignore", "dbg!"];
    let found: Vec<String> = all_files()
        .into_iter()
        .filter(|(name, _)| name != "tests/tidy.rs")
        .flat_map(|(name, text)| {
            let hits = words.iter().filter(move |word| text.contains(**word));
            hits.map(move |word| format!("{name}: {word}")).collect::<Vec<_>>()
        })
        .collect();
    none(&found, "nothing is left undone");
}

#[test]
fn the_rooms_point_one_way() {
    let may_use = [
        ("dsl", vec![]),
        ("engine", vec!["flow-dsl"]),
        ("stdlib", vec!["flow-dsl", "flow-engine"]),
    ];
    let mut found = Vec::new();
    for (room, allowed) in may_use {
        let manifest =
            fs::read_to_string(root().join(room).join("Cargo.toml")).expect("a manifest");
        for line in manifest.lines().filter(|line| line.starts_with("flow-")) {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !allowed.contains(&name) {
                found.push(format!("{room} uses {name}"));
            }
        }
    }
    none(&found, "dsl <- engine <- stdlib <- cli");
}

#[test]
fn each_room_keeps_to_its_own() {
    let never: [(&str, &[&str]); 3] = [
        (
            "dsl/src",
            &[
                "std::fs",
                "std::env",
                "std::net",
                "std::process",
                "async fn",
                "println!",
                "eprintln!",
            ],
        ),
        ("engine/src", &["println!", "eprintln!", "flow_stdlib"]),
        (
            "stdlib/src",
            &[
                "tokio::",
                "std::thread",
                "Instant::now",
                "SystemTime::now",
                "println!",
                "eprintln!",
                "reqwest",
                "TcpStream",
            ],
        ),
    ];
    let mut found = Vec::new();
    for (room, words) in never {
        for (name, text) in rust_files(room).iter().filter(|(name, _)| !name.contains("tests")) {
            let text = without_tests(text);
            found.extend(
                words
                    .iter()
                    .filter(|word| text.contains(**word))
                    .map(|word| format!("{name}: {word}")),
            );
        }
    }
    none(&found, "what a room never does");
}

/// The files of a folder with an ending, by their stems.
fn stems(folder: &str) -> Vec<String> {
    let mut stems: Vec<String> = fs::read_dir(root().join(folder))
        .expect("a folder of the house")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path: PathBuf| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    stems.sort();
    stems
}

#[test]
fn every_stage_and_provider_has_a_page_that_says_what_the_code_says() {
    let catalog = flow_stdlib::REGISTRY.catalog();
    pages("docs/stages", catalog.stages.iter().map(|stage| stage.name));
    pages("docs/providers", catalog.providers.iter().map(|provider| provider.name));
}

/// The pages of a folder are what `flow stages` says of these names, and no others.
fn pages<'a>(folder: &str, names: impl Iterator<Item = &'a str>) {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let bless = std::env::var_os("FLOW_BLESS").is_some();
    for name in &names {
        let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_flow"))
            .args(["stages", name])
            .output()
            .expect("flow runs");
        assert!(output.status.success(), "flow stages {name}");
        let page = root().join(folder).join(format!("{name}.md"));
        if bless {
            fs::create_dir_all(root().join(folder)).expect("the folder of pages");
            fs::write(&page, &output.stdout).expect("the page");
        }
        let written = fs::read(&page).unwrap_or_default();
        assert!(written == output.stdout, "{} is stale: FLOW_BLESS=1 cargo test", relative(&page));
    }
    assert_eq!(stems(folder), names);
}
