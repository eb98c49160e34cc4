//! Rows of CSV: lines, unless a quotation mark is open at the end of one.

use std::borrow::Cow;
use std::io::Result;

use super::lines::{Line, Lines};

const QUOTE: u8 = b'"';

/// A row, or why its first line is none.
pub(super) type Row = std::result::Result<(), String>;

/// Finds the rows of a stream.
///
/// A row whose quotation marks are wrong is its first line only, and the search goes on with the
/// line after that, so that it takes no good row with it.
pub(super) struct Rows {
    lines: Lines,
    delimiter: u8,
    most: usize,
    /// The text of the row.
    row: Vec<u8>,
    ahead: Ahead,
    /// Of the line that was taken last.
    line: u64,
    /// A row that is still open at the end of a line before this one is broken: another row went
    /// the same way and came to nothing. So no text is gone over again and again.
    doomed: u64,
}

/// Lines that were taken for a row which they do not belong to.
#[derive(Default)]
struct Ahead {
    text: Vec<u8>,
    /// Where the next of them begins, and how many there are.
    at: usize,
    left: u64,
    /// One that is too long comes after them.
    too_long: bool,
}

/// Where in a row a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Cell,
    Quoted,
    Closed,
    /// Behind a closing quotation mark, where only a delimiter may stand.
    Nowhere,
}

impl Rows {
    /// Reads as far as it takes to know what ends a line.
    pub(super) fn new(mut lines: Lines, delimiter: u8, most: usize) -> Result<Self> {
        lines.find_newline()?;
        let (row, ahead) = (Vec::new(), Ahead::default());
        Ok(Self { lines, delimiter, most, row, ahead, line: 0, doomed: 0 })
    }

    /// The next row and its line; nothing at the end. Empty lines are passed over.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Row)>> {
        loop {
            self.row.clear();
            match self.take()? {
                None => return Ok(None),
                Some(false) => return Ok(Some((self.line, Err(self.too_long())))),
                Some(true) if matches!(*self.row, [] | [b'\r']) => {}
                Some(true) => return Ok(Some((self.line, self.finish()?))),
            }
        }
    }

    /// The text of the row that was found last; of a broken one, its line.
    pub(super) fn text(&self) -> &[u8] {
        &self.row
    }

    /// The line that was taken last.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// The cells of the row that was found last.
    pub(super) fn cells(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        Cells { rest: Some(&self.row), delimiter: self.delimiter }
    }

    /// Adds lines to the first one until no quotation mark is open.
    fn finish(&mut self) -> Result<Row> {
        let (first, end) = (self.line, self.row.len());
        let (held, left) = (self.ahead.at, self.ahead.left);
        let mut at = scan(At::Cell, &self.row, self.delimiter);
        let reason = loop {
            let open = "opens a quotation mark that is never closed";
            match at {
                At::Cell | At::Closed => {
                    if self.row.last() == Some(&b'\r') {
                        self.row.pop();
                    }
                    return Ok(Ok(()));
                }
                At::Nowhere if self.line == first => {
                    break "has text behind a closing quotation mark; write a mark inside a cell \
                           twice"
                        .to_owned();
                }
                At::Nowhere => {
                    self.doomed = self.doomed.max(self.line);
                    break format!(
                        "{open}: text stands behind the next one, in line {}",
                        self.line
                    );
                }
                At::Quoted if self.line < self.doomed => break open.to_owned(),
                At::Quoted if self.row.len() > self.most => {
                    self.doomed = self.doomed.max(self.line);
                    let most = self.most;
                    break format!("{open} within {most} bytes, the most that `max_bytes` allows");
                }
                At::Quoted => {
                    self.row.push(self.lines.newline());
                    let next = self.row.len();
                    match self.take()? {
                        Some(true) => at = scan(at, &self.row[next..], self.delimiter),
                        Some(false) => {
                            self.ahead.too_long = true;
                            self.doomed = self.doomed.max(self.line);
                            self.line -= 1;
                            break open.to_owned();
                        }
                        None => {
                            self.row.pop();
                            self.doomed = u64::MAX;
                            break open.to_owned();
                        }
                    }
                }
            }
        };
        self.put_back(first, end, (held, left));
        Ok(Err(reason))
    }

    fn too_long(&self) -> String {
        format!("is longer than {} bytes, the most that `max_bytes` allows", self.most)
    }

    /// Gives back all lines of a row but its first.
    fn put_back(&mut self, first: u64, end: usize, (at, left): (usize, u64)) {
        let taken = self.line - first;
        if taken <= left {
            (self.ahead.at, self.ahead.left) = (at, left);
        } else {
            self.ahead.text.clear();
            self.ahead.text.extend_from_slice(&self.row[end + 1..]);
            (self.ahead.at, self.ahead.left) = (0, taken);
        }
        self.row.truncate(end);
        self.line = first;
    }

    /// Adds the next line to the row; says whether it is not too long, nothing at the end.
    fn take(&mut self) -> Result<Option<bool>> {
        let ahead = &mut self.ahead;
        if ahead.left > 0 {
            let text = &ahead.text[ahead.at..];
            let end = memchr::memchr(self.lines.newline(), text).unwrap_or(text.len());
            self.row.extend_from_slice(&text[..end]);
            ahead.at += end + 1;
            ahead.left -= 1;
        } else if ahead.too_long {
            ahead.too_long = false;
            self.line += 1;
            return Ok(Some(false));
        } else {
            match self.lines.next()? {
                None => return Ok(None),
                Some(Line::Whole(text)) => self.row.extend_from_slice(text),
                Some(Line::TooLong) => {
                    self.line += 1;
                    return Ok(Some(false));
                }
            }
        }
        self.line += 1;
        Ok(Some(true))
    }
}

