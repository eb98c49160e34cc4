//! Stages that decide which records go on, and with which fields.

mod filter;
mod set;
mod take;

pub(crate) use filter::Filter;
pub(crate) use set::Set;
pub(crate) use take::Take;
