//! What a bare word means: a number, `true`, `false`, nothing, or text.

use crate::tree::Value;

/// The value of a scalar without quotes. A number is what JSON calls a number; `010`, `0x1F`,
/// `1_000`, `.5`, `yes` and `True` are text, so that nothing is changed silently.
pub fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::String(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let rest = match rest.strip_prefix('0') {
        Some(rest) => rest,
        None if rest.starts_with(|c: char| c.is_ascii_digit()) => digits(rest),
        None => return false,
    };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => digits(fraction),
        Some(_) => return false,
        None => rest,
    };
    let rest = match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if !exponent.starts_with(|c: char| c.is_ascii_digit()) {
                return false;
            }
            digits(exponent)
        }
        None => rest,
    };
    rest.is_empty() && text.parse().is_ok_and(f64::is_finite)
}

fn digits(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_numbers_true_false_and_null_are_typed() {
        for text in ["0", "-1", "5.00", "1e3", "1.5E-3", "90000"] {
            assert_eq!(plain(text), Value::Number(text.to_owned()));
        }
        let texts = [
            "010",
            "0x1F",
            "0o7",
            "1_000",
            ".5",
            "1.",
            "+1",
            ".inf",
            ".nan",
            "1e999",
            "-",
            "1e",
            "yes",
            "no",
            "on",
            "off",
            "True",
            "NULL",
            "2m",
            "1..2",
            "12:30:45",
            "2024-01-01",
        ];
        for text in texts {
            assert_eq!(plain(text), Value::String(text.to_owned()));
        }
        for (text, value) in [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Null),
            ("~", Value::Null),
            ("", Value::Null),
        ] {
            assert_eq!(plain(text), value);
        }
    }
}
