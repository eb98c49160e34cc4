//! What expressions and templates mean, and that the short way means the same.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::testing::record;

#[test]
fn expressions_compute_over_fields() {
    let row = record(json!({"n": 4, "name": "Ada", "tags": ["a"], "big": 1.5}));
    for (text, expected) in [
        ("n + 1", json!(5)),
        ("n * big", json!(6.0)),
        ("name ~ '!'", json!("Ada!")),
        ("n > 3 and name == 'Ada'", json!(true)),
        ("'a' in tags", json!(true)),
        ("missing is defined", json!(false)),
        ("missing | default('x')", json!("x")),
        ("_id is string", json!(true)),
    ] {
        assert_eq!(Expr::new(text).unwrap().value(&row), Ok(expected), "{text}");
    }
}

#[test]
fn an_unknown_name_is_a_failure_that_names_it() {
    let row = record(json!({"n": 4}));
    for text in ["m > 3", "m", "not m"] {
        let reason = Expr::new(text).unwrap().holds(&row).unwrap_err().reason;
        assert_eq!(reason, format!("`{text}`: no field `m` here, only: n"));
    }
    assert!(Expr::new("n.m").unwrap().value(&row).is_err());
    let reason = Template::new("{{ m }}").unwrap().render(&row).unwrap_err().reason;
    assert_eq!(reason, "`{{ m }}`: no field `m` here, only: n");
}

#[test]
fn templates_know_params_and_do_not_escape() {
    let row = record(json!({"name": "<a> & b"}));
    let template =
        with_params(&json!({"x": 1}), || Template::new("{{ params.x }}: {{ name }}\n").unwrap());
    assert_eq!(template.render(&row).as_deref(), Ok("1: <a> & b\n"));
    assert!(!template.is_constant());
}

#[test]
fn a_template_that_loops_for_ever_fails() {
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    let failure = Template::new(endless).unwrap().render(&record(json!({}))).unwrap_err();
    assert!(failure.reason.contains("fuel"), "{}", failure.reason);
}

const LONG: &str = "12345678901234567890123456789012345678901234567890";

/// Comparisons that are refused, and what is said of them.
const UNLIKE: &[(&str, &str)] = &[
    (
        "amount >= 50",
        "`amount` is the text `9`, which cannot be compared with the number 50: write `amount | float`",
    ),
    (
        "n > 1 and 50 == o.m",
        "`o.m` is the text `5`, which cannot be compared with the number 50: write `o.m | float`",
    ),
    (
        "amount ~ 1 < n",
        "`amount ~ 1` is the text `91`, which cannot be compared with `n`, the number 4: write `(amount ~ 1) | float`",
    ),
    (
        "empty == 0",
        "`empty` is an empty text, which cannot be compared with the number 0: write `empty | float`",
    ),
    (
        "n != '4'",
        "`n` is the number 4, which cannot be compared with the text `4`: take the quotes away: `4`",
    ),
    ("n == 'four'", "`n` is the number 4, which cannot be compared with the text `four`"),
    (
        "vip == true",
        "`vip` is the text `true`, which cannot be compared with `true`: compare with a text, as `'true'`",
    ),
    (
        "gap < 5",
        "`gap` is null, which cannot be compared with the number 5: write `gap is not none and ...` in front",
    ),
    ("1 < n < 'a'", "`n` is the number 4, which cannot be compared with the text `a`"),
    (
        "amount not in [1, 2]",
        "`amount` is the text `9`, which cannot be compared with a list: look among texts, in quotes",
    ),
    (
        "long == 1",
        "`long` is the text `1234567890123456789012345678901234567890...`, which cannot be compared with the number 1: write `long | float`",
    ),
    ("amount is gt 5", "the text `9`, which cannot be compared with the number 5"),
    ("tags | select('==', 1) | list", "the text `1`, which cannot be compared with the number 1"),
];

