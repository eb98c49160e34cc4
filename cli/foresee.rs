//! What a run would need: calls, tokens, money and time, told from the real input without a call.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flow_dsl::pipeline::Limit;
use flow_engine::door::Money;
use flow_engine::ledger::Ledger;
use flow_engine::plan::Plan;
use flow_engine::preview::{
    self, Band, Basis, Binds, Bottleneck, FIRST_TOKEN, Foreseen, Prediction, PreviewError,
    TOKENS_PER_SECOND,
};
use flow_engine::run::Tries;
use flow_engine::stage::Stage;
use serde_json::{Value, json};

use crate::exit::{Exit, Trouble};
use crate::number::{self, count};
use crate::run::runtime;
use crate::table::{Align, Table};

/// How long the input is read, unless all of it is wanted.
const LOOK: Duration = Duration::from_secs(5);

/// What was foreseen; nothing for a pipeline that calls nobody.
pub(crate) type Outlook = Option<Result<Prediction, PreviewError>>;

/// Looks ahead with a plan of its own, since looking uses it up.
pub(crate) fn outlook(
    plan: &Plan,
    exact: bool,
    ledger: Option<&Arc<Ledger>>,
    tries: Tries,
    again: impl FnOnce() -> Result<Plan, Exit>,
) -> Result<Outlook, Trouble> {
    let calls = plan.graph.node_weights().any(|node| matches!(node.stage, Stage::Call(_)));
    let Some(plan) = calls.then(again).and_then(Result::ok) else { return Ok(None) };
    let runtime = runtime()?;
    let time = (!exact).then_some(LOOK);
    let prediction = runtime.block_on(preview::predict(plan, time, ledger, tries));
    runtime.shutdown_background();
    Ok(Some(prediction))
}

/// For programs.
pub(crate) fn to_json(outlook: &Outlook) -> Value {
    match outlook {
        None => Value::Null,
        Some(Ok(prediction)) => json!(prediction),
        Some(Err(error)) => json!({"error": error.to_string()}),
    }
}

/// For people.
pub(crate) fn text(outlook: &Outlook, limits: &[Limit]) -> String {
    match outlook {
        None => String::new(),
        Some(Err(error)) => format!("a run would need\n  nobody knows: {error}\n"),
        Some(Ok(prediction)) => needs(prediction, limits),
    }
}

fn needs(prediction: &Prediction, limits: &[Limit]) -> String {
    let mut table = Table::new(&[
        ("calls of", Align::Left),
        ("model", Align::Left),
        ("records", Align::Right),
        ("calls", Align::Right),
        ("reused", Align::Right),
        ("tokens in", Align::Right),
        ("tokens out", Align::Right),
        ("cost", Align::Right),
    ]);
    for node in &prediction.nodes {
        table.row(row(node));
    }
    let mut text = format!("a run would need\n{}", table.text("  "));
    for node in &prediction.nodes {
        let _ = writeln!(text, "  {}: {}", node.node, basis(node));
    }
    let more = if prediction.at_least { "at least " } else { "" };
    let (cost, seconds) = (band(prediction.cost, ToString::to_string), prediction.seconds);
    let time = band(seconds, |seconds| number::duration(whole_seconds(*seconds)));
    let _ = writeln!(text, "  in all {more}{cost}, in {more}{time}");
    text.push_str("  assumed: calls succeed at once");
    if prediction.nodes.iter().any(|node| node.need.is_some_and(|need| need.past.is_none())) {
        let (first, speed) = (FIRST_TOKEN, TOKENS_PER_SECOND);
        let _ = write!(
            text,
            "; a call takes {}s to {}s and then {} to {} tokens a second",
            first.low, first.high, speed.low, speed.high
        );
    }
    text.push('\n');
    if let Some(bottleneck) = &prediction.bottleneck {
        text.push_str(&narrowest(bottleneck, limits));
    }
    text
}

fn row(node: &Foreseen) -> Vec<String> {
    let model = node.model.as_ref().map(|asked| asked.model.clone()).unwrap_or_default();
    let mut row = vec![node.node.clone(), model];
    let Some(need) = node.need else {
        row.extend(["unknown"; 6].map(str::to_owned));
        return row;
    };
    row.extend([need.records, need.calls, need.reused].map(count));
    row.push(band(need.input_tokens, |tokens| count(*tokens)));
    row.push(band(need.output_tokens, |tokens| count(*tokens)));
    row.push(need.cost.map_or("unknown price".to_owned(), |cost| band(cost, Money::to_string)));
    row
}

fn basis(node: &Foreseen) -> String {
    let counted = node.model.as_ref().map(|asked| format!("; tokens in {}", asked.counted));
    let priced = node.model.as_ref().and_then(|asked| asked.price_as_of);
    let priced = priced.map(|day| format!("; price of {day}")).unwrap_or_default();
    let past = node.need.and_then(|need| need.past).map_or_else(
        || "; tokens out and times assumed".to_owned(),
        |past| format!("; tokens out and times as of {} earlier calls", count(past.calls)),
    );
    let counted = counted.unwrap_or_default() + &priced + &past;
    match &node.basis {
        Basis::Counted => format!("all input read{counted}"),
        Basis::Sampled { share } => {
            format!(
                "{:.1}% of the input read, the rest taken to be like it{counted}",
                share * 100.0
            )
        }
        Basis::Begun => format!("at least: not all input read (`--exact` reads it){counted}"),
        Basis::Below { node } => format!("depends on what becomes of the records at `{node}`"),
        Basis::Untold => "the stage cannot tell".to_owned(),
    }
}

/// Both ends, or one where they are the same.
fn band<T: Copy>(band: Band<T>, show: impl Fn(&T) -> String) -> String {
    let (low, high) = (show(&band.low), show(&band.high));
    if low == high { low } else { format!("{low}..{high}") }
}

fn whole_seconds(seconds: f64) -> Duration {
    let whole = if seconds < 1.0 { seconds } else { seconds.round() };
    Duration::try_from_secs_f64(whole).unwrap_or(Duration::MAX)
}

/// What the run waits for most, and what would help.
fn narrowest(bottleneck: &Bottleneck, limits: &[Limit]) -> String {
    let Bottleneck { what, node, enough } = bottleneck;
    let rate = |name: &str, tokens: bool| {
        let limit = limits.iter().find(|limit| limit.name.value == name)?;
        let rate = if tokens { limit.tokens } else { limit.requests }?;
        let per = number::duration(rate.per);
        let per = if per == "1m" { "min" } else { per.strip_prefix('1').unwrap_or(&per) };
        Some(format!("{}/{per}", rate.count))
    };
    let limited = |limit: &str, which: &str, how: String| {
        format!(
            "  limit {limit}: {how} binds; parallelism above {} at `{node}` changes nothing; a \
             higher `limits.{limit}.{which}` would help\n",
            count(*enough)
        )
    };
    match what {
        Binds::Parallelism => {
            let more = match *enough {
                u64::MAX => "more of it helps as far as the server bears it".to_owned(),
                enough => format!("more of it helps, up to {}", count(enough)),
            };
            format!("  the parallelism of `{node}` binds; {more}\n")
        }
        Binds::Requests { limit } => {
            limited(limit, "requests", rate(limit, false).unwrap_or_default())
        }
        Binds::Tokens { limit } => {
            let tokens = rate(limit, true).unwrap_or_default();
            limited(limit, "tokens", format!("{tokens} tokens"))
        }
        Binds::Concurrency { limit } => {
            limited(limit, "concurrency", "its calls at once".to_owned())
        }
    }
}
