//! `take`: pass on the first records and want no more.

use flow_engine::prelude::*;

/// Passes on the first records that come and wants no more.
///
/// Once it has them, the nodes above it stop working for it; other readers of theirs read on. With
/// more than one worker above, which records come first may differ from run to run, unless that
/// node says `order: keep`.
///
/// ```yaml
/// sample:
///   uses: take
///   from: interviews
///   with: {count: 10}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Take {
    /// How many records pass.
    count: u64,
}

impl Config for Take {
    const NAME: &'static str = "take";
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

/// `count` is what is still wanted.
impl Light for Take {
    fn apply(&mut self, _: &mut Record) -> Result<Verdict, Failure> {
        let wanted = self.count;
        self.count = wanted.saturating_sub(1);
        Ok(match wanted {
            0 => Verdict::Drop,
            1 => Verdict::PassLast,
            _ => Verdict::Pass,
        })
    }

    fn done(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use flow_engine::testing::{apply, build, record, refusal};

    use super::*;

    #[tokio::test]
    async fn passes_on_the_first_and_no_more() {
        let rows = json!([{"n": 1}, {"n": 2}, {"n": 3}]);
        for (count, kept) in [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)] {
            let passed = apply::<Take>(json!({"count": count}), rows.clone()).await;
            assert_eq!(passed.map(|rows| rows.len()), Ok(kept), "take {count}");
        }
    }

    #[test]
    fn says_with_the_last_record_that_it_is_the_last() {
        let Ok(Stage::Light(mut stage)) = build::<Take>(json!({"count": 2})) else {
            panic!("take is a light map")
        };
        let verdicts: Vec<_> = (0..3).map(|n| stage.apply(&mut record(json!({"n": n})))).collect();
        assert_eq!(verdicts, [Ok(Verdict::Pass), Ok(Verdict::PassLast), Ok(Verdict::Drop)]);
    }

    #[test]
    fn refuses_a_count_that_is_none() {
        for count in [json!(-1), json!("3"), json!(1.5), json!(null)] {
            let reason = refusal::<Take>(json!({"count": count}));
            assert!(reason.contains("cannot be read"), "{count}: {reason}");
        }
    }
}
