//! A record as columns and values: some lifted out of an object, some left out.

use std::borrow::Cow;

use flow_engine::prelude::*;

/// Columns of one record, in order.
pub(super) type Row<'a> = Vec<(Cow<'a, str>, Cow<'a, Value>)>;

/// Which columns a record has.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    /// Only these, in this order.
    pub(super) only: Option<Vec<String>>,
    /// Objects whose members become columns.
    pub(super) expand: Vec<String>,
}

impl Columns {
    /// Whether the columns of a record are just its fields.
    pub(super) const fn is_plain(&self) -> bool {
        self.only.is_none() && self.expand.is_empty()
    }

    /// The columns of a record; the error says why there are none.
    pub(super) fn row<'a>(&self, record: &'a Record) -> Result<Row<'a>, String> {
        let all = self.expanded(record)?;
        let Some(columns) = &self.only else { return Ok(all) };
        let mut row = Vec::with_capacity(columns.len());
        for column in columns {
            if let Some(value) = look(&all, record, column) {
                row.push((Cow::Owned(column.clone()), value));
            }
        }
        Ok(row)
    }

    fn expanded<'a>(&self, record: &'a Record) -> Result<Row<'a>, String> {
        let mut row: Row<'a> = Vec::with_capacity(record.fields().len() + 1);
        for (name, value) in record.fields() {
            if !self.expand.iter().any(|expanded| expanded == name) {
                row.push((Cow::Borrowed(name), Cow::Borrowed(value)));
                continue;
            }
            let members = match value {
                Value::Object(members) => members,
                Value::Null => continue,
                _ => return Err(format!("field `{name}` is no object: `expand` cannot lift it")),
            };
            for (member, value) in members {
                let taken = record.get(member).is_some() || column(&row, member).is_some();
                let lifted: Cow<'a, str> =
                    if taken { format!("{name}_{member}").into() } else { member.as_str().into() };
                if taken && (record.get(&lifted).is_some() || column(&row, &lifted).is_some()) {
                    return Err(format!("two columns would be called `{lifted}`"));
                }
                row.push((lifted, Cow::Borrowed(value)));
            }
        }
        Ok(row)
    }
}

/// The value of a column, or what every record answers to.
pub(super) fn look<'a>(row: &Row<'a>, record: &Record, name: &str) -> Option<Cow<'a, Value>> {
    match column(row, name) {
        Some(at) => Some(row[at].1.clone()),
        None if name.starts_with('_') => record.lookup(name).map(Cow::Owned),
        None => None,
    }
}

/// The place of a column.
pub(super) fn column(row: &Row<'_>, name: &str) -> Option<usize> {
    row.iter().position(|(column, _)| column == name)
}

#[cfg(test)]
mod tests {
    use flow_engine::testing::record;

    use super::*;

    fn shown(columns: &Columns, object: Value) -> Result<Value, String> {
        let record = record(object);
        let row = columns.row(&record)?;
        let cells = row.into_iter().map(|(name, value)| json!([name, value]));
        Ok(cells.collect())
    }

    #[test]
    fn members_of_an_object_become_columns() {
        let columns = Columns { only: None, expand: vec!["f".to_owned()] };
        for (object, expected) in [
            (json!({"a": 1, "f": {"b": 2, "c": [3]}}), Ok(json!([["a", 1], ["b", 2], ["c", [3]]]))),
            (json!({"f": {"a": 2}, "a": 1}), Ok(json!([["f_a", 2], ["a", 1]]))),
            (json!({"f": null, "a": 1}), Ok(json!([["a", 1]]))),
            (json!({"f": {}}), Ok(json!([]))),
            (json!({"a": 1}), Ok(json!([["a", 1]]))),
            (json!({"f": [1]}), Err("field `f` is no object: `expand` cannot lift it")),
            (json!({"a": 1, "f_a": 1, "f": {"a": 2}}), Err("two columns would be called `f_a`")),
        ] {
            let expected = expected.map_err(str::to_owned);
            assert_eq!(shown(&columns, object.clone()), expected, "{object}");
        }
    }

    #[test]
    fn columns_choose_and_order() {
        let columns = ["b", "_line", "x", "a"].map(str::to_owned).to_vec();
        let columns = Columns { only: Some(columns), expand: vec![] };
        let object = json!({"a": 1, "c": 3, "b": 2});
        assert_eq!(shown(&columns, object), Ok(json!([["b", 2], ["a", 1]])));
    }
}
