//! Counts of things, as they stand in messages, accounts and reports.

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 record`, `12 records`, `2 entities`.
pub fn counted(number: u64, one: &str) -> String {
    let number_of = count(number);
    match one.strip_suffix('y') {
        _ if number == 1 => format!("{number_of} {one}"),
        Some(stem) => format!("{number_of} {stem}ies"),
        None => format!("{number_of} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(counted(1, "entity"), "1 entity");
        assert_eq!(counted(1200, "entity"), "1,200 entities");
        assert_eq!(counted(0, "record"), "0 records");
    }
}
