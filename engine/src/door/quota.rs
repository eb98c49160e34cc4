//! What a server says of its quota in the headers of an answer, and the patience that follows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::Tokens;

/// The longest patience that a server may ask for.
const MOST_PATIENCE: Duration = Duration::from_hours(1);

/// The headers of one quota: what is left, when it is whole again, how large it is.
struct Quota {
    left: &'static str,
    reset: &'static str,
    whole: &'static str,
    /// What a call takes of it.
    need: fn(Tokens) -> u64,
}

const QUOTAS: [Quota; 6] = [
    Quota {
        left: "x-ratelimit-remaining-requests",
        reset: "x-ratelimit-reset-requests",
        whole: "x-ratelimit-limit-requests",
        need: |_| 1,
    },
    Quota {
        left: "x-ratelimit-remaining-tokens",
        reset: "x-ratelimit-reset-tokens",
        whole: "x-ratelimit-limit-tokens",
        need: |tokens| tokens.input + tokens.output,
    },
    Quota {
        left: "anthropic-ratelimit-requests-remaining",
        reset: "anthropic-ratelimit-requests-reset",
        whole: "anthropic-ratelimit-requests-limit",
        need: |_| 1,
    },
    Quota {
        left: "anthropic-ratelimit-tokens-remaining",
        reset: "anthropic-ratelimit-tokens-reset",
        whole: "anthropic-ratelimit-tokens-limit",
        need: |tokens| tokens.input + tokens.output,
    },
    Quota {
        left: "anthropic-ratelimit-input-tokens-remaining",
        reset: "anthropic-ratelimit-input-tokens-reset",
        whole: "anthropic-ratelimit-input-tokens-limit",
        need: |tokens| tokens.input,
    },
    Quota {
        left: "anthropic-ratelimit-output-tokens-remaining",
        reset: "anthropic-ratelimit-output-tokens-reset",
        whole: "anthropic-ratelimit-output-tokens-limit",
        need: |tokens| tokens.output,
    },
];

/// How long everybody should wait after this answer: as long as `Retry-After` says; else, while a
/// quota is too empty for another call like this one, until it has filled up so far. A refusal
/// waits until it is whole: then the quota may be one that fills all at once.
pub(super) fn patience(
    headers: &HeaderMap,
    status: u16,
    call: Tokens,
    now: SystemTime,
) -> Option<Duration> {
    let asked = headers.get(RETRY_AFTER).and_then(|value| moment(value.to_str().ok()?, now));
    let patience = asked.or_else(|| {
        let quotas = QUOTAS.iter().filter_map(|quota| quota.patience(headers, status, call, now));
        quotas.max()
    });
    patience.map(|patience| patience.min(MOST_PATIENCE))
}

impl Quota {
    fn patience(
        &self,
        headers: &HeaderMap,
        status: u16,
        call: Tokens,
        now: SystemTime,
    ) -> Option<Duration> {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
        let (left, need) = (number(self.left)?, (self.need)(call).max(1));
        if left >= need {
            return None;
        }
        let reset = moment(text(self.reset)?, now)?;
        match number(self.whole).filter(|whole| status != 429 && *whole > need) {
            #[expect(clippy::cast_precision_loss, reason = "a share of a quota")]
            Some(whole) => Some(reset.mul_f64((need - left) as f64 / (whole - left) as f64)),
            None => Some(reset),
        }
    }
}

/// How long it is until a moment, however servers write it: seconds (`7`, `0.5`), a length of time
/// (`6m0s`, `20ms`), an HTTP date, or a date of RFC 3339.
fn moment(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    length(text).or_else(|| {
        let date = httpdate::parse_http_date(text).ok().or_else(|| rfc3339(text))?;
        Some(date.duration_since(now).unwrap_or_default())
    })
}

