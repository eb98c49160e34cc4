//! Reading a pipeline file: bytes to text, with a clear word for everything that is not text.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow_dsl::SourceFile;

use crate::exit::Trouble;
use crate::number;

/// A pipeline file is written by hand; what is longer is something else.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Reads a file, or the standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Arc<SourceFile>, Trouble> {
    if path.as_os_str() == "-" {
        return text("<stdin>", std::io::stdin().lock());
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(directory(&name));
    }
    text(&name, file)
}

/// Where relative paths of a pipeline start.
pub(crate) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn text(name: &str, from: impl Read) -> Result<Arc<SourceFile>, Trouble> {
    let mut bytes = Vec::new();
    from.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Trouble::wrong(
            format!("`{name}` is larger than {}", number::bytes(LONGEST)),
            "A pipeline file is a few pages of YAML; data belongs in files that its stages read.",
        ));
    }
    let text = decode(name, bytes)?;
    if text.trim().is_empty() {
        return Err(Trouble::wrong(
            format!("`{name}` is empty"),
            "Begin with `flow: NAME` and `stages:`; `flow stages` lists what a stage can do.",
        ));
    }
    Ok(SourceFile::new(name, text))
}

fn decode(name: &str, bytes: Vec<u8>) -> Result<String, Trouble> {
    let not_text = |what: String| Trouble::wrong(what, "Save the file as UTF-8 text.");
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(not_text(format!("`{name}` is UTF-16, not UTF-8")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let lines = error.as_bytes()[..valid].split(|&byte| byte == b'\n').count();
        not_text(format!("`{name}` is not UTF-8: a wrong byte in line {lines}"))
    })?;
    if text.contains('\0') {
        return Err(not_text(format!("`{name}` is not text: it holds zero bytes")));
    }
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

fn unreadable(name: &str, error: &std::io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::NotFound => Trouble::wrong(
            format!("no file `{name}`"),
            "Check the path; it starts at the folder in which you are.",
        ),
        ErrorKind::IsADirectory => directory(name),
        ErrorKind::PermissionDenied => Trouble::wrong(
            format!("`{name}` may not be read"),
            "Give yourself the right to read it (`chmod u+r`).",
        ),
        _ => Trouble::wrong(
            format!("cannot read `{name}`: {error}"),
            "Check that it is a file that you can open.",
        ),
    }
}

fn directory(name: &str) -> Trouble {
    Trouble::wrong(
        format!("`{name}` is a folder, not a pipeline file"),
        format!("Name a file in it, as in `{}/pipeline.yaml`.", name.trim_end_matches('/')),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        match text("f", bytes) {
            Ok(source) => format!("ok: {:?}", source.text),
            Err(trouble) => trouble.message,
        }
    }

    #[test]
    fn what_is_not_text_is_named() {
        for (bytes, expected) in [
            (&b"flow: x"[..], "ok: \"flow: x\""),
            (b"\xef\xbb\xbfflow: x", "ok: \"flow: x\""),
            (b"\xff\xfef\0", "`f` is UTF-16, not UTF-8"),
            (b"a\nb\xffc", "`f` is not UTF-8: a wrong byte in line 2"),
            (b"a\0b", "`f` is not text: it holds zero bytes"),
            (b" \n\n", "`f` is empty"),
            (b"", "`f` is empty"),
        ] {
            assert_eq!(message(bytes), expected);
        }
    }

    #[test]
    fn an_endless_file_is_not_read_to_its_end() {
        assert_eq!(message(&vec![b'a'; 5 << 20]), "`f` is larger than 4.0 MiB");
    }

    #[test]
    fn the_folder_is_where_the_file_lies() {
        for (path, expected) in [("a.yaml", "."), ("b/a.yaml", "b"), ("/a.yaml", "/"), ("-", ".")] {
            assert_eq!(folder(Path::new(path)), Path::new(expected));
        }
    }
}
