//! JSON read so that nothing of it is altered: a value comes in as it was written, or an error says
//! which one cannot.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Names and values of one object, in order.
pub type NamedValues = Vec<(Arc<str>, Value)>;

/// An object whose values are not yet read; a name may come twice.
pub type RawObject<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// From here on a number with a fraction may be an integer that 64 bits do not hold: 2 to the 63rd.
const LARGE: f64 = 9_223_372_036_854_775_808.0;

/// Digits of a number that a message shows.
const SHOWN: usize = 40;

/// Why an object was not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It is no JSON object.
    #[error(transparent)]
    NotJson(#[from] serde_json::Error),
    /// It is one, but a value would not be what was written.
    #[error("{0}")]
    Altered(String),
}

/// Reads many JSON objects with the same shape: a name that stood at the same place in the object
/// before is shared with it, not copied.
#[derive(Debug, Default)]
pub struct RecordReader {
    names: Vec<Arc<str>>,
}

impl RecordReader {
    /// Reads one JSON object. It is gone over a second time only when the first reading was not
    /// certainly exact.
    pub fn read(&mut self, json: &[u8]) -> Result<NamedValues, Unread> {
        let large = Cell::new(false);
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let visitor = ObjectVisitor { names: &mut self.names, large: &large };
        let read = deserializer
            .deserialize_map(visitor)
            .and_then(|fields| deserializer.end().map(|()| fields));
        let doubtful = read.as_ref().map_or_else(serde_json::Error::is_data, |_| large.get());
        match doubtful.then(|| loss(serde_json::from_slice(json)?, "")) {
            Some(Ok(Some(loss))) => Err(Unread::Altered(loss)),
            Some(Err(error)) => Err(error.into()),
            Some(Ok(None)) | None => Ok(read?),
        }
    }
}

/// The members of a JSON object, unread.
pub fn members(json: &RawValue) -> Result<RawObject<'_>, serde_json::Error> {
    serde_json::Deserializer::from_str(json.get()).deserialize_map(MembersVisitor)
}

/// What of a value would be lost by reading it, in the order in which it is read.
fn loss(value: &RawValue, at: &str) -> Result<Option<String>, serde_json::Error> {
    let text = value.get();
    if text.starts_with('{') {
        let mut seen = HashSet::new();
        for (name, value) in members(value)? {
            let at = if at.is_empty() { name.to_string() } else { format!("{at}.{name}") };
            if !seen.insert(name) {
                let twice = format!("names `{at}` twice, so that one of its values would be lost");
                return Ok(Some(twice));
            }
            if let Some(loss) = loss(value, &at)? {
                return Ok(Some(loss));
            }
        }
    } else if text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text)?;
        for (nth, item) in items.into_iter().enumerate() {
            if let Some(loss) = loss(item, &format!("{at}[{nth}]"))? {
                return Ok(Some(loss));
            }
        }
    } else if is_beyond_64_bits(text) {
        let shown = if text.len() > SHOWN { &format!("{}...", &text[..SHOWN]) } else { text };
        return Ok(Some(format!(
            "holds at `{at}` the number {shown}, which 64 bits cannot hold exactly; write it as \
             text, in quotation marks"
        )));
    }
    Ok(None)
}

fn is_beyond_64_bits(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && number.parse::<i64>().is_err()
        && number.parse::<u64>().is_err()
}

struct ObjectVisitor<'a> {
    names: &'a mut Vec<Arc<str>>,
    large: &'a Cell<bool>,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_> {
    type Value = NamedValues;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { names, large } = self;
        let mut fields: NamedValues = Vec::with_capacity(names.len() + 1);
        while let Some(name) = map.next_key_seed(NameSeed { names, at: fields.len() })? {
            if fields.iter().any(|(known, _)| Arc::ptr_eq(known, &name) || *known == name) {
                return Err(twice());
            }
            fields.push((name, map.next_value_seed(ValueSeed { large })?));
        }
        Ok(fields)
    }
}

