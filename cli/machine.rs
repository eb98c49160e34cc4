//! What this machine gives a run: cores, memory, open files, and what a control group takes away.

use std::fs::read_to_string;

/// What could be found out; `None` where this system does not say.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Machine {
    /// Cores that threads can run on, control group and affinity included.
    pub(crate) cores: Option<usize>,
    /// The control group's share of processors, in cores.
    pub(crate) quota: Option<f64>,
    /// Bytes of memory.
    pub(crate) memory: Option<u64>,
    /// Bytes that are free or could be freed.
    pub(crate) available: Option<u64>,
    /// The control group's limit of memory, in bytes.
    pub(crate) memory_limit: Option<u64>,
    /// Files that may be open at once.
    pub(crate) open_files: Option<u64>,
}

/// Lets this program have as many files and connections open as the system allows: a run of many
/// calls needs one for each.
#[cfg(unix)]
pub(crate) fn open_more_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // Where it is refused, calls beyond the limit say so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) const fn open_more_files() {}

/// Looks around.
pub(crate) fn look() -> Machine {
    let read = |path: &str| read_to_string(path).unwrap_or_default();
    let memory = read("/proc/meminfo");
    let groups = read("/proc/self/cgroup");
    let group = group(&groups);
    let in_group = |file: &str| {
        let own = read(&format!("/sys/fs/cgroup{group}/{file}"));
        if own.is_empty() { read(&format!("/sys/fs/cgroup/{file}")) } else { own }
    };
    Machine {
        cores: std::thread::available_parallelism().ok().map(usize::from),
        quota: quota(&in_group("cpu.max")),
        memory: kibibytes(&memory, "MemTotal:"),
        available: kibibytes(&memory, "MemAvailable:"),
        memory_limit: in_group("memory.max").trim().parse().ok(),
        open_files: open_files(&read("/proc/self/limits")),
    }
}

/// The path of the (version 2) control group: the line `0::/path`.
fn group(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("").trim_end_matches('/')
}

/// `200000 100000`: two cores. `max 100000`: no quota.
fn quota(text: &str) -> Option<f64> {
    let mut words = text.split_whitespace();
    let quota: f64 = words.next()?.parse().ok()?;
    let period: f64 = words.next()?.parse().ok()?;
    (period > 0.0).then(|| quota / period)
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

/// The soft limit of the line `Max open files  1024  4096  files`.
fn open_files(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_system_are_understood() {
        assert_eq!(quota("150000 100000\n"), Some(1.5));
        assert_eq!(quota("max 100000\n"), None);
        assert_eq!(quota("1 0"), None);
        assert_eq!(group("12:cpu:/old\n0::/user.slice/\n"), "/user.slice");
        assert_eq!(kibibytes("MemFree: 1 kB\nMemTotal:   2 kB\n", "MemTotal:"), Some(2048));
        assert_eq!(open_files("Max open files            1024      4096      files"), Some(1024));
        assert_eq!(open_files("Max open files            unlimited unlimited"), Some(u64::MAX));
        assert_eq!(open_files(""), None);
    }
}
