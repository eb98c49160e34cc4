//! `&name` and `*name`: values written once and used again, within bounds.

use std::collections::HashMap;

use crate::tree::{Node, Value};

/// What all copies made for anchors and aliases may weigh together, in bytes or so.
const MOST: usize = 2 << 20;

/// A value with its cost.
#[derive(Debug, Clone)]
pub(super) struct Weighed {
    pub(super) node: Node,
    /// Bytes or so that a copy takes.
    pub(super) weight: usize,
    /// Lists and maps inside each other.
    pub(super) height: usize,
}

impl Weighed {
    /// A value without parts.
    pub(super) fn leaf(node: Node) -> Self {
        let text = match &node.value {
            Value::String(text) | Value::Number(text) => text.len(),
            _ => 0,
        };
        Self { node, weight: size_of::<Node>() + text, height: 0 }
    }
}

/// The anchors of a document.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    known: HashMap<usize, Weighed>,
    spent: usize,
}

/// What an alias stands for.
pub(super) enum Found {
    /// A copy.
    Copy(Weighed),
    /// The value is not complete yet: it holds the alias.
    Inside,
    /// Copies would grow beyond bounds.
    TooMuch,
}

impl Anchors {
    /// Keeps a value for later; 0 means that it has no anchor. False when that would be too much.
    pub(super) fn keep(&mut self, anchor: usize, value: &Weighed) -> bool {
        if anchor == 0 {
            return true;
        }
        let fits = self.spend(value.weight);
        let kept = if fits {
            value.clone()
        } else {
            Weighed::leaf(Node::new(Value::Bad, value.node.span))
        };
        self.known.insert(anchor, kept);
        fits
    }

    /// A copy of the value of an anchor.
    pub(super) fn copy(&mut self, anchor: usize) -> Found {
        let Some(weight) = self.known.get(&anchor).map(|value| value.weight) else {
            return Found::Inside;
        };
        if !self.spend(weight) {
            return Found::TooMuch;
        }
        self.known.get(&anchor).cloned().map_or(Found::Inside, Found::Copy)
    }

    fn spend(&mut self, weight: usize) -> bool {
        self.spent = self.spent.saturating_add(weight);
        self.spent <= MOST
    }
}
