//! `portcullis token verify`: the engine's own verification, and nothing of this command's.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_engine::UnixTime;
use portcullis_engine::token::{
    Algorithm, ClaimRules, JwksError, Key, KeySet, TokenError, TokenVerifier, VerifiedToken, verify_signature_only,
};
use serde_json::{Value, json};

use super::decode_secret;
use crate::cli::TokenVerifyArgs;
use crate::document::{self, Document};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::signing::check_secret;
use crate::terminal::{Terminal, visible};
use crate::time;

/// Verifies a token and prints its claims, or the reason it is refused.
///
/// # Errors
/// The token, the policy or the keys cannot be read or are not valid.
pub fn run(args: &TokenVerifyArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let now = args.at.map_or_else(time::now_precise, UnixTime::from_seconds);
    let token_file = Some(args.file.as_deref().unwrap_or(Path::new("-")));
    let trust = &args.trust;
    input::once([token_file, trust.policy.as_deref(), trust.jwks.as_deref(), trust.secret_file.as_deref()])?;
    if let Some(path) = &args.trust.policy {
        let policy = Document::read(path)?.policy(terminal)?;
        let worker = document::worker(&policy, &args.provider_jwks, terminal)?;
        let token = input::token(args.file.as_deref())?;
        if policy.identity_feed().is_some() {
            terminal.note(
                "whether the identity feed revokes it is not looked at; `portcullis policy explain --feed FILE` does",
            );
        }
        return match policy.verify_token(&token, now, &worker) {
            Ok((provider, verified)) => accept(&verified, Some(provider), args.json, terminal),
            Err(error) => refuse(&error, args.json, terminal),
        };
    }
    // clap waives `requires` where an option that is there excludes the required one.
    if !args.provider_jwks.is_empty() {
        return Err(Failure::usage("--provider-jwks is for a provider of a policy, and no policy is named")
            .remedy("name the policy with --policy, or the keys alone with --jwks"));
    }
    let keys = keys(args)?;
    let token = input::token(args.file.as_deref())?;
    if args.signature_only {
        return signature_only(&token, &keys, &algorithms(args), args.json, terminal);
    }
    let verifier = TokenVerifier {
        keys,
        algorithms: algorithms(args),
        rules: ClaimRules {
            issuer: args.issuer.clone(),
            audiences: args.audience.clone(),
            clock_skew: args.clock_skew.as_secs_f64(),
            require_expiration: !args.allow_missing_exp,
            max_lifetime: None,
        },
        max_token_bytes: args.max_token_bytes,
    };
    match verifier.verify(&token, now) {
        Ok(verified) => {
            if args.audience.is_empty() && verified.claims().contains_key("aud") {
                terminal.note("the token names an audience, and none was asked for; say which with --audience");
            }
            accept(&verified, None, args.json, terminal)
        }
        Err(error) => refuse(&error, args.json, terminal),
    }
}

/// The algorithms asked for; else HS256 for a secret, and whatever fits the key for a key set.
fn algorithms(args: &TokenVerifyArgs) -> Vec<Algorithm> {
    match (args.algorithm.as_slice(), &args.trust.jwks) {
        ([], Some(_)) => Algorithm::ALL.to_vec(),
        ([], None) => vec![Algorithm::HS256],
        (given, _) => given.to_vec(),
    }
}

fn keys(args: &TokenVerifyArgs) -> Result<KeySet, Failure> {
    if let Some(path) = &args.trust.jwks {
        return KeySet::from_jwks(&input::read(path)?, args.allow_short_keys).map_err(|error| {
            let remedy = match error {
                JwksError::SecretTooShort => {
                    "make longer secrets; --allow-short-keys accepts them for old test vectors"
                }
                _ => "a key set is {\"keys\": […]} with public keys for signatures (RFC 7517)",
            };
            Failure::invalid(format!("{}: {error}", input::describe(path))).remedy(remedy)
        });
    }
    let secret = match (&args.trust.secret_env, &args.trust.secret_file) {
        (Some(name), _) => input::secret_variable(name)?,
        (None, Some(path)) => input::secret_file(path)?,
        (None, None) => {
            return Err(Failure::usage("nothing to verify with").remedy("use --policy, --jwks or --secret-env"));
        }
    };
    let secret = decode_secret(secret, args.secret_encoding)?;
    for algorithm in algorithms(args) {
        if !algorithm.is_symmetric() {
            return Err(Failure::usage(format!("a secret cannot verify {algorithm}"))
                .remedy("name the public key with --jwks, or allow HS256, HS384 or HS512"));
        }
        if !args.allow_short_keys {
            check_secret(&secret, algorithm)?;
        }
    }
    let secret = portcullis_engine::Secret::new(secret.expose().to_vec());
    Ok(KeySet::new(vec![Key::hmac(None, None, &secret)]))
}

fn signature_only(
    token: &str,
    keys: &KeySet,
    allowed: &[Algorithm],
    as_json: bool,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let verified = verify_signature_only(token, keys).and_then(|payload| match header_algorithm(token) {
        Some(algorithm) if allowed.contains(&algorithm) => Ok(payload),
        other => Err(TokenError::AlgorithmNotAllowed(other)),
    });
    match verified {
        Ok(payload) => {
            terminal.note("only the signature was checked: not the time, the issuer or the audience");
            if as_json {
                terminal.json(&json!({"valid": true, "payload_base64url": URL_SAFE_NO_PAD.encode(payload)}))?;
            } else {
                terminal.write(&payload)?;
            }
            Ok(Exit::Good)
        }
        Err(error) => refuse(&error, as_json, terminal),
    }
}

/// The `alg` of a token whose signature holds.
fn header_algorithm(token: &str) -> Option<Algorithm> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name)
}

fn accept(
    verified: &VerifiedToken,
    provider: Option<&str>,
    as_json: bool,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let claims = verified.claims();
    if as_json {
        terminal.json(&json!({"valid": true, "provider": provider, "kid": verified.kid(), "claims": claims}))?;
    } else {
        terminal.json(claims)?;
    }
    Ok(Exit::Good)
}

fn refuse(error: &TokenError, as_json: bool, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let reason = error.reason();
    if as_json {
        terminal.json(&json!({"valid": false, "reason": reason.code(), "detail": error.to_string()}))?;
    } else {
        terminal.say(format_args!("the token is refused: {}", visible(&error.to_string())));
        terminal.line(reason)?;
    }
    Ok(Exit::No)
}
