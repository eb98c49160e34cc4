//! The account at the end of a run: what became of every record.

use std::fmt::Write as _;

use flow_engine::report::{NodeReport, Reject, Report, Status, Usage};

use crate::exit::Exit;
use crate::number::{self, count, counted};
use crate::table::{Align, Table};
use crate::written;

/// Rejects that are shown; the report has more.
const SHOWN: usize = 10;
/// Longest reason that is shown, in characters.
const LONGEST: usize = 160;

/// How the program ends after a run.
pub(crate) fn exit(report: &Report) -> Exit {
    if !report.imbalances().is_empty() {
        return Exit::Broken;
    }
    match report.status {
        Status::Done => Exit::Done,
        Status::Cancelled => Exit::Cancelled,
        Status::TooManyFailures { .. } | Status::RecordFailed { .. } => Exit::TooManyFailures,
        Status::OverBudget { .. } => Exit::OverBudget,
        Status::Broken { .. } | Status::Bug { .. } => Exit::Broken,
    }
}

/// What went wrong, for stderr; nothing when all went well.
pub(crate) fn error(report: &Report) -> Option<String> {
    let (node, message, help) = match &report.status {
        Status::Done | Status::Cancelled => return None,
        Status::TooManyFailures { node, message } => {
            let help = "Look at the rejects; mend them, or raise `max_failures`.";
            (node, message, Some(help))
        }
        Status::RecordFailed { node, message } => {
            (node, message, Some("Mend the record, or go on without it: `on_error: reject`."))
        }
        Status::OverBudget { node, message } => {
            let help = "What is stored stays. Raise the budget (`--max-cost` for one run) and run it again.";
            (node, message, Some(help))
        }
        Status::Broken { node, message, help } => (node, message, help.as_deref()),
        Status::Bug { node, message } => {
            let help = "This is a bug of flow, not a mistake of yours; please report it.";
            (node, message, Some(help))
        }
    };
    let help = help.map(|help| format!("  help: {help}\n")).unwrap_or_default();
    Some(format!("error: `{node}`: {message}\n{help}"))
}

/// How a run ended, in a few words.
pub(crate) const fn ending(status: &Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::Cancelled => "cancelled",
        Status::TooManyFailures { .. } => "stopped, too many failures",
        Status::RecordFailed { .. } => "stopped, as a record failed",
        Status::OverBudget { .. } => "stopped before the budget was passed",
        Status::Broken { .. } => "broken",
        Status::Bug { .. } => "broken by a bug",
    }
}

