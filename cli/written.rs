//! What the sinks of a run have written, removed and left alone, for people.

use std::fmt::Write as _;

use flow_engine::report::{Report, Status};
use flow_engine::stage::{Replaced, Written};

use crate::number::counted;
use crate::table::{Align, Table};

/// What was written where, and what of that somebody may not expect.
pub(crate) fn text(report: &Report) -> String {
    let mut text = String::new();
    if !report.written.is_empty() {
        let mut table = Table::new(&[("", Align::Left), ("", Align::Right)]);
        for written in &report.written {
            table.row([written.to.clone(), what(written)]);
        }
        let whole = report.status == Status::Done;
        let of = if whole { "" } else { ", of a run that is not whole" };
        let _ = write!(text, "written{of}\n{}", table.text("  "));
    }
    for to in &report.unwritten {
        let _ = writeln!(text, "not written, as the run is not whole: {to}");
    }
    for written in &report.written {
        text.push_str(&remarks(written));
    }
    for verdict in report.written.iter().filter_map(|written| written.verdict.as_ref()) {
        let _ = writeln!(text, "report: {verdict}");
    }
    text
}

fn what(written: &Written) -> String {
    let mut text = counted(written.records, "record");
    if written.removed > 0 {
        let _ = write!(text, ", {} removed", counted(written.removed, "row"));
    }
    text
}

/// What somebody may not expect of what was written.
fn remarks(written: &Written) -> String {
    let (to, mut text) = (&written.to, String::new());
    if let Some(Replaced { records, example }) = &written.replaced {
        let records = counted(*records, "record");
        let _ = writeln!(text, "{to}: {records} took the place of another: {example}");
    }
    if written.spared > 0 {
        let rows = counted(written.spared, "row");
        let _ = writeln!(text, "{to}: {rows} of earlier runs kept, as records of its input failed");
    }
    text
}
