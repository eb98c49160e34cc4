//! The report as an Excel workbook.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

use flow_engine::door::Money;
use flow_engine::report::Usage;

use super::content::Content;

/// The most characters that a cell of Excel holds.
const MOST: usize = 32_000;

enum Cell {
    Text(String),
    Count(u64),
    Share(Option<f64>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

/// The bytes of the file. It bears no date, so that the same content gives the same bytes.
pub(super) fn write(content: &Content) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    book.set_properties(
        &DocProperties::new().set_title(printable(&content.title)).set_creation_datetime(&made),
    );
    summary(&mut book, content)?;
    let kinds = content.kinds.iter().map(|kind| {
        vec![Cell::from(&kind.kind), kind.entities.into(), Cell::Share(kind.mean_confidence)]
    });
    sheet(&mut book, "Kinds", &["Kind", "Entities", "Mean confidence"], kinds)?;
    let names = content.kinds.iter().flat_map(|kind| {
        kind.most_frequent.iter().map(|name| {
            vec![
                Cell::from(&kind.kind),
                (&name.name).into(),
                name.entities.into(),
                name.mentions.into(),
            ]
        })
    });
    sheet(&mut book, "Names", &["Kind", "Name", "Entities", "Mentions"], names)?;
    let inputs = content.inputs.iter().map(|input| {
        vec![
            Cell::from(&input.input),
            input.records.into(),
            input.entities.into(),
            input.rejects.into(),
        ]
    });
    sheet(&mut book, "Inputs", &["Input", "Records", "Entities", "Rejects"], inputs)?;
    let rejects = content.rejects.iter().map(|reject| {
        vec![
            Cell::from(&reject.input),
            (&reject.node).into(),
            (&reject.reason).into(),
            reject.times.into(),
        ]
    });
    sheet(&mut book, "Rejects", &["Input", "Node", "Reason", "Times"], rejects)?;
    nodes(&mut book, content)?;
    book.save_to_buffer()
}

fn summary(book: &mut Workbook, content: &Content) -> Result<(), XlsxError> {
    let verdict = if content.valid { "valid" } else { "not valid" };
    let mut rows = vec![
        vec![Cell::from("Title"), (&content.title).into()],
        vec!["Verdict".into(), verdict.into()],
        vec!["Entities".into(), content.entities.into()],
        vec!["Ungrounded quotes".into(), content.ungrounded.into()],
    ];
    for method in &content.methods {
        let meaning = format!("{}: {}", method.method, method.meaning);
        rows.push(vec!["Found by".into(), Cell::Text(meaning), method.entities.into()]);
    }
    for check in &content.validation {
        let passed = if check.passed { "passed" } else { "failed" };
        rows.push(vec![check.check.into(), passed.into(), (&check.detail).into()]);
    }
    for remark in &content.remarks {
        rows.push(vec!["Remark".into(), remark.into()]);
    }
    sheet(book, "Summary", &["What", "Value", "Detail"], rows.into_iter())
}

fn nodes(book: &mut Workbook, content: &Content) -> Result<(), XlsxError> {
    let heads = [
        "Node",
        "Stage",
        "In",
        "Passed",
        "Filtered",
        "Rejected",
        "Pending",
        "Out",
        "Calls",
        "Input tokens",
        "Cached tokens",
        "Output tokens",
        "Cost in US dollars",
        "Calls of unknown price",
        "Lost calls",
        "What those cost at most",
        "Lost calls of unknown price",
    ];
    let rows = content.nodes.iter().map(|node| {
        let counts = [
            node.received,
            node.passed,
            node.filtered,
            node.rejected,
            node.pending,
            node.out,
            node.calls,
            node.input_tokens,
            node.cached_tokens,
            node.output_tokens,
        ];
        let names = [Cell::from(&node.node), Cell::from(&node.stage)];
        let cost = [dollars(node.cost), node.unpriced.into()];
        let lost = [node.lost.into(), dollars(node.lost_cost), node.lost_unpriced.into()];
        names.into_iter().chain(counts.map(Cell::from)).chain(cost).chain(lost).collect()
    });
    sheet(book, "Nodes", &heads, rows)?;
    let heads = [
        "Model",
        "Calls",
        "Input tokens",
        "Cached tokens",
        "Output tokens",
        "Cost in US dollars",
        "Calls of unknown price",
        "Lost calls",
        "What those cost at most",
        "Lost calls of unknown price",
    ];
    let all = (content.usage.calls > 0).then(|| ("all calls".to_owned(), content.usage));
    let models = content.models.iter().map(|(model, usage)| (model.clone(), *usage));
    let rows = models.chain(all).map(|(model, usage)| {
        let Usage { calls, input_tokens, cached_tokens, output_tokens, .. } = usage;
        let counts = [calls, input_tokens, cached_tokens, output_tokens].map(Cell::from);
        let cost = [dollars(usage.cost), usage.unpriced.into()];
        let lost = [usage.lost.into(), dollars(usage.lost_cost), usage.lost_unpriced.into()];
        [Cell::Text(model)].into_iter().chain(counts).chain(cost).chain(lost).collect()
    });
    sheet(book, "Models", &heads, rows)
}

fn dollars(money: Money) -> Cell {
    Cell::Share(Some(money.as_dollars()))
}

fn sheet(
    book: &mut Workbook,
    name: &str,
    heads: &[&str],
    rows: impl Iterator<Item = Vec<Cell>>,
) -> Result<(), XlsxError> {
    let sheet = book.add_worksheet();
    sheet.set_name(name)?;
    sheet.set_freeze_panes(1, 0)?;
    let bold = Format::new().set_bold();
    for (column, head) in (0..).zip(heads) {
        sheet.write_string_with_format(0, column, *head, &bold)?;
        sheet.set_column_width(column, if column == 0 { 34 } else { 18 })?;
    }
    for (line, row) in (1..).zip(rows) {
        for (column, cell) in (0..).zip(row) {
            match cell {
                Cell::Text(text) => sheet.write_string(line, column, printable(&text))?,
                Cell::Count(count) =>
                {
                    #[expect(clippy::cast_precision_loss, reason = "Excel has no other numbers")]
                    sheet.write_number(line, column, count as f64)?
                }
                Cell::Share(Some(share)) => sheet.write_number(line, column, share)?,
                Cell::Share(None) => sheet,
            };
        }
    }
    Ok(())
}

/// What a cell can hold: no control characters, not too long.
fn printable(text: &str) -> String {
    let kept = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c });
    kept.take(MOST).collect()
}