/// Goes through a line that begins somewhere in a row.
fn scan(mut at: At, mut text: &[u8], delimiter: u8) -> At {
    loop {
        let next = match (at, text) {
            (At::Cell, [QUOTE, ..]) => 0,
            (At::Cell, _) => match memchr::memchr(delimiter, text) {
                Some(next) => {
                    text = &text[next + 1..];
                    continue;
                }
                None => return at,
            },
            (At::Quoted, _) => match memchr::memchr(QUOTE, text) {
                Some(next) => next,
                None => return at,
            },
            (At::Closed, [] | [b'\r']) => return at,
            (At::Closed, [QUOTE, ..]) => 0,
            (At::Closed, [byte, ..]) if *byte == delimiter => 0,
            (At::Closed | At::Nowhere, _) => return At::Nowhere,
        };
        at = match (at, text[next]) {
            (At::Quoted, _) => At::Closed,
            (_, QUOTE) => At::Quoted,
            _ => At::Cell,
        };
        text = &text[next + 1..];
    }
}

/// Takes apart a row whose quotation marks are right.
struct Cells<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
}

impl<'a> Iterator for Cells<'a> {
    type Item = Cow<'a, [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let Some(quoted) = rest.strip_prefix(&[QUOTE]) else {
            let end = memchr::memchr(self.delimiter, rest);
            self.rest = end.map(|end| &rest[end + 1..]);
            return Some(Cow::Borrowed(&rest[..end.unwrap_or(rest.len())]));
        };
        let mut cell = Cow::Borrowed(&quoted[..0]);
        let mut from = 0;
        loop {
            let end = memchr::memchr(QUOTE, &quoted[from..]).map_or(quoted.len(), |at| from + at);
            let piece = &quoted[from..end];
            if cell.is_empty() {
                cell = piece.into();
            } else {
                cell.to_mut().extend(piece);
            }
            if quoted.get(end + 1) != Some(&QUOTE) {
                self.rest = quoted.get(end + 2..);
                return Some(cell);
            }
            cell.to_mut().push(QUOTE);
            from = end + 2;
        }
    }
}
