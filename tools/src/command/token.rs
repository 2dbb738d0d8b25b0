//! `portcullis token`.

mod inspect;
mod issue;
mod refresh;
mod revoke;
mod verify;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::cli::{SecretEncoding, TokenCommand};
use crate::exit::{Exit, Failure};
use crate::input::Secret;
use crate::terminal::Terminal;

/// Runs a command under `token`, and says in `whom` whom it was about, where only doing it tells.
///
/// # Errors
/// Why it could not do its work.
pub fn run(command: TokenCommand, terminal: &mut Terminal, whom: &mut Option<String>) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Issue(args) => issue::run(&args, terminal),
        TokenCommand::Inspect(args) => inspect::run(&args, terminal),
        TokenCommand::Verify(args) => verify::run(&args, terminal),
        TokenCommand::Refresh(args) => refresh::run(&args, terminal, whom),
        TokenCommand::Revoke(args) => revoke::run(&args, terminal),
        TokenCommand::Unrevoke(args) => revoke::undo(&args, terminal),
    }
}

/// The bytes that the text of a secret stands for.
///
/// # Errors
/// It is not in this encoding, or it is a key file: the public half of one is known to everybody, and tokens signed
/// with it as if it were a secret are an old attack.
pub(super) fn decode_secret(secret: Secret, encoding: SecretEncoding) -> Result<Secret, Failure> {
    let text = secret.expose();
    if text.trim_ascii_start().starts_with(b"-----BEGIN ") {
        return Err(Failure::invalid("the secret is a key in PEM form, which is not a secret")
            .remedy("sign with --key; verify with --jwks or --policy"));
    }
    let (bytes, name) = match encoding {
        SecretEncoding::Raw => return Ok(secret),
        SecretEncoding::Base64url => (URL_SAFE_NO_PAD.decode(text).ok(), "unpadded base64url"),
        SecretEncoding::Hex => (decode_hex(text), "hexadecimal"),
    };
    let bytes = bytes.ok_or_else(|| {
        Failure::invalid(format!("the secret is not {name}"))
            .remedy("to take its text as it is, say --secret-encoding raw")
    })?;
    Ok(Secret::new(Zeroizing::new(bytes)))
}

fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::decode_secret;
    use crate::cli::SecretEncoding;
    use crate::input::Secret;

    #[test]
    fn secrets_are_decoded_as_told() {
        for (text, encoding, expected) in [
            ("c2VjcmV0", SecretEncoding::Raw, Some(&b"c2VjcmV0"[..])),
            ("c2VjcmV0", SecretEncoding::Base64url, Some(b"secret")),
            ("736563726574", SecretEncoding::Hex, Some(b"secret")),
            ("736563726574AF", SecretEncoding::Hex, Some(b"secret\xaf")),
            ("", SecretEncoding::Hex, Some(b"")),
            ("c2VjcmV0=", SecretEncoding::Base64url, None),
            ("c2Vj+mV0", SecretEncoding::Base64url, None),
            ("73656372657", SecretEncoding::Hex, None),
            ("73656372657g", SecretEncoding::Hex, None),
            ("-----BEGIN PUBLIC KEY-----\nMCow\n", SecretEncoding::Raw, None),
        ] {
            let secret = Secret::new(Zeroizing::new(text.as_bytes().to_vec()));
            let decoded = decode_secret(secret, encoding).ok();
            assert_eq!(decoded.as_ref().map(Secret::expose), expected, "{text} as {encoding:?}");
        }
    }
}
