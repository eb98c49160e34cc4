//! Text to checked pipeline. No IO, no async, no stage code; never panics, whatever the text.
//!
//! ```text
//! SourceFile ──parse──► Ast ──resolve──► Ast with profile, --set ──check──► Pipeline
//!                  └───────────────── Vec<Diagnostic> ─────────────────────────┘
//! ```

pub mod catalog;
pub mod check;
pub mod code;
mod convert;
pub mod diagnostic;
mod format;
pub mod parse;
pub mod pipeline;
pub mod scalar;
pub mod source;
mod spelling;
pub mod suggest;
pub mod tree;

pub use catalog::Catalog;
pub use check::{Inputs, check};
pub use code::Code;
pub use convert::{Unconverted, convert, meaning};
pub use diagnostic::{Diagnostic, Label, Severity};
pub use format::format;
pub use parse::parse;
pub use pipeline::Pipeline;
pub use source::{SourceFile, Span, Spanned, Spelling};
pub use spelling::spelling;
pub use tree::Ast;
