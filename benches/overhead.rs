//! What the engine costs where the work is nothing: small JSON records through read, set, filter
//! (half pass), batches of 100, write, against a hand-written single-thread `serde_json` loop that
//! does the same. Both in one run, by CPU seconds and peak memory, in turns.
//!
//! `cargo bench --bench overhead` (`-- RECORDS...` for other sizes)

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::cast_precision_loss,
    reason = "a bench prints, and stops at the first thing that is off"
)]

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde_json::Value;
use support::{Cost, measure, median, run};

const ROUNDS: usize = 5;

const PIPELINE: &str = r#"
flow: overhead
params:
  input: {type: path}
  output: {type: path}
stages:
  rows: {uses: read, with: {path: "{{ params.input }}", format: jsonl}}
  labelled: {uses: set, from: rows, with: {fields: {label: "note {{ id }}"}}}
  even: {uses: filter, from: labelled, with: {where: id % 2 == 0}}
  saved: {uses: store, from: even, batch_size: 100, with: {to: "{{ params.output }}"}}
"#;

fn main() {
    support::serve_measurements();
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [mode, input, output] = &words[..]
        && mode == "--loop"
    {
        return hand_written(Path::new(input), Path::new(output));
    }
    let sizes: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![100_000, 1_000_000] } else { sizes };
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("overhead.yaml"), PIPELINE).expect("the pipeline file");
    println!("| records | | CPU s | wall s | peak MiB |\n|---|---|---|---|---|");
    for size in sizes {
        compare(folder.path(), size);
    }
}

fn compare(folder: &Path, size: u64) {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (input, by_loop, by_flow) = (path("in.jsonl"), path("loop.jsonl"), path("flow.jsonl"));
    write_records(Path::new(&input), size);
    let own = std::env::current_exe().expect("a path of this program");
    let own = own.to_string_lossy();
    let pipeline = path("overhead.yaml");
    let (mut loops, mut flows) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        loops.push(measure(&[&own, "--loop", &input, &by_loop]));
        flows.push(run(&pipeline, &["--input", &input, "--output", &by_flow]));
    }
    let same = std::fs::read(&by_loop).expect("lines of the loop")
        == std::fs::read(&by_flow).expect("lines of flow");
    assert!(same, "flow and the loop wrote different lines");
    for (name, costs) in [("loop", &loops), ("flow", &flows)] {
        let middle = |of: fn(&Cost) -> f64| median(costs.iter().map(of).collect());
        let (cpu, wall) = (middle(|cost| cost.cpu), middle(|cost| cost.wall.as_secs_f64()));
        println!("| {size} | {name} | {cpu:.2} | {wall:.2} | {:.0} |", middle(|cost| cost.peak));
    }
    let ratios = flows.iter().zip(&loops).map(|(flow, one)| flow.cpu / one.cpu).collect();
    println!("| {size} | ratio | {:.2} | | |", median(ratios));
}

fn write_records(path: &Path, size: u64) {
    let mut file = BufWriter::new(File::create(path).expect("the input file"));
    let mut random = fastrand::Rng::with_seed(7);
    for id in 0..size {
        let text: String = (0..100).map(|_| random.lowercase()).collect();
        writeln!(file, r#"{{"id":{id},"text":"{text}"}}"#).expect("a line");
    }
}

/// The same work without any engine.
fn hand_written(input: &Path, output: &Path) {
    let mut input = BufReader::with_capacity(1 << 16, File::open(input).expect("the input"));
    let mut output = BufWriter::with_capacity(1 << 16, File::create(output).expect("the output"));
    let mut line = String::new();
    loop {
        line.clear();
        if input.read_line(&mut line).expect("a line") == 0 {
            break;
        }
        let mut record: Value = serde_json::from_str(&line).expect("JSON");
        let id = record["id"].as_u64().expect("a number");
        record["label"] = Value::from(format!("note {id}"));
        if id.is_multiple_of(2) {
            serde_json::to_writer(&mut output, &record).expect("a line");
            output.write_all(b"\n").expect("a line");
        }
    }
    output.flush().expect("the output");
}
