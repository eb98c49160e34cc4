//! What is sent, what is made of each answer, and how texts are put into calls.

use flow_engine::door::Price;

use super::*;

fn settings<P: Provider>() -> P {
    serde_json::from_value(json!({"model": "m", "base_url": "http://h"})).unwrap()
}

fn at_home() -> OpenAi {
    serde_json::from_value(json!({"model": "m"})).unwrap()
}

#[test]
fn the_request_is_what_each_server_takes() {
    let texts = ["one", "two"];
    for (wire, dimensions, expected) in [
        (
            &at_home() as &dyn Wire,
            None,
            json!({"model": "m", "input": texts, "encoding_format": "base64"}),
        ),
        (&settings::<OpenAi>(), None, json!({"model": "m", "input": texts})),
        (&settings::<OpenAi>(), Some(3), json!({"model": "m", "input": texts, "dimensions": 3})),
        (
            &settings::<Ollama>(),
            Some(3),
            json!({"model": "m", "input": texts, "truncate": false, "dimensions": 3}),
        ),
        (
            &settings::<Gemini>(),
            Some(3),
            json!({"requests": texts.map(|text| json!({
                "model": "models/m",
                "content": {"parts": [{"text": text}]},
                "outputDimensionality": 3,
            }))}),
        ),
    ] {
        assert_eq!(wire.body(&texts, dimensions), expected);
    }
}

#[test]
fn vectors_stand_in_the_order_of_the_texts() {
    let (openai, ollama, gemini) =
        (settings::<OpenAi>(), settings::<Ollama>(), settings::<Gemini>());
    let data = |items: Value| json!({"data": items});
    let wrong = "the server's answer numbers its vectors wrong";
    let none = "the server's answer holds no vectors";
    for (wire, answer, expected) in [
        (
            &openai as &dyn Wire,
            data(json!([{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}])),
            Ok(json!([[1], [2]])),
        ),
        (&openai, data(json!([{"embedding": [1]}, {"embedding": [2]}])), Ok(json!([[1], [2]]))),
        // 0.5 and -2, four bytes each, the least first.
        (
            &openai,
            data(json!([{"index": 0, "embedding": "AAAAPwAAAMA="}])),
            Ok(json!([[0.5, -2.0]])),
        ),
        (
            &openai,
            data(json!([{"index": 0, "embedding": "AAA"}])),
            Err("the server's answer holds a vector that cannot be read"),
        ),
        (
            &openai,
            data(json!([{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [2]}])),
            Err(wrong),
        ),
        (&openai, data(json!([{"index": 7, "embedding": [1]}])), Err(wrong)),
        (&openai, json!({}), Err(none)),
        (&ollama, json!({"embeddings": [[1], [2]]}), Ok(json!([[1], [2]]))),
        (&ollama, json!({"embedding": [1]}), Err(none)),
        (&gemini, json!({"embeddings": [{"values": [1]}]}), Ok(json!([[1]]))),
        (&gemini, json!({}), Err(none)),
    ] {
        let vectors = wire.vectors(answer.clone()).map(Value::from);
        assert_eq!(vectors.map_err(|failure| failure.reason), expected.map_err(str::to_owned));
    }
}

#[test]
fn tokens_are_counted_where_the_server_says() {
    for (wire, answer, tokens) in [
        (&settings::<OpenAi>() as &dyn Wire, json!({"usage": {"prompt_tokens": 7}}), 7),
        (&settings::<Ollama>(), json!({"prompt_eval_count": 7}), 7),
        (&settings::<Gemini>(), json!({"usageMetadata": {"promptTokenCount": 7}}), 7),
        (&settings::<Gemini>(), json!({}), 0),
    ] {
        assert_eq!(wire.used()(&answer), Tokens { input: tokens, ..Tokens::default() });
    }
}

/// A server, its most tokens, a number of texts, and the calls for them.
type Case = (Box<dyn Wire>, u64, usize, &'static [(usize, usize)]);

#[test]
fn calls_are_as_few_as_texts_and_tokens_allow() {
    let embedder = |wire: Box<dyn Wire>, most_tokens| Embedder {
        name: "m".to_owned(),
        price_as_of: None,
        counter: Counter::new("openai", "m"),
        wire,
        endpoint: Endpoint {
            system: "test",
            model: "m".to_owned(),
            operation: Operation::Embeddings,
            url: "http://h".to_owned(),
            headers: Vec::new(),
            key: None,
            limit: None,
            price: None::<Price>,
        },
        dimensions: None,
        most_tokens,
    };
    // Nine bytes are thought to be four tokens.
    let texts = ["123456789"; 250];
    let cases: [Case; 6] = [
        (Box::new(settings::<OpenAi>()), 300_000, 250, &[(0, 250)]),
        (Box::new(settings::<OpenAi>()), 8, 5, &[(0, 2), (2, 4), (4, 5)]),
        (Box::new(settings::<OpenAi>()), 1, 2, &[(0, 1), (1, 2)]),
        (Box::new(settings::<OpenAi>()), 1, 0, &[]),
        (Box::new(settings::<Gemini>()), u64::MAX, 250, &[(0, 100), (100, 200), (200, 250)]),
        (Box::new(settings::<Ollama>()), u64::MAX, 250, &[(0, 250)]),
    ];
    for (wire, most_tokens, count, expected) in cases {
        let parts = embedder(wire, most_tokens).parts(&texts[..count]);
        let parts: Vec<_> = parts.iter().map(|part| (part.start, part.end)).collect();
        assert_eq!(parts, expected);
    }
}
