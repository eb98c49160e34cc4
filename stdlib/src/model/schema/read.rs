//! From the spanned tree of a schema file to an [`EntitySchema`], with every mistake at its line.

use std::sync::Arc;

use flow_dsl::tree::{Entry, Node, Value};
use flow_dsl::{Code, Diagnostic, SourceFile, Spanned, suggest};

use super::values::Reader;
use super::{EntitySchema, Field, FieldType, Finder, Kind, Weights};

const TYPES: [&str; 5] = ["string", "number", "integer", "boolean", "list"];

/// The whole, in words.
pub(super) const WHOLE: &str = "an entity schema";

/// Reads an entity schema.
pub(crate) fn read(node: &Node, source: &Arc<SourceFile>) -> Result<EntitySchema, Vec<Diagnostic>> {
    let mut reader =
        Reader { source: node.source.as_ref().unwrap_or(source), diagnostics: Vec::new() };
    let schema = reader.schema(node);
    if reader.diagnostics.is_empty() { Ok(schema) } else { Err(reader.diagnostics) }
}

impl Reader<'_> {
    fn schema(&mut self, node: &Node) -> EntitySchema {
        let usual = crate::model::sentences::INTERVIEWERS;
        let mut skip_speakers: Vec<String> = usual.iter().map(|&name| name.to_owned()).collect();
        let mut kinds = Vec::new();
        let mut has_kinds = false;
        for (key, value) in self.known(node, WHOLE, &["kinds", "skip_speakers", "title"]) {
            match key {
                "kinds" => {
                    has_kinds = true;
                    kinds = self.kinds(value);
                }
                "skip_speakers" => {
                    let names = self.texts(value, key);
                    skip_speakers = names
                        .iter()
                        .map(|name| crate::model::plain::key(name.value.trim()))
                        .collect();
                }
                _ => {
                    self.text(value, key);
                }
            }
        }
        if !has_kinds && self.diagnostics.is_empty() && node.value != Value::Bad {
            let span = flow_dsl::Span::new(node.span.start, node.span.start);
            let help = "name the kinds of entity to look for under `kinds:`";
            self.wrong(Code::F0513, span, "the schema has no `kinds`".to_owned(), help);
        }
        EntitySchema { kinds, skip_speakers }
    }

    fn kinds(&mut self, node: &Node) -> Vec<Kind> {
        let entries = self.map(node, "kinds");
        if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
            let help = "name the kinds of entity to look for under `kinds:`";
            self.wrong(Code::F0513, node.span, "`kinds` is empty".to_owned(), help);
        }
        entries.iter().map(|entry| self.kind(entry)).collect()
    }

    fn kind(&mut self, entry: &Entry) -> Kind {
        self.name(&entry.key, "kind");
        let mut kind = Kind {
            name: entry.key.value.clone(),
            span: entry.key.span,
            description: String::new(),
            fields: Vec::new(),
            cues: Vec::new(),
            hints: Vec::new(),
            unless: Vec::new(),
            patterns: Vec::new(),
            words: Vec::new(),
            weights: Weights::USUAL,
        };
        let keys =
            &["description", "fields", "cues", "hints", "unless", "patterns", "words", "weights"];
        if entry.value.value == Value::Null {
            return kind;
        }
        for (key, value) in self.known(&entry.value, &format!("the kind `{}`", kind.name), keys) {
            match key {
                "description" => {
                    kind.description =
                        self.text(value, key).map(|text| text.value).unwrap_or_default();
                }
                "fields" => kind.fields = self.fields(value),
                "cues" => kind.cues = self.phrases(value, key),
                "hints" => kind.hints = self.phrases(value, key),
                "unless" => kind.unless = self.phrases(value, key),
                "patterns" => kind.patterns = self.patterns(value, key),
                "words" => kind.words = self.words(value),
                _ => kind.weights = self.weights(value),
            }
        }
        kind
    }

    /// `[SAP, Excel]`, or a map from names to their spellings.
    fn words(&mut self, node: &Node) -> Vec<(String, Vec<String>)> {
        if !matches!(node.value, Value::Map(_)) {
            let words = self.phrases(node, "words").into_iter();
            return words.map(|word| (word.clone(), vec![word])).collect();
        }
        let names: Vec<Spanned<String>> =
            node.entries().iter().map(|entry| entry.key.clone()).collect();
        self.only_once(&names, "words");
        let entries = node.entries().iter();
        entries
            .map(|entry| {
                let name = entry.key.value.clone();
                let spellings = match entry.value.value {
                    Value::Null => vec![name.clone()],
                    _ => self.phrases(&entry.value, &name),
                };
                (name, spellings)
            })
            .collect()
    }

    fn weights(&mut self, node: &Node) -> Weights {
        let mut weights = Weights::USUAL;
        for (key, value) in self.known(node, "`weights`", &["cue", "hint", "pattern", "word"]) {
            let Some(share) = self.share(value, key) else { continue };
            match key {
                "cue" => weights.cue = share,
                "hint" => weights.hint = share,
                "pattern" => weights.pattern = share,
                _ => weights.word = share,
            }
        }
        weights
    }

    fn fields(&mut self, node: &Node) -> Vec<Field> {
        let entries = self.map(node, "fields").iter();
        entries
            .map(|entry| {
                self.name(&entry.key, "field");
                self.field(entry)
            })
            .collect()
    }

    /// `string`, or `[low, high]`, or a map.
    fn field(&mut self, entry: &Entry) -> Field {
        let mut field = Field {
            name: entry.key.value.clone(),
            description: String::new(),
            of: FieldType::Text,
            find: Vec::new(),
        };
        if !matches!(entry.value.value, Value::Map(_)) {
            field.of = self.short_type(&entry.value, &field.name);
            return field;
        }
        let what = format!("the field `{}`", field.name);
        let known = self.known(&entry.value, &what, &["type", "enum", "description", "find"]);
        let choices = known.iter().any(|(key, _)| *key == "enum");
        for (key, value) in known.iter().copied().filter(|(key, _)| *key != "find") {
            match key {
                "description" => {
                    field.description =
                        self.text(value, key).map(|text| text.value).unwrap_or_default();
                }
                "enum" => field.of = self.choices(value, key),
                _ => {
                    let of = self.type_named(value);
                    if !choices {
                        field.of = of;
                    }
                }
            }
        }
        for (_, value) in known.iter().filter(|(key, _)| *key == "find") {
            field.find = self.finders(value, &field);
        }
        field
    }

    fn short_type(&mut self, node: &Node, name: &str) -> FieldType {
        match &node.value {
            Value::List(_) => self.choices(node, name),
            _ => self.type_named(node),
        }
    }

    fn choices(&mut self, node: &Node, name: &str) -> FieldType {
        let choices = self.texts(node, name);
        if choices.is_empty() && matches!(node.value, Value::List(_)) {
            let help = "list the values that the field can have";
            self.wrong(Code::F0511, node.span, format!("`{name}` has no values"), help);
        }
        FieldType::Choice(choices.into_iter().map(|choice| choice.value).collect())
    }

    fn type_named(&mut self, node: &Node) -> FieldType {
        let Some(name) = self.text(node, "type") else { return FieldType::Text };
        match name.value.as_str() {
            "string" => FieldType::Text,
            "number" => FieldType::Number,
            "integer" => FieldType::Integer,
            "boolean" => FieldType::Boolean,
            "list" => FieldType::Texts,
            other => {
                let help = match suggest::closest(other, TYPES) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!("it may be: {}, or a list of values", TYPES.join(", ")),
                };
                let message = format!("no type called `{other}`");
                self.wrong(Code::F0511, name.span, message, &help);
                FieldType::Text
            }
        }
    }

    /// Patterns; for a field with choices, a map from each choice to its patterns.
    fn finders(&mut self, node: &Node, field: &Field) -> Vec<Finder> {
        let FieldType::Choice(choices) = &field.of else {
            let patterns = self.patterns(node, "find").into_iter();
            return patterns.map(|pattern| Finder { pattern, choice: None }).collect();
        };
        let mut finders = Vec::new();
        for entry in self.map(node, "find") {
            if !choices.contains(&entry.key.value) {
                let message = format!("`{}` is no value of `{}`", entry.key.value, field.name);
                let help = format!("its values are: {}", choices.join(", "));
                self.wrong(Code::F0510, entry.key.span, message, &help);
                continue;
            }
            for pattern in self.patterns(&entry.value, "find") {
                finders.push(Finder { pattern, choice: Some(entry.key.value.clone()) });
            }
        }
        finders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<EntitySchema, Vec<Diagnostic>> {
        let source = SourceFile::new("schema.yaml", text);
        let (node, diagnostics) = flow_dsl::parse::yaml(&source);
        if diagnostics.is_empty() { read(&node, &source) } else { Err(diagnostics) }
    }

    fn mistakes(text: &str) -> Vec<String> {
        let diagnostics = read_text(text).err().unwrap_or_default();
        let line = |found: &Diagnostic| found.source.line_column(found.label.span.start).0;
        diagnostics.iter().map(|found| format!("{}: {}", line(found), found.message)).collect()
    }

    #[test]
    fn a_schema_is_read_in_its_short_and_long_forms() {
        let schema = read_text(
            "kinds:\n  pain:\n    description: what hurts\n    fields:\n      level: [low, high]\n      \
             owner: string\n      cost: {type: number, find: '(\\d+)'}\n    cues: by hand\n  \
             tool:\n    words: {Excel: [Excel, spreadsheet], SAP: }\n    weights: {word: 0.5}\n",
        )
        .unwrap();
        let [pain, tool] = &schema.kinds[..] else { panic!("{schema:?}") };
        assert_eq!(pain.fields[0].of, FieldType::Choice(vec!["low".into(), "high".into()]));
        assert_eq!(pain.fields[2].of, FieldType::Number);
        assert_eq!(pain.cues, ["by hand"]);
        assert_eq!(tool.words[1], ("SAP".to_owned(), vec!["SAP".to_owned()]));
        assert_eq!(tool.weights, Weights { word: 0.5, ..Weights::USUAL });
        assert!(schema.skip_speakers.contains(&"interviewer".to_owned()));
    }

    #[test]
    fn all_mistakes_are_told_at_their_lines() {
        let text = "kind: {}\nkinds:\n  Pain Point:\n    cue: [a]\n    cues: [a, Á, '!']\n    \
                    patterns: ['(', 'a*', 'x{1000}{1000}{1000}']\n  ok:\n    fields:\n      a: strin\n      \
                    b: {enum: [], find: 1}\n      c: {enum: [x], find: {y: z}}\n    weights: {cue: 7}\n    \
                    description: [1]\n    words: {SAP: {}}\n";
        insta::assert_snapshot!(mistakes(text).join("\n"), @r"
        1: `kind` means nothing in an entity schema
        3: `Pain Point` cannot be the name of a kind
        4: `cue` means nothing in the kind `Pain Point`
        5: `Á` stands twice in `cues`
        5: `!` in `cues` holds no word
        6: not a regular expression: unclosed group
        6: the pattern fits nothing at all, so it fits everywhere
        6: the pattern is too large
        9: no type called `strin`
        10: `enum` has no values
        10: `find` is a number, not a map
        11: `y` is no value of `c`
        12: `cue` is not a number from 0 to 1
        13: `description` is a list, not a text
        14: `SAP` is a map, not a list of texts
        ");
    }

    #[test]
    fn a_schema_without_kinds_finds_nothing() {
        for (text, expected) in [
            ("", "1: an entity schema is empty, not a map"),
            ("title: x\n", "1: the schema has no `kinds`"),
            ("kinds: {}\n", "1: `kinds` is empty"),
            ("kinds:\n", "1: `kinds` is empty, not a map"),
            ("- a\n", "1: an entity schema is a list, not a map"),
        ] {
            assert_eq!(mistakes(text), [expected], "{text:?}");
        }
    }
}
