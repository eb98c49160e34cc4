//! Numbers, times and texts as people read them.

use std::time::Duration;

pub(crate) use flow_engine::words::{count, counted};

/// `1.2s`, `3m20s`, `450ms`: two units at most.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let pair = |big: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit}{small}{smaller}"),
    };
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..=9 if time.subsec_millis() >= 100 => {
            format!("{seconds}.{}s", time.subsec_millis() / 100)
        }
        1..=59 => format!("{seconds}s"),
        60..=3599 => pair(minutes, "m", seconds % 60, "s"),
        3600..=86_399 => pair(hours, "h", minutes % 60, "m"),
        _ => pair(hours / 24, "d", hours % 24, "h"),
    }
}

/// `512 B`, `1.5 MiB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// At most so many characters, the last of them `…` when something was cut off; control characters
/// become blanks.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut kept: String =
        text.chars().take(most + 1).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if kept.chars().count() > most {
        kept = kept.chars().take(most.saturating_sub(1)).collect();
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (millis, text) in [
            (0, "0ms"),
            (450, "450ms"),
            (1000, "1s"),
            (1250, "1.2s"),
            (59_999, "59s"),
            (120_000, "2m"),
            (200_000, "3m20s"),
            (3_660_000, "1h1m"),
            (90_000_000, "1d1h"),
        ] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn bytes_have_one_decimal() {
        for (number, text) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (u64::MAX, "16777216 TiB")]
        {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn long_texts_are_cut_by_characters() {
        for (text, cut_text) in
            [("abc", "abc"), ("abcde", "abc…"), ("äöüß", "äöüß"), ("a\nb", "a b")]
        {
            assert_eq!(cut(text, 4), cut_text);
        }
    }
}
