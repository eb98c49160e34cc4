//! Params: declared with a type, given by a default or on the command line.

use serde_json::{Map, Value as Json};

use super::{Checker, Inputs, keys};
use crate::code::Code;
use crate::parse::{plain, yaml};
use crate::scalar;
use crate::source::{SourceFile, Span};
use crate::suggest::closest;
use crate::tree::{Ast, Entry, Node, Value};

/// What a param may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// Any text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A file or folder.
    Path,
    /// Files by pattern.
    Glob,
    /// `2m`.
    Duration,
    /// `5MiB`.
    Size,
    /// Several values.
    List,
}

const TYPES: &[(&str, ParamType)] = &[
    ("string", ParamType::String),
    ("integer", ParamType::Integer),
    ("number", ParamType::Number),
    ("bool", ParamType::Bool),
    ("path", ParamType::Path),
    ("glob", ParamType::Glob),
    ("duration", ParamType::Duration),
    ("size", ParamType::Size),
    ("list", ParamType::List),
    ("str", ParamType::String),
    ("int", ParamType::Integer),
    ("float", ParamType::Number),
    ("boolean", ParamType::Bool),
];

impl ParamType {
    /// The word for it.
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|(_, known)| *known == self).map_or("string", |(name, _)| name)
    }

    /// What a value must be, in words.
    const fn words(self) -> &'static str {
        match self {
            Self::String | Self::Path | Self::Glob => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Bool => "`true` or `false`",
            Self::Duration => "a duration, as `500ms`, `2s` or `20m`",
            Self::Size => "a size, as `64KiB` or `5MiB`",
            Self::List => "a list",
        }
    }

    /// The value, when it has the type.
    fn read(self, value: &Value) -> Option<Json> {
        let json = || Node::new(value.clone(), Span::default()).to_json();
        let fits = match (self, value) {
            (Self::String | Self::Path | Self::Glob, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::List, Value::List(_)) => true,
            (Self::Integer, Value::Number(text)) => text.parse::<i64>().is_ok(),
            (Self::Duration, Value::String(text)) => scalar::duration(text).is_some(),
            (Self::Size, Value::String(text)) => scalar::size(text).is_some(),
            _ => false,
        };
        fits.then(json)
    }

    /// The value of a text from the command line.
    fn read_text(self, text: &str) -> Option<Json> {
        match self {
            Self::String | Self::Path | Self::Glob => Some(Json::String(text.to_owned())),
            Self::Duration | Self::Size => self.read(&Value::String(text.to_owned())),
            Self::List if !text.trim_start().starts_with('[') => Some(
                text.split(',').filter(|item| !item.trim().is_empty()).map(str::trim).collect(),
            ),
            Self::List => {
                let (node, found) = yaml(&SourceFile::new("", text));
                self.read(&node.value).filter(|_| found.is_empty())
            }
            _ => self.read(&plain(text.trim())),
        }
    }
}

/// A declared param, for the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamDecl {
    /// Its name.
    pub name: String,
    /// What it may hold.
    pub ty: ParamType,
    /// The default as it is written.
    pub default: Option<String>,
    /// What it is for.
    pub help: Option<String>,
    /// The only values that it may have; empty when any may.
    pub choices: Vec<String>,
}

/// The params that a file declares, as far as they can be read.
pub fn declared_params(ast: &Ast) -> Vec<ParamDecl> {
    let entries = ast.root.get("params").map_or(&[][..], Node::entries);
    let readable = entries.iter().filter(|entry| {
        !entry.key.value.is_empty() && matches!(entry.value.value, Value::Map(_) | Value::Null)
    });
    readable.map(|entry| declaration(&entry.key.value, &entry.value)).collect()
}

fn declaration(name: &str, node: &Node) -> ParamDecl {
    let choices = match node.get("choices").map(|choices| &choices.value) {
        Some(Value::List(items)) => items.iter().filter_map(written).collect(),
        _ => Vec::new(),
    };
    ParamDecl {
        name: name.to_owned(),
        ty: type_of(node),
        default: node.get("default").and_then(written),
        help: node.get("help").and_then(Node::as_str).map(str::to_owned),
        choices,
    }
}

/// The declared type, or that of the default.
fn type_of(node: &Node) -> ParamType {
    let word = node.get("type").and_then(Node::as_str);
    let declared = word.and_then(|word| TYPES.iter().find(|(name, _)| *name == word));
    match (declared, node.get("default").map(|default| &default.value)) {
        (Some((_, ty)), _) => *ty,
        (None, Some(Value::Bool(_))) => ParamType::Bool,
        (None, Some(Value::Number(text))) if text.parse::<i64>().is_ok() => ParamType::Integer,
        (None, Some(Value::Number(_))) => ParamType::Number,
        (None, Some(Value::List(_))) => ParamType::List,
        _ => ParamType::String,
    }
}

fn written(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::List(_) => Some(node.to_json().to_string()),
        _ => None,
    }
}

/// The params of a check.
#[derive(Debug, Default)]
pub(super) struct Params {
    /// The values that are known.
    pub(super) values: Map<String, Json>,
    names: Vec<String>,
    /// Part of the declarations could not be read.
    unreadable: bool,
}

