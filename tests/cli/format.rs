//! `flow fmt`: files laid out in place, asked about, or read from the standard input.

use crate::folder::{Folder, answer};

const UGLY: &str = "flow  x\n\n\n\n# read\nstage rows : read{path:data/a.jsonl}   # all\nstage out: store<-rows { \n to : out/a.jsonl }\n";
const NEAT: &str = "flow x\n\n# read\nstage rows: read { path: data/a.jsonl }   # all\nstage out: store <- rows {\n  to: out/a.jsonl }\n";

#[test]
fn a_file_is_laid_out_in_place_once() {
    let folder = Folder::new();
    folder.file("a.flow", UGLY);
    folder.file("b.yaml", "flow: x  \n\n\n\nstages: {}\n\n");
    let asked = folder.flow("fmt --check a.flow b.yaml");
    assert_eq!(
        (asked.code, asked.out.as_str()),
        (2, "not formatted: a.flow\nnot formatted: b.yaml\n")
    );
    assert_eq!(folder.read("a.flow"), UGLY);
    let done = folder.flow("fmt a.flow b.yaml");
    assert_eq!((done.code, done.out.as_str()), (0, "formatted: a.flow\nformatted: b.yaml\n"));
    assert_eq!(folder.read("a.flow"), NEAT);
    assert_eq!(folder.read("b.yaml"), "flow: x\n\nstages: {}\n");
    for line in ["fmt a.flow b.yaml", "fmt --check a.flow b.yaml"] {
        let again = folder.flow(line);
        assert_eq!((again.code, again.out.as_str(), again.err.as_str()), (0, "", ""));
    }
    assert_eq!(std::fs::read_dir(folder.path(".")).expect("a folder").count(), 2);
}

#[test]
fn the_standard_input_goes_to_the_standard_output() {
    let folder = Folder::new();
    let done = answer(folder.command("fmt -").write_stdin(UGLY));
    assert_eq!((done.code, done.out.as_str()), (0, NEAT));
}

#[test]
fn what_cannot_be_read_is_left_alone_and_told_of() {
    let folder = Folder::new();
    folder.file("bad.flow", "flow x\nstage rows: read  {\n");
    folder.file("a.flow", UGLY);
    let done = folder.flow("fmt bad.flow none.flow a.flow");
    assert_eq!((done.code, done.out.as_str()), (2, "formatted: a.flow\n"));
    assert!(done.err.contains("the `{` is never closed"), "{}", done.err);
    assert!(done.err.contains("bad.flow: left as it is"), "{}", done.err);
    assert!(done.err.contains("no file `none.flow`"), "{}", done.err);
    assert_eq!(folder.read("bad.flow"), "flow x\nstage rows: read  {\n");
}

#[cfg(unix)]
#[test]
fn a_link_and_the_rights_of_a_file_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = Folder::new();
    folder.file("real/a.flow", UGLY);
    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(folder.path("real/a.flow"), mode).expect("rights");
    symlink("real/a.flow", folder.path("a.flow")).expect("a link");
    assert_eq!(folder.flow("fmt a.flow").code, 0);
    assert_eq!(folder.read("real/a.flow"), NEAT);
    let metadata = std::fs::symlink_metadata(folder.path("a.flow")).expect("the link");
    assert!(metadata.is_symlink());
    let metadata = std::fs::metadata(folder.path("real/a.flow")).expect("the file");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
}

#[test]
fn the_interviews_become_each_other() {
    let folder = crate::interviews::interviews();
    for (from, to) in [("yaml", "flow"), ("flow", "yaml")] {
        let line = format!("convert interviews.{from} --output other.{to}");
        let done = folder.flow(&line);
        assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, "", ""));
        let plan = |file: &str| folder.flow(&format!("plan {file} --format json")).out;
        let (there, here) = (plan(&format!("other.{to}")), plan(&format!("interviews.{to}")));
        assert!(!here.is_empty());
        assert_eq!(there.replace("other.", "interviews."), here);
        assert!(folder.read(&format!("other.{to}")).contains("# Over other transcripts"));
    }
}

#[test]
fn what_cannot_be_converted_is_said_so() {
    let folder = Folder::new();
    folder.file("a.yaml", "flow: x\nhooks: {success: {uses: store}}\n");
    let done = folder.flow("convert a.yaml");
    assert_eq!((done.code, done.out.as_str()), (2, ""));
    assert!(done.err.contains("`a.yaml` says something that the other spelling cannot say"));
    folder.file("b.yaml", "flow: [x\n");
    let done = folder.flow("convert b.yaml --output c.flow");
    assert!(done.code == 2 && done.err.contains("F0101"), "{}", done.err);
    assert!(!folder.path("c.flow").exists());
}
