//! A pipeline file laid out in the usual way: blanks and line ends change, and nothing else.

mod flow;
mod yaml;

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::parse::read;
use crate::source::{SourceFile, Spelling};

/// The text of a file as it should be laid out. A file that cannot be read is left alone, and so
/// is one whose new text would not give the same tree: better ugly than changed.
pub fn format(source: &Arc<SourceFile>) -> Result<String, Vec<Diagnostic>> {
    let (root, found) = read(source);
    if !found.is_empty() {
        return Err(found);
    }
    let text = match source.spelling {
        Spelling::Flow => flow::laid_out(source),
        Spelling::Yaml => yaml::laid_out(source, &root),
    };
    let (again, found) = read(&SourceFile::new(source.name.as_str(), text.as_str()));
    let same = found.is_empty() && again.says_the_same(&root);
    Ok(if same { text } else { source.text.clone() })
}