impl Params {
    pub(super) fn has(&self, name: &str) -> bool {
        self.unreadable || self.names.iter().any(|known| known == name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether every declared param has a value.
    pub(super) fn all_known(&self) -> bool {
        !self.unreadable && self.names.iter().all(|name| self.values.contains_key(name))
    }
}

impl Checker<'_> {
    /// Reads the declarations and gives each param its value.
    pub(super) fn read_params(&mut self, root: &Node, inputs: &Inputs) {
        self.params.unreadable = root.get("params").is_some_and(|node| node.value == Value::Bad);
        let entries = self.named(root, "params");
        self.params.names = entries.iter().map(|entry| entry.key.value.clone()).collect();
        self.params.unreadable |= self.params.names.iter().any(String::is_empty);
        for entry in entries {
            if let Some(value) = self.param(entry, inputs) {
                self.params.values.insert(entry.key.value.clone(), value);
            }
        }
        for (name, text) in &inputs.params {
            if !self.params.has(name) {
                self.unknown_input(name, text);
            }
        }
    }

    fn unknown_input(&mut self, name: &str, text: &str) {
        let source = SourceFile::new("--param", format!("{name}={text}"));
        let message = format!("the file declares no param `{name}`");
        let found = crate::Diagnostic::new(Code::F0236, &source, Span::new(0, name.len()), message);
        let found = match closest(name, self.params.names()) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None if self.params.names.is_empty() => found.help("it declares none at all"),
            None => {
                let names: Vec<&str> = self.params.names().collect();
                found.help(format!("it declares {}", keys::list(&names)))
            }
        };
        self.push(found);
    }

    fn param(&mut self, entry: &Entry, inputs: &Inputs) -> Option<Json> {
        let (name, node) = (&entry.key.value, &entry.value);
        let known = ["type", "default", "help", "choices"];
        self.fixed(node, &format!("param `{name}`"), &known)?;
        if node.entries().iter().any(|entry| entry.key.value.is_empty()) {
            return None;
        }
        if let Some(ty) = node.get("type") {
            let words: Vec<_> = TYPES.iter().take(9).copied().collect();
            let text = ty.as_str().unwrap_or_default();
            if !TYPES.iter().any(|(word, _)| *word == text) {
                self.choice(ty, "the type of a param", &words);
                return None;
            }
        }
        if let Some(help) = node.get("help") {
            self.text(help, "`help`");
        }
        let decl = declaration(name, node);
        if !self.choices_fit(node, decl.ty) {
            return None;
        }
        let default = match node.get("default") {
            Some(default) => Some(self.default(default, &decl)?),
            None => None,
        };
        match inputs.params.iter().rev().find(|(given, _)| given == name) {
            Some((_, text)) => self.given(&decl, text),
            None if default.is_none() && inputs.complete => {
                self.no_value(entry);
                None
            }
            None => default,
        }
    }

    fn choices_fit(&mut self, node: &Node, ty: ParamType) -> bool {
        let Some(choices) = node.get("choices") else { return true };
        let Value::List(items) = &choices.value else {
            let found = self.wrong_type(choices, "`choices`", "a list");
            self.push(found);
            return false;
        };
        let before = self.found.len();
        for item in items {
            if ty.read(&item.value).is_none() && item.value != Value::Bad {
                let found = self.wrong_type(item, "each of the choices", ty.words());
                self.push(found);
            }
        }
        self.found.len() == before
    }

    fn default(&mut self, node: &Node, decl: &ParamDecl) -> Option<Json> {
        if node.value == Value::Bad {
            return None;
        }
        let text_wanted = decl.ty.words() == "text";
        let Some(value) = decl.ty.read(&node.value) else {
            let what = format!("the default of `{}`", decl.name);
            let found = if text_wanted {
                self.wrong_text(node, &what)
            } else {
                self.on(node, Code::F0205, format!("{what} must be {}", decl.ty.words()))
                    .help(format!("the type of the param is `{}`", decl.ty.name()))
            };
            self.push(found);
            return None;
        };
        let text = written(node).unwrap_or_default();
        if decl.choices.is_empty() || decl.choices.contains(&text) {
            return Some(value);
        }
        let choices: Vec<&str> = decl.choices.iter().map(String::as_str).collect();
        let what = format!("the default of `{}`", decl.name);
        let found = self.not_a_choice(node, &what, &text, &choices);
        self.push(found);
        None
    }

    fn given(&mut self, decl: &ParamDecl, text: &str) -> Option<Json> {
        let value = decl.ty.read_text(text);
        let chosen = decl.choices.is_empty() || decl.choices.iter().any(|choice| choice == text);
        if value.is_some() && chosen {
            return value;
        }
        let flag = format!("--{}", decl.name);
        let source = SourceFile::new(flag.as_str(), text);
        let span = Span::new(0, text.len());
        let found = if chosen {
            let message = format!("`{flag}` must be {}", decl.ty.words());
            crate::Diagnostic::new(Code::F0237, &source, span, message)
                .help(format!("the type of the param is `{}`", decl.ty.name()))
        } else {
            let choices: Vec<&str> = decl.choices.iter().map(String::as_str).collect();
            crate::Diagnostic::new(
                Code::F0237,
                &source,
                span,
                format!("`{flag}` cannot be `{text}`"),
            )
            .help(format!("it may be {}", keys::list(&choices)))
        };
        self.push(found);
        None
    }

    fn no_value(&mut self, entry: &Entry) {
        let name = &entry.key.value;
        let message = format!("the param `{name}` has no value");
        let found = self
            .at(&entry.value, entry.key.span, Code::F0504, message)
            .label("declared without a default")
            .help(format!("give one: `--{name} VALUE`"));
        self.push(found);
    }
}
