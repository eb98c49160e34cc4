//! The keys of a map so far: most maps are too small to be worth a table.

use std::collections::HashMap;

use crate::source::Span;
use crate::tree::Entry;

/// Maps with more entries than this get a table.
const FEW: usize = 16;

/// Where the keys of a map were first written.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<String, Span>);

impl Seen {
    /// Adds the next key of a map that has `entries` already; gives the place of the same key
    /// before it.
    pub(super) fn insert(&mut self, key: &str, span: Span, entries: &[Entry]) -> Option<Span> {
        if entries.len() < FEW {
            return entries.iter().find(|entry| entry.key.value == key).map(|entry| entry.key.span);
        }
        if self.0.is_empty() {
            for entry in entries {
                self.0.entry(entry.key.value.clone()).or_insert(entry.key.span);
            }
        }
        if let Some(&first) = self.0.get(key) {
            return Some(first);
        }
        self.0.insert(key.to_owned(), span);
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::yaml;
    use crate::source::SourceFile;

    #[test]
    fn the_same_key_is_found_in_small_and_large_maps() {
        for (count, again) in [(3, 0), (40, 0), (40, 16), (40, 17), (40, 39)] {
            let lines: Vec<String> = (0..count).map(|key| format!("k{key}: 1\n")).collect();
            let text = lines.concat() + &format!("k{again}: 2\nlast: 3\n");
            let (_, found) = yaml(&SourceFile::new("f", text));
            assert_eq!(found.len(), 1, "{count} {again}");
            assert_eq!(found[0].message, format!("`k{again}` is set twice"));
        }
    }
}
