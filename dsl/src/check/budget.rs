//! What the calls of a pipeline may cost.

use super::Checker;
use crate::pipeline::Budget;
use crate::scalar;
use crate::tree::{Node, Value};

impl Checker<'_> {
    /// `budget:` at the top: an amount for each run, or amounts for a run and a day.
    pub(super) fn budget(&mut self, root: &Node) -> Budget {
        let Some(node) = root.get("budget") else { return Budget::default() };
        if !matches!(node.value, Value::Map(_)) {
            let run = self.scalar(node, "`budget`", "money", scalar::money);
            return Budget { run, day: None };
        }
        self.fixed(node, "`budget`", &["run", "day"]);
        let mut amount = |key: &str| {
            let part = node.get(key)?;
            self.scalar(part, &format!("`{key}`"), "money", scalar::money)
        };
        Budget { run: amount("run"), day: amount("day") }
    }
}