/// The account for people.
pub(crate) fn text(report: &Report) -> String {
    let ending = ending(&report.status);
    let elapsed = number::duration(report.elapsed);
    let failed = match (&report.status, all_failed(report)) {
        (Status::Done, Some(node)) => format!(", but all that came to `{}` failed", node.node),
        _ => String::new(),
    };
    let mut sections = vec![format!("{}: {ending} in {elapsed}{failed}\n", report.pipeline)];
    sections.push(nodes(&report.nodes));
    sections.push(usage(report));
    sections.push(written::text(report));
    sections.push(rejects(report));
    sections.push(sums(report));
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

fn nodes(nodes: &[NodeReport]) -> String {
    let mut columns = vec![("node", Align::Left), ("stage", Align::Left)];
    let numbers = ["in", "passed", "filtered", "rejected", "pending", "out", "kept", "retries"];
    columns.extend(numbers.map(|name| (name, Align::Right)));
    let mut table = Table::new(&columns);
    for node in nodes {
        let numbers = [
            node.received,
            node.passed,
            node.filtered,
            node.rejected,
            node.pending,
            node.out,
            node.kept,
            node.retries,
        ];
        table.row([node.node.clone(), node.stage.clone()].into_iter().chain(numbers.map(count)));
    }
    table.text("  ")
}

/// What the calls used and cost: by node, and by model where that says more.
pub(crate) fn usage(report: &Report) -> String {
    let callers = report.nodes.iter().filter(|node| node.usage.calls + node.usage.reused > 0);
    let callers: Vec<(&String, &Usage)> = callers.map(|node| (&node.node, &node.usage)).collect();
    if callers.is_empty() {
        return String::new();
    }
    let all = "all".to_owned();
    let mut rows = callers.clone();
    rows.extend((callers.len() > 1).then_some((&all, &report.usage)));
    let mut text = used("calls of", &rows);
    text.push_str(&times(&report.nodes));
    let models: Vec<(&String, &Usage)> = report.models.iter().collect();
    if callers.len() > 1 || models.len() > 1 {
        text.push_str(&used("answers of", &models));
    } else if let [(model, _)] = models.as_slice() {
        let _ = writeln!(text, "  answered by {model}");
    }
    text
}

/// How long the calls took, and how long they waited.
fn times(nodes: &[NodeReport]) -> String {
    let mut columns = vec![("calls of", Align::Left)];
    columns.extend(["retries", "waited", "p50", "p95"].map(|name| (name, Align::Right)));
    let mut table = Table::new(&columns);
    for node in nodes.iter().filter(|node| node.usage.calls > 0) {
        let times = [node.waits.total(), node.latency.p50, node.latency.p95];
        let row = [node.node.clone(), count(node.retries)].into_iter();
        table.row(row.chain(times.map(number::duration)));
    }
    table.text("  ")
}

fn used(of: &'static str, rows: &[(&String, &Usage)]) -> String {
    let mut columns = vec![(of, Align::Left)];
    // Most runs have nothing to reuse.
    let reuse = rows.iter().any(|(_, usage)| usage.reused > 0);
    columns.extend(reuse.then_some(("reused", Align::Right)));
    let losses = rows.iter().any(|(_, usage)| usage.lost > 0);
    let numbers = ["calls", "tokens in", "cached", "tokens out"];
    let numbers = numbers.into_iter().chain(losses.then_some("lost")).chain(["cost"]);
    columns.extend(numbers.map(|name| (name, Align::Right)));
    let mut table = Table::new(&columns);
    for (name, usage) in rows {
        let Usage { calls, input_tokens, cached_tokens, output_tokens, .. } = usage;
        let numbers = [*calls, *input_tokens, *cached_tokens, *output_tokens].map(count);
        let reused = reuse.then(|| count(usage.reused));
        let lost = losses.then(|| count(usage.lost));
        let row = [(*name).clone()].into_iter().chain(reused).chain(numbers);
        table.row(row.chain(lost).chain([usage.spent()]));
    }
    table.text("  ")
}

fn rejects(report: &Report) -> String {
    let total: u64 = report.nodes.iter().map(|node| node.rejected).sum();
    if total == 0 {
        return String::new();
    }
    let mut text = format!("{}\n", counted(total, "reject"));
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
    for reject in report.rejects.iter().take(SHOWN) {
        table.row([reject.node.clone(), place(reject), reason(reject)]);
    }
    text.push_str(&table.text("  "));
    let shown = report.rejects.len().min(SHOWN) as u64;
    if total > shown {
        let more = count(total - shown);
        let _ = writeln!(
            text,
            "  and {more} more: `flow rejects list`, or the report (`--report FILE`)"
        );
    }
    text
}

fn place(reject: &Reject) -> String {
    match (&reject.path, reject.line) {
        (Some(path), Some(line)) => format!("{path}:{line}"),
        (Some(path), None) => path.clone(),
        (None, _) => format!("record {}", reject.id),
    }
}

fn reason(reject: &Reject) -> String {
    let attempts = if reject.attempts > 1 {
        format!(" ({} attempts)", reject.attempts)
    } else {
        String::new()
    };
    format!("{}{attempts}", number::cut(&reject.reason, LONGEST))
}

fn sums(report: &Report) -> String {
    let off = report.imbalances();
    if !off.is_empty() {
        let lines = off.join("\n  ");
        return format!("the sums are off, which is a bug of flow:\n  {lines}\n");
    }
    let pending: u64 = report.nodes.iter().map(|node| node.pending).sum();
    let unread: u64 = report.edges.iter().map(|edge| edge.unread).sum();
    let mut text = "every record accounted for".to_owned();
    if pending > 0 {
        let _ = write!(text, "; {} not worked on", counted(pending, "record"));
    }
    if unread > 0 {
        let _ = write!(text, "; {} left unread on edges", counted(unread, "record"));
    }
    if let Some(node) = all_failed(report) {
        let failed = counted(node.received, "record");
        let _ = write!(text, "; failed at `{}`: {failed}, all that came", node.node);
    }
    text.push('\n');
    text
}

/// The first node that had something to do and failed at all of it.
fn all_failed(report: &Report) -> Option<&NodeReport> {
    report.nodes.iter().find(|node| node.received > 0 && node.rejected + node.kept == node.received)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flow_engine::door::Money;
    use flow_engine::report::{EdgeReport, Latency, Waits};
    use flow_engine::stage::Written;

    use super::*;

    /// What a node's calls used, of two models.
    fn called(node: &mut NodeReport) {
        node.usage = Usage {
            calls: 1200,
            reused: 17,
            input_tokens: 90_000,
            cached_tokens: 40_000,
            output_tokens: 7000,
            cost: Money::dollars(0.0147),
            unpriced: 3,
            ..Usage::default()
        };
        node.retries = 12;
        node.waits = Waits {
            limit: Duration::from_secs(61),
            backoff: Duration::from_secs(9),
            ..Waits::default()
        };
        node.latency =
            Latency { p50: Duration::from_millis(840), p95: Duration::from_millis(2300) };
        let small = Usage { unpriced: 0, calls: 1197, reused: 0, ..node.usage };
        let free = Usage { calls: 3, unpriced: 3, ..Usage::default() };
        node.models = [("gpt-4o-mini".to_owned(), small), ("llama3".to_owned(), free)].into();
    }

    fn report(status: Status) -> Report {
        let node = |node: &str, stage: &str, received, passed, rejected| NodeReport {
            node: node.to_owned(),
            stage: stage.to_owned(),
            received,
            passed,
            rejected,
            out: passed,
            ..NodeReport::default()
        };
        let mut nodes =
            vec![node("files", "read", 1200, 1188, 12), node("entities", "extract", 1188, 1188, 0)];
        called(&mut nodes[1]);
        let reject = |line, path: Option<&str>, attempts| Reject {
            node: "files".to_owned(),
            id: "2a".to_owned(),
            path: path.map(str::to_owned),
            line,
            reason: "not JSON:\nexpected value".to_owned(),
            attempts,
            fields: serde_json::Map::new(),
        };
        Report {
            pipeline: "interviews".to_owned(),
            status,
            elapsed: Duration::from_millis(75_500),
            usage: nodes[1].usage,
            models: nodes[1].models.clone(),
            nodes,
            edges: vec![EdgeReport {
                from: "files".to_owned(),
                output: "main".to_owned(),
                to: "entities".to_owned(),
                sent: 1190,
                received: 1188,
                unread: 2,
            }],
            rejects: vec![
                reject(Some(3), Some("data/a.json"), 1),
                reject(None, Some("b.json"), 1),
                reject(None, None, 4),
            ],
            written: vec![Written {
                verdict: Some("2 of 3 checks hold".to_owned()),
                ..Written::new("out/rows.jsonl", 1188)
            }],
            unwritten: Vec::new(),
        }
    }

    #[test]
    fn the_account_tells_what_became_of_every_record() {
        insta::assert_snapshot!(text(&report(Status::Done)));
    }

    #[test]
    fn a_run_in_which_all_failed_does_not_look_like_success() {
        for (rejected, kept, shown) in [(1188, 0, true), (188, 1000, true), (1187, 0, false)] {
            let mut report = report(Status::Done);
            let node = &mut report.nodes[1];
            (node.rejected, node.kept, node.passed) = (rejected, kept, 1188 - rejected);
            let text = text(&report);
            let first = "interviews: done in 1m15s, but all that came to `entities` failed\n";
            assert_eq!(text.starts_with(first), shown, "{text}");
            let last = "; failed at `entities`: 1,188 records, all that came\n";
            assert_eq!(text.ends_with(last), shown, "{text}");
            assert_eq!(exit(&report), Exit::Done);
        }
    }

    #[test]
    fn a_sum_that_is_off_is_never_green() {
        let mut report = report(Status::Done);
        report.nodes[0].passed = 1000;
        assert_eq!(exit(&report), Exit::Broken);
        let text = text(&report);
        let line = "`files`: in 1200 is not passed 1000 + filtered 0 + rejected 12 + pending 0";
        assert!(text.contains(line) && !text.contains("accounted"), "{text}");
    }

    #[test]
    fn every_ending_has_its_code_and_its_words() {
        let both = || (String::from("saved"), String::from("disk full"));
        let (node, message) = both();
        let too_many = Status::TooManyFailures { node, message };
        let (node, message) = both();
        let failed = Status::RecordFailed { node, message };
        let (node, message) = both();
        let over = Status::OverBudget { node, message };
        let (node, message) = both();
        let broken = Status::Broken { node, message, help: Some("Make room.".to_owned()) };
        let (node, message) = both();
        for (status, code, help) in [
            (Status::Done, 0, None),
            (Status::Cancelled, 130, None),
            (too_many, 3, Some("Look at the rejects; mend them, or raise `max_failures`.")),
            (failed, 3, Some("Mend the record, or go on without it: `on_error: reject`.")),
            (
                over,
                4,
                Some(
                    "What is stored stays. Raise the budget (`--max-cost` for one run) and run it again.",
                ),
            ),
            (broken, 1, Some("Make room.")),
            (
                Status::Bug { node, message },
                1,
                Some("This is a bug of flow, not a mistake of yours; please report it."),
            ),
        ] {
            let words = help.map(|help| format!("error: `saved`: disk full\n  help: {help}\n"));
            let report = report(status);
            assert_eq!(exit(&report).code(), code);
            assert_eq!(error(&report), words);
        }
    }
}
