//! What stands around the nodes: name, secrets, limits.

use super::hints::key_place;
use super::{Checker, Declared};
use crate::code::Code;
use crate::pipeline::{Limit, Model, Parts, Pipeline, Secret, SecretFrom};
use crate::suggest::closest;
use crate::tree::{Entry, Node, Value};

impl Checker<'_> {
    /// Reads everything. There is nothing to judge where names may be declared that could not be
    /// read.
    pub(super) fn parts(&mut self, root: &Node) -> Option<Parts> {
        self.top_keys(root);
        self.names.secrets = Declared::of(root.get("secrets"));
        self.names.limits = Declared::of(root.get("limits"));
        self.names.models = Declared::of(root.get("models"));
        self.names.schemas = Declared::of(root.get("schemas"));
        let name = self.flow_name(root);
        let title = root.get("title").and_then(|title| self.text(title, "`title`"));
        let secrets = self.secrets(root);
        let limits = self.limits(root);
        let budget = self.budget(root);
        let (models, broken_models) = self.models(root);
        let provider = |model: &Model| (model.name.value.clone(), model.provider.value.clone());
        self.names.providers = models.iter().map(provider).collect();
        let schemas = self.named(root, "schemas");
        let schemas =
            schemas.into_iter().map(|entry| (key_place(entry), entry.value.clone())).collect();
        let nodes = self.nodes(root);
        let lost = self.names.models.unreadable || self.names.schemas.unreadable;
        let pipeline = Pipeline {
            source: std::sync::Arc::clone(self.file),
            name: name.unwrap_or_default(),
            title,
            params: self.params.values.clone().into_iter().collect(),
            secrets,
            limits,
            budget,
            models,
            schemas,
            nodes,
        };
        (!lost).then_some(Parts { pipeline, broken_models })
    }

    fn flow_name(&mut self, root: &Node) -> Option<String> {
        let Some(node) = root.get("flow") else {
            let help =
                self.spelled("begin the file with `flow: NAME`", "begin the file with `flow NAME`");
            self.missing_at_top(root, "flow", help);
            return None;
        };
        self.text(node, "the name of the pipeline").filter(|name| {
            if name.trim().is_empty() {
                let found = self.on(node, Code::F0217, "the name of the pipeline is empty");
                let help = self.spelled("`flow: interviews`", "`flow interviews`");
                self.push(found.help(format!("give it a name: {help}")));
            } else if !super::keys::is_name(name) {
                let found = self.on(node, Code::F0217, format!("`{name}` cannot be a name"));
                let title = self.spelled("`title:`", "the title behind it, in quotes,");
                self.push(found.help(format!(
                    "a name has letters, digits, `_` and `-`; {title} may be any text"
                )));
            } else {
                return true;
            }
            false
        })
    }

    /// A declaration that every file has. Silent where part of the file could not be read, or
    /// where another key is close enough to be it.
    pub(super) fn missing_at_top(&mut self, root: &Node, key: &str, help: &str) {
        let excused = root.entries().iter().any(|entry| {
            let unknown = !super::keys::TOP.contains(&entry.key.value.as_str());
            entry.key.value.is_empty()
                || unknown && closest(&entry.key.value, [key]).is_some()
                || unknown && entry.value.value == Value::Bad
        });
        if !excused {
            let mut own = root.entries().iter().filter(|entry| entry.value.source.is_none());
            let word = self.spelled(key, key.trim_end_matches('s'));
            let first = own.next().map_or(root.span, |entry| entry.key.span);
            let found = self.at(root, first, Code::F0203, format!("the file has no `{word}`"));
            self.push(found.help(help));
        }
    }

    fn secrets(&mut self, root: &Node) -> Vec<Secret> {
        let entries = self.named(root, "secrets");
        entries
            .into_iter()
            .filter_map(|entry| {
                let from = self.secret(entry)?;
                Some(Secret { name: key_place(entry), from })
            })
            .collect()
    }

    fn secret(&mut self, entry: &Entry) -> Option<SecretFrom> {
        let (name, node) = (&entry.key.value, &entry.value);
        match &node.value {
            Value::Bad => return None,
            Value::Null => return Some(SecretFrom::Env(name.clone())),
            Value::String(word) if word == "env" => return Some(SecretFrom::Env(name.clone())),
            Value::String(_) => {
                let message = format!("`{name}` must say where the secret comes from");
                let head = self.spelled(format!("{name}:"), format!("secret {name}"));
                let found = self.on(node, Code::F0205, message).help(format!(
                    "write `{head} {{env: VARIABLE}}`, `{{file: PATH}}` or `{{command: [...]}}`; never the secret itself"
                ));
                self.push(found);
                return None;
            }
            _ => {}
        }
        let places = self.fixed(node, &format!("secret `{name}`"), &["env", "file", "command"])?;
        let mut known = places
            .iter()
            .filter(|place| matches!(place.key.value.as_str(), "env" | "file" | "command"));
        let (Some(place), None) = (known.next(), known.next()) else {
            if places.iter().all(|place| place.value.value != Value::Bad) && places.len() != 1 {
                let message = format!("secret `{name}` must name one place");
                let found = self.at(node, entry.key.span, Code::F0203, message);
                self.push(found.help("write `env:`, `file:` or `command:`, one of them"));
            }
            return None;
        };
        match place.key.value.as_str() {
            "env" => self.text(&place.value, "`env`").map(SecretFrom::Env),
            "file" => self.text(&place.value, "`file`").map(SecretFrom::File),
            _ => self.command(&place.value),
        }
    }

    fn command(&mut self, node: &Node) -> Option<SecretFrom> {
        let Value::List(items) = &node.value else {
            let found =
                self.wrong_type(node, "`command`", "a list of the program and its arguments");
            self.push(found.help("write `command: [pass, show, openai]`: no shell reads it"));
            return None;
        };
        if items.is_empty() {
            let found = self.on(node, Code::F0208, "`command` names no program");
            self.push(found.help("write `command: [pass, show, openai]`"));
            return None;
        }
        let words = items.iter().map(|item| self.text(item, "a word of `command`"));
        words.collect::<Option<_>>().map(SecretFrom::Command)
    }

    fn limits(&mut self, root: &Node) -> Vec<Limit> {
        let entries = self.named(root, "limits");
        entries.into_iter().filter_map(|entry| self.limit(entry)).collect()
    }

    fn limit(&mut self, entry: &Entry) -> Option<Limit> {
        let name = &entry.key.value;
        let what = format!("limit `{name}`");
        let parts = self.fixed(&entry.value, &what, &["requests", "tokens", "concurrency"])?;
        if parts.is_empty() {
            let found = self.at(
                &entry.value,
                entry.key.span,
                Code::F0203,
                format!("{what} limits nothing"),
            );
            self.push(found.help("give it `requests: 50/min`, `tokens:` or `concurrency:`"));
        }
        let node = &entry.value;
        Some(Limit {
            name: key_place(entry),
            requests: node.get("requests").and_then(|part| self.rate(part, "`requests`")),
            tokens: node.get("tokens").and_then(|part| self.rate(part, "`tokens`")),
            concurrency: node
                .get("concurrency")
                .and_then(|part| self.whole(part, "`concurrency`", 1)),
        })
    }

    /// How something is declared.
    fn declare(&self, section: &str, what: &str, name: &str) -> String {
        let flow = match what {
            "model" => format!("declare it: `model {name}: PROVIDER`"),
            "secret" => format!("declare it: `secret {name} = env`"),
            _ => format!("declare it: `{what} {name} [...]`"),
        };
        self.spelled(format!("declare it: `{section}: {{{name}: ...}}`"), flow)
    }

    /// A name that must be declared.
    pub(super) fn declared(
        &mut self,
        node: &Node,
        what: &str,
        code: Code,
        section: &str,
    ) -> Option<String> {
        let name = self.text(node, &format!("`{what}`"))?;
        let declared = match section {
            "secrets" => &self.names.secrets,
            "limits" => &self.names.limits,
            _ => &self.names.models,
        };
        if declared.has(&name) {
            return Some(name);
        }
        let found = self.on(node, code, format!("no {what} called `{name}`"));
        let near = closest(&name, declared.order.iter().map(String::as_str));
        let found = match near.and_then(|near| declared.spans.get(near).map(|span| (near, *span))) {
            Some((near, span)) => {
                let found = found.label("not declared in this file");
                let here = node.source.is_none();
                let found = found.help(format!("did you mean `{near}`?")).fix(node.span, near);
                if here { found.other(span, "declared here") } else { found }
            }
            None => {
                found.label("not declared in this file").help(self.declare(section, what, &name))
            }
        };
        self.push(found);
        None
    }
}
