//! What an entity takes along from the record that it was found in.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use flow_engine::prelude::*;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Names and the expressions that give their values.
#[derive(Debug, Default)]
pub(crate) struct Carry(Vec<(Arc<str>, Expr)>);

impl Carry {
    /// The names, as they stand in the settings.
    pub(crate) fn names(setting: Option<&Value>) -> Vec<String> {
        match setting {
            Some(Value::Object(map)) => map.keys().cloned().collect(),
            Some(Value::Array(list)) => {
                list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The values for a record.
    pub(crate) fn values(&self, record: &Record) -> Result<Vec<(Arc<str>, Value)>, Failure> {
        let value = |(name, expr): &(Arc<str>, Expr)| Ok((Arc::clone(name), expr.value(record)?));
        self.0.iter().map(value).collect()
    }
}

impl<'de> Deserialize<'de> for Carry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Carry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of fields, or a map from names to expressions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Carry, A::Error> {
                let mut carried = Vec::new();
                while let Some(name) = list.next_element::<String>()? {
                    let expr = Expr::new(&name).map_err(A::Error::custom)?;
                    carried.push((Arc::from(name), expr));
                }
                Ok(Carry(carried))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Carry, A::Error> {
                let mut carried = Vec::new();
                while let Some((name, expr)) = map.next_entry::<String, Expr>()? {
                    carried.push((Arc::from(name), expr));
                }
                Ok(Carry(carried))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Carry {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Carry".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let expression = json!({"type": "string", "format": "expression"});
        json_schema!({
            "type": ["array", "object"],
            "items": expression,
            "additionalProperties": expression,
        })
    }
}
