//! Measures whole processes: wall-clock time, CPU seconds, peak memory.
//!
//! Each command is run by a process of its own (this program again, with `--measure`), so that the
//! peak of one does not hide that of another.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// What a process cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// From start to end.
    pub(crate) wall: Duration,
    /// User and system time of all its threads, in seconds.
    pub(crate) cpu: f64,
    /// Peak resident memory, in mebibytes.
    pub(crate) peak: f64,
}

/// When this program was started with `--measure COMMAND...`: runs the command, prints what it cost
/// and ends. To be called first.
pub(crate) fn serve_measurements() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(("--measure", command)) =
        words.split_first().map(|(first, rest)| (first.as_str(), rest))
    else {
        return;
    };
    let start = Instant::now();
    let output = Command::new(&command[0]).args(&command[1..]).output().expect("the command runs");
    let wall = start.elapsed();
    if !output.status.success() {
        eprintln!("{command:?}: {}", output.status);
        eprintln!("{}{}", text(&output.stdout), text(&output.stderr));
        std::process::exit(1);
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children");
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1_000_000.0;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    println!("{} {cpu} {}", wall.as_secs_f64(), usage.max_rss() as f64 / 1024.0);
    std::process::exit(0);
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command to its end and says what it cost.
pub(crate) fn measure(command: &[&str]) -> Cost {
    let own = std::env::current_exe().expect("a path of this program");
    let output = Command::new(own).arg("--measure").args(command).output().expect("it runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let numbers: Vec<f64> =
        printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wall, cpu, peak] = numbers[..] else { panic!("cannot read `{printed}`") };
    Cost { wall: Duration::from_secs_f64(wall), cpu, peak }
}

/// Runs a pipeline to its end and says what it cost.
pub(crate) fn run(pipeline: &str, flags: &[&str]) -> Cost {
    let command = [env!("CARGO_BIN_EXE_flow"), "run", pipeline, "--progress", "none"];
    measure(&[&command, flags].concat())
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
