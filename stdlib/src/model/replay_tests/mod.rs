//! What our clients make of answers that real servers gave to others: recorded exchanges, replayed
//! by a server on loopback.

mod cassette;
mod expected;
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow_dsl::pipeline::{Model, Secret as Declared, SecretFrom};
use flow_dsl::{SourceFile, Span, Spanned};
use flow_engine::door::{Meter, Secrets, UsageCount};
use flow_engine::prelude::*;

use self::cassette::Exchange;
use self::expected::{Expected, Tokens};
use self::server::Server;
use super::chat::{Ask, Chat, Turn};
use super::embed::Embedder;

/// Where the recordings are, beside the project.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/recordings")
}

/// What our client asks of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Chat,
    Embed,
}

/// An exchange that one of our clients can ask for: the provider, what, and what stands between
/// the host and the wire format's own path.
fn ours(exchange: &Exchange) -> Option<(&'static str, Kind, String)> {
    let base = |ending: &str| exchange.path.strip_suffix(ending).map(str::to_owned);
    let (folder, by_post) = (exchange.from.0.as_str(), exchange.method == "POST");
    match folder {
        _ if !by_post => None,
        "anthropic" => Some(("anthropic", Kind::Chat, base("/v1/messages")?)),
        "ollama" => Some(("ollama", Kind::Chat, base("/api/chat")?)),
        "google-generativeai" => {
            let base = exchange.path.split("/models/").next()?;
            Some(("gemini", Kind::Chat, base.to_owned()))
        }
        "openai" | "groq" | "mistralai" | "together" => base("/chat/completions")
            .map(|base| ("openai", Kind::Chat, base))
            .or_else(|| Some(("openai", Kind::Embed, base("/embeddings")?))),
        _ => None,
    }
}

/// The model that was asked; that of Gemini stands in the path.
fn model_of(exchange: &Exchange) -> String {
    let in_path = exchange.path.split("/models/").nth(1).and_then(|rest| rest.split(':').next());
    exchange.asked["model"].as_str().or(in_path).unwrap_or("m").to_owned()
}

/// What our client makes of an exchange: the text or the vectors, and the tokens.
async fn ask(server: &Server, exchange: &Exchange) -> (Result<Vec<String>, Failure>, Tokens) {
    let (provider, kind, base) = ours(exchange).unwrap();
    let settings =
        json!({"model": model_of(exchange), "base_url": format!("{}{base}", server.url)});
    let span = Span::default();
    let spanned = |text: &str| Spanned::new(text.to_owned(), span);
    let model = Model {
        name: spanned("recorded"),
        provider: spanned(provider),
        limit: None,
        secret: (provider != "ollama").then(|| spanned("KEY")),
        settings: flow_dsl::parse::yaml(&SourceFile::new("model", settings.to_string())).0,
    };
    let words = ["echo", "replayed-key"].map(str::to_owned).to_vec();
    let key = Declared { name: spanned("KEY"), from: SecretFrom::Command(words) };
    let build = Build {
        pipeline: "test",
        node: "node",
        folder: Path::new("."),
        params: &json!({}),
        models: &[],
        limits: &[],
        schemas: &[],
        source: &SourceFile::new("test.yaml", ""),
        secrets: &Secrets::new(&[key], "."),
        on_retry: &[],
    };
    let meter = Arc::new(Meter::new(Arc::new(UsageCount::default()), None, 1));
    let context = CallContext {
        door: Door::new(&[]).into(),
        attempt: 1,
        step: None,
        meter: Arc::clone(&meter),
        answers: Arc::default(),
        record: None,
    };
    let made = match kind {
        Kind::Chat => {
            let turns = [Turn::User("Tell me a joke about OpenTelemetry".to_owned())];
            let schema = json!({"type": "object"});
            let ask = Ask { system: "be brief", turns: &turns, schema: &schema };
            let chat = Chat::new(&model, &build).unwrap();
            chat.ask(&ask, &context).await.map(|said| vec![said.text])
        }
        Kind::Embed => {
            let texts: Vec<&str> = match &exchange.asked["input"] {
                Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
                text => text.as_str().into_iter().collect(),
            };
            let embedder = Embedder::new(&model, &build, None, None).unwrap();
            let record = Record::new(RecordId::of(b"test"));
            let texts: Vec<(&Record, &str)> =
                texts.into_iter().map(|text| (&record, text)).collect();
            let vectors = embedder.embed(&texts, &context).await;
            vectors.into_iter().map(|one| one.map(|vector| vector.to_string())).collect()
        }
    };
    let usage = meter.usage();
    (made, (usage.input_tokens, usage.cached_tokens, usage.output_tokens))
}

