//! Settings against the schema that a stage gives for them.

use super::hints::condition;
use super::render::is_template;
use super::schema::Schema;
use super::template::FieldUse;
use super::{Checker, keys};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::suggest::closest;
use crate::tree::{Entry, Node, Value};

/// A map of settings, for messages.
#[derive(Clone, Copy)]
struct Owner<'a> {
    /// `stage`, in words: "`filter`".
    what: &'a str,
    /// Where its name stands: the place of what is missing.
    named: Span,
    /// Keys that stand beside the settings and are read by others.
    beside: &'a [&'a str],
    /// Hints have another place.
    is_stage: bool,
}

impl Checker<'_> {
    /// The settings of a provider, checked.
    pub(super) fn settings_of(
        &mut self,
        node: &Node,
        schema: &serde_json::Value,
        what: &str,
        named: Span,
        beside: &[&str],
    ) -> Node {
        let owner = Owner { what, named, beside, is_stage: false };
        self.map(node, Schema::new(schema), &owner)
    }

    /// The settings of a stage, checked, with templates over `params` filled in.
    pub(super) fn stage_settings(
        &mut self,
        node: &Node,
        spec: &crate::catalog::StageSpec,
        named: Span,
    ) -> Node {
        let what = format!("`{}`", spec.name);
        let owner = Owner { what: &what, named, beside: &[], is_stage: true };
        match &node.value {
            Value::Map(_) | Value::Null => self.map(node, Schema::new(&spec.settings), &owner),
            Value::Bad => node.clone(),
            _ => {
                let found = self.wrong_type(node, "`with`", "a map of the stage's settings");
                let text = node.as_str().unwrap_or_default();
                self.push(match text.split_once(' ') {
                    Some((key, value)) if !key.is_empty() => {
                        found.help(format!("is a `:` missing? write `{key}: {value}`"))
                    }
                    _ => found.help("write `with: {NAME: VALUE}`"),
                });
                Node::new(Value::Bad, node.span)
            }
        }
    }

    fn map(&mut self, node: &Node, schema: Schema<'_>, owner: &Owner<'_>) -> Node {
        let mut entries = node.entries().to_vec();
        for entry in &mut entries {
            if entry.key.value.is_empty() || entry.value.value == Value::Bad {
                continue;
            }
            let known = schema.property(&entry.key.value);
            let before = self.found.len();
            if let Some(schema) = known.or_else(|| schema.additional()) {
                let what = format!("`{}`", entry.key.value);
                entry.value = self.walk(&entry.value, schema, &what, entry.key.span);
            } else {
                let found = self.unknown_setting(entry, schema, owner);
                self.push(found);
            }
            if owner.is_stage && self.found.len() > before {
                self.mistaken.push(entry.key.value.clone());
            }
        }
        self.missing(node, schema, owner);
        Node { value: Value::Map(entries), span: node.span, source: node.source.clone() }
    }

    fn missing(&mut self, node: &Node, schema: Schema<'_>, owner: &Owner<'_>) {
        let entries = node.entries();
        if entries.iter().any(|entry| entry.key.value.is_empty()) {
            return;
        }
        // A key that is unknown and close to a missing one was meant to be it.
        let meant: Vec<&str> = entries
            .iter()
            .filter(|entry| schema.property(&entry.key.value).is_none())
            .filter_map(|entry| closest(&entry.key.value, schema.properties()))
            .collect();
        for key in schema.required() {
            let there = entries.iter().any(|entry| entry.key.value == key);
            if there || meant.contains(&key) {
                continue;
            }
            if owner.is_stage {
                self.mistaken.push(key.to_owned());
            }
            let message = format!("{} needs the setting `{key}`", owner.what);
            let found = self.at(node, owner.named, Code::F0204, message);
            let wanted = schema.property(key).map_or_else(|| "a value".to_owned(), Schema::words);
            let place = self.spelled(" below `with:`", " in its settings");
            let place = if owner.is_stage { place } else { "" };
            self.push(found.help(format!("write `{key}: ...`{place}: it must be {wanted}")));
        }
    }

    fn unknown_setting(&self, entry: &Entry, schema: Schema<'_>, owner: &Owner<'_>) -> Diagnostic {
        let (key, span) = (entry.key.value.as_str(), entry.key.span);
        let known: Vec<&str> =
            schema.properties().into_iter().chain(owner.beside.iter().copied()).collect();
        let near = closest(key, known.iter().copied());
        let hint = keys::HINTS.iter().chain(keys::NODE);
        if owner.is_stage && hint.clone().any(|hint| *hint == key) {
            let kind =
                if keys::NODE.contains(&key) { "a key of the node" } else { "an engine hint" };
            let message = format!("`{key}` is {kind}, not a setting of {}", owner.what);
            return self
                .at(&entry.value, span, Code::F0304, message)
                .label("in the wrong place")
                .help(self.out_of_settings(key));
        }
        let message = format!("{} has no setting `{key}`", owner.what);
        let found = self.at(&entry.value, span, Code::F0202, message);
        match near {
            Some(near) => found.help(format!("did you mean `{near}`?")).fix(span, near),
            None if known.is_empty() => found.help("it has no settings"),
            None => found.help(format!("known here: {}", keys::list(&known))),
        }
    }

    /// How what stands among the settings of a stage is moved to where it belongs.
    fn out_of_settings(&self, key: &str) -> String {
        let flow = match key {
            "uses" => "write the stage behind the name: `stage NAME: STAGE`".to_owned(),
            "from" => "write the inputs behind the stage: `<- NODE`".to_owned(),
            "with" => "write the settings without it".to_owned(),
            _ => format!("move it out of the settings to the hints: `[{key}: ...]`"),
        };
        let yaml = format!("move it up, out of `with:`, beside `uses:`: `{key}: ...`");
        self.spelled(yaml, flow)
    }

    fn walk(&mut self, node: &Node, schema: Schema<'_>, what: &str, key: Span) -> Node {
        if node.value == Value::Bad {
            return node.clone();
        }
        if schema.is_any() {
            return self.rendered_anywhere(node);
        }
        if schema.is_constant() {
            return self.constant(node, schema, what);
        }
        if schema.has_variants() {
            return self.variant(node, schema, what, key);
        }
        let node = self.settled(node, schema);
        match &node.value {
            Value::Bad => node,
            value if !schema.admits(value) => {
                let found = self.misfit(&node, schema, what);
                self.push(found);
                Node { value: Value::Bad, ..node }
            }
            Value::Number(text) => {
                let found = self.out_of_range(&node, schema, what, text);
                self.found.extend(found);
                node
            }
            Value::String(text) => {
                let text = text.clone();
                self.meaning(&node, schema, what, &text);
                node
            }
            Value::List(items) => {
                let items = items.clone();
                self.items(&node, schema, what, &items, key)
            }
            Value::Map(_) => {
                let owner = Owner { what, named: key, beside: &[], is_stage: false };
                self.map(&node, schema, &owner)
            }
            _ => node,
        }
    }

    /// A value with its template filled in, unless it is one over fields.
    fn settled(&mut self, node: &Node, schema: Schema<'_>) -> Node {
        if schema.format() == Some("expression") && matches!(node.value, Value::Bool(_)) {
            return condition(node);
        }
        if schema.format() == Some("expression") && self.in_braces(node) {
            return Node { value: Value::Bad, ..node.clone() };
        }
        let kept = schema.types().contains(&"string") && schema.format() == Some("template");
        if kept || !node.as_str().is_some_and(is_template) {
            return node.clone();
        }
        let typed = !schema.types().contains(&"string");
        self.rendered(node, typed)
    }

    fn misfit(&self, node: &Node, schema: Schema<'_>, what: &str) -> Diagnostic {
        let found = self.wrong_type(node, what, &schema.words());
        match &node.value {
            Value::Number(text) if schema.admits(&Value::String(String::new())) => {
                match schema.format() {
                    Some(form @ ("duration" | "size" | "rate" | "range")) => {
                        self.bad_format(node, what, form, text)
                    }
                    _ => self.wrong_text(node, what),
                }
            }
            Value::Bool(_) if schema.admits(&Value::String(String::new())) => {
                self.wrong_text(node, what)
            }
            Value::String(text)
                if schema.admits(&crate::parse::plain(text)) && node.source.is_none() =>
            {
                found.help("take the quotes away").fix(node.span, text.clone())
            }
            Value::String(text)
                if schema.types().contains(&"boolean")
                    && matches!(text.to_lowercase().as_str(), "yes" | "on" | "true") =>
            {
                found.help("write `true`").fix(node.span, "true")
            }
            Value::String(text)
                if schema.types().contains(&"boolean")
                    && matches!(text.to_lowercase().as_str(), "no" | "off" | "false") =>
            {
                found.help("write `false`").fix(node.span, "false")
            }
            Value::String(text) if schema.types().contains(&"array") => {
                found.help(format!("write `[{text}]`"))
            }
            _ => found,
        }
    }

    fn out_of_range(
        &self,
        node: &Node,
        schema: Schema<'_>,
        what: &str,
        text: &str,
    ) -> Option<Diagnostic> {
        let number: f64 = text.parse().ok()?;
        let (least, most) = (schema.bound("minimum"), schema.bound("maximum"));
        let above = schema.bound("exclusiveMinimum").filter(|bound| number <= *bound);
        let below = schema.bound("exclusiveMaximum").filter(|bound| number >= *bound);
        let message = if let Some(bound) = above {
            format!("{what} must be more than {bound}")
        } else if let Some(bound) = below {
            format!("{what} must be less than {bound}")
        } else if let Some(bound) = least.filter(|bound| number < *bound) {
            format!("{what} must be {bound} or more")
        } else if let Some(bound) = most.filter(|bound| number > *bound) {
            format!("{what} must be {bound} or less")
        } else {
            return None;
        };
        let found = self.on(node, Code::F0208, message);
        Some(match (least, most) {
            (Some(least), Some(most)) => found.help(format!("it may be {least} to {most}")),
            _ => found,
        })
    }

    fn items(
        &mut self,
        node: &Node,
        schema: Schema<'_>,
        what: &str,
        items: &[Node],
        key: Span,
    ) -> Node {
        let inner = format!("each item of {what}");
        let of = schema.items();
        let all = items.iter().map(|item| {
            let place = if item.span == Span::default() { key } else { item.span };
            let place = Span::new(place.start, place.start.max(place.end.min(place.start + 1)));
            self.walk(item, of, &inner, place)
        });
        let all: Vec<Node> = all.collect();
        #[expect(clippy::cast_precision_loss, reason = "no list of a file has 2^52 items")]
        let count = all.len() as f64;
        if let Some(least) = schema.bound("minItems").filter(|least| count < *least) {
            let message = format!("{what} must have {least} or more items");
            let found = self.on(node, Code::F0208, message);
            self.push(found);
        } else if let Some(most) = schema.bound("maxItems").filter(|most| count > *most) {
            let message = format!("{what} must have {most} or fewer items");
            let found = self.on(node, Code::F0208, message);
            self.push(found);
        }
        Node { value: Value::List(all), span: node.span, source: node.source.clone() }
    }

    fn constant(&mut self, node: &Node, schema: Schema<'_>, what: &str) -> Node {
        let node = self.rendered(node, false);
        let constants = schema.constants().unwrap_or_default();
        let json = node.to_json();
        if node.value == Value::Bad || constants.contains(&&json) {
            return node;
        }
        let words: Vec<&str> = constants.iter().filter_map(|constant| constant.as_str()).collect();
        let found = match &node.value {
            Value::String(text) if !words.is_empty() => {
                self.not_a_choice(&node, what, text, &words)
            }
            _ => {
                let all: Vec<String> = constants
                    .iter()
                    .map(|constant| {
                        constant.as_str().map_or_else(|| constant.to_string(), str::to_owned)
                    })
                    .collect();
                let all: Vec<&str> = all.iter().map(String::as_str).collect();
                let message = format!("{what} has a value that it cannot have");
                let found = self.on(&node, Code::F0207, message);
                found.help(format!("it may be {}", keys::list(&all)))
            }
        };
        self.push(found);
        Node { value: Value::Bad, ..node }
    }

    /// One of several: the first that fits without a mistake, else what the likeliest says.
    fn variant(&mut self, node: &Node, schema: Schema<'_>, what: &str, key: Span) -> Node {
        let variants = schema.variants();
        let template = node.as_str().is_some_and(is_template);
        let fits = |variant: &Schema<'_>| template || variant.admits(&node.value);
        let mut likely: Option<(usize, Node, Vec<Diagnostic>, Vec<FieldUse>)> = None;
        for variant in variants.into_iter().filter(fits) {
            let found = std::mem::take(&mut self.found);
            let uses = std::mem::take(&mut self.field_uses);
            let walked = self.walk(node, variant, what, key);
            let said = std::mem::replace(&mut self.found, found);
            let reads = std::mem::replace(&mut self.field_uses, uses);
            // A map is meant for the variant that knows most of its keys.
            let strange =
                node.entries().iter().filter(|e| variant.property(&e.key.value).is_none()).count();
            let rank = if said.is_empty() { 0 } else { 1 + strange };
            if likely.as_ref().is_none_or(|(best, ..)| rank < *best) {
                likely = Some((rank, walked, said, reads));
            }
        }
        if let Some((_, walked, said, reads)) = likely {
            self.found.extend(said);
            self.field_uses.extend(reads);
            walked
        } else {
            let found = self.misfit(node, schema, what);
            self.push(found);
            Node { value: Value::Bad, span: node.span, source: node.source.clone() }
        }
    }
}
