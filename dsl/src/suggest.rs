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
            *distance * 3 <= name.chars().count().max(candidate.chars().count())
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_close() {
        let names = ["scrape", "store", "parallelism"];
        for (typed, expected) in [
            ("scarpe", Some("scrape")),
            ("paralelism", Some("parallelism")),
            ("Store", Some("store")),
            ("embed", None),
            ("", None),
        ] {
            assert_eq!(closest(typed, names), expected, "{typed}");
        }
    }
}
