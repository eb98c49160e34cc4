//! Stages that write records away.

mod cell;
mod file;
mod row;
mod sqlite;
mod store;
mod table;

pub(crate) use store::Store;
