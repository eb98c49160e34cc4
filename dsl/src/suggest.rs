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
            // `fi` for `if`: the same letters, two of them swapped.
            let swapped = *distance == 1 && letters(&lower) == letters(&candidate.to_lowercase());
            // `retries` for `retry`: the same word goes on differently.
            swapped || *distance * 3 <= length || begun >= 4 && *distance * 2 <= length
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn letters(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_close() {
        let names = ["scrape", "store", "parallelism", "retry", "if"];
        for (typed, expected) in [
            ("scarpe", Some("scrape")),
            ("paralelism", Some("parallelism")),
            ("Store", Some("store")),
            ("retries", Some("retry")),
            ("fi", Some("if")),
            ("of", None),
            ("embed", None),
            ("", None),
        ] {
            assert_eq!(closest(typed, names), expected, "{typed}");
        }
    }
}
