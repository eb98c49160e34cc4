//! Profiles and `--set`: values of the file replaced by path, before anything is checked.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Checker, Inputs, keys};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::parse::MAX_DEPTH;
use crate::parse::yaml;
use crate::source::{SourceFile, Span, Spanned};
use crate::suggest::closest;
use crate::tree::{Entry, Node, Value};

/// Declarations whose keys are names that the file gives.
const NAMED: &[&str] = &["params", "secrets", "limits", "models", "schemas", "stages"];

/// The words of a path.
type Path = Vec<Spanned<String>>;

/// A path that leads nowhere.
struct Lost<'p> {
    /// Which of its words.
    word: &'p Spanned<String>,
    message: String,
    /// What could stand there.
    near: Option<String>,
}

impl Checker<'_> {
    /// The file with its profiles and `--set` applied.
    pub(super) fn overridden<'r>(&mut self, root: &'r Node, inputs: &Inputs) -> Cow<'r, Node> {
        let mut changed = Cow::Borrowed(root);
        let profiles = self.named(root, "profiles");
        for entry in &profiles {
            let chosen = inputs.profiles.contains(&entry.key.value);
            if self.fixed_profile(entry) && !chosen {
                // Only to find paths that lead nowhere.
                self.profile(root, entry);
            }
        }
        for name in &inputs.profiles {
            match profiles.iter().find(|entry| entry.key.value == *name) {
                Some(entry) => {
                    for (path, value) in self.profile(&changed, entry) {
                        put(changed.to_mut(), &path, value);
                    }
                }
                None => self.unknown_profile(name, &profiles),
            }
        }
        for (path, text) in &inputs.sets {
            self.set(&mut changed, path, text);
        }
        changed
    }

    fn fixed_profile(&mut self, entry: &Entry) -> bool {
        match &entry.value.value {
            Value::Map(_) => true,
            Value::Null | Value::Bad => false,
            _ => {
                let found = self.wrong_type(&entry.value, "a profile", "a map of `path: value`");
                self.push(found);
                false
            }
        }
    }

    fn unknown_profile(&mut self, name: &str, profiles: &[&Entry]) {
        if profiles.iter().any(|entry| entry.key.value.is_empty()) {
            return;
        }
        let source = SourceFile::new("--profile", name);
        let message = format!("no profile called `{name}`");
        let span = Span::new(0, name.len());
        let names: Vec<&str> = profiles.iter().map(|entry| entry.key.value.as_str()).collect();
        let found = Diagnostic::new(Code::F0232, &source, span, message);
        let found = match closest(name, names.iter().copied()) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => found.help(self.spelled(
                "the file declares none: `profiles: {NAME: ...}`",
                "the file declares none: `profile NAME { ... }`",
            )),
            None => found.help(format!("the file declares {}", keys::list(&names))),
        };
        self.push(found);
    }

    /// What a profile sets, less the paths that lead nowhere.
    fn profile<'p>(&mut self, root: &Node, profile: &'p Entry) -> Vec<(Path, &'p Node)> {
        let mut all = Vec::new();
        for entry in profile.value.entries() {
            if entry.key.value.is_empty() || entry.value.value == Value::Bad {
                continue;
            }
            let path = words(&entry.key.value, inside(self.file, entry.key.span));
            match resolve(root, &path) {
                Ok(true) => all.push((path, &entry.value)),
                Ok(false) => {}
                Err(lost) => {
                    let found = self.lost(&entry.value, &lost);
                    self.push(found);
                }
            }
        }
        all
    }

    fn set(&mut self, root: &mut Cow<'_, Node>, path: &str, text: &str) {
        let source = SourceFile::new("--set", format!("{path}={text}"));
        let value_at = path.len() + 1;
        // The same text with the path blanked, so that places agree.
        let blanked: String = path.chars().map(|_| ' ').collect::<String>()
            + &" ".repeat(path.len() - path.chars().count())
            + " "
            + text;
        let (mut value, found) = yaml(&SourceFile::new("--set", blanked));
        if text.trim().is_empty() {
            value = Node::new(Value::Null, Span::new(value_at, value_at));
        }
        let failed = !found.is_empty();
        for mut diagnostic in found {
            diagnostic.source = Arc::clone(&source);
            self.push(diagnostic);
        }
        if failed {
            return;
        }
        give_source(&mut value, &source);
        let path = words(path, Span::new(0, path.len()));
        match resolve(root, &path) {
            Ok(true) => put(root.to_mut(), &path, &value),
            Ok(false) => {}
            Err(lost) => {
                let found = self.lost(&value, &lost);
                self.push(found);
            }
        }
    }

    fn lost(&self, value: &Node, lost: &Lost<'_>) -> Diagnostic {
        let found = self.at(value, lost.word.span, Code::F0235, lost.message.clone());
        match &lost.near {
            Some(near) => {
                found.help(format!("did you mean `{near}`?")).fix(lost.word.span, near.clone())
            }
            None => found.help("a path looks like `stages.NAME.parallelism` or `models.NAME`"),
        }
    }
}

