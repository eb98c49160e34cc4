//! Where runs of one user keep the little that outlives them: shared limits, the day's spending.

use std::ffi::OsString;
use std::path::PathBuf;

/// The folder for it: `FLOW_STATE`, or else where the system wants such things. None when the
/// system names no place for this user. It need not exist yet.
pub fn folder() -> Option<PathBuf> {
    folder_by(|name| std::env::var_os(name))
}

fn folder_by(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("FLOW_STATE")
        .or_else(|| set("XDG_STATE_HOME").map(|state| state.join("flow")))
        .or_else(|| set("HOME").map(|home| home.join(".local/state/flow")))
        .or_else(|| set("LOCALAPPDATA").map(|data| data.join("flow")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_place_that_is_named_is_taken() {
        for (set, expected) in [
            (&[("FLOW_STATE", "/s"), ("HOME", "/h")][..], Some("/s")),
            (&[("FLOW_STATE", ""), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")], Some("/x/flow")),
            (&[("HOME", "/h")], Some("/h/.local/state/flow")),
            (&[], None),
        ] {
            let variable = |name: &str| {
                set.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value))
            };
            assert_eq!(folder_by(variable), expected.map(PathBuf::from), "{set:?}");
        }
    }
}
