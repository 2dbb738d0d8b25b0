//! What a scalar means under the core schema of YAML 1.2, chapter 10.3.

use portcullis_engine::config::NodeValue;
use saphyr_parser::Tag;

/// Resolves a scalar: quoted and block scalars are text, plain ones what their spelling says, and a tag of the core
/// schema overrides both.
///
/// # Errors
/// The tag is not one of the core schema, or the text does not fit it.
pub fn resolve(text: &str, plain: bool, tag: Option<&Tag>) -> Result<NodeValue, String> {
    let string = || NodeValue::String(text.to_owned());
    let Some(tag) = tag else {
        return Ok(if plain { resolve_plain(text) } else { string() });
    };
    // A lone `!` says "not what its spelling says" (chapter 6.9.1): text, for a scalar.
    if tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty() {
        return Ok(string());
    }
    if !tag.is_yaml_core_schema() {
        return Err(unknown_tag(tag));
    }
    let value = resolve_plain(text);
    let fits = match tag.suffix.as_str() {
        "str" => return Ok(string()),
        "null" => matches!(value, NodeValue::Null),
        "bool" => matches!(value, NodeValue::Bool(_)),
        "int" => matches!(value, NodeValue::Number(number) if number.fract() == 0.0) && !text.contains(['.', 'e', 'E']),
        "float" => matches!(value, NodeValue::Number(_)),
        _ => return Err(unknown_tag(tag)),
    };
    if fits {
        Ok(value)
    } else {
        Err(format!("`{}` is not what its tag `!!{}` says", crate::terminal::visible(text), tag.suffix))
    }
}

/// The message for a tag that means nothing here.
pub fn unknown_tag(tag: &Tag) -> String {
    format!("the tag `{}` means nothing here", crate::terminal::visible(&tag.to_string()))
}

/// Chapter 10.3.2, tag resolution.
fn resolve_plain(text: &str) -> NodeValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeValue::Null,
        "true" | "True" | "TRUE" => return NodeValue::Bool(true),
        "false" | "False" | "FALSE" => return NodeValue::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| NodeValue::String(text.to_owned()), NodeValue::Number)
}

/// Integers and floats of the core schema. `.inf` and `.nan` are numbers too, but JSON has no such thing and no
/// policy has a use for it: they stay text, and the engine says that a number is wanted.
fn number(text: &str) -> Option<f64> {
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    // [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match fraction {
        None => digits(whole),
        Some(fraction) if whole.is_empty() => digits(fraction),
        Some(fraction) => digits(whole) && (fraction.is_empty() || digits(fraction)),
    };
    let exponent_fits = exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    if !(mantissa_fits && exponent_fits) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn radix(digits: &str, radix: u32) -> Option<f64> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "see NodeValue::Number")]
    u64::from_str_radix(digits, radix).ok().map(|number| number as f64)
}
