//! The same text for readers of other YAML than 1.2's core schema: what they would take for something else is spelled so that
//! they cannot.

use portcullis_engine::config::{Node, NodeValue};
use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{SyntaxError, next, scalar};

/// What a collection asks for next.
enum Place {
    Item,
    Key,
    Value,
}

/// A text that was parsed, comments and all, but for plain scalars that YAML 1.1 (Kubernetes' reader) may take for another value:
/// `yes`, `010`, `1e3`, `12:30`. Text is in quotes then, numbers are decimal, booleans and null in lower case.
///
/// # Errors
/// The text is no YAML.
pub fn spelled_out(text: &str) -> Result<String, SyntaxError> {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    let mut open: Vec<Place> = Vec::new();
    let mut parser = Parser::new_from_str(text);
    loop {
        let (event, span) = next(&mut parser)?;
        let is_key = matches!(open.last(), Some(Place::Key));
        match event {
            Event::StreamEnd => break,
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                continue;
            }
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {}
            _ => continue,
        }
        match open.last_mut() {
            Some(place @ Place::Key) => *place = Place::Value,
            Some(place @ Place::Value) => *place = Place::Key,
            _ => {}
        }
        match event {
            Event::SequenceStart(..) => open.push(Place::Item),
            Event::MappingStart(..) => open.push(Place::Key),
            Event::Scalar(own, ScalarStyle::Plain, _, tag) => {
                let value = if is_key {
                    Ok(NodeValue::String(own.to_string()))
                } else {
                    scalar::resolve(&own, true, tag.as_deref())
                };
                let place = starts.get(span.start.index()).zip(starts.get(span.end.index()));
                let (Ok(value), Some((start, end))) = (value, place) else { continue };
                if let Some(instead) = unmistakable(&own, value) {
                    let bare = without_properties(text.get(*start..*end).unwrap_or_default());
                    out.push_str(text.get(copied..end.saturating_sub(bare.len())).unwrap_or_default());
                    out.push_str(&instead);
                    copied = *end;
                }
            }
            _ => {}
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Ok(out)
}

/// A plain scalar without the anchor and the tag before it (chapter 6.9), with which no such scalar begins.
fn without_properties(mut text: &str) -> &str {
    while text.starts_with(['&', '!', '#']) {
        let is_comment = text.starts_with('#');
        let ends = |letter: char| if is_comment { matches!(letter, '\n' | '\r') } else { letter.is_ascii_whitespace() };
        text = text.find(ends).and_then(|end| text.get(end..)).unwrap_or_default().trim_start();
    }
    text
}

/// A plain scalar in a spelling that every reader takes for this; `None` where it is in one.
fn unmistakable(text: &str, value: NodeValue) -> Option<String> {
    let is_fine = match &value {
        NodeValue::Null => text.is_empty(),
        NodeValue::String(value) => value == text && !is_mistakable(text),
        _ => false,
    };
    // JSON's spellings are everybody's.
    let instead = if is_fine { None } else { Some(Node::new(value).to_canonical_json().to_string()) };
    instead.filter(|instead| instead != text)
}

/// Whether YAML 1.1 has more than text in these letters: booleans, null, and numbers of every kind, of base 60 too, and times.
pub fn is_mistakable(text: &str) -> bool {
    const WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"];
    let numeric = |byte: u8| byte.is_ascii_hexdigit() || b"xXoO_.,:+-tTzZ inN".contains(&byte);
    text.is_empty()
        || WORDS.contains(&text.to_ascii_lowercase().as_str())
        || (text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
            && text.bytes().all(numeric))
}
