//! Stages that write records away.

pub mod backup;
mod books;
mod cell;
mod claim;
mod connect;
mod file;
mod replaced;
mod row;
mod shared;
mod sqlite;
mod store;
mod table;

pub(crate) use store::Store;
