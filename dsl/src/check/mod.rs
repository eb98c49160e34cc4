//! Spanned tree to checked pipeline: every independent mistake at once.

mod bounds;
mod budget;
mod complaint;
mod declarations;
mod fields;
mod fieldset;
mod format;
mod hints;
mod idle;
mod jinja;
mod keys;
mod loops;
mod meaning;
mod models;
mod nodes;
mod overrides;
mod params;
mod place;
mod read;
mod render;
mod retry;
mod schema;
mod settings;
mod template;
mod wiring;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use keys::{HINTS, list};
pub use params::{ParamDecl, ParamType, declared_params};

use crate::catalog::Catalog;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::pipeline::{Parts, Pipeline};
use crate::source::{SourceFile, Span, Spelling};
use crate::tree::{Ast, Node, Value};
use jinja::Jinja;
use params::Params;

/// What a run adds to the file: all from the command line.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// `--profile NAME`, in order; later ones win.
    pub profiles: Vec<String>,
    /// `--set PATH=VALUE`, in order, after the profiles.
    pub sets: Vec<(String, String)>,
    /// `--NAME VALUE` and `--param NAME=VALUE`, as text; typed by the declaration.
    pub params: Vec<(String, String)>,
    /// Whether every param must have a value, as for a run. Otherwise what depends on one that
    /// has none is not checked, and is [`Value::Bad`] in the settings.
    pub complete: bool,
}

/// Checks a file. The pipeline is there when neither reading nor checking found an error.
pub fn check(ast: &Ast, catalog: &Catalog, inputs: &Inputs) -> (Option<Pipeline>, Vec<Diagnostic>) {
    let (parts, found) = check_parts(ast, catalog, inputs);
    let errors = found.iter().any(|found| found.severity == Severity::Error);
    (parts.map(|parts| parts.pipeline).filter(|_| !errors && ast.sound), found)
}

/// Checks a file, and gives what there is of it even when it has mistakes.
pub fn check_parts(
    ast: &Ast,
    catalog: &Catalog,
    inputs: &Inputs,
) -> (Option<Parts>, Vec<Diagnostic>) {
    let mut checker = Checker {
        file: &ast.source,
        catalog,
        found: Vec::new(),
        params: Params::default(),
        jinja: Jinja::default(),
        names: Names::default(),
        field_uses: Vec::new(),
        mistaken: Vec::new(),
    };
    if !matches!(ast.root.value, Value::Map(_)) {
        return (None, Vec::new());
    }
    let root = checker.overridden(&ast.root, inputs);
    checker.read_params(&root, inputs);
    let parts = checker.parts(&root);
    let mut found = checker.found;
    // The pipeline file first, in its order, then what came from the command line.
    found.sort_by_key(|found| (!Arc::ptr_eq(&found.source, &ast.source), found.label.span));
    found.dedup_by(|a, b| {
        a.code == b.code && a.label.span == b.label.span && a.message == b.message
    });
    (parts, found)
}

/// What the parts of the check share.
struct Checker<'a> {
    file: &'a Arc<SourceFile>,
    catalog: &'a Catalog,
    found: Vec<Diagnostic>,
    params: Params,
    jinja: Jinja,
    names: Names,
    /// Names of fields in templates and expressions of the node that is being read.
    field_uses: Vec<template::FieldUse>,
    /// Settings of that node that are wrong, missing, or none.
    mistaken: Vec<String>,
}

impl Checker<'_> {
    /// A diagnostic at a place that lies in the file of a value.
    fn at(&self, node: &Node, span: Span, code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, node.source.as_ref().unwrap_or(self.file), span, message)
    }

    /// A diagnostic at a value.
    fn on(&self, node: &Node, code: Code, message: impl Into<String>) -> Diagnostic {
        self.at(node, node.span, code, message)
    }

    /// Words in the spelling of the file.
    fn spelled<T>(&self, yaml: T, flow: T) -> T {
        match self.file.spelling {
            Spelling::Yaml => yaml,
            Spelling::Flow => flow,
        }
    }

    fn push(&mut self, found: Diagnostic) {
        self.found.push(found);
    }
}

/// The names that a file declares, by kind.
#[derive(Debug, Default)]
struct Names {
    secrets: Declared,
    limits: Declared,
    models: Declared,
    /// The provider of each model.
    providers: HashMap<String, String>,
    schemas: Declared,
}

/// Names of one kind.
#[derive(Debug, Default)]
struct Declared {
    spans: HashMap<String, Span>,
    /// In the order of the file.
    order: Vec<String>,
    /// Part of the declaration could not be read: no name is called unknown.
    unreadable: bool,
}

impl Declared {
    /// The names in a map of declarations.
    fn of(section: Option<&Node>) -> Self {
        let mut declared = Self::default();
        let Some(section) = section else { return declared };
        declared.unreadable = section.value == Value::Bad;
        for entry in section.entries() {
            declared.spans.entry(entry.key.value.clone()).or_insert(entry.key.span);
            declared.order.push(entry.key.value.clone());
            declared.unreadable |= entry.key.value.is_empty();
        }
        declared
    }

    fn has(&self, name: &str) -> bool {
        self.unreadable || self.spans.contains_key(name)
    }
}

fn holds_bad(node: &Node) -> bool {
    match &node.value {
        Value::Bad => true,
        Value::List(items) => items.iter().any(holds_bad),
        Value::Map(entries) => entries.iter().any(|entry| holds_bad(&entry.value)),
        _ => false,
    }
}
