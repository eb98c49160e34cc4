//! Stages that work on text.

mod chunk;
mod sizer;

pub(crate) use chunk::Chunk;
