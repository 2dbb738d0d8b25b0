//! API keys, in a real Envoy.

use serde_json::json;

use super::feed::{everywhere, four_workers, healthy, policy};
use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::feed::{FULL, Feed, api_key, wrong_api_key};
use crate::harness::jwks::KeyServer;
use crate::harness::token::{Token, now};
use crate::harness::upstream::Upstream;

fn keys(version: u64) -> Feed {
    let soon = u32::try_from(now() - 1).unwrap();
    Feed::full(version)
        .api_key(1, "robot", &["admin"])
        .api_key_with(2, "robot", &["admin"], |key| key.expires = soon)
        .api_key_with(3, "robot", &["admin"], |key| key.networks = Some(vec!["10.0.0.0/8".into()]))
        .api_key(4, "eve", &["admin"])
        .api_key(5, "robot", &["viewer"])
        .disabled("eve")
}

fn with(key: &str) -> Request {
    Request::get("/admin").header("x-api-key", key)
}

#[test]
fn a_key_is_worth_what_the_feed_says() {
    let upstream = Upstream::start();
    let mut server = KeyServer::start_down();
    server.on(FULL, keys(1).answer());
    server.up();
    let proxy = four_workers(&upstream, &server, &policy(&json!({})));
    let asked = everywhere(&proxy, &with(&api_key(1)), 200);
    upstream.take();
    let mut bench = Bench::new("API keys", &proxy, "main", &upstream);
    bench.skip(asked);
    let invalid = |reason| {
        Expect::deny(401, reason).response("www-authenticate", r#"Bearer realm="portcullis", error="invalid_token""#)
    };
    let allowed = Expect::allow("role_allowed")
        .record("user_id", "robot")
        .record("role", "admin")
        .record("kid", "key000000001")
        .upstream("x-user-id", "robot")
        .upstream("x-user-role", "admin")
        .no_upstream("x-api-key");
    bench.row("a good one", &with(&api_key(1)), &allowed);
    bench.row("another secret", &with(&wrong_api_key(1)), &invalid("api_key_unknown"));
    bench.row("an id that nobody has", &with(&api_key(9)), &invalid("api_key_unknown"));
    bench.row("nonsense", &with("nonsense"), &invalid("api_key_unknown"));
    bench.row("expired", &with(&api_key(2)), &invalid("api_key_expired"));
    bench.row("from elsewhere", &with(&api_key(3)), &Expect::deny(403, "api_key_address"));
    bench.row("its owner is switched off", &with(&api_key(4)), &invalid("subject_disabled"));
    bench.row("another role", &with(&api_key(5)), &Expect::deny(403, "role_denied"));
    let both = with(&api_key(1)).bearer(&Token::of("ada", "admin").mint());
    bench.row("beside a token", &both, &Expect::deny(400, "credentials_multiple"));
    let twice = with(&api_key(1)).header("x-api-key", api_key(5));
    bench.row("two keys", &twice, &Expect::deny(400, "credentials_multiple"));
    let open = Request::get("/open").header("x-api-key", api_key(1));
    bench.row("a public route", &open, &Expect::allow("public").no_upstream("x-api-key"));
    bench.row("no key", &Request::get("/admin"), &Expect::deny(401, "credentials_missing"));
    bench.finish();
    // Rotated: another key in its place. Revoked: none.
    server.on(FULL, Feed::full(2).api_key(6, "robot", &["admin"]).answer());
    everywhere(&proxy, &with(&api_key(1)), 401);
    everywhere(&proxy, &with(&api_key(6)), 200);
    server.on(FULL, Feed::full(3).answer());
    everywhere(&proxy, &with(&api_key(6)), 401);
    for (path, bytes) in proxy.written() {
        let written = String::from_utf8_lossy(&bytes);
        assert!(!written.contains("c2VjcmV0IG9m"), "{}: a key's secret was written", path.display());
    }
    healthy(&proxy);
}
