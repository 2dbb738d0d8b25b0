//! `portcullis token inspect`: what a token says, whoever wrote it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use serde_json::value::RawValue;

use crate::cli::InspectArgs;
use crate::exit::{Exit, Failure};
use crate::input;
use crate::object::Object;
use crate::terminal::{Terminal, visible};
use crate::time;

#[cfg(test)]
mod tests;

/// Claims that hold a time: RFC 7519 section 4.1, OpenID Connect Core section 2.
const TIME_CLAIMS: [&str; 4] = ["exp", "nbf", "iat", "auth_time"];

/// Prints the header and the claims.
///
/// # Errors
/// It is not a token.
pub fn run(args: &InspectArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let text = input::token(args.file.as_deref())?;
    let token = Token::parse(&text).map_err(|problem| {
        Failure::invalid(format!("not a JSON Web Token: {problem}"))
            .remedy("pass one token: three base64url parts with dots between them")
    })?;
    terminal.warn("nothing was verified: anyone can write a token that says this");
    for name in token.header.repeated().chain(token.claims.repeated()) {
        terminal.warn(format_args!(
            "`{}` appears more than once, and readers differ on which one counts; the filter refuses such a token",
            visible(name)
        ));
    }
    let now = args.at.unwrap_or_else(time::now);
    if args.json {
        print_json(&token, now, terminal)?;
    } else {
        print_table(&token, now, terminal)?;
    }
    Ok(Exit::Good)
}

/// The parts of a token in their own words: order, repetitions and digits are the token's.
struct Token {
    header_text: Box<RawValue>,
    claims_text: Box<RawValue>,
    header: Object<Box<RawValue>>,
    claims: Object<Box<RawValue>>,
    signature_bytes: usize,
}

impl Token {
    fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            return Err(match parts.len() {
                5 => "it has five parts, so it is encrypted (JWE)".to_owned(),
                count => format!("it has {count} part{}", if count == 1 { "" } else { "s" }),
            });
        };
        let (header_text, header) = decode_object(header, "header")?;
        let (claims_text, claims) = decode_object(claims, "payload")?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "its signature is not unpadded base64url")?;
        Ok(Self { header_text, claims_text, header, claims, signature_bytes: signature.len() })
    }
}

fn decode_object(part: &str, name: &str) -> Result<(Box<RawValue>, Object<Box<RawValue>>), String> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| format!("its {name} is not unpadded base64url"))?;
    let problem = || format!("its {name} is not a JSON object");
    let text: Box<RawValue> = serde_json::from_slice(&bytes).map_err(|_| problem())?;
    let members = serde_json::from_str(text.get()).map_err(|_| problem())?;
    Ok((text, members))
}

fn print_json(token: &Token, now: i64, terminal: &mut Terminal) -> Result<(), Failure> {
    let times: serde_json::Map<_, _> = token
        .claims
        .0
        .iter()
        .filter_map(|(name, value)| moment(name, value).map(|at| (name.clone(), json!(time::rfc3339(at)))))
        .collect();
    let expired = token.claims.0.iter().find(|(name, _)| name == "exp").and_then(|(name, value)| moment(name, value));
    #[derive(serde::Serialize)]
    struct Inspected<'a> {
        verified: bool,
        header: &'a RawValue,
        claims: &'a RawValue,
        times: serde_json::Map<String, serde_json::Value>,
        expired: Option<bool>,
        signature_bytes: usize,
    }
    terminal.json(&Inspected {
        verified: false,
        header: &token.header_text,
        claims: &token.claims_text,
        times,
        expired: expired.map(|at| at <= now),
        signature_bytes: token.signature_bytes,
    })
}

fn print_table(token: &Token, now: i64, terminal: &mut Terminal) -> Result<(), Failure> {
    for (title, members) in [("header", &token.header), ("claims", &token.claims)] {
        terminal.line(terminal.out_palette.bold(title))?;
        let names: Vec<String> = members.0.iter().map(|(name, _)| visible(name)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        for (name, (raw_name, value)) in names.iter().zip(&members.0) {
            let value_text = visible(&compact(value.get()));
            let comment = moment(raw_name, value).and_then(|at| {
                let text = format!("{}, {}", time::rfc3339(at)?, time::relative(at, now));
                Some(match raw_name.as_str() {
                    "exp" if at <= now => terminal.out_palette.red(&format!("{text}: expired")),
                    "nbf" if at > now => terminal.out_palette.red(&format!("{text}: not yet valid")),
                    _ => terminal.out_palette.dim(&text),
                })
            });
            let comment = comment.map(|text| format!("  ({text})")).unwrap_or_default();
            terminal.line(format_args!("  {name:<width$}  {value_text}{comment}"))?;
        }
    }
    let bytes = token.signature_bytes;
    terminal.line(format_args!("{} {bytes} bytes, not verified", terminal.out_palette.bold("signature")))
}

/// The whole second a time claim names; RFC 7519 section 2 lets a NumericDate have a fraction.
fn moment(name: &str, value: &RawValue) -> Option<i64> {
    if !TIME_CLAIMS.contains(&name) {
        return None;
    }
    let seconds: f64 = serde_json::from_str(value.get()).ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and rfc3339 refuses what is out of range")]
    let at = seconds.floor() as i64;
    time::rfc3339(at).map(|_| at)
}

/// JSON text without the white space between its tokens.
fn compact(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string || !c.is_ascii_whitespace() {
            text.push(c);
        }
        in_string = if in_string { escaped || c != '"' } else { c == '"' };
        escaped = in_string && c == '\\' && !escaped;
    }
    text
}
