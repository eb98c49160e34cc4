//! `chunk`: cut a text into pieces that fit, between paragraphs and sentences where possible.

use std::sync::Arc;

use flow_engine::prelude::*;

use super::pieces::Pieces;
use super::sizer::Unit;
use crate::settings::texts;

/// Fields that a chunk has of its own.
const OWN: [&str; 4] = ["text", "chunk", "start", "end"];

/// Cuts a text into pieces that fit, between paragraphs and sentences where possible.
///
/// Each piece is as large as `size` allows and ends, as far as it can, at an empty line, else at a
/// line, a sentence, a word. White space around it is dropped. A piece becomes a record with
/// `text`, `chunk` (its number, from 0), `start` and `end`: characters of the source, so that
/// `text` is exactly the source from `start` to before `end`. With `overlap`, a piece begins with
/// up to so much of the end of the one before.
///
/// The other fields of the record are copied to each piece, all of them or those in `keep`; where
/// a name is one of the four above, the piece's own wins. A record whose text is empty or only
/// white space gives no piece and is counted as filtered. One without the field, or where it is no
/// string, is rejected.
///
/// ```yaml
/// pieces:
///   uses: chunk
///   from: interviews
///   with: {field: transcript, size: 2000, overlap: 200}
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chunk {
    /// The field that holds the text.
    #[serde(default = "text")]
    field: String,
    /// How large a piece may be, in the unit.
    size: usize,
    /// What pieces are measured in: characters, or tokens of OpenAI's `o200k_base`, which is near
    /// enough for other models too.
    #[serde(default)]
    unit: Unit,
    /// How much of the end of a piece the next one may repeat, in the unit; less than `size`.
    #[serde(default)]
    overlap: usize,
    /// Which other fields each piece keeps; without it, all.
    keep: Option<Vec<String>>,
}

fn text() -> String {
    "text".to_owned()
}

impl Config for Chunk {
    const NAME: &'static str = "chunk";
    const SHAPE: Shape = Shape::Map;

    fn work(_: Option<&str>) -> Work {
        Work::Heavy
    }

    fn fields(settings: &Value) -> Fields {
        let added = OWN.map(str::to_owned).to_vec();
        if settings.get("keep").is_some_and(Value::is_array) {
            let kept = texts(settings, "keep").into_iter().map(str::to_owned);
            return Fields::Exactly(added.into_iter().chain(kept).collect());
        }
        let field = settings.get("field").and_then(Value::as_str).unwrap_or("text");
        let removed = if field == "text" { Vec::new() } else { vec![field.to_owned()] };
        Fields::Changed { added, removed }
    }

    fn weigh(settings: &Value, _: &Build<'_>) -> Vec<BuildError> {
        let number = |name| settings.get(name).and_then(Value::as_u64);
        let mut refused = Vec::new();
        match (number("size"), number("overlap")) {
            (Some(0), _) => {
                let error = BuildError::setting("size", "is 0, so that no piece would fit");
                refused.push(error.help("Write 1 or more."));
            }
            (Some(size), Some(overlap)) if overlap >= size => {
                let message = format!("is {overlap}, which must be less than `size`, {size}");
                let error = BuildError::setting("overlap", message);
                refused.push(error.help(format!("Write {} or less.", size - 1)));
            }
            _ => {}
        }
        for (at, name) in texts(settings, "keep").into_iter().enumerate() {
            if OWN.contains(&name) {
                let message = format!("`{name}` is a piece's own field");
                let error = BuildError::setting(format!("keep.{at}"), message);
                let help = "Leave it out, or give it another name with `set` before.";
                refused.push(error.help(help));
            }
        }
        refused
    }

    fn build(self, _: &Build<'_>) -> Result<Stage, BuildError> {
        let pieces = Pieces::new(self.unit, self.size, self.overlap)
            .map_err(|error| BuildError::setting("overlap", error.to_string()))?;
        Ok(Stage::Heavy(Arc::new(Chunker { field: self.field, keep: self.keep, pieces })))
    }
}

struct Chunker {
    field: String,
    keep: Option<Vec<String>>,
    pieces: Pieces,
}

impl Chunker {
    fn keeps(&self, name: &str) -> bool {
        let wanted = self.keep.as_ref().is_none_or(|keep| keep.iter().any(|kept| kept == name));
        wanted && name != self.field && !OWN.contains(&name)
    }
}

impl Heavy for Chunker {
    fn apply(&self, record: &Record) -> Result<Vec<Record>, Failure> {
        let field = &self.field;
        let text = match record.get(field) {
            Some(Value::String(text)) => text,
            Some(_) => return Err(Failure::bad(format!("field `{field}` is not a text"))),
            None => return Err(Failure::bad(format!("has no field `{field}`"))),
        };
        let pieces = self.pieces.of(text).into_iter().enumerate().map(|(nth, piece)| {
            let mut chunk = record.child(nth as u64);
            let end = piece.start + piece.text.chars().count();
            chunk.set("text", piece.text.into());
            chunk.set("chunk", nth.into());
            chunk.set("start", piece.start.into());
            chunk.set("end", end.into());
            for (name, value) in record.fields().filter(|(name, _)| self.keeps(name)) {
                chunk.set(name, value.clone());
            }
            chunk
        });
        Ok(pieces.collect())
    }
}

#[cfg(test)]
mod tests {
    use flow_engine::testing::{apply, build, record, refusal};

    use super::*;

