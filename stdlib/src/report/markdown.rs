//! The report as Markdown.

use std::fmt::Write as _;

use flow_engine::words::counted;

use super::content::Content;

/// The whole text.
pub(super) fn write(content: &Content) -> String {
    let mut text = String::new();
    let verdict = if content.valid { "valid" } else { "**not valid**" };
    let _ = writeln!(
        text,
        "# {}\n\n{}; the run is {verdict}.\n",
        one_line(&content.title),
        counted(content.entities, "entity")
    );
    for method in &content.methods {
        let _ = writeln!(
            text,
            "Found by `{}` ({}): {}.\n",
            method.method, method.entities, method.meaning
        );
    }
    if content.ungrounded > 0 {
        let quotes = counted(content.ungrounded, "quote");
        let _ = writeln!(text, "Not to be found in their texts: {quotes}.\n");
    }
    for remark in &content.remarks {
        let _ = writeln!(text, "{remark}.\n");
    }
    found(&mut text, content);
    accounts(&mut text, content);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// What was found: the validation, the kinds, their names.
fn found(text: &mut String, content: &Content) {
    table(
        text,
        "Validation",
        &["Check", "", "What was seen"],
        content.validation.iter().map(|check| {
            let mark = if check.passed { "passed" } else { "**failed**" };
            vec![check.check.to_owned(), mark.to_owned(), cell(&check.detail)]
        }),
    );
    table(
        text,
        "Kinds",
        &["Kind", "Entities", "Mean confidence", "Most frequent"],
        content.kinds.iter().map(|kind| {
            let names = kind.most_frequent.iter().filter(|name| name.entities > 1).take(3);
            let names: Vec<String> =
                names.map(|name| format!("{} ({})", cell(&name.name), name.entities)).collect();
            let mean = kind.mean_confidence.map_or_else(String::new, |mean| format!("{mean:.3}"));
            vec![cell(&kind.kind), kind.entities.to_string(), mean, names.join(", ")]
        }),
    );
    for kind in content.kinds.iter().filter(|kind| !kind.most_frequent.is_empty()) {
        let title = format!("Most frequent: {}", cell(&kind.kind));
        table(
            text,
            &title,
            &["Name", "Entities", "Mentions"],
            kind.most_frequent.iter().map(|name| {
                vec![cell(&name.name), name.entities.to_string(), name.mentions.to_string()]
            }),
        );
    }
}

/// Where it came from and what became of it.
fn accounts(text: &mut String, content: &Content) {
    table(
        text,
        "Inputs",
        &["Input", "Records", "Entities", "Rejects"],
        content.inputs.iter().map(|input| {
            vec![
                cell(&input.input),
                input.records.to_string(),
                input.entities.to_string(),
                input.rejects.to_string(),
            ]
        }),
    );
    table(
        text,
        "Rejects",
        &["Input", "Node", "Reason", "Times"],
        content.rejects.iter().map(|reject| {
            vec![
                cell(&reject.input),
                cell(&reject.node),
                cell(&reject.reason),
                reject.times.to_string(),
            ]
        }),
    );
    let heads = ["Node", "Stage", "In", "Passed", "Filtered", "Rejected", "Pending", "Out"];
    table(
        text,
        "Nodes",
        &heads,
        content.nodes.iter().map(|node| {
            let counts =
                [node.received, node.passed, node.filtered, node.rejected, node.pending, node.out];
            let names = [cell(&node.node), cell(&node.stage)];
            names.into_iter().chain(counts.iter().map(u64::to_string)).collect()
        }),
    );
}

fn table(text: &mut String, title: &str, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(text, "## {title}\n");
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        text.push_str("None.\n\n");
        return;
    }
    let _ = writeln!(text, "| {} |\n|{}", heads.join(" | "), " --- |".repeat(heads.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text.push('\n');
}

/// What a cell can hold: one line, no bar, no markup.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for letter in one_line(text).chars() {
        if matches!(letter, '|' | '\\' | '`' | '*' | '<' | '[') {
            cell.push('\\');
        }
        cell.push(letter);
    }
    cell
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
