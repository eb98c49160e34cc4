//! From a path to a tree, a checked pipeline, a plan; what is wrong on the way goes to stderr.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow_dsl::check::{ParamDecl, check_parts, declared_params};
use flow_dsl::parse::decode;
use flow_dsl::pipeline::Parts;
use flow_dsl::tree::{Node, Value};
use flow_dsl::{Ast, Diagnostic, Inputs, Pipeline, Severity, SourceFile, Span};
use flow_engine::plan::Plan;
use flow_stdlib::REGISTRY;

use crate::exit::{Exit, Trouble};
use crate::{file, render, terminal};

/// A file as syntax.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    ast: Ast,
    diagnostics: Vec<Diagnostic>,
}

/// A file that was checked.
#[derive(Debug)]
pub(crate) struct Checked {
    /// There when the file has no error.
    pub(crate) pipeline: Option<Pipeline>,
    /// What there is of it even so.
    parts: Option<Parts>,
    /// In the order of the file.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// How many mistakes there are of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
}

impl Count {
    /// Counts them.
    pub(crate) fn of(diagnostics: &[Diagnostic]) -> Self {
        let errors = diagnostics.iter().filter(|one| one.severity == Severity::Error).count();
        Self { errors, warnings: diagnostics.len() - errors }
    }
}

impl Loaded {
    /// Reads and parses a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Trouble> {
        let (name, bytes) = file::read(path)?;
        Ok(Self { path: path.to_owned(), ..Self::of(Path::new(&name), bytes) })
    }

    /// A file whose text is there already.
    pub(crate) fn of(path: &Path, text: Vec<u8>) -> Self {
        let (ast, diagnostics) = match decode(path.display().to_string(), text) {
            Ok(source) => flow_dsl::parse(&source),
            Err(diagnostic) => (nothing(&diagnostic.source), vec![*diagnostic]),
        };
        Self { path: path.to_owned(), ast, diagnostics }
    }

    /// Checks and plans it without a word; nothing when that cannot be done any more.
    pub(crate) fn plan_quietly(&self, inputs: &Inputs) -> Option<Plan> {
        let pipeline = self.check(inputs).pipeline?;
        flow_engine::plan::plan(&pipeline, &REGISTRY, &file::folder(&self.path)).ok()
    }

    /// Its name, as messages have it.
    pub(crate) fn name(&self) -> &str {
        &self.ast.source.name
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        &self.ast.source.text
    }

    /// Its text as it should be laid out, or why it cannot be read.
    pub(crate) fn formatted(&self) -> Result<String, Vec<Diagnostic>> {
        if self.is_broken() {
            return Err(self.diagnostics.clone());
        }
        flow_dsl::format(&self.ast.source)
    }

    /// Its text in the other spelling.
    pub(crate) fn converted(&self) -> Result<String, flow_dsl::Unconverted> {
        if self.is_broken() {
            return Err(flow_dsl::Unconverted::Wrong(self.diagnostics.clone()));
        }
        flow_dsl::convert(&self.ast.source)
    }

    /// The parameters that it declares.
    pub(crate) fn flags(&self) -> Vec<ParamDecl> {
        declared_params(&self.ast)
    }

    /// Whether it could not be read as a whole, so that parameters may be missing.
    pub(crate) fn is_broken(&self) -> bool {
        Count::of(&self.diagnostics).errors > 0
    }

    /// Checks it.
    pub(crate) fn check(&self, inputs: &Inputs) -> Checked {
        let (parts, found) = check_parts(&self.ast, &REGISTRY.catalog(), inputs);
        let mut diagnostics = self.diagnostics.clone();
        diagnostics.extend(found);
        let whole = Count::of(&diagnostics).errors == 0 && self.ast.sound;
        let pipeline = parts.as_ref().filter(|_| whole).map(|parts| parts.pipeline.clone());
        Checked { pipeline, parts, diagnostics }
    }

    /// Checks it as far as a plan would: also what only shows when stages are built.
    pub(crate) fn judge(&self, inputs: &Inputs) -> Checked {
        let mut checked = self.check(inputs);
        if let Some(parts) = &checked.parts {
            let found = flow_engine::plan::judge(parts, &REGISTRY, &file::folder(&self.path));
            checked.diagnostics.extend(found);
            // The pipeline file first, in its order, then the files that it names; nodes that name
            // the same one find the same in it.
            checked.diagnostics.sort_by_cached_key(|found| {
                let elsewhere = !Arc::ptr_eq(&found.source, &self.ast.source);
                let line = found.source.line_column(found.label.span.start).0;
                // What makes a line unreadable comes before what that leads to.
                let text = !found.code.name().starts_with("F01");
                (elsewhere.then(|| found.source.name.clone()), line, text, found.label.span)
            });
            checked.diagnostics.dedup();
            checked.pipeline =
                checked.pipeline.filter(|_| Count::of(&checked.diagnostics).errors == 0);
        }
        checked
    }

    /// Checks it and prints what is wrong; gives the pipeline when nothing is.
    pub(crate) fn pipeline(&self, inputs: &Inputs) -> Result<Pipeline, Exit> {
        let Checked { pipeline, diagnostics, .. } = self.check(inputs);
        let wrong = Count::of(&diagnostics).errors;
        // A file with mistakes is told of all of them, also those that a plan would find.
        complain(&if pipeline.is_some() { diagnostics } else { self.judge(inputs).diagnostics });
        if pipeline.is_none() && wrong == 0 {
            // The checker owes a mistake for every file that it refuses.
            terminal::err(&format!("error: `{}` is not a pipeline\n", self.name()));
        }
        pipeline.ok_or(Exit::Wrong)
    }

    /// Checks and plans it and prints what is wrong; gives the plan when nothing is.
    pub(crate) fn plan(&self, inputs: &Inputs) -> Result<Plan, Exit> {
        self.plan_within(inputs, None)
    }

    /// The same, with another budget for the run.
    pub(crate) fn plan_within(&self, inputs: &Inputs, most: Option<f64>) -> Result<Plan, Exit> {
        let mut pipeline = self.pipeline(inputs)?;
        pipeline.budget.run = most.or(pipeline.budget.run);
        flow_engine::plan::plan(&pipeline, &REGISTRY, &file::folder(&self.path)).map_err(
            |diagnostics| {
                complain(&diagnostics);
                Exit::Wrong
            },
        )
    }
}

/// The tree of a file that is not text.
fn nothing(source: &Arc<SourceFile>) -> Ast {
    let root = Node::new(Value::Bad, Span::default());
    Ast { source: Arc::clone(source), root, sound: false }
}

/// Draws mistakes on stderr.
pub(crate) fn complain(diagnostics: &[Diagnostic]) {
    if !diagnostics.is_empty() {
        terminal::err(&render::render(diagnostics, terminal::colour()));
    }
}
