//! The template language: what it knows, and its complaints in our words.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use super::template::UseKind;
use crate::suggest::closest;

/// Work that one rendering may do.
const FUEL: u64 = 1_000_000;

/// The template language, made when first needed.
#[derive(Default)]
pub(super) struct Jinja {
    environment: OnceCell<Environment<'static>>,
    known: HashMap<(UseKind, String, Option<usize>), Fit>,
}

/// How the use of a filter, test or function fits to what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// There is one, and nothing speaks against this use of it.
    Fits,
    /// It is given fewer values than it needs.
    TooFew,
    /// It is given more values than it takes.
    TooMany,
    /// There is none of this name.
    Unknown,
}

impl fmt::Debug for Jinja {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jinja")
    }
}

impl Jinja {
    pub(super) fn environment(&self) -> &Environment<'static> {
        self.environment.get_or_init(|| {
            let mut environment = Environment::new();
            environment.set_undefined_behavior(UndefinedBehavior::Strict);
            environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
            environment.set_formatter(crate::spelling);
            environment.set_fuel(Some(FUEL));
            if let Ok(syntax) =
                minijinja::syntax::SyntaxConfig::builder().keep_trailing_newline(true).build()
            {
                environment.set_syntax(syntax);
            }
            environment
        })
    }

    /// Whether there is such a filter, test or function, and takes so many values. No value has a
    /// method.
    pub(super) fn fit(&mut self, kind: UseKind, name: &str, given: Option<usize>) -> Fit {
        match kind {
            UseKind::Function if !self.is_function(name) => return Fit::Unknown,
            UseKind::Method => return Fit::Unknown,
            _ => {}
        }
        let key = (kind, name.to_owned(), given);
        if let Some(&fit) = self.known.get(&key) {
            return fit;
        }
        let fits = VALUES.iter().map(|value| self.tried(kind, name, given, value));
        let fit = fits.reduce(|fit, other| if fit == Fit::Fits { other } else { fit });
        let fit = fit.unwrap_or(Fit::Fits);
        self.known.insert(key, fit);
        fit
    }

    /// Uses it: what is said of the values themselves counts for nothing.
    fn tried(&self, kind: UseKind, name: &str, given: Option<usize>, value: &str) -> Fit {
        let values = vec![value; given.unwrap_or(0)].join(", ");
        let probe = match kind {
            UseKind::Filter => format!("{value} | {name}({values})"),
            UseKind::Test => format!("{value} is {name}({values})"),
            _ => format!("{name}({values})"),
        };
        let outcome = self
            .environment()
            .compile_expression(&probe)
            .and_then(|expression| expression.eval(()));
        match outcome.map_err(|error| error.kind()) {
            Err(ErrorKind::UnknownFilter | ErrorKind::UnknownTest) => Fit::Unknown,
            Err(ErrorKind::MissingArgument) if given.is_some() => Fit::TooFew,
            Err(ErrorKind::TooManyArguments) if given.is_some() => Fit::TooMany,
            _ => Fit::Fits,
        }
    }

    pub(super) fn is_function(&self, name: &str) -> bool {
        self.environment().globals().any(|(known, _)| known == name)
    }
}

/// Values to try filters, tests and functions with: each asks for another kind.
const VALUES: [&str; 3] = ["1", "'a'", "[]"];

/// Names to suggest, of filters.
const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "chain",
    "count",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// Names to suggest, of tests.
const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "even",
    "false",
    "float",
    "in",
    "integer",
    "iterable",
    "lower",
    "mapping",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

/// Names to suggest, of functions.
const FUNCTIONS: &[&str] = &["debug", "dict", "namespace", "range"];

/// What other languages have under other names, and how it is written here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("contains", "'part' in FIELD"),
    ("empty", "FIELD == ''"),
    ("endswith", "FIELD is endingwith('end')"),
    ("get", "FIELD.member | default('')"),
    ("len", "FIELD | length"),
    ("null", "FIELD is none"),
    ("size", "FIELD | length"),
    ("startswith", "FIELD is startingwith('start')"),
    ("str", "FIELD | string"),
    ("strip", "FIELD | trim"),
    ("substring", "FIELD[0:10]"),
    ("to_lower", "FIELD | lower"),
    ("to_upper", "FIELD | upper"),
    ("tolower", "FIELD | lower"),
    ("toupper", "FIELD | upper"),
];

