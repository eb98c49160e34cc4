//! The values that rules find for the fields of an entity, in its quote.

use serde_json::{Map, Number, Value, json};

use super::plain::Plain;
use super::schema::{Field, FieldType, Finder, Kind};

/// Every field of the kind; null where nothing was found.
pub(crate) fn fields(kind: &Kind, quote: &str, plain: &Plain) -> Map<String, Value> {
    let fields = kind.fields.iter();
    fields.map(|field| (field.name.clone(), value(field, quote, plain))).collect()
}

fn value(field: &Field, quote: &str, plain: &Plain) -> Value {
    let found = |finder: &Finder| -> Option<String> {
        let catch = finder.pattern.regex()?.captures(plain.as_bytes())?;
        let range = catch.get(1).or(catch.get(0))?.range();
        quote
            .get(plain.origin(range.start)..plain.origin(range.end))
            .map(|text| text.trim().to_owned())
    };
    let mut finders = field.find.iter();
    match &field.of {
        FieldType::Text => finders.find_map(found).map_or(Value::Null, Value::String),
        FieldType::Number => finders.find_map(found).and_then(|text| number(&text)).into(),
        FieldType::Integer => {
            let whole = finders.find_map(found).and_then(|text| number(&text));
            whole.filter(|number| number.is_i64() || number.is_u64()).into()
        }
        FieldType::Boolean if field.find.is_empty() => Value::Null,
        FieldType::Boolean => {
            json!(finders.any(|finder| finder.pattern.is_match(plain.as_bytes())))
        }
        FieldType::Texts => {
            let patterns = field.find.iter().filter_map(|finder| finder.pattern.regex());
            let found = patterns.flat_map(|regex| regex.find_iter(plain.as_bytes()));
            let texts: Vec<&str> = found
                .filter_map(|found| {
                    quote.get(plain.origin(found.start())..plain.origin(found.end()))
                })
                .collect();
            if texts.is_empty() { Value::Null } else { json!(texts) }
        }
        FieldType::Choice(_) => finders
            .find(|finder| finder.pattern.is_match(plain.as_bytes()))
            .and_then(|finder| finder.choice.clone())
            .map_or(Value::Null, Value::String),
    }
}

/// The number in a text: `12`, `0.5`, `2,400`, `1,200,000`.
fn number(text: &str) -> Option<Number> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let end =
        rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(rest.len());
    let digits = rest[..end].trim_end_matches(['.', ',']);
    let thousands = digits
        .split(',')
        .skip(1)
        .all(|group| group.split('.').next().is_some_and(|group| group.len() == 3));
    let digits = if thousands { digits.replace(',', "") } else { digits.replace(',', ".") };
    match digits.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => digits.parse().ok().and_then(Number::from_f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, expected) in [
            ("12", Some(json!(12))),
            ("about 2,400 a month", Some(json!(2400))),
            ("0.3 percent", Some(json!(0.3))),
            ("3,5", Some(json!(3.5))),
            ("1,200,000.", Some(json!(1_200_000))),
            ("none", None),
            ("1.2.3", None),
            ("99999999999999999999", Some(json!(1e20))),
        ] {
            assert_eq!(number(text).map(Value::Number), expected, "{text}");
        }
    }
}