#[test]
fn a_text_is_never_compared_with_a_number() {
    let row = record(json!({
        "amount": "9", "n": 4, "vip": "true", "gap": null, "empty": "", "tags": ["1"], "long": LONG,
        "o": {"m": "5"},
    }));
    for (text, reason) in UNLIKE {
        let failure = Expr::new(text).unwrap().value(&row).unwrap_err();
        assert_eq!(failure.reason, format!("`{text}`: {reason}"));
    }
    for (text, holds) in [
        ("amount == '9' and n == 4.0 and gap == none", true),
        ("amount | float >= 9 or amount > 5", true),
        ("amount is number and amount > 5", false),
        ("gap == 5 or 5 in [none, 'a']", false),
        ("n in [1, 'a', 4] and n is in [4] and '1' in long and 'm' in o", true),
        ("n in [] or 5 < n < amount", false),
    ] {
        assert_eq!(Expr::new(text).unwrap().holds(&row), Ok(holds), "{text}");
    }
    let template = Template::new("{% if n > 3 %}{{ amount == n }}{% endif %}").unwrap();
    let reason = template.render(&row).unwrap_err().reason;
    assert!(reason.contains("`amount` is the text `9`"), "{reason}");
}

/// Random cases; the edges are tried one by one below.
const CASES: u32 = 400;

/// Values at the edges of what the short way knows.
fn value() -> impl Strategy<Value = Value> {
    let edges = vec![i64::MIN, i64::MAX, (1 << 53) + 1, -(1 << 53), 1 << 53];
    let floats = vec![0.0, -0.0, 1.0, 0.5, 9_007_199_254_740_992.0, -1e300];
    prop_oneof![
        6 => (-7..8_i64).prop_map(Value::from),
        2 => prop::sample::select(edges).prop_map(Value::from),
        3 => prop::sample::select(floats).prop_map(Value::from),
        3 => prop::sample::select(vec!["", "a", "ab", "1", "ü<&"]).prop_map(Value::from),
        2 => prop::sample::select(vec![
            json!(null), json!(true), json!(false), json!(u64::MAX), json!([]), json!([1, "a"]),
            json!({"m": 3}), json!({"m": "a"}), json!({"m": {}}), json!({}),
        ]),
    ]
}

/// Expressions over the fields `a`, `b`, `c` (which may be missing) and `params`.
fn text() -> impl Strategy<Value = String> {
    let common = vec!["a", "b", "c", "1", "0", "3", "-2", "0.5", "'a'", "'ab'", "params.n"];
    let rare = vec![
        "a.m",
        "b['m']",
        "params.s",
        "params.deep.x",
        "params.no",
        "true",
        "false",
        "none",
        "''",
        "1.0",
        "'1'",
        "9223372036854775807",
        "9007199254740993",
        "18446744073709551615",
        "_line",
        "range",
        "(1, 2)",
        "'a' ~ 'b'",
        "c is defined",
        "a is undefined",
        "a is string",
        "c|default(1)",
    ];
    let leaf = prop_oneof![4 => prop::sample::select(common), 1 => prop::sample::select(rare)];
    leaf.prop_map(str::to_owned).prop_recursive(3, 8, 3, |inner| {
        let operators = vec![
            "%", "%", "+", "-", "*", "==", "!=", "<", "<=", ">", ">=", "==", "!=", "<", "<=", ">",
            ">=", "and", "or", "in", "not in", "~", "/", "//", "**",
        ];
        let lists = vec!["[]", "[1, 'a']", "['ab', none]", "[0.5, 3]", "[true]", "[a]"];
        let pair = (inner.clone(), prop::sample::select(operators), inner.clone());
        let three = (inner.clone(), inner.clone(), inner.clone());
        let listed = (inner.clone(), prop::sample::select(lists));
        prop_oneof![
            8 => pair.prop_map(|(one, operator, other)| format!("({one}) {operator} ({other})")),
            1 => three.prop_map(|(one, two, three)| format!("({one}) < ({two}) <= ({three})")),
            1 => listed.prop_map(|(one, list)| format!("({one}) in {list}")),
            1 => inner.clone().prop_map(|one| format!("not ({one})")),
            1 => inner.prop_map(|one| format!("-({one})")),
        ]
    })
}

fn row() -> impl Strategy<Value = Record> {
    let field = || prop::option::weighted(0.9, value());
    (field(), field(), field()).prop_map(|(a, b, c)| {
        let fields = [("a", a), ("b", b), ("c", c)];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        record(Value::Object(fields.collect()))
    })
}

fn params() -> Value {
    json!({"n": 2, "s": "a", "deep": {"x": [1]}})
}

