//! What is extracted is what the model knows, whatever goes wrong between: the entities of wide
//! schemas and long texts against the truth, and each reject with its reason.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::annotator::{self, Document};
use crate::folder::{Folder, answer};
use crate::model_server::{ModelServer, Reply};

const PIPELINE: &str = r#"flow: annotated
params:
  url: {type: string}
models:
  annotator: {provider: openai, base_url: "{{ params.url }}", model: annotator}
stages:
  texts: {uses: read, with: {path: texts.jsonl}}
  found:
    uses: extract
    from: texts
    retry: 3
    backoff: 1ms..5ms
    with:
      model: annotator
      schema: kinds.yaml
      carry: [nr]
      window: 300
      overlap: 70
      schema_tokens: 700
  saved: {uses: store, from: found, with: {to: found.jsonl}}
  dead: {uses: store, from: found.failed, with: {to: dead.jsonl}}
"#;

/// A folder with documents to be read and the kinds to be found in them.
fn folder(documents: &[Document]) -> Folder {
    let folder = Folder::new();
    folder.file("annotated.yaml", PIPELINE);
    let all = documents.iter().flat_map(|document| &document.entities);
    let names: BTreeSet<&str> = all.map(|entity| entity.kind.as_str()).collect();
    let kind = |name| format!("  {name}: {{description: one, fields: {{role: [high, low]}}}}\n");
    let kinds = names.into_iter().map(kind).collect::<Vec<_>>().concat();
    folder.file("kinds.yaml", format!("kinds:\n{kinds}"));
    let rows = documents.iter().enumerate();
    let rows = rows.map(|(id, document)| json!({"nr": id, "text": document.text}).to_string());
    folder.file("texts.jsonl", rows.collect::<Vec<_>>().join("\n"));
    folder
}

fn lines(folder: &Folder, name: &str) -> Vec<Value> {
    let text = folder.read(name);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A found entity, as the truth has it.
type Entity = (usize, String, String, (usize, usize));

fn truth(documents: &[Document]) -> HashSet<Entity> {
    let of = |(id, document): (usize, &Document)| -> Vec<Entity> {
        let place = |at| document.text[..at].chars().count();
        let entity = |entity: &annotator::Entity| {
            let span = (place(entity.sentence.0), place(entity.sentence.1));
            (id, entity.kind.clone(), entity.name.clone(), span)
        };
        document.entities.iter().map(entity).collect()
    };
    documents.iter().enumerate().flat_map(of).collect()
}

fn found(folder: &Folder) -> Vec<Entity> {
    let number = |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("small");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let entity = |line: Value| {
        let span = (number(&line["start"]), number(&line["end"]));
        (number(&line["nr"]), text(&line["kind"]), text(&line["name"]), span)
    };
    lines(folder, "found.jsonl").into_iter().map(entity).collect()
}

/// Extracts from the documents and compares with the truth: kind, name and place. Says how it went.
fn compare(documents: Vec<Document>) -> String {
    let folder = folder(&documents);
    let truth = truth(&documents);
    let server = annotator::start(documents);
    let line = format!("run annotated.yaml --url {}", server.url());
    let run = answer(folder.command(&line).timeout(Duration::from_mins(4)));
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert_eq!(lines(&folder, "dead.jsonl"), [Value::Null; 0]);
    let found = found(&folder);
    let right = truth.iter().filter(|entity| found.contains(entity)).count();
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let f1 = 2.0 * right as f64 / (found.len() + truth.len()) as f64;
    let unsaid: Vec<_> = truth.iter().filter(|entity| !found.contains(entity)).take(3).collect();
    let untrue: Vec<_> = found.iter().filter(|entity| !truth.contains(entity)).take(3).collect();
    assert!((f1 - 1.0).abs() < 1e-9, "F1 {f1}: without {unsaid:?}, with {untrue:?}");
    format!("F1 {f1:.3} of {} entities in {} calls", truth.len(), server.calls())
}

#[test]
fn what_a_model_knows_is_found_whatever_goes_wrong() {
    let mut documents = Vec::new();
    for id in 0..12 {
        let mut document = Document::default();
        for nth in 0..5 + id * 5 {
            let kind = |step| format!("kind_{:02}", (id * 7 + nth * 3 + step) % 17);
            let (one, other) = (format!("Ábaco {nth}"), format!("Ölwerk {}", nth % 7));
            let sentence = format!(
                "In document {id}, “{one}” was seen with {other} for the {nth}th time, it's said."
            );
            document.say(&sentence, &[(kind(0), one), (kind(1), other.clone()), (kind(5), other)]);
        }
        documents.push(document);
    }
    println!("{}", compare(documents));
}

#[test]
fn what_people_have_annotated_is_found_whatever_goes_wrong() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/crossner/science/dev.txt");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("SKIPPED: there is no {path}");
        return;
    };
    let mut documents = vec![Document::default()];
    let mut unlike = HashSet::new();
    for (nth, lines) in text.split("\n\n").filter(|lines| !lines.trim().is_empty()).enumerate() {
        let (sentence, entities) = sentence(lines);
        if !unlike.insert(sentence.clone()) {
            continue;
        }
        // Documents of one sentence to forty.
        if nth % 41 == 0 || nth % 41 == 1 {
            documents.push(Document::default());
        }
        documents.last_mut().expect("one at least").say(&sentence, &entities);
    }
    documents.retain(|document| !document.text.is_empty());
    println!("{}", compare(documents));
}

