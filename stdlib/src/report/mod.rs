//! Stages that say what a run has found.

mod content;
mod markdown;
mod report;
mod tally;
#[cfg(test)]
mod tests;
mod validation;
mod workbook;

pub(crate) use report::Report;
