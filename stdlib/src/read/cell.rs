//! What a cell of CSV becomes when its column has a type.

use std::sync::Arc;

use flow_engine::prelude::*;

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum CellType {
    #[default]
    String,
    Number,
    Integer,
    Boolean,
}

impl CellType {
    /// The value of a cell; nothing when it is not of this type. A cell of blanks has no value.
    pub(super) fn value(self, cell: &str) -> Option<Value> {
        let text = cell.trim();
        match self {
            Self::String => Some(Value::from(cell)),
            _ if text.is_empty() => Some(Value::Null),
            Self::Integer => integer(text),
            Self::Number => integer(text).or_else(|| fraction(text)),
            Self::Boolean => match text.to_lowercase().as_str() {
                "true" | "yes" | "1" => Some(true.into()),
                "false" | "no" | "0" => Some(false.into()),
                _ => None,
            },
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Number => "a number",
            Self::Integer => "a whole number of 64 bits",
            Self::Boolean => "`true` or `false`",
        }
    }

    /// Why a cell has no value.
    pub(super) fn refusal(self, name: &str, cell: &str) -> String {
        const SHOWN: usize = 40;
        let short: String = cell.chars().take(SHOWN).collect();
        let more = if short.len() < cell.len() { "..." } else { "" };
        format!("cell `{name}` is `{short}{more}`, not {}", self.words())
    }
}

fn integer(text: &str) -> Option<Value> {
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

/// A number with a fraction or an exponent; a longer integer would come in as another number.
fn fraction(text: &str) -> Option<Value> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    text.contains(['.', 'e', 'E']).then(|| Value::from(number))
}

/// The types of the columns, in the order of their names; what is named and not there is an error.
pub(super) fn of_columns(
    types: &[(Arc<str>, CellType)],
    names: &[Arc<str>],
) -> Result<Vec<CellType>, String> {
    let missing = types.iter().find(|(name, _)| !names.contains(name));
    if let Some((missing, _)) = missing {
        let columns = names.join("`, `");
        return Err(format!("has no column `{missing}`, which `types` names, only `{columns}`"));
    }
    let of = |name: &Arc<str>| types.iter().find(|(typed, _)| typed == name);
    Ok(names.iter().map(|name| of(name).map_or_else(CellType::default, |typed| typed.1)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_of_its_type_or_has_no_value() {
        use CellType::{Boolean, Integer, Number, String};
        for (kind, cell, value) in [
            (String, " 1 ", Some(json!(" 1 "))),
            (String, "", Some(json!(""))),
            (Number, " 1 ", Some(json!(1))),
            (Number, "-1.50", Some(json!(-1.5))),
            (Number, "1e3", Some(json!(1000.0))),
            (Number, "18446744073709551615", Some(json!(u64::MAX))),
            (Number, "18446744073709551616", None),
            (Number, "inf", None),
            (Number, "NaN", None),
            (Number, "1e999", None),
            (Number, "1,5", None),
            (Number, "12 EUR", None),
            (Number, "", Some(json!(null))),
            (Integer, "007", Some(json!(7))),
            (Integer, "-9223372036854775808", Some(json!(i64::MIN))),
            (Integer, "1.0", None),
            (Integer, "\t", Some(json!(null))),
            (Boolean, "TRUE", Some(json!(true))),
            (Boolean, "no", Some(json!(false))),
            (Boolean, "2", None),
            (Boolean, "", Some(json!(null))),
        ] {
            assert_eq!(kind.value(cell), value, "{kind:?} {cell:?}");
        }
    }
}