/// A length of time in units one after another, as Go writes them: `1h2m3.5s`.
fn length(mut text: &str) -> Option<Duration> {
    let mut length = (!text.is_empty()).then_some(Duration::ZERO)?;
    while !text.is_empty() {
        let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = text[..at].parse().ok()?;
        let rest = &text[at..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let seconds = match &rest[..end] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        length = length.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        text = &rest[end..];
    }
    Some(length)
}

/// `2026-05-01T12:00:00Z`, with a fraction or an offset as well.
fn rfc3339(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let at = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at(at);
    let numbers = |text: &str, between: char| -> Option<[f64; 3]> {
        let mut numbers = text.split(between).map(|part| part.parse::<f64>().ok());
        let [a, b, c] = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some([a, b, c])
    };
    let offset = match zone.split_at(1) {
        ("Z" | "z", "") => 0.0,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let minutes = 60.0 * hours.parse::<f64>().ok()? + minutes.parse::<f64>().ok()?;
            if sign == "-" { -60.0 * minutes } else { 60.0 * minutes }
        }
    };
    let ([year, month, day], [hours, minutes, seconds]) =
        (numbers(date, '-')?, numbers(time, ':')?);
    // Days since 1970 of a year that begins in March, so that the odd day is its last.
    let (year, month) = if month > 2.0 { (year, month - 3.0) } else { (year - 1.0, month + 9.0) };
    let leaps = (year / 4.0).floor() - (year / 100.0).floor() + (year / 400.0).floor();
    let days = 365.0 * year + leaps + ((153.0 * month + 2.0) / 5.0).floor() + day - 1.0 - 719_468.0;
    let seconds = days * 86_400.0 + hours * 3600.0 + minutes * 60.0 + seconds - offset;
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_777_636_800;

    fn asked(status: u16, headers: &[(&'static str, &str)]) -> Option<u64> {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let call = Tokens { input: 900, cached: 0, output: 100 };
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        let patience = patience(&headers.collect::<HeaderMap>(), status, call, now);
        patience.map(|patience| u64::try_from(patience.as_millis()).unwrap())
    }

    #[test]
    fn every_way_to_ask_for_patience_is_understood() {
        for (text, millis) in [
            ("7", Some(7000)),
            ("0.5", Some(500)),
            ("1s", Some(1000)),
            ("6m0s", Some(360_000)),
            ("20ms", Some(20)),
            ("1m30.5s", Some(90_500)),
            ("99999", Some(3_600_000)),
            ("Fri, 01 May 2026 12:01:30 GMT", Some(90_000)),
            ("Fri, 01 May 2026 11:59:00 GMT", Some(0)),
            ("2026-05-01T12:00:10Z", Some(10_000)),
            ("2026-05-01T14:00:10.25+02:00", Some(10_250)),
            ("2026-05-01T07:00:10-05:00", Some(10_000)),
            ("soon", None),
            ("", None),
            ("-3", None),
            ("7 parsecs", None),
            ("2026-05-01", None),
            ("µ", None),
        ] {
            assert_eq!(asked(429, &[("retry-after", text)]), millis, "{text}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2024-12-31T23:59:59Z", 1_735_689_599),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            let found =
                rfc3339(text).map(|date| date.duration_since(UNIX_EPOCH).unwrap().as_secs());
            assert_eq!(found, Some(seconds), "{text}");
        }
    }

    #[test]
    fn an_empty_quota_holds_everybody_for_as_long_as_it_is_empty() {
        let openai = |left, reset| {
            [("x-ratelimit-remaining-requests", left), ("x-ratelimit-reset-requests", reset)]
        };
        let tokens = |left, reset| {
            [("x-ratelimit-remaining-tokens", left), ("x-ratelimit-reset-tokens", reset)]
        };
        let whole = ("x-ratelimit-limit-requests", "60");
        let [left, reset] = openai("0", "6s");
        for (status, headers, millis) in [
            (200, openai("1", "6s").to_vec(), None),
            (200, openai("0", "6s").to_vec(), Some(6000)),
            // A sixtieth of the quota is back in a sixtieth of the time.
            (200, vec![left, reset, whole], Some(100)),
            (429, vec![left, reset, whole], Some(6000)),
            (429, vec![left, reset, whole, ("retry-after", "2")], Some(2000)),
            (200, tokens("1000", "1s").to_vec(), None),
            (200, tokens("999", "1s").to_vec(), Some(1000)),
            (
                200,
                vec![
                    ("anthropic-ratelimit-output-tokens-remaining", "99"),
                    ("anthropic-ratelimit-output-tokens-reset", "2026-05-01T12:00:03Z"),
                    ("anthropic-ratelimit-input-tokens-remaining", "899"),
                    ("anthropic-ratelimit-input-tokens-reset", "2026-05-01T12:00:02Z"),
                ],
                Some(3000),
            ),
            (
                200,
                vec![
                    ("anthropic-ratelimit-requests-remaining", "0"),
                    ("anthropic-ratelimit-requests-reset", "2026-05-01T12:01:00Z"),
                    ("anthropic-ratelimit-requests-limit", "50"),
                ],
                Some(1200),
            ),
            (200, vec![left], None),
        ] {
            assert_eq!(asked(status, &headers), millis, "{status} {headers:?}");
        }
    }
}
