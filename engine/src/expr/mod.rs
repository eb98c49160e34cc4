//! Templates and conditions over the fields of a record: minijinja, strict about unknown names.

mod compare;
mod fast;
mod guard;
mod lower;

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, OnceLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value as Jinja};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

use crate::record::Record;
use crate::stage::Failure;

/// Work that one evaluation may do, in minijinja's units; a template that loops for ever fails.
const FUEL: u64 = 1_000_000;

thread_local! {
    static PARAMS: RefCell<Jinja> = RefCell::new(Jinja::from(Serde(serde_json::json!({}))));
}

/// Reads settings in such a way that every template and expression in them knows `params`.
pub fn with_params<T>(params: &Value, read: impl FnOnce() -> T) -> T {
    let before = PARAMS.replace(Jinja::from(Serde(params)));
    let result = read();
    PARAMS.set(before);
    result
}

/// A condition or computation over the fields of a record: `confidence >= 0.8`.
#[derive(Clone)]
pub struct Expr(Arc<Inner<minijinja::Expression<'static, 'static>, fast::Code>>);

/// A text with places for fields: `{{ kind }}-{{ id }}`.
#[derive(Clone)]
pub struct Template(Arc<Inner<Environment<'static>, fast::Parts>>);

struct Inner<T, F> {
    text: String,
    /// The names that must come from the record.
    names: Vec<String>,
    params: Jinja,
    compiled: T,
    /// A shorter way to the same result, for records that allow it.
    fast: Option<F>,
}

impl<T, F> Inner<T, F> {
    fn context(&self, record: &Record) -> Jinja {
        let fields = self.names.iter().filter_map(|name| {
            let value = match record.get(name) {
                Some(field) if !name.starts_with('_') => Jinja::from(Serde(field)),
                _ => Jinja::from(Serde(record.lookup(name)?)),
            };
            Some((name.as_str(), value))
        });
        let all = fields.chain(std::iter::once(("params", self.params.clone())));
        Jinja::from(all.collect::<std::collections::BTreeMap<&str, Jinja>>())
    }

    fn failure(&self, record: &Record, error: &minijinja::Error) -> Failure {
        let missing = self.names.iter().find(|name| record.lookup(name).is_none());
        Failure::bad(match missing {
            Some(name) if error.kind() == minijinja::ErrorKind::UndefinedError => {
                let fields: Vec<&str> = record.fields().map(|(name, _)| name).collect();
                format!("`{}`: no field `{name}` here, only: {}", self.text, fields.join(", "))
            }
            _ => match compare::Unlike::of(error) {
                Some(unlike) => format!("`{}`: {}", self.text, unlike.reason(&self.text)),
                None => format!("`{}`: {}", self.text, in_words(error)),
            },
        })
    }
}

/// What minijinja says, less its inner names.
fn in_words(error: &minijinja::Error) -> String {
    let said = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    said.replace("invalid float literal", "a text is not a number")
        .replace("invalid digit found in string", "a text is not a whole number")
        .replace("cannot parse float from empty string", "an empty text is not a number")
        .replace("cannot parse integer from empty string", "an empty text is not a whole number")
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_formatter(flow_dsl::spelling);
    environment.set_syntax(syntax());
    environment.set_fuel(Some(FUEL));
    compare::add_to(&mut environment);
    environment
}

fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default()
}

fn record_names(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let own = |name: &String| name != "params" && name != guard::COMPARE;
    let mut names: Vec<String> = names.into_iter().filter(own).collect();
    names.sort();
    names
}

impl Expr {
    /// Compiles an expression; the error is minijinja's.
    pub fn new(text: &str) -> Result<Self, minijinja::Error> {
        static SHARED: OnceLock<Environment<'static>> = OnceLock::new();
        let shared = SHARED.get_or_init(environment);
        // A mistake is told of the text as it was written.
        let compiled = match guard::guarded(text, true) {
            Some(guarded) if minijinja::machinery::parse_expr(text).is_ok() => guarded,
            _ => text.to_owned(),
        };
        let compiled = shared.compile_expression_owned(compiled)?;
        let names = record_names(compiled.undeclared_variables(false));
        let params = PARAMS.with_borrow(Clone::clone);
        let fast = lower::expression(text, &params);
        Ok(Self(Arc::new(Inner { text: text.to_owned(), names, params, compiled, fast })))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The value of the expression.
    pub fn value(&self, record: &Record) -> Result<Value, Failure> {
        match self.fast(record) {
            Some(value) => Ok(value.to_json()),
            None => self.slow_value(record),
        }
    }

    /// Whether the expression holds.
    pub fn holds(&self, record: &Record) -> Result<bool, Failure> {
        match self.fast(record) {
            Some(value) => Ok(value.is_true()),
            None => self.slow_holds(record),
        }
    }

    fn fast<'a>(&'a self, record: &'a Record) -> Option<fast::Plain<'a>> {
        self.0.fast.as_ref()?.eval(record)
    }

    fn slow_value(&self, record: &Record) -> Result<Value, Failure> {
        self.eval(record)
            .and_then(|value| {
                serde_json::to_value(&value).map_err(|error| {
                    minijinja::Error::new(minijinja::ErrorKind::BadSerialization, error.to_string())
                })
            })
            .map_err(|error| self.0.failure(record, &error))
    }

    fn slow_holds(&self, record: &Record) -> Result<bool, Failure> {
        self.eval(record)
            .map(|value| value.is_true())
            .map_err(|error| self.0.failure(record, &error))
    }

    /// Minijinja is strict about what is done with an unknown name, but not when an expression is
    /// nothing else.
    fn eval(&self, record: &Record) -> Result<Jinja, minijinja::Error> {
        let value = self.0.compiled.eval(self.0.context(record))?;
        if value.is_undefined() {
            return Err(minijinja::ErrorKind::UndefinedError.into());
        }
        Ok(value)
    }
}

impl Template {
    /// Compiles a template; the error is minijinja's.
    pub fn new(text: &str) -> Result<Self, minijinja::Error> {
        let mut compiled = environment();
        compiled.add_template_owned("template", text.to_owned())?;
        if let Some(guarded) = guard::guarded(text, false) {
            compiled.add_template_owned("template", guarded)?;
        }
        let names = record_names(compiled.get_template("template")?.undeclared_variables(false));
        let params = PARAMS.with_borrow(Clone::clone);
        let fast = lower::template(text, &params);
        Ok(Self(Arc::new(Inner { text: text.to_owned(), names, params, compiled, fast })))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The names that must come from the record.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.names.iter().map(String::as_str)
    }

    /// Whether it is the same for every record.
    pub fn is_constant(&self) -> bool {
        self.0.names.is_empty()
    }

    /// The text for a record.
    pub fn render(&self, record: &Record) -> Result<String, Failure> {
        match self.0.fast.as_ref().and_then(|fast| fast.render(record)) {
            Some(text) => Ok(text),
            None => self.slow_render(record),
        }
    }

    fn slow_render(&self, record: &Record) -> Result<String, Failure> {
        let template = self.0.compiled.get_template("template");
        template
            .and_then(|template| template.render(self.0.context(record)))
            .map_err(|error| self.0.failure(record, &error))
    }
}

macro_rules! setting_type {
    ($name:ident, $format:literal) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.text())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "format": $format})
            }
        }
    };
}

setting_type!(Expr, "expression");
setting_type!(Template, "template");

#[cfg(test)]
mod tests;
