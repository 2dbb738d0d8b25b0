//! Tokens of any bytes, and claims of any bytes that the right key signed.
//!
//! `t` and a token: whatever is accepted says what one of the known tokens says, for no input holds a private key.
//! `s`, a header, a line break and a payload: signed here with the provider's secret, so that what is accepted rests on
//! the claims alone, and those are asked again in another way.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_engine::{Policy, UnixTime, Worker};
use portcullis_fuzz::{NOW, SECRET, Signed, informed, policy, sign};
use serde_json::Value;

struct Bench {
    signed: Signed,
    policy: Policy,
    worker: Worker,
}

thread_local! {
    static BENCH: Bench = {
        let signed = Signed::load();
        let policy = policy(&signed);
        let worker = informed(&policy, &signed);
        Bench { signed, policy, worker }
    };
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    BENCH.with(|bench| match mode {
        b's' => signed_here(bench, rest),
        _ => bare(bench, rest),
    });
});

fn bare(bench: &Bench, token: &[u8]) {
    let Ok(token) = std::str::from_utf8(token) else { return };
    match bench.policy.verify_token(token, UnixTime::from_seconds(NOW), &bench.worker) {
        Ok(_) => assert!(bench.signed.has_signed(token) || is_ours(token), "forged: {token}"),
        // Shorter ones may be words of the message.
        Err(error) => assert!(token.len() < 64 || !error.to_string().contains(token), "{error}"),
    }
}

/// Whether the tag is the one that the secret gives: computed again, from the text.
fn is_ours(token: &str) -> bool {
    let Some((input, tag)) = token.rsplit_once('.') else { return false };
    portcullis_fuzz::base64url(&hmac_sha256::HMAC::mac(input.as_bytes(), SECRET)) == tag
}

fn signed_here(bench: &Bench, rest: &[u8]) {
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let (header, payload) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let token = sign(header, payload, SECRET);
    let Ok((provider, verified)) = bench.policy.verify_token(&token, UnixTime::from_seconds(NOW), &bench.worker) else {
        return;
    };
    assert_eq!(provider, "local", "no other has this secret");
    let header: Value = serde_json::from_slice(header).expect("an accepted header is JSON");
    assert_eq!(header["alg"], "HS256");
    assert!(header.get("crit").is_none());
    let claims: Value = serde_json::from_slice(payload).expect("accepted claims are JSON");
    assert_eq!(&claims, &Value::Object(verified.claims().clone()), "what was signed is what is believed");
    assert_eq!(claims["iss"], "https://issuer.example.com");
    let audience = &claims["aud"];
    let ours = Value::from("portcullis-demo");
    assert!(*audience == ours || audience.as_array().is_some_and(|all| all.contains(&ours)), "{audience}");
    #[expect(clippy::cast_precision_loss, reason = "the time is far below 2^53 seconds")]
    let (now, skew) = (NOW as f64, 30.0);
    let date = |name: &str| claims.get(name).map(|at| at.as_f64().expect("an accepted date is a number"));
    let exp = date("exp").expect("an expiration is required");
    assert!(exp > 0.0 && now < exp + skew);
    assert!(exp - date("iat").unwrap_or(now) <= 86_400.0 + skew);
    assert!(date("nbf").is_none_or(|at| at <= now + skew) && date("iat").is_none_or(|at| at <= now + skew));
    for name in ["sub", "jti"] {
        let text = claims.get(name).map(|value| value.as_str().expect("an accepted name is text"));
        assert!(text.is_none_or(|text| !text.chars().any(char::is_control)), "{name}");
    }
}
