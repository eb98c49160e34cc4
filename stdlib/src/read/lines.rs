//! JSONL: a record for each line, with as much memory as the longest line.

use std::io::ErrorKind;

use flow_engine::json::RecordReader;
use flow_engine::prelude::*;

use super::bytes::{self, Bytes};
use super::json;
use super::origin::{Origin, Records};

/// Bytes that are asked of the file at once.
const CHUNK: usize = 256 * 1024;

/// Brings a record for each line that is a JSON object.
pub(super) struct Jsonl {
    origin: Origin,
    reader: RecordReader,
    lines: Option<Lines>,
}

impl Jsonl {
    /// Opens the file with the first record.
    pub(super) fn new(origin: Origin) -> std::io::Result<Self> {
        let most = usize::try_from(origin.most).unwrap_or(usize::MAX);
        let lines = Lines::new(bytes::open(&origin.path, &origin.count)?, most);
        Ok(Self { origin, reader: RecordReader::default(), lines: Some(lines) })
    }
}

impl Records for Jsonl {
    fn next(&mut self) -> Option<(Found, usize)> {
        let lines = self.lines.as_mut()?;
        loop {
            let line = lines.line + 1;
            let found = match lines.next() {
                Ok(None) => {
                    self.lines = None;
                    return None;
                }
                Ok(Some(Line::Whole(text))) => match self.reader.read(text) {
                    Ok(fields) => (self.origin.found(line, line, fields), text.len()),
                    Err(_) if text.trim_ascii().is_empty() => continue,
                    Err(error) => {
                        let reason = json::reason_of_line(error, text);
                        (self.origin.reject_line(line, reason, text), text.len())
                    }
                },
                Ok(Some(Line::TooLong)) => {
                    let most = self.origin.most;
                    let reason =
                        format!("is longer than {most} bytes, the most that `max_bytes` allows");
                    (self.origin.reject(line, line, reason), 0)
                }
                Err(error) => {
                    self.lines = None;
                    (self.origin.reject(line, line, bytes::reason(&error)), 0)
                }
            };
            return Some(found);
        }
    }
}

/// A line, without what ends it.
pub(super) enum Line<'a> {
    /// Its text.
    Whole(&'a [u8]),
    /// One whose text is forgotten.
    TooLong,
}

/// Lines of a stream, found in place in one buffer.
pub(super) struct Lines {
    from: Bytes,
    most: usize,
    /// What ends a line.
    newline: u8,
    buffer: Vec<u8>,
    /// The unread bytes of the buffer, from the beginning of a line.
    start: usize,
    end: usize,
    /// Up to here there is no newline.
    scanned: usize,
    /// Inside a line that is too long and whose beginning is forgotten.
    skipping: bool,
    ended: bool,
    /// Lines given so far.
    line: u64,
}

impl Lines {
    /// Reads nothing yet. A line that has more than `most` bytes is too long.
    pub(super) fn new(from: Bytes, most: usize) -> Self {
        Self {
            from,
            most,
            newline: b'\n',
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            scanned: 0,
            skipping: false,
            ended: false,
            line: 0,
        }
    }

    /// What ends a line.
    pub(super) const fn newline(&self) -> u8 {
        self.newline
    }

    /// Looks how the first line ends: some old programs write a carriage return alone.
    pub(super) fn find_newline(&mut self) -> std::io::Result<()> {
        while self.end < CHUNK && !self.ended {
            let read = &self.buffer[..self.end];
            if let Some(at) = memchr::memchr2(b'\n', b'\r', read)
                && let Some(next) = read.get(at + 1)
            {
                if read[at] == b'\r' && *next != b'\n' {
                    self.newline = b'\r';
                }
                break;
            }
            self.refill()?;
        }
        self.scanned = self.start;
        Ok(())
    }

    /// The next line; nothing at the end.
    pub(super) fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        loop {
            let newline = memchr::memchr(self.newline, &self.buffer[self.scanned..self.end]);
            if let Some(at) = newline {
                let line = self.start..self.scanned + at;
                self.start = line.end + 1;
                self.scanned = self.start;
                return Ok(Some(self.give(line)));
            }
            if self.ended {
                let line = self.start..self.end;
                self.start = self.end;
                self.scanned = self.end;
                let left = self.skipping || !line.is_empty();
                return Ok(left.then(|| self.give(line)));
            }
            self.scanned = self.end;
            self.refill()?;
        }
    }

    fn give(&mut self, line: std::ops::Range<usize>) -> Line<'_> {
        self.line += 1;
        if std::mem::take(&mut self.skipping) || line.len() > self.most {
            return Line::TooLong;
        }
        Line::Whole(&self.buffer[line])
    }

    /// Moves the unread bytes to the front and reads on.
    fn refill(&mut self) -> std::io::Result<()> {
        if self.skipping || self.end - self.start > self.most {
            self.skipping = true;
            self.start = self.end;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.scanned = self.end;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end.saturating_mul(2), 0);
        }
        loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    self.ended = read == 0;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Result};

    use super::*;

    /// Gives a few bytes at a time.
    struct Drip(Cursor<Vec<u8>>, usize);

    impl Read for Drip {
        fn read(&mut self, into: &mut [u8]) -> Result<usize> {
            let most = self.1.min(into.len());
            self.0.read(&mut into[..most])
        }
    }

    fn lines(text: &str, most: usize, drip: usize) -> Vec<String> {
        let from = Drip(Cursor::new(text.as_bytes().to_vec()), drip);
        let mut lines = Lines::new(Box::new(from), most);
        lines.buffer = vec![0; 4];
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(match line {
                Line::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                Line::TooLong => "too long".to_owned(),
            });
        }
        assert!(lines.buffer.len() <= 4 * (most + 4), "grew to {}", lines.buffer.len());
        all
    }

    #[test]
    fn lines_are_found_however_the_bytes_come() {
        for (text, expected) in [
            ("", vec![]),
            ("\n", vec![""]),
            ("a", vec!["a"]),
            ("a\n", vec!["a"]),
            ("a\n\nb", vec!["a", "", "b"]),
            ("123456\nb\n", vec!["123456", "b"]),
            ("1234567\nb\n", vec!["too long", "b"]),
            ("b\n12345678901234567890123456789012345678901234567890", vec!["b", "too long"]),
            ("12345678901234567890\nb\n12345678901234567890\n", vec!["too long", "b", "too long"]),
        ] {
            for drip in 1..9 {
                assert_eq!(lines(text, 6, drip), expected, "{text:?}, {drip} bytes at a time");
            }
        }
    }
}
