//! Sets of field names as bits, so that a long chain of nodes costs little.

use std::collections::HashMap;

/// So many different names are followed; of files with more, no name is called unknown.
const MOST: usize = 4096;

/// The names that occur in a file, by number.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: HashMap<String, usize>,
    names: Vec<String>,
}

impl Names {
    /// The number of a name; none when there are too many.
    pub(super) fn id(&mut self, name: &str) -> Option<usize> {
        if let Some(&id) = self.ids.get(name) {
            return Some(id);
        }
        let id = self.names.len();
        if id >= MOST {
            return None;
        }
        self.ids.insert(name.to_owned(), id);
        self.names.push(name.to_owned());
        Some(id)
    }

    /// The number of a name that has one.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.ids.get(name).copied()
    }

    /// The names of a set, sorted.
    pub(super) fn of(&self, set: &FieldSet) -> Vec<&str> {
        let all = self.names.iter().enumerate();
        let mut names: Vec<&str> =
            all.filter(|(id, _)| set.has(*id)).map(|(_, name)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

/// A set of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FieldSet(Vec<u64>);

impl FieldSet {
    pub(super) fn has(&self, id: usize) -> bool {
        self.0.get(id / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    pub(super) fn insert(&mut self, id: usize) {
        if self.0.len() <= id / 64 {
            self.0.resize(id / 64 + 1, 0);
        }
        self.0[id / 64] |= 1 << (id % 64);
    }

    pub(super) fn remove(&mut self, id: usize) {
        if let Some(word) = self.0.get_mut(id / 64) {
            *word &= !(1 << (id % 64));
        }
    }

    /// Adds all of another set.
    pub(super) fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let mut names = Names::default();
        let (a, b) = (names.id("b").unwrap(), names.id("a").unwrap());
        let mut set = FieldSet::default();
        set.insert(a);
        set.insert(b);
        set.insert(200);
        assert_eq!(names.of(&set), ["a", "b"]);
        set.remove(a);
        assert!(set.has(b) && set.has(200) && !set.has(a));
        let mut other = FieldSet::default();
        other.insert(a);
        other.extend(&set);
        assert!(other.has(a) && other.has(200));
        assert_eq!((0..MOST).filter(|id| names.id(&format!("f{id}")).is_none()).count(), 2);
    }
}
