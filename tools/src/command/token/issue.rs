//! `portcullis token issue`.

use portcullis_engine::UnixTime;
use portcullis_engine::token::{Algorithm, ClaimRules, Key, KeySet, TokenError, TokenVerifier};
use serde_json::{Map, Value, json};

use super::decode_secret;
use crate::access;
use crate::cli::{IssueArgs, KeyInput, SecretEncoding};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::random;
use crate::signing::{self, SigningKey};
use crate::terminal::Terminal;
use crate::time;

#[cfg(test)]
mod tests;

/// Signs a token and prints it.
///
/// # Errors
/// Why it could not be signed.
pub fn run(args: &IssueArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let now = args.at.unwrap_or_else(time::now);
    let claims = claims(args, now, &random::id()?)?;
    let key = read_key(&args.key, args.secret_encoding)?;
    let algorithm = key.algorithm(args.algorithm)?;
    let kid = kid(args, &key);
    let signed = signing::sign(&key, algorithm, kid.as_deref(), &claims)?;
    verify(&signed.token, &key, algorithm, kid.as_deref(), now)?;
    if args.json {
        terminal.json(&json!({"token": signed.token, "header": signed.header, "claims": claims}))?;
    } else {
        terminal.line(signed.token)?;
    }
    Ok(Exit::Good)
}

/// The name asked for; else that by which `key jwks` publishes the key.
fn kid(args: &IssueArgs, key: &SigningKey) -> Option<String> {
    let thumbprint = || key.public().filter(|_| !args.no_kid).map(|key| key.thumbprint());
    args.kid.clone().or_else(thumbprint)
}

/// The claims the arguments ask for (RFC 7519 section 4.1), each of them once.
fn claims(args: &IssueArgs, now: i64, id: &str) -> Result<Map<String, Value>, Failure> {
    let expiry = access::expiry(now, args.ttl)?;
    for (option, empty) in [
        ("--sub", args.sub.is_empty()),
        ("--role", args.role.iter().any(String::is_empty)),
        ("--kid", args.kid.as_deref() == Some("")),
    ] {
        if empty {
            return Err(Failure::usage(format!("{option} is empty")).remedy("check the variable it comes from"));
        }
    }

    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("sub", args.sub.as_str().into());
    set("iat", now.into());
    set("exp", expiry.into());
    if !args.no_jti {
        set("jti", id.into());
    }
    if let Some(issuer) = &args.iss {
        set("iss", issuer.as_str().into());
    }
    for (name, values) in [("aud", &args.aud), ("role", &args.role)] {
        if let Some(value) = access::one_or_several(values) {
            set(name, value);
        }
    }
    for (name, value) in &args.claim {
        if claims.contains_key(name) {
            return Err(Failure::usage(format!("the claim `{name}` is set twice")).remedy(remedy_for_twice(name)));
        }
        claims.insert(name.clone(), value.clone());
    }
    Ok(claims)
}

/// Asks the engine whether it would take the token at its time of issue: claims that are JSON may still not be what
/// their names ask for (RFC 7519 section 4.1).
fn verify(token: &str, key: &SigningKey, algorithm: Algorithm, kid: Option<&str>, now: i64) -> Result<(), Failure> {
    let rules = ClaimRules {
        issuer: None,
        audiences: Vec::new(),
        clock_skew: 0.0,
        require_expiration: true,
        max_lifetime: None,
    };
    let verifier =
        TokenVerifier { keys: verifying(key, kid), algorithms: vec![algorithm], rules, max_token_bytes: usize::MAX };
    match verifier.verify(token, UnixTime::from_seconds(now)) {
        // A token may be issued for later.
        Ok(_) | Err(TokenError::NotYetValid { .. }) => Ok(()),
        Err(error) => {
            Err(Failure::usage(format!("the token would be refused: {error}")).remedy(remedy_for_refused(&error)))
        }
    }
}

/// What verifies the tokens of a key that has this name in them.
fn verifying(key: &SigningKey, kid: Option<&str>) -> KeySet {
    match key {
        SigningKey::Hmac(secret) => {
            let secret = portcullis_engine::Secret::new(secret.expose().to_vec());
            KeySet::new(vec![Key::hmac(None, None, &secret)])
        }
        pair => {
            let jwk = pair.public().map(|public| public.to_jwk(kid.unwrap_or_default(), None));
            KeySet::from_public_jwks(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap_or_default()
        }
    }
}

const fn remedy_for_refused(error: &TokenError) -> &'static str {
    match error {
        TokenError::BadClaim(claim) => match claim.as_bytes() {
            b"aud" => "give text, or an array of texts",
            b"exp" | b"nbf" | b"iat" => "give seconds since 1970, as a number",
            _ => "give text without line breaks or other control characters; check the variable it comes from",
        },
        TokenError::Malformed(_) => "nest what is in --claim less deep",
        _ => "check --at and --ttl",
    }
}

fn remedy_for_twice(name: &str) -> String {
    match name {
        "sub" | "iss" | "aud" | "role" => format!("use either --{name} or --claim {name}=…"),
        "iat" => "use --at for the time of issue".to_owned(),
        "exp" => "use --ttl for the time to live".to_owned(),
        "jti" => "add --no-jti to leave out the random one".to_owned(),
        _ => "give each claim once; put several values in a JSON array".to_owned(),
    }
}

fn read_key(input: &KeyInput, encoding: SecretEncoding) -> Result<SigningKey, Failure> {
    match (&input.key, &input.secret_env, &input.secret_file) {
        (Some(path), _, _) => SigningKey::from_pem(&input::key_text(path)?, &input::describe(path)),
        (None, Some(name), _) => decode_secret(input::secret_variable(name)?, encoding).map(SigningKey::Hmac),
        (None, None, Some(path)) => decode_secret(input::secret_file(path)?, encoding).map(SigningKey::Hmac),
        (None, None, None) => Err(Failure::usage("no key given").remedy("use --key, --secret-env or --secret-file")),
    }
}
