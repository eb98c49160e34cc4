//! Stages that work on text.

mod chunk;
mod pieces;
mod sizer;

pub(crate) use chunk::Chunk;
