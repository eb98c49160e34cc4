//! Secrets: found when first asked for, never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use flow_dsl::pipeline::{Secret as Declared, SecretFrom};
use serde_json::Value;

/// What is shown instead of a secret.
const HIDDEN: &str = "***";
/// Bytes from which on a secret does not stand in a text by chance.
const SHORT: usize = 8;

/// The value of a secret. Shown as `***` wherever it could be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// A secret with this value.
    pub fn new(value: &str) -> Self {
        Self(Arc::from(value))
    }

    /// The value, for the wire alone.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// A text for people without the secret in it. A short one is no more than a word, and is
    /// hidden where it stands as one.
    pub(crate) fn hide(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        if self.0.len() >= SHORT {
            return text.replace(&*self.0, HIDDEN);
        }
        let (mut hidden, mut from) = (String::with_capacity(text.len()), 0);
        for (at, found) in text.match_indices(&*self.0) {
            let end = at + found.len();
            let before = text[..at].chars().next_back();
            let after = text[end..].chars().next();
            if !before.into_iter().chain(after).any(char::is_alphanumeric) {
                hidden.push_str(&text[from..at]);
                hidden.push_str(HIDDEN);
                from = end;
            }
        }
        hidden.push_str(&text[from..]);
        hidden
    }

    /// Hides the secret in the texts of what a server answered, wherever the server repeats it.
    /// A short one is left alone: it stands in any text by chance.
    pub(crate) fn hide_in(&self, answer: &mut Value) {
        match answer {
            Value::String(text) if self.0.len() >= SHORT && text.contains(&*self.0) => {
                *text = text.replace(&*self.0, HIDDEN);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(map) => map.values_mut().for_each(|value| self.hide_in(value)),
            _ => {}
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A secret that a stage asked for and that is not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsetSecret {
    /// Its name.
    pub name: String,
    /// A lowercase fragment: what was tried.
    pub reason: String,
}

/// The secrets that a file declares.
#[derive(Default)]
pub struct Secrets {
    declared: Vec<Declared>,
    folder: PathBuf,
    found: Mutex<BTreeMap<String, Result<Secret, UnsetSecret>>>,
}

impl Secrets {
    /// Secrets as declared; relative files start at `folder`.
    pub fn new(declared: &[Declared], folder: impl Into<PathBuf>) -> Self {
        Self { declared: declared.to_vec(), folder: folder.into(), found: Mutex::default() }
    }

    /// The value of a secret, looked for once. An unset one is empty here and stands in
    /// [`unset`](Self::unset), so that a plan can be made without it but not run.
    pub fn get(&self, name: &str) -> Secret {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let value = found.entry(name.to_owned()).or_insert_with(|| {
            self.find(name).map_err(|reason| UnsetSecret { name: name.to_owned(), reason })
        });
        value.clone().unwrap_or_else(|_| Secret::new(""))
    }

    /// The secrets that were asked for and are not to be had.
    pub fn unset(&self) -> Vec<UnsetSecret> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.values().filter_map(|value| value.clone().err()).collect()
    }

    fn find(&self, name: &str) -> Result<Secret, String> {
        let declared = self
            .declared
            .iter()
            .find(|secret| secret.name.value == name)
            .ok_or_else(|| "it is not declared under `secrets`".to_owned())?;
        let value = match &declared.from {
            SecretFrom::Env(variable) => std::env::var(variable)
                .map_err(|_| format!("the environment variable `{variable}` is not set"))?,
            SecretFrom::File(path) => std::fs::read_to_string(self.folder.join(path))
                .map_err(|error| format!("the file `{path}` cannot be read: {error}"))?,
            SecretFrom::Command(words) => printed_by(words)?,
        };
        let value = value.trim_end_matches(['\r', '\n']);
        if value.is_empty() { Err("it is empty".to_owned()) } else { Ok(Secret::new(value)) }
    }
}

fn printed_by(words: &[String]) -> Result<String, String> {
    let (program, arguments) = words.split_first().ok_or("its command is empty")?;
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("`{program}` cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{program}` ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{program}` printed no UTF-8"))
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} declared)", self.declared.len())
    }
}

#[cfg(test)]
mod tests {
    use flow_dsl::{Span, Spanned};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_short_secret_is_hidden_as_a_word_and_a_long_one_everywhere() {
        for (secret, text, shown) in [
            ("k", "no such key: k", "no such key: ***"),
            ("k", "k|kk|k", "***|kk|***"),
            ("s3cret", "Bearer s3cret.", "Bearer ***."),
            ("s3cret-key", "xs3cret-keyx s3cret", "x***x s3cret"),
            ("", "nothing", "nothing"),
        ] {
            assert_eq!(Secret::new(secret).hide(text), shown, "{secret}");
        }
    }

    #[test]
    fn of_an_answer_only_texts_are_changed_and_never_by_a_short_secret() {
        let answer = json!({"prompt_tokens": 7, "long-key": ["a long-key b", 1], "k": "k"});
        for (secret, shown) in [
            ("k", answer.clone()),
            ("7", answer.clone()),
            ("long-key", json!({"prompt_tokens": 7, "long-key": ["a *** b", 1], "k": "k"})),
        ] {
            let mut hidden = answer.clone();
            Secret::new(secret).hide_in(&mut hidden);
            assert_eq!(hidden, shown, "{secret}");
        }
    }

    #[test]
    fn a_secret_is_found_once_and_never_shown() {
        let folder = std::env::temp_dir();
        let declared = |name: &str, from| Declared {
            name: Spanned::new(name.to_owned(), Span::default()),
            from,
        };
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let secrets = Secrets::new(
            &[
                declared("printed", SecretFrom::Command(words(&["echo", "s3cret"]))),
                declared("absent", SecretFrom::Env("FLOW_TEST_NOT_SET".to_owned())),
                declared("broken", SecretFrom::Command(words(&["false"]))),
            ],
            folder,
        );
        let found = secrets.get("printed");
        assert_eq!(found.expose(), "s3cret");
        assert_eq!(format!("{found:?} {secrets:?}"), "*** Secrets(3 declared)");
        assert_eq!(found.hide("key s3cret refused"), "key *** refused");
        for name in ["absent", "broken", "unknown"] {
            secrets.get(name);
        }
        let unset: Vec<String> = secrets
            .unset()
            .into_iter()
            .map(|unset| format!("{}: {}", unset.name, unset.reason))
            .collect();
        assert_eq!(
            unset,
            [
                "absent: the environment variable `FLOW_TEST_NOT_SET` is not set",
                "broken: `false` ended with exit status: 1",
                "unknown: it is not declared under `secrets`",
            ]
        );
    }
}
