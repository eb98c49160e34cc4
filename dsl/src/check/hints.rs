//! Hints: what the engine reads of a node.

use super::{Checker, keys};
use crate::code::Code;
use crate::pipeline::{Cache, Hints, MaxFailures, OnError, Order, Parallelism};
use crate::scalar;
use crate::source::{Span, Spanned};
use crate::tree::{Entry, Node, Value};

/// The place of a value in the pipeline file; the beginning when it stands elsewhere.
pub(super) const fn place(node: &Node) -> Span {
    if node.source.is_some() { Span::new(0, 0) } else { node.span }
}

/// A name and its place in the pipeline file; the beginning when it stands elsewhere.
pub(super) fn key_place(entry: &Entry) -> Spanned<String> {
    let elsewhere = entry.value.source.is_some();
    let span = if elsewhere { Span::new(0, 0) } else { entry.key.span };
    Spanned::new(entry.key.value.clone(), span)
}

/// A condition that is always, or never, true is one, too.
pub(super) fn condition(node: &Node) -> Node {
    match node.value {
        Value::Bool(always) => Node { value: Value::String(always.to_string()), ..node.clone() },
        _ => node.clone(),
    }
}

const ON_ERROR: &[(&str, u8)] = &[("reject", 0), ("keep", 1), ("skip", 2), ("stop", 3)];

