//! Whether a run has done what was expected of it.

use std::fmt::Write as _;

use flow_engine::report::NodeReport;
use flow_engine::words::counted;

use super::content::CheckRow;
use super::tally::{InputCount, Tally};

/// Names that a check lists.
const LISTED: usize = 20;

/// The checks of a report: what can be missing although the run has ended well.
pub(super) fn checks(tally: &Tally, expect: &[String], nodes: &[NodeReport]) -> Vec<CheckRow> {
    let expected = (!expect.is_empty()).then(|| filled(tally, expect));
    expected.into_iter().chain([answered(tally), named(tally, nodes)]).collect()
}

/// How many checks hold and what the others miss, in a line.
pub(super) fn verdict(checks: &[CheckRow]) -> String {
    let hold = checks.iter().filter(|check| check.passed).count();
    let mut line = match checks.len() {
        all if all == hold => format!("all {all} checks hold"),
        all => format!("{hold} of {all} checks hold"),
    };
    for check in checks.iter().filter(|check| !check.passed) {
        let _ = write!(line, "; not that {}: {}", check.check, check.detail);
    }
    line
}

fn filled(tally: &Tally, expect: &[String]) -> CheckRow {
    let has_data = |kind: &String| tally.kinds.get(kind).is_some_and(|kind| kind.entities > 0);
    let missing: Vec<&str> =
        expect.iter().filter(|kind| !has_data(kind)).map(String::as_str).collect();
    let kinds = counted(expect.len() as u64, "kind");
    let detail = if missing.is_empty() {
        format!("data of {kinds}")
    } else {
        format!("{} of {kinds} without data: {}", missing.len(), listed(&missing))
    };
    CheckRow { check: "every kind has data", passed: missing.is_empty(), detail }
}

/// Each input has entities or was rejected.
fn answered(tally: &Tally) -> CheckRow {
    let with = tally.inputs.values().filter(|input| input.entities > 0).count();
    let rejected = |input: &&InputCount| input.entities == 0 && input.rejects > 0;
    let rejected = tally.inputs.values().filter(rejected).count();
    let without: Vec<&str> = tally
        .inputs
        .iter()
        .filter(|(_, input)| input.entities == 0 && input.rejects == 0)
        .map(|(name, _)| name.as_str())
        .collect();
    let mut detail = format!(
        "{}: {with} with entities, {} without any, {rejected} rejected",
        counted(tally.inputs.len() as u64, "input"),
        without.len()
    );
    if !without.is_empty() {
        let _ = write!(detail, "; without any: {}", listed(&without));
    }
    let passed = without.is_empty() && !tally.inputs.is_empty();
    CheckRow { check: "every input has data or is rejected", passed, detail }
}

fn listed(names: &[&str]) -> String {
    let more = if names.len() > LISTED { ", ..." } else { "" };
    names[..names.len().min(LISTED)].join(", ") + more
}

/// As many rejects came in at the port as the nodes count.
fn named(tally: &Tally, nodes: &[NodeReport]) -> CheckRow {
    let all: u64 = nodes.iter().map(|node| node.rejected).sum();
    let named = tally.rejects.values().sum::<u64>() + tally.unnamed_rejects;
    let mut detail = format!("{named} of {} came here, with reasons", counted(all, "reject"));
    if named < all {
        let nodes: Vec<&str> =
            nodes.iter().filter(|node| node.rejected > 0).map(|node| node.node.as_str()).collect();
        let _ = write!(detail, "; nodes with rejects: {}", nodes.join(", "));
    }
    CheckRow { check: "every reject is named", passed: named >= all, detail }
}