/// A sentence of words with BIO tags, and its entities.
fn sentence(lines: &str) -> (String, Vec<(String, String)>) {
    let mut words = Vec::new();
    let mut entities: Vec<(String, String)> = Vec::new();
    for (word, tag) in lines.lines().filter_map(|line| line.split_once('\t')) {
        words.push(word);
        match (tag.trim().split_once('-'), entities.last_mut()) {
            (Some(("B", kind)), _) => entities.push((kind.to_owned(), word.to_owned())),
            (Some(("I", _)), Some((_, name))) => name.extend([" ", word]),
            _ => {}
        }
    }
    (words.join(" "), entities)
}

#[test]
fn every_reject_is_explained() {
    let mut documents = Vec::new();
    for id in 0..4 {
        let mut document = Document::default();
        document.say(&format!("Text {id} tells of Ada."), &[("kind_a".into(), "Ada".into())]);
        documents.push(document);
    }
    let folder = folder(&documents);
    let server = ModelServer::start(|_, body| {
        let text = body["messages"][1]["content"].as_str().expect("a question");
        let useless = json!({"entities": [{"kind": "kind_a", "confidence": 1}]}).to_string();
        let reply = match text.lines().last().expect("a line") {
            "Text 0 tells of Ada." => Reply::content("I would rather not."),
            "Text 1 tells of Ada." => Reply::content(&useless),
            "Text 2 tells of Ada." => Reply::error(400, "too long"),
            _ => Reply::content("{\"entities\": []}"),
        };
        (Duration::ZERO, reply)
    });
    let run = folder.flow(&format!("run annotated.yaml --url {}", server.url()));
    assert_eq!((run.code, server.calls()), (0, 3 + 3 + 1 + 1), "{}{}", run.out, run.err);
    let mut dead = lines(&folder, "dead.jsonl");
    dead.sort_by_key(|record| record["nr"].as_u64());
    let shown: Vec<String> = dead
        .iter()
        .map(|record| format!("{} {}", record["error"]["reason"], record["error"]["answer"]))
        .collect();
    let url = server.url();
    assert_eq!(
        shown,
        [
            r#""the model's answer is of no use, asked 3 times: the answer is not JSON: I would rather not." "I would rather not.""#.to_owned(),
            r#""the model's answer is of no use, asked 3 times: entity 1 has no `name`, has no `quote`, has no `fields`" "{\"entities\":[{\"kind\":\"kind_a\",\"confidence\":1}]}""#.to_owned(),
            format!(r#""{url}/chat/completions: HTTP 400: too long" null"#),
        ]
    );
}

#[test]
fn an_answer_that_is_cut_off_is_gone_on_with_and_never_passes_for_whole() {
    let mut documents = Vec::new();
    for id in 0..2 {
        let mut document = Document::default();
        let names = ["Ada", "Bob", "Cid", "Dan"].map(|name| ("kind_a".to_owned(), name.to_owned()));
        document.say(&format!("In text {id} Ada met Bob, Cid and Dan."), &names);
        documents.push(document);
    }
    let (folder, truth) = (folder(&documents), truth(&documents));
    let server = ModelServer::start(|_, body| {
        let turns = body["messages"].as_array().expect("messages");
        let text = turns[1]["content"].as_str().and_then(|text| text.lines().last()).expect("text");
        let entity = |name: &str| json!({"kind": "kind_a", "name": name, "fields": {"role": null}, "confidence": 1, "quote": text});
        let said = |names: [&str; 2]| json!({"entities": names.map(entity)}).to_string();
        // In the middle of the quote, the last that an entity has here.
        let cut = said(["Ada", "Bob"]);
        let cut = &cut[..cut.len() - 20];
        let last = turns[turns.len() - 1]["content"].as_str().expect("a text");
        let reply = match turns.len() {
            2 => Reply::cut_off(cut),
            _ if text.contains("text 1") => Reply::cut_off(cut),
            4 if last.contains("breaks off after entity 1") => {
                Reply::cut_off(&said(["Bob", "Cid"]))
            }
            _ => Reply::content(&said(["Cid", "Dan"])),
        };
        (Duration::ZERO, reply)
    });
    for calls in [3 + 3, 3 + 3 + 3] {
        let run = folder.flow(&format!("run annotated.yaml --url {}", server.url()));
        assert_eq!((run.code, server.calls()), (0, calls), "{}{}", run.out, run.err);
        let whole = truth.iter().filter(|entity| entity.0 == 0).cloned();
        assert_eq!(found(&folder).into_iter().collect::<HashSet<_>>(), whole.collect());
        let dead = lines(&folder, "dead.jsonl");
        let [dead] = &dead[..] else { panic!("{dead:?}") };
        let reason = "the model's answer was cut off at its most tokens, asked 3 times; raise \
                      `max_tokens` of the model, or cut the text into chunks";
        assert_eq!((&dead["nr"], &dead["error"]["reason"]), (&json!(1), &json!(reason)));
        let answer = dead["error"]["answer"].as_str().expect("the raw answer");
        assert!(answer.starts_with('{') && !answer.contains('\u{18}'), "{answer}");
    }
}

#[test]
fn a_model_is_asked_what_it_has_missed_until_there_is_no_more() {
    let mut document = Document::default();
    let names = ["Ada", "Bob", "Cid"].map(|name| ("kind_a".to_owned(), name.to_owned()));
    document.say("Ada met Bob and Cid.", &names);
    let documents = [document];
    let folder = folder(&documents);
    let server = ModelServer::start(|_, body| {
        let turns = body["messages"].as_array().map_or(0, Vec::len);
        let name = ["Ada", "Bob", "Bob"][(turns - 2) / 2];
        let entity = json!({"kind": "kind_a", "name": name, "quote": "Ada met Bob and Cid.", "confidence": 1, "fields": {"role": null}});
        (Duration::ZERO, Reply::content(&json!({"entities": [entity]}).to_string()))
    });
    let gleaning = "--set stages.found.with.gleaning=5";
    let run = folder.flow(&format!("run annotated.yaml {gleaning} --url {}", server.url()));
    assert_eq!((run.code, server.calls()), (0, 3), "{}{}", run.out, run.err);
    let names: Vec<String> = found(&folder).into_iter().map(|(_, _, name, _)| name).collect();
    assert_eq!(names, ["Ada", "Bob"]);
}

#[test]
fn a_plan_foresees_that_a_conversation_grows() {
    let mut document = Document::default();
    document.say("Ada met Bob and Cid.", &[("kind_a".to_owned(), "Ada".to_owned())]);
    let folder = folder(&[document]);
    let need = |gleaning: u64| -> Vec<u64> {
        let url = "--url http://127.0.0.1:9/v1";
        let line = format!("plan annotated.yaml --format json {url}");
        let plan = folder.flow(&format!("{line} --set stages.found.with.gleaning={gleaning}"));
        let plan: Value = serde_json::from_str(&plan.out).expect("a plan");
        let need = &plan["prediction"]["nodes"][0]["need"];
        let (input, output) = (&need["input_tokens"], &need["output_tokens"]);
        let numbers =
            [&need["calls"], &input["low"], &input["high"], &output["low"], &output["high"]];
        numbers.iter().map(|number| number.as_u64().expect("a number")).collect()
    };
    let (once, twice) = (need(0), need(2));
    assert_eq!((once[0], twice[0]), (1, 3));
    // The second question has the first answer before it, the third has two.
    let (low, high) = (twice[1] - 3 * once[1], twice[2] - 3 * once[2]);
    assert!(low >= 3 * once[3] && high >= 3 * once[4] && high > low + once[4], "{low} {high}");
}

#[test]
fn instructions_know_the_record_and_a_field_that_it_lacks_rejects_it() {
    let server = ModelServer::start(|_, body| {
        let told = body["messages"][0]["content"].as_str().expect("a prompt");
        assert!(told.ends_with("\n\nRead it for Ana.\n"), "{told}");
        (Duration::ZERO, Reply::content("{\"entities\": []}"))
    });
    let mut document = Document::default();
    document.say("Nothing.", &[("kind_a".into(), "Ada".into())]);
    let folder = folder(&[document]);
    folder.file(
        "annotated.yaml",
        PIPELINE.replace("carry: [nr]", "carry: [nr]\n      instructions: Read it for {{ who }}."),
    );
    folder.file(
        "texts.jsonl",
        "{\"nr\": 1, \"text\": \"One.\", \"who\": \"Ana\"}\n{\"nr\": 2, \"text\": \"Two.\"}\n",
    );
    let run = folder.flow(&format!("run annotated.yaml --url {}", server.url()));
    assert_eq!((run.code, server.calls()), (0, 1), "{}{}", run.out, run.err);
    let dead = lines(&folder, "dead.jsonl");
    let reason = dead[0]["error"]["reason"].as_str().expect("a reason");
    assert!(dead.len() == 1 && reason.contains("no field `who` here"), "{dead:?}");
}

#[test]
fn a_prompt_may_be_a_text_or_a_file_and_knows_kinds_and_record() {
    let template = "Look for {% for kind in kinds %}{{ kind.name }} ({{ kind.fields[0].of }})\
                    {% endfor %} for {{ who }}.";
    let server = ModelServer::start(|_, body| {
        let told = body["messages"][0]["content"].as_str().expect("a prompt");
        assert_eq!(told, "Look for kind_a (one of: high, low) for Ana.");
        (Duration::ZERO, Reply::content("{\"entities\": []}"))
    });
    let mut document = Document::default();
    document.say("Nothing.", &[("kind_a".into(), "Ada".into())]);
    let folder = folder(&[document]);
    folder.file("texts.jsonl", "{\"nr\": 1, \"text\": \"One.\", \"who\": \"Ana\"}\n");
    folder.file("own.md", template);
    for (calls, prompt) in [(1, format!("\"{template}\"")), (2, "own.md".to_owned())] {
        let prompt = format!("carry: [nr]\n      prompt: {prompt}");
        folder.file("annotated.yaml", PIPELINE.replace("carry: [nr]", &prompt));
        let run = folder.flow(&format!("run annotated.yaml --fresh --url {}", server.url()));
        assert_eq!((run.code, server.calls()), (0, calls), "{prompt}: {}{}", run.out, run.err);
        assert_eq!(lines(&folder, "dead.jsonl"), [Value::Null; 0], "{prompt}");
    }
    folder.file("own.md", "{{ who");
    let run = folder.flow(&format!("check annotated.yaml --url {}", server.url()));
    assert!(run.err.contains("`own.md` is no template"), "{}", run.err);
}

#[test]
fn every_call_of_a_record_waits_for_the_limit_that_node_and_model_name() {
    let server = ModelServer::start(|_, _| {
        (Duration::from_millis(20), Reply::content("{\"entities\": []}"))
    });
    let mut document = Document::default();
    for nth in 0..17 {
        document.say("Ada.", &[(format!("kind_{nth:02}"), "Ada".into())]);
    }
    let folder = folder(&[document]);
    let limited = PIPELINE
        .replace("models:\n", "limits: {one: {concurrency: 1}}\nmodels:\n")
        .replace("model: annotator}", "model: annotator, limit: one}")
        .replace("    retry: 3\n", "    limit: one\n");
    folder.file("annotated.yaml", limited);
    let run = folder.flow(&format!("run annotated.yaml --url {}", server.url()));
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(server.calls() > 2 && server.most_at_once() == 1, "{}", server.most_at_once());
}

#[test]
fn what_would_be_asked_is_shown_without_asking() {
    let mut documents = vec![Document::default(), Document::default()];
    documents[0].say("First of all.", &[("kind_a".into(), "First".into())]);
    documents[1].say("Then this.", &[("kind_a".into(), "this".into())]);
    let folder = folder(&documents);
    let server = ModelServer::start(|_, _| (Duration::ZERO, Reply::Close));
    let show =
        |rest: &str| folder.flow(&format!("show annotated.yaml {rest} --url {}", server.url()));
    let shown = show("found --record 2");
    assert_eq!((shown.code, server.calls()), (0, 0), "{}", shown.err);
    let places =
        ["--- call 1 of 1: system", "- kind_a: one", "--- user", "Then this.", "\"anyOf\""]
            .map(|words| shown.out.find(words).expect(words));
    assert!(places.is_sorted() && !shown.out.contains("First"), "{}", shown.out);
    for (rest, said) in [
        ("found --record 3", "no record 3 enters `found`, only 2 records"),
        ("texts", "`texts` is a source"),
        ("fond", "no node called `fond`"),
    ] {
        let shown = show(rest);
        assert!(shown.code == 2 && shown.err.contains(said), "{rest}: {}", shown.err);
    }
}

#[test]
fn the_plan_says_how_many_calls_a_text_takes() {
    let mut document = Document::default();
    for nth in 0..17 {
        document.say("Ada.", &[(format!("kind_{nth:02}"), "Ada".into())]);
    }
    let folder = folder(&[document]);
    let plan = folder.flow("plan annotated.yaml --url http://127.0.0.1:9/v1");
    let line = "calls for each text, since the schema is wide: ";
    assert!(plan.out.contains(line), "{}{}", plan.out, plan.err);
}