impl Checker<'_> {
    /// `defaults:`.
    pub(super) fn defaults(&mut self, root: &Node) -> Hints {
        let mut hints = Hints::default();
        let Some(node) = root.get("defaults") else { return hints };
        for entry in self.fixed(node, "`defaults`", keys::HINTS).unwrap_or_default() {
            self.hint(entry, &mut hints);
        }
        hints
    }

    /// Reads one hint; any other key is left alone.
    pub(super) fn hint(&mut self, entry: &Entry, hints: &mut Hints) {
        let node = &entry.value;
        let what = format!("`{}`", entry.key.value);
        let span = place(node);
        match entry.key.value.as_str() {
            "parallelism" => {
                hints.parallelism = self.parallelism(node).map(|v| Spanned::new(v, span));
            }
            "batch_size" => {
                hints.batch_size = self.whole(node, &what, 1).map(|v| Spanned::new(v, span));
            }
            "batch_wait" => {
                hints.batch_wait = self.duration(node, &what).map(|v| Spanned::new(v, span));
            }
            "buffer" => hints.buffer = self.whole(node, &what, 1).map(|v| Spanned::new(v, span)),
            "order" => {
                let orders = [("arrival", Order::Arrival), ("keep", Order::Keep)];
                hints.order = self.choice(node, &what, &orders).map(|v| Spanned::new(v, span));
            }
            "timeout" => hints.timeout = self.duration(node, &what).map(|v| Spanned::new(v, span)),
            "deadline" => {
                hints.deadline = self.duration(node, &what).map(|v| Spanned::new(v, span));
            }
            "retry" => hints.retry = self.whole(node, &what, 0).map(|v| Spanned::new(v, span)),
            "backoff" => {
                let read = |text: &str| {
                    let one = scalar::duration(text).map(|wait| (wait, wait));
                    one.or_else(|| scalar::duration_range(text))
                };
                hints.backoff =
                    self.scalar(node, &what, "duration range", read).map(|v| Spanned::new(v, span));
            }
            "on_error" => hints.on_error = self.on_error(node).map(|v| Spanned::new(v, span)),
            "max_failures" => {
                hints.max_failures = self.max_failures(node).map(|v| Spanned::new(v, span));
            }
            "limit" => {
                hints.limit = self
                    .declared(node, "limit", Code::F0231, "limits")
                    .map(|v| Spanned::new(v, span));
            }
            "budget" => {
                hints.budget =
                    self.scalar(node, &what, "money", scalar::money).map(|v| Spanned::new(v, span));
            }
            "cache" => hints.cache = self.cache(node).map(|v| Spanned::new(v, span)),
            "on_retry" => hints.on_retry = self.on_retry(node).map(|v| Spanned::new(v, span)),
            "when" if self.in_braces(node) => {}
            "when" => {
                let text = self.text(&condition(node), &what);
                let before = self.found.len();
                if let Some(text) = &text {
                    self.expression(node, text);
                }
                let text = text.filter(|_| self.found.len() == before);
                hints.when = text.map(|v| Spanned::new(v, span));
            }
            "tags" => hints.tags = self.tags(node),
            _ => {}
        }
    }

    fn parallelism(&mut self, node: &Node) -> Option<Parallelism> {
        let settled = self.rendered(node, true);
        match &settled.value {
            Value::String(text) if text == "auto" => Some(Parallelism::Auto),
            Value::String(text) if !matches!(crate::parse::plain(text), Value::Number(_)) => {
                let found = self
                    .wrong_type(&settled, "`parallelism`", "a whole number, or `auto`")
                    .help("write `parallelism: 4` or `parallelism: auto`");
                self.push(found);
                None
            }
            _ => self.whole(&settled, "`parallelism`", 1).map(Parallelism::Exactly),
        }
    }

    fn on_error(&mut self, node: &Node) -> Option<OnError> {
        if let Value::Map(entries) = &node.value {
            self.fixed(node, "`on_error`", &["keep"])?;
            let field = entries.iter().find(|entry| entry.key.value == "keep")?;
            return self.text(&field.value, "the field that keeps the error").map(OnError::Keep);
        }
        Some(match self.choice(node, "`on_error`", ON_ERROR)? {
            0 => OnError::Reject,
            1 => OnError::Keep("error".to_owned()),
            2 => OnError::Skip,
            _ => OnError::Stop,
        })
    }

    fn cache(&mut self, node: &Node) -> Option<Cache> {
        let settled = self.rendered(node, true);
        let word = match &settled.value {
            Value::Bool(true) => "on",
            Value::Bool(false) => "off",
            Value::String(text) => text.as_str(),
            _ => "",
        };
        let cache = |reads, writes| Some(Cache { reads, writes, age: None });
        match word {
            "on" => cache(true, true),
            "off" => cache(false, false),
            "refresh" => cache(false, true),
            age => {
                let age = scalar::duration(age);
                if age.is_none() {
                    let found = self.wrong_type(
                        &settled,
                        "`cache`",
                        "`on`, `off`, `refresh`, or the age that an answer may have",
                    );
                    self.push(found.help("write `cache: off`, or `cache: 30d`"));
                }
                Some(Cache { age: Some(age?), ..Cache::default() })
            }
        }
    }

    fn max_failures(&mut self, node: &Node) -> Option<MaxFailures> {
        let settled = self.rendered(node, true);
        match &settled.value {
            Value::String(text) if text.ends_with('%') || text.parse::<u64>().is_err() => self
                .scalar(&settled, "`max_failures`", "share", scalar::share)
                .map(MaxFailures::Share),
            _ => self.whole(&settled, "`max_failures`", 0).map(MaxFailures::Count),
        }
    }

    fn tags(&mut self, node: &Node) -> Vec<String> {
        match &node.value {
            Value::List(items) => {
                items.iter().filter_map(|item| self.text(item, "a tag")).collect()
            }
            _ => self.text(node, "`tags`").into_iter().collect(),
        }
    }

    /// A batch that is larger than the edge that brings it.
    pub(super) fn unfillable(&mut self, entry: &Entry, hints: &Hints) {
        let (Some(size), Some(buffer)) = (&hints.batch_size, &hints.buffer) else { return };
        if size.value <= buffer.value {
            return;
        }
        let node = entry.value.get("batch_size");
        let source = node.and_then(|node| node.source.clone());
        let (size_value, buffer_value) = (size.value, buffer.value);
        let message = format!("`batch_size: {size_value}` can never fill");
        let span = node.map_or(size.span, |node| node.span);
        let found = crate::Diagnostic::new(
            Code::F0401,
            source.as_ref().unwrap_or(self.file),
            span,
            message,
        );
        let found = found.label("the node waits for this many records").help(format!(
            "set `buffer: {size_value}` or more, or `batch_size: {buffer_value}` or less"
        ));
        let text = format!("the edge before it holds only {buffer_value}");
        let elsewhere = source.is_some() || buffer.span == Span::new(0, 0);
        self.push(if elsewhere { found.note(text) } else { found.other(buffer.span, text) });
    }
}

/// The hints of a node, completed from `defaults`.
pub(super) fn completed(own: Hints, defaults: &Hints) -> Hints {
    let defaults = defaults.clone();
    Hints {
        parallelism: own.parallelism.or(defaults.parallelism),
        batch_size: own.batch_size.or(defaults.batch_size),
        batch_wait: own.batch_wait.or(defaults.batch_wait),
        buffer: own.buffer.or(defaults.buffer),
        order: own.order.or(defaults.order),
        timeout: own.timeout.or(defaults.timeout),
        deadline: own.deadline.or(defaults.deadline),
        retry: own.retry.or(defaults.retry),
        backoff: own.backoff.or(defaults.backoff),
        on_error: own.on_error.or(defaults.on_error),
        max_failures: own.max_failures.or(defaults.max_failures),
        limit: own.limit.or(defaults.limit),
        budget: own.budget.or(defaults.budget),
        on_retry: own.on_retry.or(defaults.on_retry),
        cache: own.cache.or(defaults.cache),
        when: own.when.or(defaults.when),
        tags: if own.tags.is_empty() { defaults.tags } else { own.tags },
    }
}
