//! What comparing two values means: as minijinja does, but a text is never compared with a number.

use std::cmp::Ordering;
use std::error::Error;
use std::fmt;
use std::ops::Range;

use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, ErrorKind, State, Value as Jinja};

use super::guard::COMPARE;

/// Characters of a text that a message shows.
const SHOWN: usize = 40;

/// The tests that compare, under all their names.
const TESTS: [(&str, &[&str]); 7] = [
    ("==", &["eq", "equalto", "=="]),
    ("!=", &["ne", "!="]),
    ("<", &["lt", "lessthan", "<"]),
    ("<=", &["le", "<="]),
    (">", &["gt", "greaterthan", ">"]),
    (">=", &["ge", ">="]),
    ("in", &["in"]),
];

/// Makes an environment compare as we do.
pub(super) fn add_to(environment: &mut Environment<'static>) {
    for (operator, names) in TESTS {
        for name in names {
            environment.add_test(*name, move |state: &State, left: &Jinja, right: &Jinja| {
                holds(state, operator, [left, right], None)
            });
        }
    }
    environment.add_function(COMPARE, chain);
}

/// A chain of comparisons: the places of the operands, then operands with operators between them.
fn chain(state: &State, arguments: Rest<Jinja>) -> Result<bool, minijinja::Error> {
    let mut values = arguments.0.into_iter();
    let places = values.next().unwrap_or_default();
    let values: Vec<Jinja> = values.collect();
    let mut places = places.try_iter()?.filter_map(|place| place.as_usize());
    let places: Vec<Range<usize>> =
        std::iter::from_fn(|| Some(places.next()?..places.next()?)).collect();
    for (at, link) in values.windows(3).step_by(2).enumerate() {
        let [left, operator, right] = link else { break };
        let operator = operator.as_str().unwrap_or_default();
        let places = places.get(at..at + 2).map(|places| [places[0].clone(), places[1].clone()]);
        if !holds(state, operator, [left, right], places)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds(
    state: &State,
    operator: &str,
    values: [&Jinja; 2],
    places: Option<[Range<usize>; 2]>,
) -> Result<bool, minijinja::Error> {
    let [left, right] = values;
    if left.is_undefined() || right.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    let ordered = |fits: fn(Ordering) -> bool| match (rank(left), rank(right)) {
        (Rank::Nothing, _) => None,
        (one, other) => (one == other).then(|| fits(left.cmp(right))),
    };
    let outcome = match operator {
        "in" => contained(state, left, right)?,
        "not in" => contained(state, left, right)?.map(|there| !there),
        "==" | "!=" if are_unlike(left, right) => None,
        "==" => Some(left == right),
        "!=" => Some(left != right),
        "<" => ordered(Ordering::is_lt),
        "<=" => ordered(Ordering::is_le),
        ">" => ordered(Ordering::is_gt),
        _ => ordered(Ordering::is_ge),
    };
    outcome.ok_or_else(|| {
        let unlike = Unlike { values: values.map(Clone::clone), places };
        minijinja::Error::new(ErrorKind::InvalidOperation, "unlike values").with_source(unlike)
    })
}

/// Nothing when the value is looked for among values that it cannot be compared with.
fn contained(
    state: &State,
    value: &Jinja,
    container: &Jinja,
) -> Result<Option<bool>, minijinja::Error> {
    match container.kind() {
        ValueKind::Seq => {
            let mut items = container.try_iter()?.peekable();
            if items.peek().is_some() && items.all(|item| are_unlike(value, &item)) {
                return Ok(None);
            }
        }
        ValueKind::String | ValueKind::Map | ValueKind::Iterable => {}
        _ => {
            let detail = "`in` looks into a list, a map or a text";
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, detail));
        }
    }
    minijinja::tests::is_in(state, value, container).map(Some)
}

/// What has an order among its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Number,
    Text,
    List,
    Nothing,
}

fn rank(value: &Jinja) -> Rank {
    match value.kind() {
        ValueKind::Number | ValueKind::Bool => Rank::Number,
        ValueKind::String => Rank::Text,
        ValueKind::Seq => Rank::List,
        _ => Rank::Nothing,
    }
}

/// A text, and a number or a truth value.
fn are_unlike(one: &Jinja, other: &Jinja) -> bool {
    matches!((rank(one), rank(other)), (Rank::Text, Rank::Number) | (Rank::Number, Rank::Text))
}

