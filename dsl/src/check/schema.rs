//! JSON Schema as the stages give it: references followed, variants laid open.

use serde_json::Value as Json;

use crate::tree::Value;

/// A place in a JSON Schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema<'a> {
    root: &'a Json,
    here: &'a Json,
}

impl<'a> Schema<'a> {
    /// The whole of a schema.
    pub(super) fn new(root: &'a Json) -> Self {
        Self { root, here: root }.resolved()
    }

    fn at(self, here: &'a Json) -> Self {
        Self { root: self.root, here }.resolved()
    }

    /// Follows references; one that leads in a circle or nowhere allows anything.
    fn resolved(mut self) -> Self {
        for _ in 0..32 {
            let next = match (self.here.get("$ref"), self.here.get("allOf")) {
                (Some(Json::String(pointer)), _) => pointer
                    .strip_prefix('#')
                    .and_then(|pointer| self.root.pointer(pointer))
                    .unwrap_or(&Json::Null),
                (_, Some(Json::Array(all))) if all.len() == 1 => &all[0],
                _ => return self,
            };
            self.here = next;
        }
        Self { root: self.root, here: &Json::Null }
    }

    fn word(self, key: &str) -> Option<&'a Json> {
        self.here.get(key)
    }

    /// `format`.
    pub(super) fn format(self) -> Option<&'a str> {
        self.word("format").and_then(Json::as_str)
    }

    /// `given`: names that a template knows besides the fields of a record.
    pub(super) fn gives(self, name: &str) -> bool {
        let given = self.word("given").and_then(Json::as_array);
        given.is_some_and(|given| given.iter().any(|known| known == name))
    }

    /// The schema of a property.
    pub(super) fn property(self, key: &str) -> Option<Self> {
        self.word("properties").and_then(|all| all.get(key)).map(|here| self.at(here))
    }

    /// The names of the properties.
    pub(super) fn properties(self) -> Vec<&'a str> {
        let all = self.word("properties").and_then(Json::as_object);
        all.map_or_else(Vec::new, |all| all.keys().map(String::as_str).collect())
    }

    /// The names of the properties that must be there.
    pub(super) fn required(self) -> Vec<&'a str> {
        let all = self.word("required").and_then(Json::as_array);
        all.map_or_else(Vec::new, |all| all.iter().filter_map(Json::as_str).collect())
    }

    /// The schema of properties that are not named: none when there may be no others.
    pub(super) fn additional(self) -> Option<Self> {
        match self.word("additionalProperties") {
            Some(Json::Bool(false)) => None,
            Some(schema) => Some(self.at(schema)),
            None => Some(Self { root: self.root, here: &Json::Null }),
        }
    }

    /// The schema of the items of a list.
    pub(super) fn items(self) -> Self {
        self.at(self.word("items").unwrap_or(&Json::Null))
    }

    /// A bound such as `minimum`.
    pub(super) fn bound(self, key: &str) -> Option<f64> {
        self.word(key).and_then(Json::as_f64)
    }

    /// `oneOf` and `anyOf`.
    pub(super) fn variants(self) -> Vec<Self> {
        let all = self.word("oneOf").or(self.word("anyOf")).and_then(Json::as_array);
        all.map_or_else(Vec::new, |all| all.iter().map(|here| self.at(here)).collect())
    }

    /// The only values that are allowed, when they are listed.
    pub(super) fn constants(self) -> Option<Vec<&'a Json>> {
        if let Some(only) = self.word("const") {
            return Some(vec![only]);
        }
        if let Some(Json::Array(all)) = self.word("enum") {
            return Some(all.iter().collect());
        }
        let variants = self.variants();
        if variants.is_empty() {
            return None;
        }
        let lists: Option<Vec<_>> = variants.into_iter().map(Self::constants).collect();
        lists.map(|lists| lists.into_iter().flatten().collect())
    }

    /// The names of types; empty when any is allowed.
    pub(super) fn types(self) -> Vec<&'a str> {
        match self.word("type") {
            Some(Json::String(one)) => vec![one],
            Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).collect(),
            _ => match self.constants() {
                Some(all) if self.variants().is_empty() => all.into_iter().map(json_type).collect(),
                _ => Vec::new(),
            },
        }
    }

    /// Whether anything at all is allowed.
    pub(super) fn is_any(self) -> bool {
        let closed = ["type", "const", "enum"].iter().any(|key| self.word(key).is_some());
        !closed && !self.has_variants()
    }

    /// Whether there are several variants.
    pub(super) fn has_variants(self) -> bool {
        let all = self.word("oneOf").or(self.word("anyOf")).and_then(Json::as_array);
        all.is_some_and(|all| !all.is_empty())
    }

    /// Whether there is a list of the only values that are allowed.
    pub(super) fn is_constant(self) -> bool {
        self.word("const").is_some()
            || matches!(self.word("enum"), Some(Json::Array(_)))
            || self.has_variants() && self.variants().into_iter().all(Self::is_constant)
    }

    /// Whether a value has one of the types, here or in a variant.
    pub(super) fn admits(self, value: &Value) -> bool {
        if self.has_variants() {
            return self.variants().into_iter().any(|variant| variant.admits(value));
        }
        if let Some(Json::String(name)) = self.word("type") {
            return is_type(name, value);
        }
        let types = self.types();
        types.is_empty() || types.iter().any(|name| is_type(name, value))
    }

    /// What is allowed, in words.
    pub(super) fn words(self) -> String {
        let mut words = Vec::new();
        self.collect_words(&mut words);
        match words.split_last() {
            None => "something else".to_owned(),
            Some((last, [])) => last.clone(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        }
    }

    fn collect_words(self, words: &mut Vec<String>) {
        for variant in self.variants() {
            variant.collect_words(words);
        }
        let types = self.types();
        let both = types.contains(&"integer") && types.contains(&"number");
        for name in types {
            let word = match name {
                "string" => super::format::words(self.format().unwrap_or_default()),
                "integer" if !both => "a whole number",
                "number" => "a number",
                "boolean" => "`true` or `false`",
                "array" => "a list",
                "object" => "a map",
                _ => continue,
            };
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
    }
}

const fn json_type(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

fn is_type(name: &str, value: &Value) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(text) => {
            name == "number"
                || name == "integer"
                    && text.parse::<f64>().is_ok_and(|number| number.fract() == 0.0)
        }
        Value::String(_) => name == "string",
        Value::List(_) => name == "array",
        Value::Map(_) => name == "object",
        Value::Bad => true,
    }
}
