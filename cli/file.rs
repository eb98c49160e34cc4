//! Reading a pipeline file, with a clear word for everything that cannot be read.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use flow_dsl::parse::MAX_BYTES;

use crate::exit::Trouble;
use crate::number;

/// What is longer is not even read.
const LONGEST: u64 = MAX_BYTES as u64;

/// The name of a file, as messages have it, and its content.
pub(crate) type Content = (String, Vec<u8>);

/// Reads a file, or the standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Content, Trouble> {
    if path.as_os_str() == "-" {
        return content(flow_dsl::source::STDIN, std::io::stdin().lock());
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(directory(&name));
    }
    content(&name, file)
}

/// Where relative paths of a pipeline start.
pub(crate) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn content(name: &str, from: impl Read) -> Result<Content, Trouble> {
    let mut bytes = Vec::new();
    from.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Trouble::wrong(
            format!("`{name}` is larger than {}", number::bytes(LONGEST)),
            "A pipeline file is a few pages of text; data belongs in files that its stages read.",
        ));
    }
    Ok((name.to_owned(), bytes))
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

    #[test]
    fn an_endless_file_is_not_read_to_its_end() {
        let found = content("f", std::io::repeat(b'a')).map(|(name, _)| name);
        assert_eq!(found.unwrap_err().message, "`f` is larger than 16.0 MiB");
    }

    #[test]
    fn the_folder_is_where_the_file_lies() {
        for (path, expected) in [("a.yaml", "."), ("b/a.yaml", "b"), ("/a.yaml", "/"), ("-", ".")] {
            assert_eq!(folder(Path::new(path)), Path::new(expected));
        }
    }
}
