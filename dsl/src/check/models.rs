//! Models: a provider, a limit, a key, and what the provider wants to know.

use super::hints::{key_place, place};
use super::{Checker, keys};
use crate::catalog::Catalog;
use crate::code::Code;
use crate::pipeline::Model;
use crate::source::Spanned;
use crate::suggest::closest;
use crate::tree::{Entry, Node, Value};

/// Providers of the language that this version cannot ask.
const LATER: &[&str] = &["azure", "bedrock", "local", "minilm"];

impl Checker<'_> {
    /// The models, and the names of those that are not as they should be.
    pub(super) fn models(&mut self, root: &Node) -> (Vec<Model>, Vec<String>) {
        let (mut models, mut broken) = (Vec::new(), Vec::new());
        for entry in self.named(root, "models") {
            let before = self.found.len();
            let model = self.model(entry);
            if model.is_none() || self.found.len() > before {
                broken.push(entry.key.value.clone());
            }
            models.extend(model);
        }
        (models, broken)
    }

    fn model(&mut self, entry: &Entry) -> Option<Model> {
        let (name, node) = (&entry.key.value, &entry.value);
        match &node.value {
            Value::Map(_) => {}
            Value::Bad => return None,
            Value::Null => return self.no_provider(entry),
            _ => {
                let found = self.wrong_type(node, &format!("model `{name}`"), "a map");
                let found = match &node.value {
                    Value::String(word) => {
                        let flow = format!("write `model {name}: {word}`");
                        found.help(
                            self.spelled(format!("write `{name}: {{provider: {word}}}`"), flow),
                        )
                    }
                    _ => found.help(self.spelled(
                        format!("write `{name}: {{provider: ...}}`"),
                        format!("write `model {name}: PROVIDER`"),
                    )),
                };
                self.push(found);
                return None;
            }
        }
        let limit = node.get("limit").and_then(|limit| {
            let value = self.declared(limit, "limit", Code::F0231, "limits")?;
            Some(Spanned::new(value, place(limit)))
        });
        let key = node.get("key").and_then(|key| {
            let value = self.declared(key, "secret", Code::F0233, "secrets")?;
            Some(Spanned::new(value, place(key)))
        });
        let Some(provider) = node.get("provider") else { return self.no_provider(entry) };
        let word = self.text(provider, "`provider`")?;
        let catalog: &Catalog = self.catalog;
        let Some(spec) = catalog.provider(&word) else {
            self.unknown_provider(provider, &word);
            return None;
        };
        let own =
            |entry: &&Entry| !matches!(entry.key.value.as_str(), "provider" | "limit" | "key");
        let rest = node.entries().iter().filter(own).cloned().collect();
        let rest = Node { value: Value::Map(rest), span: node.span, source: node.source.clone() };
        let what = format!("provider `{word}`");
        let settings = self.settings_of(
            &rest,
            &spec.settings,
            &what,
            provider.span,
            &["provider", "limit", "key"],
        );
        self.no_password(&rest);
        let usual = spec.secret.filter(|secret| self.names.secrets.spans.contains_key(*secret));
        let secret =
            key.or_else(|| usual.map(|name| Spanned::new(name.to_owned(), place(provider))));
        let provider = Spanned::new(word, place(provider));
        Some(Model { name: key_place(entry), provider, limit, secret, settings })
    }

    /// An address with a password in it would be shown in messages and logs.
    fn no_password(&mut self, settings: &Node) {
        let secret = self.spelled("under `secrets:`", "with `secret`");
        for entry in settings.entries() {
            if !entry.value.as_str().is_some_and(has_password) {
                continue;
            }
            let message = format!("`{}` has a user or password in it", entry.key.value);
            let found = self
                .at(&entry.value, entry.key.span, Code::F0238, message)
                .label("would be shown in messages and logs")
                .help(format!("take out what stands before the `@`; declare it {secret}, and name it by `key:`"));
            self.push(found);
        }
    }

    fn no_provider(&mut self, entry: &Entry) -> Option<Model> {
        let excused = entry.value.entries().iter().any(|inner| {
            inner.value.value == Value::Bad || closest(&inner.key.value, ["provider"]).is_some()
        });
        if excused {
            let near = entry.value.entries().iter().find(|inner| {
                inner.value.value != Value::Bad
                    && inner.key.value != "provider"
                    && closest(&inner.key.value, ["provider"]).is_some()
            });
            if let Some(inner) = near {
                let message = format!("a model has no key `{}`", inner.key.value);
                let found = self.unknown_key(inner, &message, &["provider"]);
                self.push(found);
            }
            return None;
        }
        let message = format!("model `{}` has no provider", entry.key.value);
        let found = self.at(&entry.value, entry.key.span, Code::F0203, message);
        let names = self.provider_names();
        let flow = format!("`model {}: PROVIDER`, which", entry.key.value);
        let place = self.spelled("`provider:`".to_owned(), flow);
        self.push(found.help(format!("give it one: {place} may be {}", keys::list(&names))));
        None
    }

    fn provider_names(&self) -> Vec<&'static str> {
        self.catalog.providers.iter().map(|provider| provider.name).collect()
    }

    fn unknown_provider(&mut self, node: &Node, word: &str) {
        let names = self.provider_names();
        let found = if LATER.contains(&word) {
            self.on(node, Code::F0216, format!("the provider `{word}` is not supported yet"))
                .help(format!("supported: {}", keys::list(&names)))
        } else {
            let found = self.on(node, Code::F0234, format!("no provider called `{word}`"));
            match closest(word, names.iter().copied()) {
                Some(near) => found.help(format!("did you mean `{near}`?")).fix(node.span, near),
                None => found.help(format!("there are {}", keys::list(&names))),
            }
        };
        self.push(found);
    }
}

/// Whether an address has something before an `@` in front of its host.
fn has_password(address: &str) -> bool {
    let host = address.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next());
    host.flatten().is_some_and(|host| host.contains('@'))
}
