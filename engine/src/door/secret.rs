//! Secrets: found when first asked for, never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use flow_dsl::pipeline::{Secret as Declared, SecretFrom};

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

    /// A text without the secret in it.
    pub(crate) fn hide(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&*self.0, "***") }
    }

    /// What a server sent without the secret in it, wherever the server repeats it.
    pub(crate) fn hide_bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        let (secret, length) = (self.0.as_bytes(), self.0.len());
        let mut found = memchr::memmem::find_iter(&bytes, secret).peekable();
        if length == 0 || found.peek().is_none() {
            drop(found);
            return bytes;
        }
        let (mut hidden, mut from) = (Vec::with_capacity(bytes.len()), 0);
        for at in found {
            hidden.extend_from_slice(&bytes[from..at]);
            hidden.extend_from_slice(b"***");
            from = at + length;
        }
        hidden.extend_from_slice(&bytes[from..]);
        hidden
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
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

    use super::*;

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
        assert_eq!(found.hide_bytes(b"a s3cret, s3cre".to_vec()), b"a ***, s3cre");
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
