//! Whether a run has done what was expected of it.

use std::fmt::Write as _;

use flow_engine::report::NodeReport;
use flow_engine::words::counted;

use super::content::CheckRow;
use super::tally::{InputCount, Tally};

/// The checks of a report.
pub(super) fn checks(tally: &Tally, expect: &[String], nodes: &[NodeReport]) -> Vec<CheckRow> {
    let mut checks = Vec::new();
    if !expect.is_empty() {
        let missing: Vec<&str> = expect
            .iter()
            .filter(|kind| !tally.kinds.contains_key(*kind))
            .map(String::as_str)
            .collect();
        let detail = if missing.is_empty() {
            format!("data of {}", counted(expect.len() as u64, "kind"))
        } else {
            let kinds = counted(expect.len() as u64, "kind");
            format!("{} of {kinds} without data: {}", missing.len(), missing.join(", "))
        };
        checks.push(CheckRow { check: "every kind has data", passed: missing.is_empty(), detail });
    }
    checks.push(processed(tally, nodes));
    checks.push(named(tally, nodes));
    let off: Vec<&str> =
        nodes.iter().filter(|node| !node.balances()).map(|node| node.node.as_str()).collect();
    let detail = if off.is_empty() {
        format!(
            "in = passed + filtered + rejected + pending at {}",
            counted(nodes.len() as u64, "node")
        )
    } else {
        format!("the sum is off at: {}", off.join(", "))
    };
    checks.push(CheckRow {
        check: "every record is accounted for",
        passed: off.is_empty(),
        detail,
    });
    checks
}

/// Each input has entities, or was read and has none, or was rejected.
fn processed(tally: &Tally, nodes: &[NodeReport]) -> CheckRow {
    let pending: u64 = nodes.iter().map(|node| node.pending).sum();
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
        let named: Vec<&str> = without.iter().take(20).copied().collect();
        detail.push_str("; without any: ");
        detail.push_str(&named.join(", "));
        if without.len() > named.len() {
            detail.push_str(", ...");
        }
    }
    if pending > 0 {
        let _ = write!(detail, "; not worked on: {}", counted(pending, "record"));
    }
    let passed = pending == 0 && !tally.inputs.is_empty();
    CheckRow { check: "every input was processed or rejected", passed, detail }
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
