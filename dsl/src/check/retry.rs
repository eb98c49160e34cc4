//! What changes with each retry.

use super::Checker;
use super::hints::place;
use crate::code::Code;
use crate::pipeline::{RetryStep, RetryTimeout};
use crate::scalar;
use crate::source::Spanned;
use crate::tree::{Node, Value};

impl Checker<'_> {
    /// `on_retry:`, a list of steps; one step may stand without a list.
    pub(super) fn on_retry(&mut self, node: &Node) -> Option<Vec<RetryStep>> {
        let steps = match &node.value {
            Value::List(steps) if steps.is_empty() => {
                let found = self.on(node, Code::F0208, "`on_retry` has no step");
                self.push(found.help("write `on_retry: [{model: NAME}]`, or take it out"));
                return None;
            }
            Value::List(steps) => steps.as_slice(),
            Value::Map(_) => std::slice::from_ref(node),
            Value::Bad => return None,
            _ => {
                let found = self.wrong_type(node, "`on_retry`", "a list of steps");
                self.push(found.help("write `on_retry: [{model: NAME}, {timeout: x2}]`"));
                return None;
            }
        };
        let steps: Vec<Option<RetryStep>> =
            steps.iter().map(|step| self.retry_step(step)).collect();
        steps.into_iter().collect()
    }

    fn retry_step(&mut self, node: &Node) -> Option<RetryStep> {
        let what = "a step of `on_retry`";
        if let Value::String(word) = &node.value {
            let found = self.wrong_type(node, what, "a map");
            let key = if scalar::times(word).is_some() { "timeout" } else { "model" };
            self.push(found.help(format!("write `{{{key}: {word}}}`")));
            return None;
        }
        if self.fixed(node, what, &["model", "timeout"])?.is_empty() {
            let found = self.on(node, Code::F0203, format!("{what} changes nothing"));
            self.push(found.help("give it a `model:` or a `timeout:`"));
            return None;
        }
        let model = node.get("model").and_then(|model| {
            let name = self.declared(model, "model", Code::F0230, "models")?;
            Some(Spanned::new(name, place(model)))
        });
        let read = |text: &str| {
            let times = scalar::times(text).map(RetryTimeout::Times);
            times.or_else(|| scalar::duration(text).map(RetryTimeout::Exactly))
        };
        let timeout = node
            .get("timeout")
            .and_then(|time| self.scalar(time, "`timeout`", "longer time", read));
        Some(RetryStep { model, timeout })
    }
}
