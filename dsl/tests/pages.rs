//! The example on the page of each code makes the mistake that the page is about.

mod catalog;

use flow_dsl::{Code, Inputs, SourceFile, check, parse};

#[test]
fn every_example_makes_its_mistake() {
    // Found by `plan`.
    let later = |code: Code| code.name().starts_with("F05") && code != Code::F0504;
    for code in Code::ALL.iter().filter(|code| !later(**code)) {
        let parts: Vec<&str> = code.page().split("```").collect();
        let Some(example) = parts[1].strip_prefix("yaml\n") else {
            assert!(
                parts[1].starts_with("sh\n") || parts[1].starts_with("text\n"),
                "{} has no example",
                code.name()
            );
            continue;
        };
        let (ast, mut found) = parse(&SourceFile::new("page.yaml", example));
        let inputs = Inputs { complete: *code == Code::F0504, ..Inputs::default() };
        found.extend(check(&ast, &catalog::catalog(), &inputs).1);
        let codes: Vec<&str> = found.iter().map(|found| found.code.name()).collect();
        assert!(codes.contains(&code.name()), "{}: {codes:?}", code.name());
    }
}
