//! What a text said and what it says now: the lines that differ.

use std::fmt::Write as _;

use crate::number::{counted, cut};

/// Lines that are shown of each side.
const MOST: usize = 8;
/// Characters that are shown of a line.
const LONGEST: usize = 160;

/// JSON on several lines, other text as it is.
pub(super) fn pretty(text: &str) -> String {
    let json = serde_json::from_str::<serde_json::Value>(text);
    let json = json.ok().filter(|json| json.is_object() || json.is_array());
    json.map_or_else(|| text.to_owned(), |json| format!("{json:#}"))
}

/// The lines between what is the same at the beginning and at the end.
pub(super) fn differences(old: &str, new: &str, indent: &str) -> String {
    let (old, new) = (pretty(old), pretty(new));
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let first = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - first;
    let last = old.iter().rev().zip(new.iter().rev()).take(rest);
    let last = last.take_while(|(old, new)| old == new).count();
    let mut text = String::new();
    for (sign, lines) in
        [('-', &old[first..old.len() - last]), ('+', &new[first..new.len() - last])]
    {
        for line in lines.iter().take(MOST) {
            let _ = writeln!(text, "{indent}{sign} {}", cut(line, LONGEST));
        }
        if lines.len() > MOST {
            let more = counted((lines.len() - MOST) as u64, "line");
            let _ = writeln!(text, "{indent}{sign} and {more} more");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        for (old, new, shown) in [
            ("a\nb\nc", "a\nB\nc", "- b\n+ B\n"),
            ("a\nc", "a\nb\nc", "+ b\n"),
            ("a\na", "a", "- a\n"),
            ("", "x", "+ x\n"),
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"b":3}"#, "-   \"b\": 2\n+   \"b\": 3\n"),
        ] {
            assert_eq!(differences(old, new, ""), shown, "{old} {new}");
        }
        let long = (0..20).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        assert!(differences(&long, "", "").ends_with("- 7\n- and 12 lines more\n"));
    }
}
