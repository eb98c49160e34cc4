//! The real binary, as a user meets it.

#![expect(clippy::expect_used, reason = "a test stops at the first thing that is off")]

mod check;
mod doctor;
#[cfg(unix)]
mod faults;
mod folder;
mod help;
mod interviews;
mod model_server;
mod models;
mod otlp;
mod plan;
mod run;
mod together;
