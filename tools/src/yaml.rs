//! YAML 1.2 to [`Node`]: the core schema and nothing more, with the line of everything.

mod scalar;
mod spelling;

use std::fmt;

use portcullis_engine::config::{Key, Node, NodeValue};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

pub use self::spelling::{is_mistakable, spelled_out};

#[cfg(test)]
mod tests;

/// Nesting deeper than this is refused; `serde_json` has the same limit.
const MAX_DEPTH: usize = 128;

/// Values that anchors and aliases may copy: a few lines of YAML can stand for billions ("billion laughs").
const MAX_COPIES: usize = 100_000;

/// Why a text is not a document that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Parses the single document of a YAML text. Repeated keys are kept, for the engine to report.
///
/// # Errors
/// The first thing that is wrong with the text, and where.
pub fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    builder.stream(&mut parser)
}

type Events<'t> = Parser<'t, StrInput<'t>>;

/// Builds nodes from events.
#[derive(Default)]
struct Builder {
    /// Finished nodes that aliases may name, by the parser's id.
    anchors: Vec<Option<Built>>,
    copies: usize,
}

/// A finished node, and what a copy of it would cost.
#[derive(Clone)]
struct Built {
    node: Node,
    /// How many nodes it is.
    size: usize,
    /// How many levels it adds.
    height: usize,
}

/// A value before it has a line.
struct Content {
    value: NodeValue,
    size: usize,
    height: usize,
}

impl Builder {
    fn stream(&mut self, events: &mut Events<'_>) -> Result<Node, SyntaxError> {
        let mut document = None;
        loop {
            let (event, span) = next(events)?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => return Ok(document.unwrap_or_else(|| Node::new(NodeValue::Null))),
                first if document.is_none() => document = Some(self.node(events, first, span, 0)?.node),
                _ => return Err(error(span, "a second document starts here; a policy is a single one")),
            }
        }
    }

    /// Builds the node that starts with this event.
    fn node(
        &mut self,
        events: &mut Events<'_>,
        event: Event<'_>,
        span: Span,
        depth: usize,
    ) -> Result<Built, SyntaxError> {
        let (anchor, Content { value, size, height }) = match event {
            Event::Alias(anchor) => return self.alias(anchor, span, depth),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let value = scalar::resolve(&text, plain, tag.as_deref()).map_err(|message| error(span, &message))?;
                (anchor, Content { value, size: 1, height: 0 })
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", span)?;
                let content = self.sequence(events, below(depth, span)?)?;
                (anchor, content)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", span)?;
                let content = self.mapping(events, below(depth, span)?)?;
                (anchor, content)
            }
            _ => return Err(error(span, "expected a value here")),
        };
        let built = Built { node: Node { line: Some(line(span)), value }, size, height };
        self.remember(anchor, &built, span)?;
        Ok(built)
    }

    fn sequence(&mut self, events: &mut Events<'_>, depth: usize) -> Result<Content, SyntaxError> {
        let (mut items, mut size, mut height) = (Vec::new(), 1_usize, 1);
        loop {
            let (event, span) = next(events)?;
            if event == Event::SequenceEnd {
                return Ok(Content { value: NodeValue::Seq(items), size, height });
            }
            let item = self.node(events, event, span, depth)?;
            size = size.saturating_add(item.size);
            height = height.max(item.height + 1);
            items.push(item.node);
        }
    }

    fn mapping(&mut self, events: &mut Events<'_>, depth: usize) -> Result<Content, SyntaxError> {
        let (mut members, mut size, mut height) = (Vec::new(), 1_usize, 1);
        loop {
            let (event, span) = next(events)?;
            if event == Event::MappingEnd {
                return Ok(Content { value: NodeValue::Map(members), size, height });
            }
            let key = self.key(event, span)?;
            let (event, span) = next(events)?;
            let value = self.node(events, event, span, depth)?;
            size = size.saturating_add(value.size).saturating_add(1);
            height = height.max(value.height + 1);
            members.push((key, value.node));
        }
    }

    /// Field names are text, whatever their spelling would mean as a value: `8080` and `true` are names, as in JSON.
    fn key(&mut self, event: Event<'_>, span: Span) -> Result<Key, SyntaxError> {
        let line = Some(line(span));
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let value = scalar::resolve(&text, plain, tag.as_deref()).map_err(|message| error(span, &message))?;
                if plain && text == "<<" {
                    return Err(error(span, "`<<` is not YAML 1.2: an alias stands for a whole value, not for a part"));
                }
                self.remember(anchor, &Built { node: Node { line, value }, size: 1, height: 0 }, span)?;
                Ok(Key { line, name: text.into_owned() })
            }
            Event::Alias(anchor) => match self.alias(anchor, span, 0)?.node.value {
                NodeValue::String(name) => Ok(Key { line, name }),
                _ => Err(error(span, "a key must be text")),
            },
            _ => Err(error(span, "a list or a mapping cannot be a key")),
        }
    }

    /// A copy of what an anchor names. It keeps the anchor's own lines: that is where a mistake in it is mended.
    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Result<Built, SyntaxError> {
        let named = self.anchors.get(anchor).and_then(Option::as_ref);
        let Some(Built { size, height, .. }) = named else {
            return Err(error(span, "an alias inside the very value it names"));
        };
        let (size, height) = (*size, *height);
        if depth + height > MAX_DEPTH {
            return Err(too_deep(span));
        }
        self.charge(size, span)?;
        self.anchors.get(anchor).cloned().flatten().ok_or_else(|| error(span, "an alias of nothing"))
    }

    fn remember(&mut self, anchor: usize, built: &Built, span: Span) -> Result<(), SyntaxError> {
        // Ids start at 1; 0 is for nodes without an anchor.
        if anchor == 0 {
            return Ok(());
        }
        self.charge(built.size, span)?;
        if self.anchors.len() <= anchor {
            self.anchors.resize(anchor + 1, None);
        }
        if let Some(slot) = self.anchors.get_mut(anchor) {
            *slot = Some(built.clone());
        }
        Ok(())
    }

    fn charge(&mut self, nodes: usize, span: Span) -> Result<(), SyntaxError> {
        self.copies = self.copies.saturating_add(nodes);
        if self.copies > MAX_COPIES {
            return Err(error(span, &format!("anchors and aliases stand for more than {MAX_COPIES} values")));
        }
        Ok(())
    }
}

/// The depth inside a collection that stands at this depth.
fn below(depth: usize, span: Span) -> Result<usize, SyntaxError> {
    if depth >= MAX_DEPTH { Err(too_deep(span)) } else { Ok(depth + 1) }
}

fn too_deep(span: Span) -> SyntaxError {
    error(span, &format!("nested more than {MAX_DEPTH} deep"))
}

fn next<'t>(events: &mut Events<'t>) -> Result<(Event<'t>, Span), SyntaxError> {
    match events.next_event() {
        Some(Ok(event)) => Ok(event),
        Some(Err(problem)) => {
            Err(SyntaxError { line: u32::try_from(problem.marker().line()).ok(), message: lower_case(problem.info()) })
        }
        None => Err(SyntaxError { line: None, message: "the text ends too early".to_owned() }),
    }
}

/// The core schema's own tag for a collection says nothing new; any other is refused.
fn check_tag(tag: Option<&Tag>, kind: &str, span: Span) -> Result<(), SyntaxError> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == kind => Ok(()),
        Some(tag) => Err(error(span, &scalar::unknown_tag(tag))),
    }
}

fn line(span: Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX)
}

fn error(span: Span, message: &str) -> SyntaxError {
    SyntaxError { line: Some(line(span)), message: message.to_owned() }
}

fn lower_case(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
