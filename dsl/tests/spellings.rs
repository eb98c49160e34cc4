//! Both spellings of one thing are one tree.

mod catalog;

use flow_dsl::tree::{Node, Value};
use flow_dsl::{Inputs, SourceFile, check, parse};

/// A tree without places. The order of keys counts only within what a declaration holds.
fn shape(node: &Node, depth: usize) -> String {
    match &node.value {
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| shape(item, depth + 1)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let mut all: Vec<String> = entries
                .iter()
                .map(|entry| format!("{:?}: {}", entry.key.value, shape(&entry.value, depth + 1)))
                .collect();
            if depth < 3 {
                all.sort();
            }
            format!("{{{}}}", all.join(", "))
        }
        leaf => format!("{leaf:?}"),
    }
}

fn tree(name: &str, text: &str) -> String {
    let (ast, found) = parse(&SourceFile::new(name, text));
    assert_eq!(found, [], "{text}");
    shape(&ast.root, 0)
}

#[test]
fn the_sample_is_the_same_in_both_spellings() {
    let (flow, yaml) = (include_str!("sample.flow"), include_str!("sample.yaml"));
    assert_eq!(tree("sample.flow", flow), tree("sample.yaml", yaml));
}

#[test]
fn the_interviews_are_the_same_in_both_spellings() {
    let flow = include_str!("../../pipelines/interviews.flow");
    let yaml = include_str!("../../pipelines/interviews.yaml");
    assert_eq!(tree("interviews.flow", flow), tree("interviews.yaml", yaml));
}

#[test]
fn the_file_in_the_manual_is_right() {
    let manual = include_str!("../../docs/language.md");
    let parts: Vec<&str> = manual.split("```").collect();
    let text = |ending: &str| parts.iter().find_map(|part| part.strip_prefix(ending)).unwrap();
    assert_eq!(tree("f.flow", text("flow\n")), tree("f.yaml", text("yaml\n")));
}

#[test]
fn each_declaration_is_what_yaml_says_in_its_way() {
    for (flow, yaml) in [
        ("flow a", "flow: a"),
        ("flow \"a\" 'it''s'", "{flow: a, title: \"it's\"}"),
        ("param a", "params: {a: }"),
        ("param a: glob", "params: {a: {type: glob}}"),
        ("param a = 5.00", "params: {a: {default: 5.00}}"),
        ("param a: list = [x, 1]", "params: {a: {type: list, default: [x, 1]}}"),
        ("param a = x { help: y }", "params: {a: {default: x, help: y}}"),
        ("secret A = env", "secrets: {A: {env: A}}"),
        ("secret A = \"env\"", "secrets: {A: env}"),
        ("secret A", "secrets: {A: }"),
        ("secret A { command: [pass, a] }", "secrets: {A: {command: [pass, a]}}"),
        ("limit a [requests: 5/s]", "limits: {a: {requests: 5/s}}"),
        ("budget 5", "budget: 5"),
        ("budget [run: 5, day: 20]", "budget: {run: 5, day: 20}"),
        ("model a: rules", "models: {a: {provider: rules}}"),
        ("model a: x { model: m }", "models: {a: {provider: x, model: m}}"),
        ("model a { model: m }", "models: {a: {model: m}}"),
        ("schema a { kinds: [b, c] }", "schemas: {a: {kinds: [b, c]}}"),
        ("schema a = b.yaml", "schemas: {a: b.yaml}"),
        ("profile a { models.b.c: 1 }", "profiles: {a: {models.b.c: 1}}"),
        ("defaults [retry: 3]", "defaults: {retry: 3}"),
        ("stage a: read", "stages: {a: {uses: read}}"),
        ("stage a: x <- b", "stages: {a: {uses: x, from: b}}"),
        ("stage a: x <- b, c.failed", "stages: {a: {uses: x, from: [b, c.failed]}}"),
        (
            "stage a: x\n  <- left=b,\n  right=[c, d]\n  # why\n  [retry: 3]\n{ y: 1 }",
            "stages: {a: {uses: x, from: {left: b, right: [c, d]}, retry: 3, with: {y: 1}}}",
        ),
        (
            "each a <- b [as: c] {\n  stage d: x <- c\n  output d\n}",
            "stages: {a: {each: b, as: c, output: d, stages: {d: {uses: x, from: c}}}}",
        ),
        ("include \"p.flow\" as x", "include: {x: p.flow}"),
        ("schedule \"0 6 * * *\" [tz: UTC]", "schedule: [{cron: '0 6 * * *', tz: UTC}]"),
        ("hook success: store { to: x }", "hooks: {success: {uses: store, with: {to: x}}}"),
        ("test \"a b\" { given: 1 }", "tests: {a b: {given: 1}}"),
    ] {
        assert_eq!(tree("f.flow", flow), tree("f.yaml", yaml), "{flow}");
    }
}