/// What is said of a name that there is not: the message, the help, and what was meant.
pub(super) fn unknown(kind: UseKind, name: &str) -> (String, String, Option<&'static str>) {
    let (what, known) = match kind {
        UseKind::Filter => ("filter", FILTERS),
        UseKind::Test => ("test", TESTS),
        UseKind::Method => ("method", &[] as &[&str]),
        _ => ("function", FUNCTIONS),
    };
    let message = format!("no {what} called `{name}`");
    let is_call = matches!(kind, UseKind::Function | UseKind::Method);
    if let Some((_, written)) = ELSEWHERE.iter().find(|(other, _)| *other == name) {
        return (message, format!("write `{written}`"), None);
    }
    if let Some(near) = closest(name, known.iter().copied()) {
        return (message, format!("did you mean `{near}`?"), Some(near));
    }
    if let Some(filter) = closest(name, FILTERS.iter().copied()).filter(|_| is_call) {
        return (message, format!("there is a filter: write `FIELD | {filter}`"), None);
    }
    let help = match kind {
        UseKind::Method => "values have no methods; a filter stands behind `|`: `FIELD | upper`",
        UseKind::Function => {
            "the functions are `range`, `dict`, `namespace` and `debug`; a filter stands behind `|`: `FIELD | upper`"
        }
        UseKind::Filter => {
            "the filters are those of minijinja: `upper`, `trim`, `replace`, `join`, `length`, `default`..."
        }
        _ => {
            "the tests are those of minijinja: `defined`, `none`, `number`, `string`, `startingwith`..."
        }
    };
    (message, help.to_owned(), None)
}

/// What is said when values are missing: the message and the help.
pub(super) fn too_few(kind: UseKind, name: &str) -> (String, String) {
    let message = format!("`{name}` needs more values than it is given");
    let written = match (kind, name) {
        (UseKind::Filter, "replace") => "FIELD | replace('old', 'new')".to_owned(),
        (UseKind::Filter, _) => format!("FIELD | {name}(VALUE)"),
        (UseKind::Test, _) => format!("FIELD is {name}(VALUE)"),
        _ => format!("{name}(VALUE)"),
    };
    (message, format!("write them in brackets: `{written}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_tests_are_known_by_asking() {
        let mut jinja = Jinja::default();
        let mut has = |kind, name: &str| jinja.fit(kind, name, None) != Fit::Unknown;
        assert!(has(UseKind::Filter, "upper") && has(UseKind::Filter, "join"));
        assert!(!has(UseKind::Filter, "upperr"));
        assert!(has(UseKind::Test, "defined") && has(UseKind::Test, "startingwith"));
        assert!(!has(UseKind::Test, "defiend"));
        assert!(has(UseKind::Function, "range") && !has(UseKind::Function, "type"));
        assert!(!has(UseKind::Method, "upper"));
    }

    #[test]
    fn only_what_there_is_is_suggested() {
        let mut jinja = Jinja::default();
        let mut has = |kind, name: &str| jinja.fit(kind, name, None) != Fit::Unknown;
        let kinds =
            [(UseKind::Filter, FILTERS), (UseKind::Test, TESTS), (UseKind::Function, FUNCTIONS)];
        for (kind, names) in kinds {
            for name in names {
                assert!(has(kind, name), "{kind:?} {name}");
            }
        }
    }

    #[test]
    fn the_values_that_are_given_are_counted() {
        use UseKind::{Filter, Function, Test};
        let mut jinja = Jinja::default();
        for (kind, name, given, fit) in [
            (Filter, "replace", 0, Fit::TooFew),
            (Filter, "replace", 1, Fit::TooFew),
            (Filter, "replace", 2, Fit::Fits),
            (Filter, "upper", 0, Fit::Fits),
            (Filter, "upper", 1, Fit::TooMany),
            (Filter, "join", 0, Fit::Fits),
            (Filter, "default", 3, Fit::TooMany),
            (Filter, "trim", 3, Fit::TooMany),
            (Filter, "split", 0, Fit::Fits),
            (Test, "startingwith", 0, Fit::TooFew),
            (Test, "divisibleby", 1, Fit::Fits),
            (Test, "defined", 1, Fit::TooMany),
            (Function, "range", 0, Fit::TooFew),
            (Function, "range", 1, Fit::Fits),
        ] {
            assert_eq!(jinja.fit(kind, name, Some(given)), fit, "{kind:?} {name} {given}");
        }
    }

    #[test]
    fn nothing_is_said_of_a_use_that_may_be_right() {
        let mut jinja = Jinja::default();
        for (kind, names) in [(UseKind::Filter, FILTERS), (UseKind::Test, TESTS)] {
            for name in names {
                let fits = (0..4).any(|given| jinja.fit(kind, name, Some(given)) == Fit::Fits);
                assert!(fits, "{kind:?} {name}");
            }
        }
    }
}