/// A key's own text, less its quotes.
fn inside(file: &SourceFile, span: Span) -> Span {
    let text = &file.text[span.start..span.end];
    if text.starts_with(['"', '\'']) && text.len() > 1 {
        Span::new(span.start + 1, span.end - 1)
    } else {
        span
    }
}

fn words(path: &str, span: Span) -> Path {
    let mut at = 0;
    path.split('.')
        .map(|word| {
            let place = span.part(at, at + word.len());
            at += word.len() + 1;
            let place = if place.end > span.end { span } else { place };
            Spanned::new(word.to_owned(), place)
        })
        .collect()
}

fn give_source(node: &mut Node, source: &Arc<SourceFile>) {
    node.source = Some(Arc::clone(source));
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| give_source(item, source)),
        Value::Map(entries) => {
            for entry in entries {
                give_source(&mut entry.value, source);
            }
        }
        _ => {}
    }
}

/// Whether a value can be put at a path; false where nothing can be read. A declared name must
/// exist; what is below it may be new.
fn resolve<'p>(root: &Node, path: &'p [Spanned<String>]) -> Result<bool, Lost<'p>> {
    let Some(section) = path.first() else { return Ok(false) };
    let word = section.value.as_str();
    let lost = |word, message, near: Option<&str>| {
        Err(Lost { word, message, near: near.map(str::to_owned) })
    };
    if path.len() > MAX_DEPTH {
        return lost(section, format!("a path has at most {MAX_DEPTH} words"), None);
    }
    if !keys::TOP.contains(&word) || word == "profiles" {
        let near = closest(word, keys::TOP.iter().copied());
        return lost(section, format!("a pipeline has no `{word}` to set"), near);
    }
    let mut place = root.get(word);
    if NAMED.contains(&word) {
        let unreadable = root.entries().iter().any(|entry| entry.key.value.is_empty());
        let Some(section_map) = place.filter(|place| place.value != Value::Bad) else {
            if unreadable || place.is_some() {
                return Ok(false);
            }
            return lost(section, format!("the file declares no `{word}`"), None);
        };
        let Some(name) = path.get(1) else {
            return lost(section, format!("`{word}` cannot be set as a whole"), None);
        };
        if section_map.get(&name.value).is_none() {
            let mut names = section_map.entries().iter().map(|entry| entry.key.value.as_str());
            if names.clone().any(str::is_empty) {
                return Ok(false);
            }
            let near = closest(&name.value, &mut names);
            return lost(name, format!("`{word}` declares no `{}`", name.value), near);
        }
        if word == "stages" && path.len() == 2 {
            return lost(name, "a node cannot be set as a whole".to_owned(), None);
        }
    }
    for (at, inner) in path.iter().enumerate().skip(1) {
        match place.map(|place| &place.value) {
            None | Some(Value::Null | Value::Map(_)) => {}
            Some(Value::Bad) => return Ok(false),
            Some(_) => {
                let above: Vec<&str> = path[..at].iter().map(|word| word.value.as_str()).collect();
                let message = format!("`{}` has nothing inside to set", above.join("."));
                return lost(inner, message, None);
            }
        }
        place = place.and_then(|place| place.get(&inner.value));
    }
    Ok(true)
}

/// Puts a value at a path that can be resolved.
fn put(root: &mut Node, path: &[Spanned<String>], value: &Node) {
    let mut path = path.to_vec();
    let is_param = path.len() == 2 && path[0].value == "params";
    let declaration = root.get("params").and_then(|params| params.get(&path[path.len() - 1].value));
    if is_param && declaration.is_some_and(|node| matches!(node.value, Value::Map(_))) {
        path.push(Spanned::new("default".to_owned(), path[1].span));
    }
    let mut place = root;
    let last = path.len() - 1;
    for (at, word) in path.iter().enumerate() {
        match child(place, word, value, at == last) {
            Some(inner) => place = inner,
            None => return,
        }
    }
    *place = value.clone();
}

/// The value of a key, made when it is not there. A new value gets its key's place.
fn child<'n>(
    node: &'n mut Node,
    key: &Spanned<String>,
    value: &Node,
    last: bool,
) -> Option<&'n mut Node> {
    if !matches!(node.value, Value::Map(_)) {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return None };
    let at = entries.iter().position(|entry| entry.key.value == key.value);
    if let Some(at) = at.filter(|_| last) {
        // A key lies in the same file as its value.
        entries[at].key.span = key.span;
    }
    let at = at.unwrap_or_else(|| {
        let fresh = Node { value: Value::Null, span: key.span, source: value.source.clone() };
        entries.push(Entry { key: key.clone(), value: fresh });
        entries.len() - 1
    });
    entries.get_mut(at).map(|entry| &mut entry.value)
}