#[test]
fn each_value_is_what_yaml_says_in_its_way() {
    for (flow, yaml) in [
        ("a: 1, b: -2.50e3, c: 010, d: 1_000", "{a: 1, b: -2.50e3, c: 010, d: 1_000}"),
        (
            "a: true, b: yes, c: null, d: ~, e: , f: True",
            "{a: true, b: yes, c: null, d: , e: ~, f: True}",
        ),
        ("a: 1s..60s, b: 50/min, c: data/*.json", "{a: 1s..60s, b: 50/min, c: data/*.json}"),
        (
            "a: http://x:80/y#z, b: sqlite:out.db # c\n",
            "{a: 'http://x:80/y#z', b: 'sqlite:out.db'}",
        ),
        (
            "a: \"x\\n\\u00fc\\ud83d\\ude00\\\"\", 'b c': 'it''s \\d'",
            "{a: \"x\\nü😀\\\"\", b c: \"it's \\\\d\"}",
        ),
        ("a: [1, [2, {b: 3}],\n  [],\n  {}\n]", "{a: [1, [2, {b: 3}], [], {}]}"),
        ("a: 1 # one\n\n  b: 2,\n c:\n 3\n  d:\n e: 4", "{a: 1, b: 2, c: 3, d: , e: 4}"),
        (
            "a: \"\"\"\n    x\n      \"y\" \\n\n\n    z\n    \"\"\"",
            "{a: \"x\\n  \\\"y\\\" \\\\n\\n\\nz\"}",
        ),
        ("a: \"\"\"\n  x\n\n  \"\"\", b: \"\"\"\n\"\"\"", "{a: \"x\\n\", b: ''}"),
        ("stage: 1, a.b: 2, \"\\u0061\": 3", "{stage: 1, a.b: 2, a: 3}"),
    ] {
        let flow = tree("f.flow", &format!("schema s {{ {flow} }}"));
        assert_eq!(flow, tree("f.yaml", &format!("schemas: {{s: {yaml}}}")));
    }
}

#[test]
fn lines_may_end_as_on_windows() {
    let flow = include_str!("sample.flow");
    let lines = flow.replace('\n', "\r\n");
    assert_eq!(tree("a.flow", flow), tree("a.flow", &lines));
    let text = "schema a { b: \"\"\"\r\n  x\r\n  y\r\n  \"\"\" }\r\n";
    assert_eq!(tree("a.flow", text), tree("a.yaml", "schemas: {a: {b: \"x\\ny\"}}"));
}

#[test]
fn standard_input_is_of_the_spelling_that_its_first_word_has() {
    for (text, ok) in [
        (
            "flow: a\nstages: {r: {uses: read, with: {path: x}}, s: {uses: store, from: r, with: {to: y}}}",
            true,
        ),
        ("# why\n\nflow a\nstage r: read { path: x }\nstage s: store <- r { to: y }", true),
        ("stage r: read { path: x }\nflow a\nstage s: store <- r { to: y }", true),
        ("flow a\nstages: {}", false),
    ] {
        let (ast, found) = parse(&SourceFile::new("<stdin>", text));
        let (pipeline, _) = check(&ast, &catalog::catalog(), &Inputs::default());
        assert_eq!(pipeline.is_some() && found.is_empty(), ok, "{text}");
    }
}
