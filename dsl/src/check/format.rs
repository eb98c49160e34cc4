//! Texts with a form of their own: durations, sizes, rates, ranges, shares.

use super::Checker;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::scalar;
use crate::tree::Node;

/// The form in words, with an example.
pub(super) fn words(format: &str) -> &'static str {
    match format {
        "duration" => "a duration, as `500ms`, `2s` or `20m`",
        "size" => "a size, as `64KiB` or `5MiB`",
        "rate" => "a rate, as `50/min` or `2/s`",
        "range" => "a range, as `1..100`",
        "duration range" => "a range of durations, as `1s..60s`",
        "share" => "a number, or a share as `5%`",
        "money" => "an amount in US dollars, as `0.50` or `$20`",
        "longer time" => "a duration, as `2m`, or how many times `timeout`, as `x2`",
        _ => "text",
    }
}

/// Whether a text has the form; forms that are not known are never wrong.
pub(super) fn holds(format: &str, text: &str) -> bool {
    match format {
        "duration" => scalar::duration(text).is_some(),
        "size" => scalar::size(text).is_some(),
        "rate" => scalar::rate(text).is_some(),
        "range" => number_range(text).is_some(),
        _ => true,
    }
}

/// `1..100`; either end may be missing, not both.
fn number_range(text: &str) -> Option<()> {
    let (low, high) = text.split_once("..")?;
    let end = |text: &str| match text.trim() {
        "" => Some(None),
        number => number.parse::<f64>().ok().filter(|number| number.is_finite()).map(Some),
    };
    match (end(low)?, end(high)?) {
        (None, None) => None,
        (Some(low), Some(high)) if low > high => None,
        _ => Some(()),
    }
}

const fn code(format: &str) -> Code {
    match format.as_bytes() {
        b"duration" | b"duration range" | b"longer time" => Code::F0211,
        b"size" => Code::F0212,
        b"rate" => Code::F0213,
        b"range" => Code::F0214,
        b"money" => Code::F0218,
        _ => Code::F0215,
    }
}

impl Checker<'_> {
    /// A text has not the form that it must have.
    pub(super) fn bad_format(
        &self,
        node: &Node,
        what: &str,
        format: &str,
        text: &str,
    ) -> Diagnostic {
        let message = format!("{what} must be {}", words(format));
        let found = self.on(node, code(format), message);
        let number = text.parse::<f64>().is_ok();
        let unit = match format {
            "duration" if number => Some(format!("{text}s")),
            "size" if number => Some(format!("{text}B")),
            "rate" if number => Some(format!("{text}/min")),
            "duration range" => swapped(text),
            "longer time" if number => Some(format!("x{text}")),
            _ => None,
        };
        match unit {
            Some(mended) => {
                let label =
                    if number { "a number without a unit" } else { "the longer comes first" };
                found.label(label).help(format!("write `{mended}`"))
            }
            None => found.label(format!("`{text}` is not one")),
        }
    }
}

/// The ends of a range that is the wrong way round.
fn swapped(text: &str) -> Option<String> {
    let (low, high) = text.split_once("..")?;
    let mended = format!("{}..{}", high.trim(), low.trim());
    scalar::duration_range(&mended).map(|_| mended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_an_end_at_least() {
        for (text, fine) in [
            ("1..100", true),
            ("0.5..", true),
            ("..3", true),
            ("..", false),
            ("3..1", false),
            ("a..b", false),
            ("5", false),
        ] {
            assert_eq!(holds("range", text), fine, "{text}");
        }
    }
}