struct NameSeed<'a> {
    names: &'a mut Vec<Arc<str>>,
    at: usize,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Arc<str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Arc<str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Arc<str>, E> {
        match self.names.get(self.at) {
            Some(known) if &**known == name => Ok(Arc::clone(known)),
            _ => {
                let name: Arc<str> = Arc::from(name);
                if self.at < self.names.len() {
                    self.names[self.at] = Arc::clone(&name);
                } else {
                    self.names.push(Arc::clone(&name));
                }
                Ok(name)
            }
        }
    }
}

/// A value of any kind; tells whether a number may have been rounded.
#[derive(Clone, Copy)]
struct ValueSeed<'a> {
    large: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        if number.abs() >= LARGE {
            self.large.set(true);
        }
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.insert(name, members.next_value_seed(self)?).is_some() {
                return Err(twice());
            }
        }
        Ok(object.into())
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = RawObject<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

fn twice<E: serde::de::Error>() -> E {
    E::custom("a name comes twice")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<String, String> {
        let fields = RecordReader::default().read(json.as_bytes()).map_err(|e| e.to_string())?;
        let object: Map<_, _> =
            fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        Ok(Value::from(object).to_string())
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        for json in [
            "{}",
            r#"{"a":null,"b":[true,{"c":[]}],"d":"ü\n"}"#,
            r#"{"n":18446744073709551615,"m":-9223372036854775808,"f":0.5}"#,
            r#"{"f":[1e30,-1e19,123.0]}"#,
            r#"{"a":{"a":{"a":1},"b":1}}"#,
        ] {
            assert_eq!(read(json).unwrap().replace("e+", "e"), json);
        }
    }

    #[test]
    fn integers_beyond_64_bits_are_refused_wherever_they_are() {
        for (json, at, number) in [
            (r#"{"n": 18446744073709551616}"#, "n", "18446744073709551616"),
            (r#"{"f": 1e30, "n": -9223372036854775809}"#, "n", "-9223372036854775809"),
            (
                r#"{"a": {"b": [1, {"c": 99999999999999999999}]}}"#,
                "a.b[1].c",
                "99999999999999999999",
            ),
        ] {
            let expected = format!(
                "holds at `{at}` the number {number}, which 64 bits cannot hold exactly; write it \
                 as text, in quotation marks"
            );
            assert_eq!(read(json), Err(expected));
        }
        let long = format!("{{\"n\": {}}}", "7".repeat(200));
        assert!(read(&long).unwrap_err().contains(&format!("{}...,", "7".repeat(40))));
    }

    #[test]
    fn a_name_that_comes_twice_is_refused_wherever_it_is() {
        for (json, at) in [
            (r#"{"a": 1, "b": 2, "a": 1}"#, "a"),
            (r#"{"a": 1, "\u0061": 2}"#, "a"),
            (r#"{"a": [{"b": 1}, {"b": {"c": 1, "c": 2}}]}"#, "a[1].b.c"),
        ] {
            let expected = format!("names `{at}` twice, so that one of its values would be lost");
            assert_eq!(read(json), Err(expected));
        }
    }

    #[test]
    fn what_is_no_json_object_is_said_as_such() {
        for (json, expected) in [
            ("[1]", "invalid type: sequence, expected an object at line 1 column 0"),
            (r#"{"a": 1} x"#, "trailing characters at line 1 column 10"),
            (r#"{"a": 1, "a": 2"#, "EOF while parsing an object at line 1 column 15"),
        ] {
            assert_eq!(read(json), Err(expected.to_owned()));
        }
        let deep = format!(r#"{{"a": 1, "a": 2, "b": {}"#, "[".repeat(100_000));
        assert!(read(&deep).is_err());
    }

    #[test]
    fn a_reader_shares_names() {
        let mut reader = RecordReader::default();
        let first = reader.read(br#"{"id": 1, "text": "a"}"#).unwrap();
        let second = reader.read(br#"{"id": 2, "text": "b"}"#).unwrap();
        assert!(Arc::ptr_eq(&first[0].0, &second[0].0));
    }
}