#[tokio::test]
async fn recorded_answers_of_real_servers_are_understood() {
    let Ok(folders) = std::fs::read_dir(folder()) else {
        eprintln!("SKIPPED: no recordings at {}", folder().display());
        return;
    };
    let server = Server::start().await;
    let (mut replayed, mut skipped) = (BTreeMap::new(), BTreeMap::new());
    for folder in folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            for exchange in cassette::read(&file) {
                let from = exchange.from.0.clone();
                if ours(&exchange).is_none() {
                    *skipped.entry((from, kind_of(&exchange))).or_insert(0) += 1;
                    continue;
                }
                let kind = replay(&server, &exchange).await;
                *replayed.entry((from, kind)).or_insert(0) += 1;
            }
        }
    }
    let table = |title: &str, counts: &BTreeMap<(String, String), usize>| {
        eprintln!("{title}: {}", counts.values().sum::<usize>());
        for ((from, kind), count) in counts {
            eprintln!("  {count:4} {from}: {kind}");
        }
    };
    table("replayed", &replayed);
    table("skipped, of other kinds", &skipped);
    let of = |wanted: &str| -> usize {
        replayed.iter().filter(|((from, _), _)| from == wanted).map(|(_, count)| count).sum()
    };
    for (from, least) in [
        ("anthropic", 80),
        ("google-generativeai", 2),
        ("groq", 39),
        ("mistralai", 19),
        ("ollama", 16),
        ("openai", 340),
        ("together", 3),
    ] {
        assert!(of(from) >= least, "{from}: {} of at least {least}", of(from));
    }
}

/// Replays one exchange, compares, and says how it ended.
async fn replay(server: &Server, exchange: &Exchange) -> String {
    server.answer(exchange);
    let (made, tokens) = ask(server, exchange).await;
    let (_, file) = &exchange.from;
    let asked = server.asked();
    let path = exchange.path.to_lowercase();
    assert!(asked.head.starts_with(&format!("post {path} http/1.1\r\n")), "{file}: {}", asked.head);
    let key = match ours(exchange).unwrap().0 {
        "anthropic" => "\r\nx-api-key: replayed-key\r\n",
        "gemini" => "\r\nx-goog-api-key: replayed-key\r\n",
        "ollama" => "\r\n",
        _ => "\r\nauthorization: bearer replayed-key\r\n",
    };
    assert!(format!("{}\r\n", asked.head).contains(key), "{file}: {}", asked.head);
    assert_ne!(asked.body["stream"], true, "{file}");
    let (expected, counted) = expected::of(exchange);
    assert_eq!(tokens, counted, "{file}");
    match (made, expected) {
        (Ok(texts), Expected::Text(text)) => {
            assert_eq!(texts, [text], "{file}");
            "a text".to_owned()
        }
        (Ok(vectors), Expected::Vectors(count)) => {
            assert_eq!(vectors.len(), count, "{file}");
            for vector in &vectors {
                expected::is_sound(vector, exchange);
            }
            "vectors".to_owned()
        }
        (Err(failure), Expected::Failure(kind, reason)) => {
            assert_eq!(failure.kind, kind, "{file}: {}", failure.reason);
            assert!(
                failure.reason.contains(&reason),
                "{file}: {} without {reason}",
                failure.reason
            );
            assert!(!failure.reason.contains("replayed-key"), "{file}: {}", failure.reason);
            expected::in_short(exchange, &reason)
        }
        (made, expected) => panic!("{file}: {made:?}, not {expected:?}"),
    }
}

/// What an exchange that is none of ours asked for.
fn kind_of(exchange: &Exchange) -> String {
    let parts: Vec<&str> = exchange
        .path
        .split('/')
        .map(|part| if part.contains('_') { "ID" } else { part })
        .filter(|part| !part.contains('.'))
        .collect();
    format!("{} {}", exchange.method, parts.join("/"))
}
