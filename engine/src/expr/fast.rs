//! Plain expressions, evaluated on the record itself.
//!
//! Minijinja needs its own copy of every field that it looks at. Most conditions only compare a
//! few numbers and strings; those are done here. Whenever a value is not of the plain kinds, or
//! anything is amiss, the answer is `None` and minijinja is asked: what an expression means is
//! decided by minijinja alone.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::Value;

use crate::record::Record;

/// Longer texts are left to minijinja, which counts them as fuel.
const LONG: usize = 1 << 20;

/// Integers up to this are exact as floats.
const EXACT: u64 = 1 << 53;

/// A plain expression.
#[derive(Debug)]
pub(super) enum Code {
    Literal(Literal),
    /// A field, or a member of an object in it.
    Path(Path),
    IsDefined(Box<str>),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Arithmetic(Box<Self>, Arithmetic, Box<Self>),
    /// `1 < n <= 5`: each with the one before.
    Compare(Box<Self>, Vec<(Comparison, Self)>),
    InList(Box<Self>, Vec<Literal>),
    InText(Box<Self>, Box<Self>),
}

/// The way to a value.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) field: Box<str>,
    pub(super) members: Vec<Box<str>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Remainder,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value that stands in the expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Box<str>),
}

/// A value on which there is no doubt what an operator does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Plain<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
}

impl Code {
    /// The value, when everything on the way to it is plain.
    pub(super) fn eval<'a>(&'a self, record: &'a Record) -> Option<Plain<'a>> {
        Some(match self {
            Self::Literal(literal) => literal.plain(),
            Self::Path(path) => Plain::of(path.find(record)?)?,
            Self::IsDefined(field) => Plain::Bool(record.get(field).is_some()),
            Self::Not(code) => Plain::Bool(!code.eval(record)?.is_true()),
            Self::And(left, right) => match left.eval(record)? {
                left if left.is_true() => right.eval(record)?,
                left => left,
            },
            Self::Or(left, right) => match left.eval(record)? {
                left if left.is_true() => left,
                _ => right.eval(record)?,
            },
            Self::Arithmetic(left, operator, right) => {
                match (left.eval(record)?, right.eval(record)?) {
                    (Plain::Integer(left), Plain::Integer(right)) => {
                        Plain::Integer(operator.compute(left, right)?)
                    }
                    _ => return None,
                }
            }
            Self::Compare(first, rest) => {
                // All links are computed, also those behind one that does not hold.
                if let [_, more @ ..] = &**rest
                    && more.iter().any(|(_, link)| link.eval(record).is_none())
                {
                    return None;
                }
                let mut left = first.eval(record)?;
                for (comparison, right) in rest {
                    let right = right.eval(record)?;
                    if !comparison.holds(left, right)? {
                        return Some(Plain::Bool(false));
                    }
                    left = right;
                }
                Plain::Bool(true)
            }
            Self::InList(value, list) => {
                let value = value.eval(record)?;
                for item in list {
                    if item.plain().equals(value)? {
                        return Some(Plain::Bool(true));
                    }
                }
                Plain::Bool(false)
            }
            Self::InText(part, whole) => match (part.eval(record)?, whole.eval(record)?) {
                (Plain::Text(part), Plain::Text(whole)) if whole.len() < LONG => {
                    Plain::Bool(whole.contains(part))
                }
                _ => return None,
            },
        })
    }
}

impl Path {
    fn find<'a>(&self, record: &'a Record) -> Option<&'a Value> {
        let mut value = record.get(&self.field)?;
        for member in &self.members {
            value = value.as_object()?.get(&**member)?;
        }
        Some(value)
    }
}

impl Arithmetic {
    /// Nothing where the result is no 64-bit integer.
    fn compute(self, left: i64, right: i64) -> Option<i64> {
        match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            // The sign is that of the divisor, as in Python.
            Self::Remainder => match left.checked_rem(right)? {
                rest if rest != 0 && (rest < 0) != (right < 0) => rest.checked_add(right),
                rest => Some(rest),
            },
        }
    }
}

impl Comparison {
    fn holds(self, left: Plain<'_>, right: Plain<'_>) -> Option<bool> {
        Some(match self {
            Self::Equal => left.equals(right)?,
            Self::NotEqual => !left.equals(right)?,
            Self::Less => left.order(right)?.is_lt(),
            Self::LessOrEqual => left.order(right)?.is_le(),
            Self::Greater => left.order(right)?.is_gt(),
            Self::GreaterOrEqual => left.order(right)?.is_ge(),
        })
    }
}

impl Literal {
    fn plain(&self) -> Plain<'_> {
        match self {
            Self::Null => Plain::Null,
            Self::Bool(flag) => Plain::Bool(*flag),
            Self::Integer(integer) => Plain::Integer(*integer),
            Self::Float(float) => Plain::Float(*float),
            Self::Text(text) => Plain::Text(text),
        }
    }
}

impl<'a> Plain<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Integer(integer),
                None => Self::Float(number.as_f64().filter(|_| number.is_f64())?),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }

    /// What counts as true.
    pub(super) fn is_true(self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(flag) => flag,
            Self::Integer(integer) => integer != 0,
            Self::Float(float) => float != 0.0,
            Self::Text(text) => !text.is_empty(),
        }
    }

    /// As JSON.
    pub(super) fn to_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => flag.into(),
            Self::Integer(integer) => integer.into(),
            Self::Float(float) => float.into(),
            Self::Text(text) => text.into(),
        }
    }

    fn equals(self, other: Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Null, Self::Null) => true,
            (Self::Null, _) | (_, Self::Null) => false,
            // What cannot be compared is told of in minijinja's way.
            (Self::Text(_), _) | (_, Self::Text(_)) => return None,
            _ => self.order(other)?.is_eq(),
        })
    }

    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(&other)),
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            (Self::Bool(_) | Self::Null | Self::Text(_), _) => None,
            _ => self.exact()?.partial_cmp(&other.exact()?),
        }
    }

    /// A number as a float, when it is the same number.
    #[expect(clippy::cast_precision_loss, reason = "checked to be exact")]
    fn exact(self) -> Option<f64> {
        match self {
            Self::Float(float) => Some(float),
            Self::Integer(integer) if integer.unsigned_abs() <= EXACT => Some(integer as f64),
            _ => None,
        }
    }
}

/// A plain template: text with places for plain values.
#[derive(Debug)]
pub(super) struct Parts(pub(super) Vec<Part>);

/// A piece of a plain template.
#[derive(Debug)]
pub(super) enum Part {
    Text(Box<str>),
    Value(Code),
}

impl Parts {
    /// The text, when all values are strings or integers.
    pub(super) fn render(&self, record: &Record) -> Option<String> {
        let size = |part: &Part| if let Part::Text(text) = part { text.len() } else { 20 };
        let mut rendered = String::with_capacity(self.0.iter().map(size).sum());
        for part in &self.0 {
            match part {
                Part::Text(text) => rendered.push_str(text),
                Part::Value(code) => match code.eval(record)? {
                    Plain::Text(text) if text.len() < LONG => rendered.push_str(text),
                    Plain::Integer(integer) => write!(rendered, "{integer}").ok()?,
                    _ => return None,
                },
            }
        }
        Some(rendered)
    }
}
