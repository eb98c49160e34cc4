//! The real binary, as a user meets it.

#![expect(clippy::expect_used, reason = "a test stops at the first thing that is off")]

mod annotator;
mod backup;
mod check;
mod doctor;
mod embed;
mod extraction;
#[cfg(unix)]
mod faults;
mod folder;
mod format;
mod help;
mod history;
mod interviews;
mod long;
mod model_server;
mod models;
mod money;
mod oracle;
mod otlp;
mod plan;
mod providers;
mod rejects;
mod resume;
#[cfg(unix)]
mod room;
mod run;
#[cfg(unix)]
mod signals;
mod sync;
mod together;
