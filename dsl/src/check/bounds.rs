//! How long an expression and a template may be.

use super::template::Unreadable;

/// The longest expression that is read, in bytes. A tree of expressions may be as deep as its text
/// is long, and is walked and dropped by recursion.
pub(super) const MOST_EXPRESSION: usize = 4096;

/// Refuses an expression that is too long to be walked.
pub(super) fn bounded(expression: &str, from: usize) -> Result<(), Unreadable> {
    if expression.len() <= MOST_EXPRESSION {
        return Ok(());
    }
    let message = format!("an expression is longer than {MOST_EXPRESSION} bytes");
    Err(Unreadable { message, range: Some(from..from + 2) })
}

/// Refuses a template with an expression that is too long to be walked, or with blocks that could
/// stand too deep in each other.
pub(super) fn bounded_template(text: &str) -> Result<(), Unreadable> {
    let mut at = 0;
    let mut blocks = 0;
    while let Some(open) = text[at..].find(['{']).map(|open| at + open) {
        let inside = open + 1;
        let close = match text[inside..].chars().next() {
            Some('{') => "}}",
            Some('%') => "%}",
            _ => {
                at = inside;
                continue;
            }
        };
        blocks += usize::from(close == "%}");
        let end = text[inside..].find(close).map_or(text.len(), |end| inside + end);
        bounded(&text[open..end], open)?;
        at = end;
    }
    if blocks > MOST_EXPRESSION {
        let message = format!("a template has more than {MOST_EXPRESSION} tags");
        return Err(Unreadable { message, range: None });
    }
    Ok(())
}
