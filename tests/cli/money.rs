//! What calls cost: shown, kept within budgets, and foreseen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tiktoken_rs::o200k_base_singleton;

use crate::folder::{Answer, Folder, answer};
use crate::interviews::interviews;
use crate::model_server::{ModelServer, Reply};

const PIPELINE: &str = r#"flow: asked
params:
  url: {type: string}
models:
  small: {provider: openai, base_url: "{{ params.url }}", model: small, max_tokens: 100, price: {input: 1000, output: 2000}}
  large: {provider: openai, base_url: "{{ params.url }}", model: large, max_tokens: 100, price: {input: 3000, output: 6000}}
schemas:
  people: {kinds: {person: {description: somebody with a name, cues: [came in], fields: {role: string}}}}
stages:
  texts: {uses: read, with: {path: texts.jsonl}}
  people:
    uses: extract
    from: texts
    parallelism: 64
    retry: 2
    backoff: 1ms..2ms
    with: {model: small, schema: people}
  saved: {uses: store, from: people, with: {to: "sqlite:people.db", table: people, key: id}}
  summary: {uses: report, from: people, with: {to: [summary.json, summary.md]}}
"#;

/// An answer that finds nobody, with the tokens that the server says it took.
fn nobody(input: u64, output: u64) -> Reply {
    let body = json!({
        "choices": [{"finish_reason": "stop", "message": {"content": "{\"entities\": []}"}}],
        "usage": {"prompt_tokens": input, "completion_tokens": output},
    });
    Reply::Answer(200, Vec::new(), body.to_string().into_bytes())
}

fn folder(texts: usize) -> Folder {
    let folder = Folder::new();
    folder.file("asked.yaml", PIPELINE);
    let rows: Vec<String> =
        (0..texts).map(|id| json!({"text": format!("Ada came in at {id}.")}).to_string()).collect();
    folder.file("texts.jsonl", rows.join("\n"));
    folder
}

fn run(folder: &Folder, server: &ModelServer, line: &str) -> (Answer, Value) {
    let line = format!("run asked.yaml --state none --report r.json --url {} {line}", server.url());
    let answer = answer(folder.command(&line).timeout(Duration::from_mins(1)));
    let report = std::fs::read(folder.path("r.json")).unwrap_or_default();
    (answer, serde_json::from_slice(&report).unwrap_or_default())
}

fn near(value: &Value, expected: f64) {
    let value = value.as_f64().expect("a number");
    assert!((value - expected).abs() <= expected * 1e-9, "{value} is not {expected}");
}

#[test]
fn cost_is_shown_by_node_and_by_model_and_an_unknown_price_is_named() {
    let (folder, server) =
        (folder(10), ModelServer::start(|_, _| (Duration::ZERO, nobody(50, 10))));
    let (answer, report) = run(&folder, &server, "");
    assert_eq!(answer.code, 0, "{}", answer.err);
    let dollars = 10.0 * (50.0 * 1000.0 + 10.0 * 2000.0) / 1e6;
    near(&report["usage"]["cost"], dollars);
    near(&report["nodes"][1]["usage"]["cost"], dollars);
    near(&report["models"]["small"]["cost"], dollars);
    assert!(answer.out.contains("$0.7000"), "{}", answer.out);
    let summary: Value = serde_json::from_str(&folder.read("summary.json")).expect("JSON");
    near(&summary["models"]["small"]["cost"], dollars);
    near(&summary["nodes"][1]["cost"], dollars);
    let row = "| small | 10 | 500 | 0 | 100 | $0.7000 |";
    assert!(folder.read("summary.md").contains(row), "{}", folder.read("summary.md"));

    let (answer, report) = run(&folder, &server, "--set models.small.price=null");
    assert_eq!(report["usage"]["unpriced"], 10, "{}", answer.err);
    assert!(answer.out.contains("unknown price"), "{}", answer.out);
    assert!(folder.read("summary.md").contains("unknown price"));
}

