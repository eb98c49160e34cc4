//! "did you mean": the closest of the names that exist.

/// The closest of `candidates` to `name`, if one is close enough to have been meant.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| {
            let length = name.chars().count().max(candidate.chars().count());
            let begun = lower.chars().zip(candidate.chars()).take_while(|(a, b)| a == b).count();
            // `retries` for `retry`: the same word goes on differently.
            *distance * 3 <= length || begun >= 4 && *distance * 2 <= length
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_close() {
        let names = ["scrape", "store", "parallelism", "retry"];
        for (typed, expected) in [
            ("scarpe", Some("scrape")),
            ("paralelism", Some("parallelism")),
            ("Store", Some("store")),
            ("retries", Some("retry")),
            ("embed", None),
            ("", None),
        ] {
            assert_eq!(closest(typed, names), expected, "{typed}");
        }
    }
}