/// The value by minijinja alone, with its own comparisons.
fn by_minijinja(text: &str, row: &Record) -> Result<Value, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let expression = environment.compile_expression(text)?;
    let fields = row.fields().map(|(name, value)| (name.to_owned(), value.clone()));
    let mut context: serde_json::Map<String, Value> = fields.collect();
    context.insert("params".to_owned(), params());
    context.insert("_line".to_owned(), row.lookup("_line").unwrap_or_default());
    let value = expression.eval(Serde(context))?;
    Ok(serde_json::to_value(value).unwrap_or_default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn the_short_way_of_an_expression_means_what_minijinja_means(text in text(), row in row()) {
        if let Ok(expression) = with_params(&params(), || Expr::new(&text))
            && let Some(value) = expression.fast(&row)
        {
            prop_assert_eq!(Ok(value.to_json()), expression.slow_value(&row), "{}", &text);
            prop_assert_eq!(Ok(value.is_true()), expression.slow_holds(&row), "{}", &text);
        }
    }

    #[test]
    fn what_can_be_compared_compares_as_in_minijinja(text in text(), row in row()) {
        if let Ok(expression) = with_params(&params(), || Expr::new(&text))
            && let Ok(value) = expression.slow_value(&row)
        {
            prop_assert_eq!(Some(value), by_minijinja(&text, &row).ok(), "{}", &text);
        }
    }

    #[test]
    fn the_short_way_of_a_template_means_what_minijinja_means(
        parts in prop::collection::vec((prop::sample::select(vec!["", "x ", "\n", "<&>"]), text()), 0..3),
        tail in prop::sample::select(vec!["", "\n", " }}", "{# no #}\n", "{%- if a %}1{% endif %}"]),
        row in row(),
    ) {
        let places = parts.iter().map(|(raw, text)| format!("{raw}{{{{ {text} -}}}}  "));
        let text = places.collect::<String>() + tail;
        if let Ok(template) = with_params(&params(), || Template::new(&text))
            && let Some(rendered) = template.0.fast.as_ref().and_then(|fast| fast.render(&row))
        {
            prop_assert_eq!(Ok(rendered), template.slow_render(&row), "{}", &text);
        }
    }
}

#[test]
fn every_operator_on_every_pair_of_edges_means_what_minijinja_means() {
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(3),
        json!(-7),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!((1_i64 << 53) + 1),
        json!(1_i64 << 53),
        json!(0.0),
        json!(-0.0),
        json!(1.0),
        json!(0.5),
        json!(9_007_199_254_740_992.0),
        json!(-1e300),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("1"),
        json!("ü"),
        json!([]),
        json!([1]),
        json!({"a": 1}),
    ];
    let mut short = 0;
    for operator in
        ["%", "+", "-", "*", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in", "~"]
    {
        let text = format!("a {operator} b");
        let expression = Expr::new(&text).unwrap();
        for (a, b) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
            let row = record(json!({"a": a, "b": b}));
            if let Some(value) = expression.fast(&row) {
                short += 1;
                assert_eq!(Ok(value.to_json()), expression.slow_value(&row), "{a} {operator} {b}");
            }
        }
    }
    assert!(short > 2800, "only {short} took the short way");
}

#[test]
fn common_expressions_take_the_short_way() {
    let row = record(json!({"id": 4, "kind": "a", "score": 0.9, "o": {"m": "x"}}));
    for text in [
        "id % 2 == 0",
        "score >= 0.8 and kind != 'b'",
        "score > 0 and id < 4.5",
        "kind in ['a', 'b'] or not id",
        "'x' in o.m",
        "1 < id + params.n * 2 <= 9",
        "absent is defined and absent > 1",
        "kind == none",
    ] {
        let expression = with_params(&params(), || Expr::new(text).unwrap());
        assert!(expression.fast(&row).is_some(), "{text}");
    }
    for text in ["note {{ id }}", "{{ kind }}/{{ params.s }}/{{ o.m }}\n", "plain", "{{ id + 1 }}"]
    {
        let template = with_params(&params(), || Template::new(text).unwrap());
        let rendered = template.0.fast.as_ref().and_then(|fast| fast.render(&row));
        assert!(rendered.is_some(), "{text}");
    }
}