#[test]
fn a_call_that_is_lost_is_named_with_what_it_may_have_cost() {
    let server = ModelServer::start(|nth, _| {
        let reply = match nth {
            0 => Reply::Hang,
            1 => Reply::Truncate(b"{\"choices\"".to_vec()),
            2 => Reply::error(503, "busy"),
            _ => nobody(50, 10),
        };
        (Duration::ZERO, reply)
    });
    let folder = folder(4);
    let (answer, report) = run(&folder, &server, "--set stages.people.timeout=1s");
    assert_eq!(answer.code, 0, "{}", answer.err);
    let usage = &report["usage"];
    assert_eq!((&usage["calls"], &usage["lost"]), (&json!(7), &json!(2)));
    near(&usage["cost"], 4.0 * 0.07);
    // Two calls of about 1,000 bytes each, and 100 tokens that might have come back.
    let most = usage["lost_cost"].as_f64().expect("money");
    assert!(most > 2.0 * (0.5 + 0.2) && most < 2.0 * (3.0 + 0.2), "{most}");
    assert!(answer.out.contains("tokens out  lost  "), "{}", answer.out);
    assert!(answer.out.contains("$0.2800, and up to $"), "{}", answer.out);
    let summary = folder.read("summary.md");
    assert!(summary.contains("| $0.2800, and up to $"), "{summary}");
    let summary: Value = serde_json::from_str(&folder.read("summary.json")).expect("JSON");
    assert_eq!(summary["nodes"][1]["lost_cost"], usage["lost_cost"]);
    let unknown =
        ["--set stages.people.timeout=1s", "--set models.small.max_tokens=null"].join(" ");
    let server = ModelServer::start(|nth, _| {
        let reply = if nth == 0 { Reply::Close } else { nobody(50, 10) };
        (Duration::ZERO, reply)
    });
    let (answer, report) = run(&folder, &server, &unknown);
    assert_eq!(report["usage"]["lost_unpriced"], 1, "{}", answer.err);
    assert!(answer.out.contains("$0.2800, and an unknown price for 1 lost"), "{}", answer.out);
}

/// A server that says of every call something else, and sums up what they cost.
fn dear() -> (ModelServer, Arc<AtomicU64>) {
    let spent = Arc::new(AtomicU64::new(0));
    let sum = Arc::clone(&spent);
    let server = ModelServer::start(move |nth, body| {
        // Never more than the bytes that came and the tokens that were allowed.
        let input = body.to_string().len() as u64 / [1, 2, 4][nth % 3];
        let output = [100, 10, 55, 0][nth % 4];
        sum.fetch_add(input * 1000 + output * 2000, Ordering::SeqCst);
        (Duration::from_millis(5 + nth as u64 * 13 % 40), nobody(input, output))
    });
    (server, spent)
}

fn dollars(spent: &AtomicU64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a small sum")]
    let millionths = spent.load(Ordering::SeqCst) as f64;
    millionths / 1e6
}

#[test]
fn no_budget_is_passed_with_sixty_four_calls_in_flight() {
    for line in ["--max-cost 30", "--set budget=$30", "--set stages.people.budget=30"] {
        let ((server, spent), folder) = (dear(), folder(200));
        let (answer, report) = run(&folder, &server, line);
        let dollars = dollars(&spent);
        assert_eq!(
            (answer.code, &report["status"]["status"]),
            (4, &json!("over_budget")),
            "{line}"
        );
        assert!(dollars <= 30.0 && dollars > 25.0, "{line}: {dollars}");
        near(&report["usage"]["cost"], dollars);
        assert!(answer.err.contains("of the budget of $30.00 for"), "{}", answer.err);
        assert!(answer.err.contains("and the next call may cost $"), "{}", answer.err);
        assert!(answer.out.contains("every record accounted for"), "{}", answer.out);
        assert!(server.most_at_once() > 8 && server.calls() < 200, "{line}");
        // What is whole is kept, and no report of a part is written.
        assert!(!folder.path("summary.md").exists());
    }
}

#[test]
fn a_budget_that_suffices_changes_nothing() {
    let ((server, _), folder) = (dear(), folder(20));
    let (answer, report) = run(&folder, &server, "--max-cost 1000");
    assert_eq!((answer.code, server.calls()), (0, 20), "{}", answer.err);
    assert_eq!(report["status"]["status"], "done");
}

#[test]
fn the_runs_of_a_day_share_its_budget() {
    let ((server, spent), folder) = (dear(), folder(12));
    let codes: Vec<i32> =
        (0..3).map(|_| run(&folder, &server, "--set budget.day=30").0.code).collect();
    assert_eq!((codes[0], codes[2]), (0, 4), "{codes:?} {}", dollars(&spent));
    assert!(dollars(&spent) <= 30.0);
    let files = std::fs::read_dir(folder.path(".state")).expect("the state").count();
    assert!(files >= 1);
}

#[test]
fn a_budget_needs_to_know_what_a_call_can_cost() {
    let (folder, server) = (folder(3), ModelServer::start(|_, _| (Duration::ZERO, nobody(1, 1))));
    for (line, words) in [
        ("--set models.small.price=null", "`small` does not say its price"),
        ("--set models.small.max_tokens=null", "the most tokens of its answer"),
    ] {
        let (answer, _) = run(&folder, &server, &format!("--max-cost 1 {line}"));
        assert_eq!((answer.code, server.calls()), (2, 0), "{}", answer.err);
        assert!(
            answer.err.contains("error[F0508]") && answer.err.contains(words),
            "{}",
            answer.err
        );
    }
    let (answer, _) = run(&folder, &server, "--max-cost lots");
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("an amount of US dollars"), "{}", answer.err);
}

