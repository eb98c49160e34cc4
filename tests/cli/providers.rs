//! `extract` over each provider, against a server on loopback that speaks its wire format.

use std::time::Duration;

use serde_json::{Value, json};

use crate::folder::{Folder, answer};
use crate::model_server::{ModelServer, Reply};

const KEY: &str = "s3cret-key";

/// What is particular to a provider.
struct Wire {
    provider: &'static str,
    /// The address behind the host.
    base: &'static str,
    /// How the first line of a call begins.
    line: &'static str,
    /// The header of the key, when there is one.
    key: Option<&'static str>,
    /// Where the schema of the answer stands.
    schema: &'static str,
    /// An answer with this text: 100 tokens sent, 40 of them cached, 7 received.
    said: fn(&str) -> Value,
    /// An answer without one, and what is said of it.
    refused: (fn() -> Value, &'static str),
    /// Tokens of a cache that the answer speaks of.
    cached: u64,
}

const WIRES: [Wire; 4] = [
    Wire {
        provider: "openai",
        base: "/v1",
        line: "post /v1/chat/completions ",
        key: Some("authorization: bearer s3cret-key"),
        schema: "/response_format/json_schema/schema/properties/entities",
        said: |text| {
            let message = json!({"role": "assistant", "content": text});
            let cached = json!({"cached_tokens": 40});
            json!({
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {
                    "prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": cached,
                },
            })
        },
        refused: (
            || json!({"choices": [{"finish_reason": "content_filter", "message": {}}]}),
            "the server withheld the model's answer (content filter)",
        ),
        cached: 40,
    },
    Wire {
        provider: "anthropic",
        base: "",
        line: "post /v1/messages ",
        key: Some("x-api-key: s3cret-key"),
        schema: "/output_config/format/schema/properties/entities",
        said: |text| {
            let thought = json!({"type": "thinking", "thinking": "Hm.", "signature": "x"});
            json!({
                "type": "message",
                "content": [thought, {"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "usage": {
                    "input_tokens": 50,
                    "cache_creation_input_tokens": 10,
                    "cache_read_input_tokens": 40,
                    "output_tokens": 7,
                },
            })
        },
        refused: (
            || json!({"content": [], "stop_reason": "refusal"}),
            "the model refuses to answer",
        ),
        cached: 40,
    },
    Wire {
        provider: "gemini",
        base: "/v1beta",
        line: "post /v1beta/models/loopback:generatecontent ",
        key: Some("x-goog-api-key: s3cret-key"),
        schema: "/generationConfig/responseJsonSchema/properties/entities",
        said: |text| {
            let parts = json!([{"text": "Hm.", "thought": true}, {"text": text}]);
            json!({
                "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
                "usageMetadata": {
                    "promptTokenCount": 100,
                    "cachedContentTokenCount": 40,
                    "candidatesTokenCount": 5,
                    "thoughtsTokenCount": 2,
                },
            })
        },
        refused: (
            || json!({"promptFeedback": {"blockReason": "SAFETY"}}),
            "the server blocked the text (SAFETY)",
        ),
        cached: 40,
    },
    Wire {
        provider: "ollama",
        base: "",
        line: "post /api/chat ",
        key: None,
        schema: "/format/properties/entities",
        said: |text| {
            json!({
                "message": {"role": "assistant", "content": text},
                "done": true,
                "done_reason": "stop",
                "prompt_eval_count": 100,
                "eval_count": 7,
            })
        },
        refused: (
            || json!({"error": "no room left"}),
            "the server answers with an error: no room left",
        ),
        cached: 0,
    },
];

fn pipeline(wire: &Wire, server: &ModelServer) -> String {
    let key = wire.key.map_or("", |_| ", key: KEY");
    let (provider, url) = (wire.provider, format!("http://{}{}", server.address, wire.base));
    format!(
        r#"flow: asked
secrets: {{KEY: {{env: LOOPBACK_KEY}}}}
models:
  m: {{provider: {provider}, model: loopback, base_url: "{url}", price: {{input: 2, cached: 1, output: 10}}{key}}}
schemas:
  people: {{kinds: {{person: {{description: somebody with a name, fields: {{role: string}}}}}}}}
stages:
  texts: {{uses: read, with: {{path: texts.jsonl}}}}
  people:
    uses: extract
    from: texts
    retry: 0
    timeout: 10s
    with: {{model: m, schema: people}}
  saved: {{uses: store, from: people, with: {{to: people.jsonl}}}}
  dead: {{uses: store, from: people.failed, with: {{to: dead.jsonl}}}}
"#
    )
}

#[test]
fn every_provider_is_asked_and_understood_in_its_own_words() {
    for wire in &WIRES {
        let name = wire.provider;
        let (said, refused, schema) = (wire.said, wire.refused.0, wire.schema);
        let repeated = wire.key.map_or("", |_| KEY);
        let server = ModelServer::start(move |_, body| {
            let text = body.to_string();
            let reply = match body.pointer(schema) {
                None => Reply::error(400, "no schema"),
                Some(_) if text.contains("Bob") => Reply::json(&refused()),
                Some(_) if text.contains("Eve") => Reply::error(400, &format!("bad {repeated}")),
                Some(_) => {
                    let ada = json!({"kind": "person", "name": "Ada", "quote": "Ada came in.",
                        "confidence": 0.9, "fields": {"role": null}});
                    Reply::json(&said(&json!({"entities": [ada]}).to_string()))
                }
            };
            (Duration::ZERO, reply)
        });
        let folder = Folder::new();
        folder.file("asked.yaml", pipeline(wire, &server));
        let rows = ["Ada came in.", "Bob came in.", "Eve came in."];
        let rows = rows.map(|text| json!({"text": text}).to_string());
        folder.file("texts.jsonl", rows.join("\n"));
        let mut command = folder.command("run asked.yaml --report report.json --log debug");
        let answer = answer(command.env("LOOPBACK_KEY", KEY).timeout(Duration::from_mins(1)));
        assert_eq!(answer.code, 0, "{name}: {}{}", answer.out, answer.err);

        let people = folder.read("people.jsonl");
        assert_eq!(people.lines().count(), 1, "{name}: {people}");
        assert!(people.contains(r#""name":"Ada""#), "{name}: {people}");
        let dead = folder.read("dead.jsonl");
        assert_eq!(dead.lines().count(), 2, "{name}: {dead}");
        assert!(dead.contains(wire.refused.1), "{name}: {dead}");

        assert!(server.head().starts_with(wire.line), "{name}: {}", server.head());
        assert!(
            wire.key.is_none_or(|key| server.head().contains(key)),
            "{name}: {}",
            server.head()
        );

        let report = folder.read("report.json");
        let written: Value = serde_json::from_str(&report).expect("a report");
        let nodes = written["nodes"].as_array().expect("nodes");
        let usage = &nodes.iter().find(|node| node["node"] == "people").expect("the node")["usage"];
        assert_eq!(usage["calls"], 3, "{name}");
        let tokens = [&usage["input_tokens"], &usage["cached_tokens"], &usage["output_tokens"]];
        assert_eq!(tokens, [&json!(100), &json!(wire.cached), &json!(7)], "{name}");
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let cost = (2.0 * 100.0 - wire.cached as f64 + 10.0 * 7.0) / 1e6;
        assert_eq!(usage["cost"], json!(cost), "{name}");

        let shown = [report, dead, people, answer.out, answer.err].concat();
        assert!(!shown.contains(KEY), "{name}: {shown}");
    }
}
