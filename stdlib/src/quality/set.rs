//! `set`: compute fields, take fields out.

use std::sync::Arc;

use flow_engine::prelude::*;

use crate::settings::{Named, RESERVED, texts};

/// Sets fields by template or expression, and takes fields out.
///
/// `fields` are texts: `"{{ company }}/{{ role }}"` is always a string. `values` are expressions
/// and keep their type: `length * 2` is a number, `tags | length > 3` is true or false.
///
/// Everything is computed from the record as it came in, so that the order does not matter and two
/// fields can be swapped. Then fields are taken out, and then set: a new field goes to the end, one
/// that is there keeps its place. A record for which anything cannot be computed is rejected
/// unchanged.
///
/// ```yaml
/// named:
///   uses: set
///   from: interviews
///   with:
///     fields: {label: "{{ company }}: {{ respondent }}"}
///     values: {long: minutes > 45}
///     remove: [notes]
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Set {
    /// Fields to set, each to a text with places for fields of the record.
    #[serde(default)]
    fields: Named<Template>,
    /// Fields to set, each to the value of an expression.
    #[serde(default)]
    values: Named<Expr>,
    /// Fields to take out; one that is not there is no mistake.
    #[serde(default)]
    remove: Vec<String>,
}

impl Config for Set {
    const NAME: &'static str = "set";
    const SHAPE: Shape = Shape::Map;

    fn work(_: Option<&str>) -> Work {
        Work::Light
    }

    fn fields(settings: &Value) -> Fields {
        let keys = |setting: &str| {
            let map = settings.get(setting).and_then(Value::as_object);
            map.into_iter().flat_map(|map| map.keys().cloned()).collect::<Vec<_>>()
        };
        Fields::Changed {
            added: [keys("fields"), keys("values")].concat(),
            removed: texts(settings, "remove").into_iter().map(str::to_owned).collect(),
        }
    }

    fn weigh(settings: &Value, _: &Build<'_>) -> Vec<BuildError> {
        let removed = texts(settings, "remove");
        let names = |setting| settings.get(setting).and_then(Value::as_object);
        let of = |setting| {
            let names = names(setting).into_iter().flat_map(|map| map.keys());
            names.map(move |name| (setting, name.as_str()))
        };
        let refused = of("fields").chain(of("values")).filter_map(|(setting, name)| {
            let place = format!("{setting}.{name}");
            let refuse = |message: &str, help| {
                Some(BuildError::setting(place, format!("`{name}` {message}")).help(help))
            };
            if RESERVED.contains(&name) {
                refuse("cannot be set", "Every record has it already; choose another name.")
            } else if removed.contains(&name) {
                let help = "Fields are taken out first; drop it from `remove`.";
                refuse("is also in `remove`", help)
            } else if setting == "values"
                && names("fields").is_some_and(|fields| fields.contains_key(name))
            {
                refuse("is also in `fields`", "Keep one of the two.")
            } else {
                None
            }
        });
        refused.collect()
    }

    fn build(self, _: &Build<'_>) -> Result<Stage, BuildError> {
        Ok(Stage::Light(Box::new(Setter { settings: self, computed: Vec::new() })))
    }
}

struct Setter {
    settings: Set,
    /// What was computed for the record in hand; kept for its memory.
    computed: Vec<(Arc<str>, Value)>,
}

impl Light for Setter {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict, Failure> {
        self.computed.clear();
        for (name, template) in &self.settings.fields.0 {
            self.computed.push((Arc::clone(name), Value::String(template.render(record)?)));
        }
        for (name, expression) in &self.settings.values.0 {
            self.computed.push((Arc::clone(name), expression.value(record)?));
        }
        for name in &self.settings.remove {
            record.remove(name);
        }
        for (name, value) in self.computed.drain(..) {
            record.set_shared(&name, value);
        }
        Ok(Verdict::Pass)
    }
}

#[cfg(test)]
mod tests {
    use flow_engine::testing::{apply, build, record, refusal};

    use super::*;

    #[tokio::test]
    async fn computes_from_the_record_as_it_came_in() {
        for (settings, expected) in [
            (json!({}), json!({"a": 1, "b": "x"})),
            (json!({"fields": {"c": "{{ b }}-{{ a }}"}}), json!({"a": 1, "b": "x", "c": "x-1"})),
            (json!({"values": {"a": "b", "b": "a"}}), json!({"a": "x", "b": 1})),
            (
                json!({"values": {"c": "[a, a + 1]"}, "remove": ["a"]}),
                json!({"b": "x", "c": [1, 2]}),
            ),
            (json!({"fields": {"a": "{{ a }}"}}), json!({"a": "1", "b": "x"})),
            (json!({"remove": ["a", "zzz"]}), json!({"b": "x"})),
            (json!({"values": {"ü '\"": "none"}}), json!({"a": 1, "b": "x", "ü '\"": null})),
        ] {
            let rows = apply::<Set>(settings.clone(), json!([{"a": 1, "b": "x"}])).await;
            assert_eq!(rows, Ok(vec![expected]), "{settings}");
        }
    }

    #[test]
    fn a_record_that_fails_is_unchanged() {
        let settings = json!({"fields": {"a": "new"}, "values": {"b": "zzz"}, "remove": ["c"]});
        let Ok(Stage::Light(mut stage)) = build::<Set>(settings) else {
            panic!("set is a light map")
        };
        let before = record(json!({"a": 1, "c": 2}));
        let mut after = before.clone();
        assert!(stage.apply(&mut after).is_err());
        assert_eq!(after, before);
    }

    #[test]
    fn refuses_names_that_contradict_each_other() {
        for (settings, message) in [
            (json!({"values": {"_id": "1"}}), "values._id: `_id` cannot be set"),
            (
                json!({"fields": {"_id": "1"}, "values": {"a": "1", "b": "1"}, "remove": ["a"]}),
                "fields._id: `_id` cannot be set\nvalues.a: `a` is also in `remove`",
            ),
            (json!({"fields": {"a": ""}, "remove": ["a"]}), "fields.a: `a` is also in `remove`"),
            (
                json!({"fields": {"a": ""}, "values": {"a": "1"}}),
                "values.a: `a` is also in `fields`",
            ),
        ] {
            assert_eq!(refusal::<Set>(settings), message);
        }
    }

    #[test]
    fn says_which_fields_it_adds_and_takes_out() {
        let settings = json!({"fields": {"a": ""}, "values": {"b": "1"}, "remove": ["c"]});
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            Set::fields(&settings),
            Fields::Changed { added: strings(&["a", "b"]), removed: strings(&["c"]) }
        );
        assert_eq!(Set::fields(&json!({})), Fields::SAME);
    }
}