    async fn pieces(settings: Value, text: &str) -> Vec<(String, usize, usize)> {
        let rows = apply::<Chunk>(settings, json!([{"text": text}])).await.unwrap();
        let place = |row: &Value, name: &str| row[name].as_u64().unwrap().try_into().unwrap();
        let piece = |row: &Value| {
            (row["text"].as_str().unwrap().to_owned(), place(row, "start"), place(row, "end"))
        };
        rows.iter().map(piece).collect()
    }

    #[tokio::test]
    async fn cuts_between_paragraphs_and_sentences() {
        for (settings, text, expected) in [
            (json!({"size": 100}), "One. Two.", vec![("One. Two.", 0, 9)]),
            (json!({"size": 6}), "One. Two.", vec![("One.", 0, 4), ("Two.", 5, 9)]),
            (json!({"size": 8}), "a b\n\nc d e", vec![("a b", 0, 3), ("c d e", 5, 10)]),
            (json!({"size": 2}), "äöü", vec![("äö", 0, 2), ("ü", 2, 3)]),
            (json!({"size": 4}), "日本語。中文。", vec![("日本語。", 0, 4), ("中文。", 4, 7)]),
            (json!({"size": 5, "overlap": 2}), "a b c d e", vec![("a b c", 0, 5), ("c d e", 4, 9)]),
            (
                json!({"size": 2, "unit": "tokens"}),
                "Hello there world",
                vec![("Hello there", 0, 11), ("world", 12, 17)],
            ),
            (json!({"size": 3}), " \n ", vec![]),
            (json!({"size": 3}), "", vec![]),
        ] {
            let found = pieces(settings.clone(), text).await;
            let found: Vec<_> =
                found.iter().map(|(text, start, end)| (text.as_str(), *start, *end)).collect();
            assert_eq!(found, expected, "{settings} over {text:?}");
        }
    }

    #[tokio::test]
    async fn a_piece_is_the_source_from_start_to_end() {
        let text = "Ünïcödé 🦀 e\u{301}. Two\r\n\r\n\tthree — 四五。\n".repeat(60);
        let characters: Vec<char> = text.chars().collect();
        for unit in ["characters", "tokens"] {
            for (size, overlap) in [(1, 0), (7, 3), (50, 0), (50, 49), (100_000, 10)] {
                let settings = json!({"size": size, "overlap": overlap, "unit": unit});
                let pieces = pieces(settings, &text).await;
                assert!(!pieces.is_empty());
                for (text, start, end) in pieces {
                    assert_eq!(text, characters[start..end].iter().collect::<String>());
                }
            }
        }
    }

    #[tokio::test]
    async fn other_fields_are_kept_all_or_those_that_are_named() {
        let row = json!([{"body": "a", "text": "t", "id": 7, "tags": []}]);
        for (settings, expected) in [
            (
                json!({}),
                json!({"text": "a", "chunk": 0, "start": 0, "end": 1, "id": 7, "tags": []}),
            ),
            (
                json!({"keep": ["id"]}),
                json!({"text": "a", "chunk": 0, "start": 0, "end": 1, "id": 7}),
            ),
            (json!({"keep": []}), json!({"text": "a", "chunk": 0, "start": 0, "end": 1})),
        ] {
            let mut all = json!({"field": "body", "size": 10});
            all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
            assert_eq!(apply::<Chunk>(all, row.clone()).await, Ok(vec![expected]));
        }
    }

    #[tokio::test]
    async fn a_record_without_text_is_rejected() {
        for (row, reason) in [
            (json!({"a": 1}), "has no field `text`"),
            (json!({"text": 1}), "field `text` is not a text"),
            (json!({"text": null}), "field `text` is not a text"),
        ] {
            let result = apply::<Chunk>(json!({"size": 5}), json!([row])).await;
            assert_eq!(result, Err(reason.to_owned()));
        }
    }

    #[test]
    fn pieces_have_ids_of_their_own_that_never_change() {
        let Ok(Stage::Heavy(stage)) = build::<Chunk>(json!({"size": 1})) else {
            panic!("chunk is a heavy map")
        };
        let source = record(json!({"text": "a b"}));
        let ids = || stage.apply(&source).unwrap().iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(ids(), [source.id.child(0), source.id.child(1)]);
    }

    #[test]
    fn refuses_settings_that_make_no_sense() {
        for (settings, expected) in [
            (json!({"size": 0}), "size: is 0, so that no piece would fit"),
            (json!({"size": 5, "overlap": 5}), "overlap: is 5, which must be less than `size`, 5"),
            (
                json!({"size": 5, "overlap": 9, "keep": ["end"]}),
                "overlap: is 9, which must be less than `size`, 5\n\
                 keep.0: `end` is a piece's own field",
            ),
            (json!({"size": 5, "keep": ["end"]}), "keep.0: `end` is a piece's own field"),
        ] {
            assert_eq!(refusal::<Chunk>(settings), expected);
        }
    }

    #[test]
    fn says_which_fields_a_piece_has() {
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (added, none) = (strings(&OWN), Vec::new);
        for (settings, expected) in [
            (json!({}), Fields::Changed { added: strings(&OWN), removed: none() }),
            (json!({"field": "body"}), Fields::Changed { added, removed: strings(&["body"]) }),
            (
                json!({"keep": ["id"]}),
                Fields::Exactly(strings(&["text", "chunk", "start", "end", "id"])),
            ),
        ] {
            assert_eq!(Chunk::fields(&settings), expected, "{settings}");
        }
    }
}