/// Two values that cannot be compared, and where their operands stand in the text.
#[derive(Debug)]
pub(super) struct Unlike {
    values: [Jinja; 2],
    places: Option<[Range<usize>; 2]>,
}

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason(""))
    }
}

impl Error for Unlike {}

impl Unlike {
    /// The one that an error is about.
    pub(super) fn of(error: &minijinja::Error) -> Option<&Self> {
        let mut source = error.source();
        while let Some(error) = source {
            if let Some(unlike) = error.downcast_ref() {
                return Some(unlike);
            }
            source = error.source();
        }
        None
    }

    /// What is wrong with which operand of an expression or template, and what to write.
    pub(super) fn reason(&self, text: &str) -> String {
        let sides = [0, 1].map(|side| Side {
            value: &self.values[side],
            written: self
                .places
                .as_ref()
                .and_then(|places| text.get(places[side].clone()))
                .unwrap_or_default(),
        });
        // A literal is as it was meant; what came with the record is the surprise.
        let subject = usize::from(sides[0].is_literal() && !sides[1].is_literal());
        let (subject, other) = (&sides[subject], &sides[1 - subject]);
        let verb = if subject.is_literal() { "" } else { " is" };
        let reason = format!(
            "{}{verb} {}, which cannot be compared with {}",
            subject.name(),
            subject.words(),
            other.named()
        );
        let reason = reason.trim_start();
        match subject.cure(other) {
            Some(cure) => format!("{reason}: {cure}"),
            None => reason.to_owned(),
        }
    }
}

/// One side of a comparison.
struct Side<'a> {
    value: &'a Jinja,
    /// The operand as it was written; empty when nobody knows.
    written: &'a str,
}

impl Side<'_> {
    fn is_literal(&self) -> bool {
        let quoted = self.written.starts_with(['"', '\'']);
        quoted || self.written.is_empty() || self.written.to_lowercase() == self.spelled()
    }

    /// As one would write it.
    fn spelled(&self) -> String {
        match self.value.kind() {
            ValueKind::Bool | ValueKind::None => self.value.to_string().to_lowercase(),
            _ => self.value.to_string(),
        }
    }

    fn name(&self) -> String {
        if self.is_literal() { String::new() } else { format!("`{}`", self.written) }
    }

    fn named(&self) -> String {
        if self.is_literal() {
            self.words()
        } else {
            format!("`{}`, {}", self.written, self.words())
        }
    }

    fn words(&self) -> String {
        match self.value.kind() {
            ValueKind::None => "null".to_owned(),
            ValueKind::Bool => format!("`{}`", self.spelled()),
            ValueKind::Number => format!("the number {}", self.value),
            ValueKind::String => {
                let text = self.value.to_string();
                if text.is_empty() {
                    return "an empty text".to_owned();
                }
                let short: String = text.chars().take(SHOWN).collect();
                let more = if short.len() < text.len() { "..." } else { "" };
                format!("the text `{short}{more}`")
            }
            ValueKind::Seq | ValueKind::Iterable => "a list".to_owned(),
            ValueKind::Map => "a map".to_owned(),
            _ => "another kind of value".to_owned(),
        }
    }

    fn cure(&self, other: &Self) -> Option<String> {
        if self.is_literal() {
            return None;
        }
        let simple = self.written.chars().all(|c| c.is_alphanumeric() || "_.".contains(c));
        let written = if simple { self.written.to_owned() } else { format!("({})", self.written) };
        match (rank(self.value), other.value.kind()) {
            (Rank::Text, ValueKind::Number) => Some(format!("write `{written} | float`")),
            (Rank::Text, ValueKind::Bool) => {
                Some(format!("compare with a text, as `'{}'`", other.spelled()))
            }
            (Rank::Text, ValueKind::Seq) => Some("look among texts, in quotes".to_owned()),
            (Rank::Number, ValueKind::String) if other.is_literal() => {
                let bare = other.value.to_string();
                let fits = bare.parse::<f64>().is_ok() || matches!(&*bare, "true" | "false");
                fits.then(|| format!("take the quotes away: `{bare}`"))
            }
            (Rank::Nothing, _) if self.value.is_none() => {
                Some(format!("write `{written} is not none and ...` in front"))
            }
            _ => None,
        }
    }
}
