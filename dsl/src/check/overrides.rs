//! Profiles and `--set`: values of the file replaced by path, before anything is checked.

use std::sync::Arc;

use super::{Checker, Inputs, keys};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::parse::yaml;
use crate::source::{SourceFile, Span, Spanned};
use crate::suggest::closest;
use crate::tree::{Entry, Node, Value};

/// Declarations whose keys are names that the file gives.
const NAMED: &[&str] = &["params", "secrets", "limits", "models", "schemas", "stages"];

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
    pub(super) fn overridden(&mut self, root: &Node, inputs: &Inputs) -> Node {
        let mut root = root.clone();
        let before = root.clone();
        let profiles = self.named(&before, "profiles");
        for entry in &profiles {
            let name = &entry.key.value;
            if self.fixed_profile(entry) && !inputs.profiles.contains(name) {
                // Only to find paths that lead nowhere.
                self.profile(&mut root.clone(), entry);
            }
        }
        for name in &inputs.profiles {
            match profiles.iter().find(|entry| entry.key.value == *name) {
                Some(entry) => self.profile(&mut root, entry),
                None => self.unknown_profile(name, &profiles),
            }
        }
        for (path, text) in &inputs.sets {
            self.set(&mut root, path, text);
        }
        root
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
            None if names.is_empty() => {
                found.help("the file declares none: `profiles: {NAME: ...}`")
            }
            None => found.help(format!("the file declares {}", keys::list(&names))),
        };
        self.push(found);
    }

    fn profile(&mut self, root: &mut Node, profile: &Entry) {
        for entry in profile.value.entries() {
            if entry.key.value.is_empty() || entry.value.value == Value::Bad {
                continue;
            }
            let path = words(&entry.key.value, inside(self.file, entry.key.span));
            if let Err(lost) = put(root, &path, &entry.value) {
                let found = self.lost(&entry.value, &lost);
                self.push(found);
            }
        }
    }

    fn set(&mut self, root: &mut Node, path: &str, text: &str) {
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
        if let Err(lost) = put(root, &words(path, Span::new(0, path.len())), &value) {
            let found = self.lost(&value, &lost);
            self.push(found);
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

fn words(path: &str, span: Span) -> Vec<Spanned<String>> {
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

/// Puts a value at a path. A declared name must exist; what is below it may be new.
fn put<'p>(root: &mut Node, path: &'p [Spanned<String>], value: &Node) -> Result<(), Lost<'p>> {
    let Some(section) = path.first() else { return Ok(()) };
    if !keys::TOP.contains(&section.value.as_str()) || section.value == "profiles" {
        let near = closest(&section.value, keys::TOP.iter().copied()).map(str::to_owned);
        let message = format!("a pipeline has no `{}` to set", section.value);
        return Err(Lost { word: section, message, near });
    }
    let named = NAMED.contains(&section.value.as_str());
    if named && root.get(&section.value).is_none() {
        if root.entries().iter().any(|entry| entry.key.value.is_empty()) {
            return Ok(());
        }
        let message = format!("the file declares no `{}`", section.value);
        return Err(Lost { word: section, message, near: None });
    }
    let Some(mut place) = child(root, section, value, path.len() == 1) else { return Ok(()) };
    if place.value == Value::Bad {
        return Ok(());
    }
    if named {
        let Some(name) = path.get(1) else {
            let message = format!("`{}` cannot be set as a whole", section.value);
            return Err(Lost { word: section, message, near: None });
        };
        let declared: Vec<String> =
            place.entries().iter().map(|entry| entry.key.value.clone()).collect();
        if declared.iter().any(String::is_empty) && !declared.contains(&name.value) {
            return Ok(());
        }
        if !declared.contains(&name.value) {
            let near = closest(&name.value, declared.iter().map(String::as_str)).map(str::to_owned);
            let message = format!("`{}` declares no `{}`", section.value, name.value);
            return Err(Lost { word: name, message, near });
        }
    }
    if section.value == "stages" && path.len() == 2 {
        let message = "a node cannot be set as a whole".to_owned();
        return Err(Lost { word: &path[1], message, near: None });
    }
    let is_param = section.value == "params" && path.len() == 2;
    for word in &path[1..] {
        place = match inside_of(place, word, value, path) {
            Some(place) => place?,
            None => return Ok(()),
        };
    }
    if is_param && matches!(place.value, Value::Map(_)) {
        let default = Spanned::new("default".to_owned(), path[1].span);
        let Some(inner) = child(place, &default, value, true) else { return Ok(()) };
        place = inner;
    }
    *place = value.clone();
    Ok(())
}

/// One step down; none where nothing can be read.
fn inside_of<'n, 'p>(
    place: &'n mut Node,
    word: &'p Spanned<String>,
    value: &Node,
    path: &'p [Spanned<String>],
) -> Option<Result<&'n mut Node, Lost<'p>>> {
    match place.value {
        Value::Bad => None,
        Value::Map(_) | Value::Null => {
            let param = path[0].value == "params" && path.len() == 2;
            let last = path.last().is_some_and(|end| end.span == word.span) && !param;
            child(place, word, value, last).map(Ok)
        }
        _ => {
            let at = path.iter().position(|other| other.span == word.span).unwrap_or(1);
            let above: Vec<&str> = path[..at].iter().map(|word| word.value.as_str()).collect();
            let message = format!("`{}` has nothing inside to set", above.join("."));
            Some(Err(Lost { word, message, near: None }))
        }
    }
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