#[test]
fn a_retry_asks_the_model_of_its_step() {
    let server = ModelServer::start(|_, body| match body["model"].as_str() {
        Some("small") => (Duration::ZERO, Reply::error(503, "busy")),
        _ => (Duration::ZERO, nobody(10, 10)),
    });
    let folder = folder(4);
    let yaml = PIPELINE
        .replace("    retry: 2\n", "    retry: 2\n    on_retry: [{model: large, timeout: x2}]\n");
    folder.file("asked.yaml", &yaml);
    let (answer, report) = run(&folder, &server, "");
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!((server.calls(), &report["models"]["large"]["calls"]), (8, &json!(4)));
    near(&report["usage"]["cost"], 4.0 * (10.0 * 3000.0 + 10.0 * 6000.0) / 1e6);
    let plan = folder.flow(&format!("plan asked.yaml --url {}", server.url()));
    assert!(plan.out.contains("on_retry large timeout x2"), "{}", plan.out);

    let rules = yaml
        .replace(
            "  large: {provider: openai",
            "  rules: {provider: rules}\n  large: {provider: openai",
        )
        .replace("model: small, schema: people}", "model: rules, schema: people}");
    folder.file("asked.yaml", rules);
    let (answer, _) = run(&folder, &server, "");
    assert!(answer.err.contains("error[F0509]"), "{}", answer.err);
}

/// Counts a call as the hosted models do: four tokens around each message, three before the
/// answer, and the schema of the answer as it came.
fn counted(body: &Value) -> u64 {
    let tokens = |text: &str| o200k_base_singleton().count_ordinary(text) as u64;
    let messages = body["messages"].as_array().expect("messages").iter();
    let said: u64 =
        messages.map(|message| 4 + tokens(message["content"].as_str().expect("a text"))).sum();
    said + 3 + tokens(&body["response_format"]["json_schema"].to_string())
}

#[test]
fn the_plan_foresees_what_the_run_then_needs() {
    let server = ModelServer::start(|nth, body| {
        // From a terse answer to a long one.
        (Duration::ZERO, nobody(counted(body), 6 + nth as u64 * 37 % 300))
    });
    let folder = interviews();
    let url = server.url();
    let line = format!(
        "interviews.yaml --profile openai --set models.analyst.base_url={url} --set \
         models.analyst.price.input=0.15 --set models.analyst.price.output=0.6 --set \
         limits.openai.requests=100000/min --set limits.openai.tokens=100000000/min"
    );
    let with_key = |line: &str| {
        let mut command = folder.command(line);
        answer(command.env("OPENAI_API_KEY", "no-real-key").timeout(Duration::from_mins(2)))
    };
    let plan = with_key(&format!("plan {line} --format json"));
    assert_eq!((plan.code, server.calls()), (0, 0), "{}", plan.err);
    let plan: Value = serde_json::from_str(&plan.out).expect("JSON");
    let foreseen = &plan["prediction"]["nodes"][0];
    assert_eq!(foreseen["basis"], json!({"basis": "counted"}));
    assert!(!folder.path("out").exists(), "nothing is written");

    let run = with_key(&format!("run {line} --report r.json"));
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let report: Value = serde_json::from_str(&folder.read("r.json")).expect("JSON");
    let used = &report["usage"];
    let need = &foreseen["need"];
    assert_eq!(need["calls"], used["calls"]);
    assert_eq!(need["records"], report["nodes"][1]["in"]);
    let band = |of: &Value| (of["low"].as_f64().expect("low"), of["high"].as_f64().expect("high"));
    let real = |name: &str| used[name].as_f64().expect("a number");
    // The band of what is sent holds, and is within 5% at both ends.
    let (low, high) = band(&need["input_tokens"]);
    let input = real("input_tokens");
    assert!(low <= input && input <= high, "{low} {input} {high}");
    assert!(low >= 0.95 * input && high <= 1.05 * input, "{low} {input} {high}");
    let (low, high) = band(&need["output_tokens"]);
    let output = real("output_tokens");
    assert!(low <= output && output <= high, "{low} {output} {high}");
    let (low, high) = band(&need["cost"]);
    assert!(low <= real("cost") && real("cost") <= high, "{low} {} {high}", real("cost"));
}

#[test]
fn the_plan_names_what_the_run_waits_for() {
    let folder = interviews();
    let plan = |line: &str| {
        let mut command = folder.command(&format!("plan interviews.yaml --profile openai {line}"));
        answer(command.env("OPENAI_API_KEY", "no-real-key")).out
    };
    for (line, words) in [
        ("--set limits.openai.requests=5/min", "limit openai: 5/min binds; parallelism above "),
        ("--set limits.openai.tokens=9000/min", "limit openai: 9000/min tokens binds"),
        (
            "--set stages.entities.parallelism=1 --set limits.openai.requests=9000/min --set \
             limits.openai.tokens=90000000/min",
            "the parallelism of `entities` binds; more of it helps, up to ",
        ),
    ] {
        let out = plan(line);
        assert!(out.contains(words), "{line}: {out}");
    }
    assert!(plan("").contains("price of 20"), "{}", plan(""));
}
