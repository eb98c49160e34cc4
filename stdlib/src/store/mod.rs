//! Stages that write records away.

mod books;
mod cell;
mod connect;
mod file;
mod replaced;
mod row;
mod sqlite;
mod store;
mod table;

pub(crate) use store::Store;
