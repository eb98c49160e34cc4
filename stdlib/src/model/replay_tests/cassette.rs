//! Recorded exchanges as the tool `vcr` writes them: YAML, bodies as text or as base64.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use saphyr_parser::{Event, Parser};
use serde_json::Value;

/// A request and its answer.
pub(super) struct Exchange {
    /// The folder of the recording, and its file.
    pub(super) from: (String, String),
    pub(super) method: String,
    /// Behind the host, without what follows `?` or `#`.
    pub(super) path: String,
    pub(super) asked: Value,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    /// As it went over the wire.
    pub(super) body: Vec<u8>,
}

impl Exchange {
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    /// The body as text, unpacked.
    pub(super) fn text(&self) -> String {
        let mut bytes = self.body.clone();
        if self.header("content-encoding") == "gzip" {
            bytes.clear();
            flate2::read::GzDecoder::new(&*self.body).read_to_end(&mut bytes).unwrap();
        }
        String::from_utf8(bytes).unwrap()
    }

    pub(super) fn answer(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap_or_default()
    }
}

/// The exchanges of one file.
pub(super) fn read(path: &Path) -> Vec<Exchange> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut reader = Reader { events: Parser::new_from_str(&text), anchored: BTreeMap::new() };
    let root = reader.document();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let from = (name(path.parent().unwrap()), name(path));
    root.get("interactions").items().iter().map(|one| exchange(one, &from)).collect()
}

fn exchange(one: &Node, from: &(String, String)) -> Exchange {
    let (request, response) = (one.get("request"), one.get("response"));
    let uri = request.get("uri").text();
    let uri = uri.split_once("://").map_or(uri.as_str(), |(_, rest)| rest);
    let path = uri.split_once('/').map_or("", |(_, path)| path);
    let path = path.split(['?', '#']).next().unwrap();
    let headers = response.get("headers").entries().iter();
    let headers = headers
        .flat_map(|(name, values)| values.items().iter().map(|value| (name.clone(), value.text())));
    Exchange {
        from: from.clone(),
        method: request.get("method").text(),
        path: format!("/{path}"),
        asked: serde_json::from_slice(&request.get("body").bytes()).unwrap_or_default(),
        status: response.get("status").get("code").text().parse().unwrap(),
        headers: headers.collect(),
        body: response.get("body").get("string").bytes(),
    }
}

#[derive(Clone)]
enum Node {
    Bytes(Vec<u8>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

const NOTHING: &Node = &Node::Bytes(Vec::new());

impl Node {
    fn get(&self, key: &str) -> &Self {
        let found = self.entries().iter().find(|(name, _)| name == key);
        found.map_or(NOTHING, |(_, value)| value)
    }

    fn entries(&self) -> &[(String, Self)] {
        if let Self::Map(entries) = self { entries } else { &[] }
    }

    fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    fn bytes(&self) -> Vec<u8> {
        if let Self::Bytes(bytes) = self { bytes.clone() } else { Vec::new() }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchored: BTreeMap<usize, Node>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Event<'a> {
        self.events.next().unwrap().unwrap().0
    }

    fn document(&mut self) -> Node {
        loop {
            match self.next() {
                Event::StreamStart | Event::DocumentStart(_) => {}
                event => return self.node(event),
            }
        }
    }

    fn node(&mut self, event: Event<'a>) -> Node {
        let (anchor, node) = match event {
            Event::Alias(anchor) => return self.anchored[&anchor].clone(),
            Event::Scalar(text, _, anchor, tag) => {
                let is_binary = tag.is_some_and(|tag| tag.suffix == "binary");
                (anchor, Node::Bytes(scalar(&text, is_binary)))
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next() {
                        Event::SequenceEnd => break (anchor, Node::List(items)),
                        event => items.push(self.node(event)),
                    }
                }
            }
            Event::MappingStart(anchor, _) => {
                let mut entries = Vec::new();
                loop {
                    match self.next() {
                        Event::MappingEnd => break (anchor, Node::Map(entries)),
                        event => {
                            let key = self.node(event).text();
                            let value = self.next();
                            entries.push((key, self.node(value)));
                        }
                    }
                }
            }
            other => panic!("{other:?}"),
        };
        if anchor > 0 {
            self.anchored.insert(anchor, node.clone());
        }
        node
    }
}

fn scalar(text: &str, is_binary: bool) -> Vec<u8> {
    if !is_binary {
        return text.as_bytes().to_vec();
    }
    let packed: String = text.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(packed).unwrap()
}
