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
    known: HashMap<(bool, String), bool>,
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

    /// Whether there is such a filter, test or function. No value has a method.
    pub(super) fn has(&mut self, kind: UseKind, name: &str) -> bool {
        match kind {
            UseKind::Function => return self.is_function(name),
            UseKind::Method => return false,
            _ => {}
        }
        let filter = kind == UseKind::Filter;
        if let Some(&known) = self.known.get(&(filter, name.to_owned())) {
            return known;
        }
        let probe = if filter { format!("1 | {name}") } else { format!("1 is {name}") };
        let outcome = self
            .environment()
            .compile_expression(&probe)
            .and_then(|expression| expression.eval(()));
        let known = !outcome.is_err_and(|error| {
            matches!(error.kind(), ErrorKind::UnknownFilter | ErrorKind::UnknownTest)
        });
        self.known.insert((filter, name.to_owned()), known);
        known
    }

    pub(super) fn is_function(&self, name: &str) -> bool {
        self.environment().globals().any(|(known, _)| known == name)
    }
}

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

/// How an operator of another language, at a place of a text, is written here.
pub(super) fn elsewhere(text: &str, at: usize) -> Option<&'static str> {
    let (before, rest) = (text.get(..at)?, text.get(at..)?);
    let word = rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    Some(match word.to_lowercase().as_str() {
        "and" | "or" | "not" | "in" | "is" if word.chars().all(char::is_uppercase) => {
            "write `and`, `or`, `not`, `in` and `is` in small letters"
        }
        "like" | "contains" => "write `'part' in FIELD`",
        "between" => "write `1 <= FIELD <= 5`",
        _ if rest.starts_with('=') => "compare with `==`",
        _ if rest.starts_with('&') => "write `and`",
        _ if rest.starts_with('|') && before.ends_with('|') => "write `or`",
        _ if rest.starts_with('>') && before.ends_with('<') => "write `!=`",
        _ if rest.starts_with('!') => "write `not`",
        _ => return None,
    })
}

/// The words of the template language's own complaints, less its inner names.
pub(super) fn in_words(message: &str) -> String {
    message
        .replace("unexpected input after expression", "nothing can follow here")
        .replace("unexpected end of input, expected expression", "ends where a value should follow")
        .replace("unexpected end of input", "it ends too early")
        .replace("end of variable block", "`}}`")
        .replace("start of variable block", "`{{`")
        .replace("end of block", "`%}`")
        .replace("start of block", "`{%`")
        .replace("template-data", "text")
        .replace("identifier", "a name")
        .replace("expected expression", "a value should follow")
        .replace("unexpected character", "cannot stand here")
        .replace("unexpected end of comment", "a comment is not closed: `#}` is missing")
        .replace("unexpected end of string", "a quote is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_tests_are_known_by_asking() {
        let mut jinja = Jinja::default();
        assert!(jinja.has(UseKind::Filter, "upper") && jinja.has(UseKind::Filter, "join"));
        assert!(!jinja.has(UseKind::Filter, "upperr"));
        assert!(jinja.has(UseKind::Test, "defined") && jinja.has(UseKind::Test, "startingwith"));
        assert!(!jinja.has(UseKind::Test, "defiend"));
        assert!(jinja.has(UseKind::Function, "range") && !jinja.has(UseKind::Function, "type"));
        assert!(!jinja.has(UseKind::Method, "upper"));
    }

    #[test]
    fn only_what_there_is_is_suggested() {
        let mut jinja = Jinja::default();
        let kinds =
            [(UseKind::Filter, FILTERS), (UseKind::Test, TESTS), (UseKind::Function, FUNCTIONS)];
        for (kind, names) in kinds {
            for name in names {
                assert!(jinja.has(kind, name), "{kind:?} {name}");
            }
        }
    }
}
