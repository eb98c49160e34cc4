//! Durations, sizes, rates, ranges and shares as they are written in a file.

use std::time::Duration;

/// So many per time: `50/min`, `2/s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many.
    pub count: f64,
    /// In which time.
    pub per: Duration,
}

/// A part of a whole, from 0 to 1: `5%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

/// `500ms`, `2s`, `20m`, `1h`, `1d`; decimals allowed (`1.5s`).
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * seconds).ok()
}

/// `512B`, `64KiB`, `5MiB`, `2GiB`, and the decimal `KB`, `MB`, `GB`; in bytes.
pub fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let bytes: f64 = match unit {
        "B" => 1.0,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        _ => return None,
    };
    let total = number * bytes;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to lie in 0..2^53"
    )]
    (0.0..9_007_199_254_740_992.0).contains(&total).then_some(total as u64)
}

/// `50/min`, `2/s`, `600/h`.
pub fn rate(text: &str) -> Option<Rate> {
    let (count, per) = text.split_once('/')?;
    let count: f64 =
        count.trim().parse().ok().filter(|count: &f64| *count > 0.0 && count.is_finite())?;
    let per = per.trim();
    let per = match per {
        "s" | "sec" | "second" => Duration::from_secs(1),
        "m" | "min" | "minute" => Duration::from_mins(1),
        "h" | "hour" => Duration::from_hours(1),
        "d" | "day" => Duration::from_hours(24),
        other => duration(other).filter(|per| !per.is_zero())?,
    };
    Some(Rate { count, per })
}

/// `1s..60s`: the shorter first.
pub fn duration_range(text: &str) -> Option<(Duration, Duration)> {
    let (low, high) = text.split_once("..")?;
    let (low, high) = (duration(low.trim())?, duration(high.trim())?);
    (low <= high).then_some((low, high))
}

/// `5%`, from `0%` to `100%`.
pub fn share(text: &str) -> Option<Share> {
    let number: f64 = text.strip_suffix('%')?.trim().parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(Share(number / 100.0))
}

/// `0.50`, `$20`: an amount in US dollars.
pub fn money(text: &str) -> Option<f64> {
    let number = text.strip_prefix('$').unwrap_or(text).trim();
    let plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    number.parse().ok().filter(|_| plain)
}

/// `x2`, `x1.5`: how many times as much.
pub fn times(text: &str) -> Option<f64> {
    let number = text.strip_prefix(['x', '×'])?.trim();
    number.parse().ok().filter(|times: &f64| *times > 0.0 && times.is_finite())
}

fn split_unit(text: &str) -> Option<(f64, &str)> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..at].trim().parse().ok()?;
    (number >= 0.0 && number.is_finite()).then_some((number, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("1.5s", Some(1500)),
            ("20m", Some(1_200_000)),
            ("1h", Some(3_600_000)),
            ("10", None),
            ("-1s", None),
            ("s", None),
            ("1 fortnight", None),
            ("1e999s", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn sizes_are_in_bytes() {
        for (text, bytes) in [
            ("64KiB", Some(65_536)),
            ("5MB", Some(5_000_000)),
            ("1.5KiB", Some(1536)),
            ("12", None),
            ("9999999999GiB", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }

    #[test]
    fn amounts_are_dollars() {
        for (text, dollars) in [
            ("0.50", Some(0.5)),
            ("$20", Some(20.0)),
            ("$ 1.5", Some(1.5)),
            ("0", Some(0.0)),
            ("-1", None),
            ("1e3", None),
            ("20 EUR", None),
            ("$", None),
        ] {
            assert_eq!(money(text), dollars, "{text}");
        }
        for (text, by) in [("x2", Some(2.0)), ("x1.5", Some(1.5)), ("2", None), ("x0", None)] {
            assert_eq!(times(text), by, "{text}");
        }
    }

    #[test]
    fn rates_ranges_and_shares() {
        assert_eq!(rate("50/min"), Some(Rate { count: 50.0, per: Duration::from_mins(1) }));
        assert_eq!(rate("2/10s"), Some(Rate { count: 2.0, per: Duration::from_secs(10) }));
        for text in ["50", "0/s", "-1/s", "5/", "5/0s", "x/min"] {
            assert_eq!(rate(text), None, "{text}");
        }
        assert_eq!(
            duration_range("1s..60s"),
            Some((Duration::from_secs(1), Duration::from_mins(1)))
        );
        assert_eq!(duration_range("60s..1s"), None);
        assert_eq!(share("5%"), Some(Share(0.05)));
        assert_eq!(share("101%"), None);
    }
}
