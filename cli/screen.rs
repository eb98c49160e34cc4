//! The lines on stderr that are redrawn in place, and what is written beside them.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use crate::terminal;

/// The lines that stand on the terminal right now: none until a display shows some.
#[derive(Debug, Clone, Default)]
pub(crate) struct Screen(Arc<Mutex<Vec<String>>>);

impl Screen {
    /// Draws lines in the place of those that stand there.
    pub(crate) fn show(&self, lines: Vec<String>) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        terminal::err(&frame(shown.len(), &lines));
        *shown = lines;
    }

    /// Takes the lines away.
    pub(crate) fn clear(&self) {
        self.show(Vec::new());
    }

    /// Writes a text above the lines.
    pub(crate) fn beside(&self, text: &str) {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.is_empty() {
            terminal::err(text);
        } else {
            let (above, again) = (frame(shown.len(), &[]), frame(0, &shown));
            terminal::err(&format!("{above}{text}{again}"));
        }
    }
}

/// What takes so many lines away and draws others. Lines are not wrapped: what is too long for the
/// terminal is cut off by it, and a line is a line when it is taken away.
fn frame(before: usize, lines: &[String]) -> String {
    let mut frame = String::new();
    if before > 0 {
        let _ = write!(frame, "\x1b[{before}A\r\x1b[J");
    }
    if !lines.is_empty() {
        frame.push_str("\x1b[?7l");
        for line in lines {
            frame.push_str(line);
            frame.push('\n');
        }
        frame.push_str("\x1b[?7h");
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_takes_away_as_many_lines_as_were_drawn() {
        let lines = ["a".to_owned(), "b".to_owned()];
        assert_eq!(frame(0, &lines), "\x1b[?7la\nb\n\x1b[?7h");
        assert_eq!(frame(2, &lines[..1]), "\x1b[2A\r\x1b[J\x1b[?7la\n\x1b[?7h");
        assert_eq!(frame(1, &[]), "\x1b[1A\r\x1b[J");
        assert_eq!(frame(0, &[]), "");
    }
}
