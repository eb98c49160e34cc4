//! Stages that bring records in from files.

mod bytes;
mod cell;
mod csv;
mod files;
mod json;
mod lines;
mod origin;
mod read;
mod rows;
mod text;

pub(crate) use read::Read;
