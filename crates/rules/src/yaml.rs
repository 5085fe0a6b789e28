//! YAML as a tree that knows its lines, so that what is refused can be named by place.

use yaml_rust2::parser::{Event, MarkedEventReceiver, Parser};
use yaml_rust2::scanner::{Marker, TScalarStyle};

/// A node and the line it begins in, from 1.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) body: Body,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Null,
    Bool(bool, String),
    Int(i64, String),
    Float(f64, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, usize, Node)>),
}

impl Node {
    /// The value under a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.body {
            Body::Map(pairs) => pairs.iter().find(|(k, ..)| k == key).map(|(.., v)| v),
            _ => None,
        }
    }

    /// A scalar as it is written.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.body {
            Body::Text(t) | Body::Bool(_, t) | Body::Int(_, t) | Body::Float(_, t) => Some(t),
            _ => None,
        }
    }

    /// A list, or a single node as a list of one.
    pub(crate) fn list(&self) -> &[Node] {
        match &self.body {
            Body::List(list) => list,
            _ => std::slice::from_ref(self),
        }
    }

    /// The texts of a list under a key.
    pub(crate) fn texts(&self, key: &str) -> Vec<&str> {
        self.get(key).map(|n| n.list().iter().filter_map(Node::text).collect()).unwrap_or_default()
    }
}

/// Deepest nesting read.
const DEEPEST: usize = 32;
/// Blanks and marks that a line may begin with.
const DEEPEST_LINE: usize = 512;
/// Most nodes of a file.
const MOST: usize = 262_144;

/// Reads all documents of a text.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, (usize, String)> {
    // The parser calls itself for each level: what lies deeper than any rule must not reach it.
    let lead = |l: &str| l.bytes().take_while(|b| b" -?:".contains(b)).count();
    if let Some(line) = text.lines().position(|l| lead(l) > DEEPEST_LINE) {
        return Err((line + 1, "nested too deep".into()));
    }
    let mut sink = Tree::default();
    let mut parser = Parser::new_from_str(text);
    parser.load(&mut sink, true).map_err(|e| (e.marker().line().max(1), e.info().to_owned()))?;
    match sink.fault {
        Some(fault) => Err(fault),
        None => Ok(sink.documents),
    }
}

#[derive(Default)]
struct Tree {
    documents: Vec<Node>,
    open: Vec<(Node, Option<(String, usize)>)>,
    nodes: usize,
    fault: Option<(usize, String)>,
}

impl Tree {
    fn put(&mut self, node: Node) {
        self.nodes += 1;
        let Some((parent, key)) = self.open.last_mut() else {
            self.documents.push(node);
            return;
        };
        match &mut parent.body {
            Body::List(list) => list.push(node),
            Body::Map(pairs) => match key.take() {
                None => match node.text() {
                    Some(text) => *key = Some((text.to_owned(), node.line)),
                    None => self.fault = Some((node.line, "a key that is no plain value".into())),
                },
                Some((name, line)) => {
                    if pairs.iter().any(|(k, ..)| *k == name) {
                        self.fault = Some((line, format!("the key `{name}` stands here twice")));
                    }
                    pairs.push((name, line, node));
                }
            },
            _ => {}
        }
    }

    fn begin(&mut self, line: usize, body: Body) {
        self.open.push((Node { line, body }, None));
        if self.open.len() > DEEPEST || self.nodes > MOST {
            self.fault = Some((line, "nested too deep, or too large".into()));
        }
    }

    fn end(&mut self) {
        if let Some((node, _)) = self.open.pop() {
            self.put(node);
        }
    }
}

impl MarkedEventReceiver for Tree {
    fn on_event(&mut self, event: Event, mark: Marker) {
        if self.fault.is_some() {
            return;
        }
        let line = mark.line().max(1);
        match event {
            Event::Scalar(text, style, ..) => {
                let body = if style == TScalarStyle::Plain { plain(text) } else { Body::Text(text) };
                self.put(Node { line, body });
            }
            Event::SequenceStart(..) => self.begin(line, Body::List(Vec::new())),
            Event::MappingStart(..) => self.begin(line, Body::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(_) => self.fault = Some((line, "aliases of YAML are not read".into())),
            _ => {}
        }
    }
}

/// An unquoted scalar by the core schema of YAML 1.2.
fn plain(text: String) -> Body {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Body::Null,
        "true" | "True" | "TRUE" => return Body::Bool(true, text),
        "false" | "False" | "FALSE" => return Body::Bool(false, text),
        _ => {}
    }
    if let Some(n) = text.strip_prefix("0x").and_then(|h| i64::from_str_radix(h, 16).ok()) {
        return Body::Int(n, text);
    }
    if let Ok(n) = text.parse::<i64>() {
        return Body::Int(n, text);
    }
    match text.parse::<f64>() {
        Ok(f) if f.is_finite() && text.bytes().any(|b| b.is_ascii_digit()) => Body::Float(f, text),
        _ => Body::Text(text),
    }
}
