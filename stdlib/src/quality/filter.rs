//! `filter`: pass on the records for which a condition holds.

use flow_engine::prelude::*;

/// Passes on the records for which a condition holds and leaves the others out.
///
/// The condition sees the fields of the record, `params`, and `_id`, `_path`, `_line`. A name that
/// the record does not have is no silent `false`: the record is rejected, with the fields that it
/// does have. Where a field may be missing, say so: `confidence is defined and confidence >= 0.8`.
/// Records that are left out are counted as filtered, not as rejected.
///
/// ```yaml
/// confident:
///   uses: filter
///   from: entities
///   with: {where: confidence >= 0.8}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// The condition that a record must meet to pass.
    r#where: Expr,
}

impl Config for Filter {
    const NAME: &'static str = "filter";
    const SHAPE: Shape = Shape::Map;

    fn work(_: Option<&str>) -> Work {
        Work::Light
    }

    fn fields(_: &Value) -> Fields {
        Fields::SAME
    }

    fn build(self, _: &Build<'_>) -> Result<Stage, BuildError> {
        Ok(Stage::Light(Box::new(self)))
    }
}

impl Light for Filter {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict, Failure> {
        Ok(if self.r#where.holds(record)? { Verdict::Pass } else { Verdict::Drop })
    }
}

#[cfg(test)]
mod tests {
    use flow_engine::testing::{apply, refusal};

    use super::*;

    #[tokio::test]
    async fn passes_on_only_what_meets_the_condition() {
        for (condition, rows, kept) in [
            ("n > 1", json!([]), Ok(json!([]))),
            ("n > 1", json!([{"n": 1}, {"n": 2}]), Ok(json!([{"n": 2}]))),
            ("n", json!([{"n": 0}, {"n": "x"}, {"n": ""}]), Ok(json!([{"n": "x"}]))),
            ("n is defined and n > 1", json!([{"m": 1}, {"n": 2}]), Ok(json!([{"n": 2}]))),
            ("n > 1", json!([{"m": 1}]), Err("`n > 1`: no field `n` here, only: m")),
        ] {
            let result = apply::<Filter>(json!({"where": condition}), rows).await;
            let expected = kept.map(|kept| kept.as_array().cloned().unwrap_or_default());
            assert_eq!(result, expected.map_err(str::to_owned), "{condition}");
        }
    }

    #[test]
    fn refuses_a_condition_that_is_none() {
        for settings in [json!({}), json!({"where": "n >"}), json!({"where": "n", "else": 1})] {
            assert!(refusal::<Filter>(settings.clone()).contains("cannot be read"), "{settings}");
        }
    }
}
