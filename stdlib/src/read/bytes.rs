//! The bytes of a file as UTF-8, whatever byte order mark it begins with.

use std::fs::File;
use std::io::{Cursor, Error, ErrorKind, Read, Result};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE};

/// Bytes to come, without a byte order mark; UTF-8 unless the file lies about itself.
pub(super) type Bytes = Box<dyn Read + Send>;

/// Opens a file; what is read of it is added to `count`.
pub(super) fn open(path: &Path, count: &Arc<AtomicU64>) -> Result<Bytes> {
    let mut file = Counted { file: File::open(path)?, count: Arc::clone(count) };
    let mut head = Vec::with_capacity(3);
    Read::by_ref(&mut file).take(3).read_to_end(&mut head)?;
    let encoding = match head.as_slice() {
        [0xEF, 0xBB, 0xBF] => return Ok(Box::new(file)),
        [0xFF, 0xFE, ..] => UTF_16LE,
        [0xFE, 0xFF, ..] => UTF_16BE,
        _ => return Ok(Box::new(Cursor::new(head).chain(file))),
    };
    let from = Cursor::new(head.split_off(2)).chain(file);
    Ok(Box::new(Transcoded {
        from,
        decoder: encoding.new_decoder_without_bom_handling(),
        raw: vec![0; 64 * 1024],
        text: Cursor::new(Vec::with_capacity(128 * 1024)),
        ended: false,
    }))
}

/// Reads a whole file, unless it is larger than `most`.
pub(super) fn read_whole(path: &Path, count: &Arc<AtomicU64>, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, count)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::new(
            ErrorKind::FileTooLarge,
            format!("is larger than {most} bytes, the most that `max_bytes` allows"),
        ));
    }
    Ok(bytes)
}

/// Why a file could not be read, as the end of a sentence that begins with its name.
pub(super) fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "is not there any more".to_owned(),
        ErrorKind::PermissionDenied => "may not be read: permission denied".to_owned(),
        ErrorKind::IsADirectory => "is a folder".to_owned(),
        ErrorKind::InvalidData | ErrorKind::FileTooLarge => error.to_string(),
        _ => format!("cannot be read: {error}"),
    }
}

/// Bytes as text, or where they stop being UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> std::result::Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        format!("is not UTF-8 text: byte {} cannot be read", error.valid_up_to())
    })?;
    match memchr::memchr(0, bytes) {
        Some(at) => Err(format!("is not text: byte {at} is a null byte")),
        None => Ok(text),
    }
}

struct Counted {
    file: File,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let read = self.file.read(into)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// UTF-16 made UTF-8 on the way.
struct Transcoded<R> {
    from: R,
    decoder: Decoder,
    raw: Vec<u8>,
    text: Cursor<Vec<u8>>,
    ended: bool,
}

impl<R: Read> Transcoded<R> {
    fn refill(&mut self) -> Result<()> {
        let read = self.from.read(&mut self.raw)?;
        self.ended = read == 0;
        let mut text = vec![0; self.decoder.max_utf8_buffer_length(read).unwrap_or(4 * read + 16)];
        let (result, _, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.raw[..read],
            &mut text,
            self.ended,
        );
        if let DecoderResult::Malformed(..) = result {
            return Err(Error::new(ErrorKind::InvalidData, "is not whole UTF-16 text"));
        }
        text.truncate(written);
        self.text = Cursor::new(text);
        Ok(())
    }
}

impl<R: Read> Read for Transcoded<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            let read = self.text.read(into)?;
            if read > 0 || self.ended || into.is_empty() {
                return Ok(read);
            }
            self.refill()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> std::result::Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        let read = read_whole(&path, &Arc::default(), 1_000_000).map_err(|error| reason(&error))?;
        utf8(&read).map(str::to_owned)
    }

    fn utf16(text: &str, little: bool) -> Vec<u8> {
        let order = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(order).collect()
    }

    #[test]
    fn byte_order_marks_are_understood_and_gone() {
        let long = "añ日🦀".repeat(50_000);
        for text in ["", "a", "ab", "abc", "añ日🦀\n", &long] {
            for bytes in [
                text.as_bytes().to_vec(),
                [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
                utf16(text, true),
                utf16(text, false),
            ] {
                assert_eq!(whole(&bytes).as_deref(), Ok(text));
            }
        }
    }

    #[test]
    fn what_is_not_text_is_refused_with_its_place() {
        let mut cut = utf16("ab", true);
        cut.pop();
        for (bytes, expected) in [
            (b"ab\xFFc".as_slice(), "is not UTF-8 text: byte 2 cannot be read"),
            (b"a\0b", "is not text: byte 1 is a null byte"),
            (b"\xFF\xFE\x00\xD8a\0", "is not whole UTF-16 text"),
            (&cut, "is not whole UTF-16 text"),
        ] {
            assert_eq!(whole(bytes), Err(expected.to_owned()), "{bytes:?}");
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![b'x'; 100_000]).unwrap();
        let count = Arc::default();
        assert!(read_whole(&path, &count, 10).is_err());
        assert!(count.load(Ordering::Relaxed) < 1000);
        assert!(read_whole(&path, &count, 100_000).is_ok());
    }
}
