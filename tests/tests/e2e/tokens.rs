//! Where a token may be, which provider reads it, and what is left of it upstream.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::eventually;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::token::{Alg, Token, encode, now};
use crate::harness::upstream::Upstream;

use super::setup;

const PARTNER: &str = "the-partner's-secret-is-its-own-and-more-than-64-bytes-long-for-HS512";

#[test]
fn every_source_and_every_provider() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream)
        .host_env("PARTNER_KEY", PARTNER)
        .env("ENCODED_KEY", &encode(PARTNER))
        .policy("sources", &sources(false))
        .policy("forwarding", &sources(true))
        .policy("providers", &providers())
        .policy("lenient", &lenient())
        .policy("another-key", &another_key())
        .start();

    let mut bench = Bench::new("token sources", &proxy, "sources", &upstream);
    from_every_source(&mut bench);
    bench.finish();

    let mut bench = Bench::new("forwarded tokens", &proxy, "forwarding", &upstream);
    forwarded(&mut bench);
    bench.finish();

    let mut bench = Bench::new("providers", &proxy, "providers", &upstream);
    by_provider(&mut bench);
    bench.finish();

    let mut bench = Bench::new("a lenient provider", &proxy, "lenient", &upstream);
    leniently(&mut bench);
    bench.finish();

    a_token_remembered(&proxy, &upstream);
}

fn members_only() -> Value {
    json!([
        {"name": "members", "match": {"path": "/members"}, "access": "authenticated"},
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
    ])
}

fn sources(forward: bool) -> Value {
    let mut policy = policy::with_routes(members_only());
    let provider = &mut policy["providers"][0];
    provider["from_headers"] = json!([{"name": "authorization", "value_prefix": "Bearer "}, {"name": "x-token"}]);
    provider["from_cookies"] = json!(["session"]);
    provider["from_params"] = json!(["access_token"]);
    provider["forward"] = json!(forward);
    policy
}

fn from_every_source(bench: &mut Bench<'_>) {
    let token = &Token::of("ada", "viewer").mint();
    let members = || Request::get("/members");
    let allow = Expect::allow("authenticated")
        .upstream("x-user-id", "ada")
        .no_upstream("authorization")
        .no_upstream("x-token")
        .record("provider", "local")
        .record("kid", "2026-11");
    let taken = [
        ("a bearer token", members().bearer(token), allow.clone()),
        (
            "the scheme's case does not count",
            members().header("authorization", format!("bEARER {token}")),
            allow.clone(),
        ),
        ("a header of its own", members().header("x-token", token), allow.clone()),
        ("a cookie", members().header("cookie", format!("session={token}")), allow.clone().no_upstream("cookie")),
        (
            "a cookie among others",
            members().header("cookie", format!("a=1; session={token}; b=2")),
            allow.clone().upstream("cookie", "a=1; b=2"),
        ),
        ("a parameter", Request::get(format!("/members?access_token={token}")), allow.clone().target("/members")),
        (
            "a parameter among others",
            Request::get(format!("/members?a=1&access_token={token}&b=%20&c")),
            allow.clone().target("/members?a=1&b=%20&c"),
        ),
        (
            "an authorization of another scheme is not ours",
            members().header("authorization", "Basic YTpi").header("x-token", token),
            Expect::allow("authenticated"),
        ),
    ];
    for (name, request, expect) in taken {
        bench.row(name, &request, &expect);
    }

    let multiple = Expect::deny(400, "token_multiple");
    let twice = [
        ("header and cookie", members().bearer(token).header("cookie", format!("session={token}"))),
        ("two headers", members().bearer(token).header("x-token", token)),
        ("header and parameter", Request::get(format!("/members?access_token={token}")).bearer(token)),
        (
            "cookie and parameter",
            Request::get(format!("/members?access_token={token}")).header("cookie", format!("session={token}")),
        ),
        ("the cookie twice", members().header("cookie", format!("session={token}; session={token}"))),
        ("the parameter twice", Request::get(format!("/members?access_token={token}&access_token={token}"))),
        ("a good one and a bad one", members().bearer(token).header("x-token", "rubbish")),
    ];
    for (name, request) in twice {
        bench.row(name, &request, &multiple);
    }

    let nobody = Expect::deny(401, "credentials_missing");
    let nowhere = [
        ("another cookie", members().header("cookie", format!("other={token}"))),
        ("a cookie whose name ends alike", members().header("cookie", format!("my-session={token}"))),
        ("another parameter", Request::get(format!("/members?token={token}"))),
        (
            "the body",
            Request::new("POST", "/members").body("application/x-www-form-urlencoded", format!("access_token={token}")),
        ),
        ("another scheme", members().header("authorization", format!("Basic {token}"))),
    ];
    for (name, request) in nowhere {
        bench.row(name, &request, &nobody);
    }

    let open = Expect::allow("public").no_upstream("x-user-id").no_upstream("authorization").no_upstream("x-token");
    let public = [
        (
            "a public route passes no parameter on",
            Request::get(format!("/open?access_token={token}&a=1")),
            open.clone().target("/open?a=1"),
        ),
        (
            "no cookie",
            Request::get("/open").header("cookie", format!("session={token}; a=1")),
            open.clone().upstream("cookie", "a=1"),
        ),
        ("no header", Request::get("/open").header("x-token", token), open.clone()),
        ("no bearer token", Request::get("/open").bearer("rubbish"), open),
        (
            "nor any of two",
            Request::get("/open").bearer("rubbish").header("x-token", token),
            Expect::deny(400, "token_multiple"),
        ),
    ];
    for (name, request, expect) in public {
        bench.row(name, &request, &expect);
    }
}

fn forwarded(bench: &mut Bench<'_>) {
    let token = &Token::of("ada", "viewer").mint();
    let allow = Expect::allow("authenticated").upstream("x-user-id", "ada");
    let bearer = format!("Bearer {token}");
    bench.row("a header", &Request::get("/members").bearer(token), &allow.clone().upstream("authorization", &bearer));
    let cookie = format!("a=1; session={token}");
    bench.row(
        "a cookie",
        &Request::get("/members").header("cookie", &cookie),
        &allow.clone().upstream("cookie", &cookie),
    );
    let target = format!("/members?access_token={token}");
    bench.row("a parameter", &Request::get(&target), &allow.target(&target));
    bench.row(
        "a public route",
        &Request::get("/open").bearer(token),
        &Expect::allow("public").upstream("authorization", &bearer),
    );
}

fn providers() -> Value {
    let mut policy = policy::with_routes(members_only());
    let partner = json!({
        "name": "partner",
        "issuer": "https://partner.example.com",
        "allowed_algorithms": ["HS512"],
        "keys": [{"kid": "p1", "algorithm": "HS512", "secret": {"env": "PARTNER_KEY"}}],
        "from_headers": [{"name": "x-partner-token"}],
        "claim_to_headers": [{"claim": ["sub"], "header": "x-partner-id"}],
    });
    let encoded = json!({
        "name": "encoded",
        "issuer": "https://encoded.example.com",
        "allowed_algorithms": ["HS384"],
        "keys": [{"kid": "e1", "algorithm": "HS384", "secret": {"env": "ENCODED_KEY", "encoding": "base64url"}}],
    });
    policy["providers"].as_array_mut().unwrap().extend([partner, encoded]);
    policy
}

fn by_provider(bench: &mut Bench<'_>) {
    let local = Token::of("ada", "viewer");
    let from = |issuer: &str, kid: &str, algorithm| {
        Token::of("bob", "viewer")
            .claim("iss", issuer)
            .claim("aud", ())
            .head("kid", kid)
            .algorithm(algorithm)
            .secret(PARTNER)
    };
    let partner = from("https://partner.example.com", "p1", Alg::Hs512);
    let encoded = from("https://encoded.example.com", "e1", Alg::Hs384);
    let members = || Request::get("/members");
    let allow = Expect::allow("authenticated");
    bench.row(
        "the first",
        &members().bearer(&local.mint()),
        &allow.clone().record("provider", "local").upstream("x-user-id", "ada"),
    );
    bench.row(
        "the second, in its own header",
        &members().header("x-partner-token", partner.mint()).header("x-user-id", "root").header("x-partner-id", "root"),
        &allow
            .clone()
            .record("provider", "partner")
            .upstream("x-partner-id", "bob")
            .no_upstream("x-user-id")
            .no_upstream("x-partner-token"),
    );
    bench.row(
        "the third, in the same header as the first",
        &members().bearer(&encoded.mint()),
        &allow.record("provider", "encoded").record("kid", "e1"),
    );
    let refused = [
        ("the second's token in the first's header", members().bearer(&partner.mint())),
        ("the first's in the second's", members().header("x-partner-token", local.mint())),
        ("the first's issuer, the second's key", members().bearer(&local.clone().secret(PARTNER).mint())),
        (
            "the third's issuer, the first's key",
            members().bearer(&local.clone().claim("iss", "https://encoded.example.com").mint()),
        ),
        ("nobody's issuer", members().bearer(&local.clone().claim("iss", "https://nobody.example.com").mint())),
        ("the third's key, the second's algorithm", members().bearer(&encoded.clone().algorithm(Alg::Hs512).mint())),
    ];
    for (name, request) in refused {
        let exchange = bench.exchange(&request);
        let refused = exchange.response.status == 401 && exchange.seen.is_empty();
        bench.holds(name, refused, || format!("{exchange:?}"));
    }
    bench.row(
        "one of each is two tokens",
        &members().bearer(&local.mint()).header("x-partner-token", partner.mint()),
        &Expect::deny(400, "token_multiple"),
    );
}

fn lenient() -> Value {
    let mut policy = policy::with_routes(members_only());
    policy["providers"] = json!([{
        "name": "lenient",
        "allowed_algorithms": ["HS256"],
        "keys": [{"kid": "2026-11", "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}],
        "clock_skew": "0s",
        "require_expiration": false,
        "max_token_bytes": 1024,
    }]);
    policy
}

fn leniently(bench: &mut Bench<'_>) {
    let token = Token::of("ada", "viewer");
    let get = |token: &Token| Request::get("/members").bearer(&token.mint());
    let rows = [
        ("no expiry", token.clone().claim("exp", ()), Expect::allow("authenticated")),
        ("any issuer", token.clone().claim("iss", "x").claim("aud", "y"), Expect::allow("authenticated")),
        ("years to live", token.clone().claim("exp", now() + 100_000_000), Expect::allow("authenticated")),
        ("no skew: just expired", token.clone().claim("exp", now() - 1), Expect::deny(401, "token_expired")),
        ("no skew: a little early", token.clone().claim("nbf", now() + 10), Expect::deny(401, "token_not_yet_valid")),
        ("an expiry of 0 is an expiry", token.clone().claim("exp", 0), Expect::deny(401, "token_expired")),
        ("an expiry of text is none", token.clone().claim("exp", "never"), Expect::deny(401, "token_claims")),
        ("over its size", token.clone().claim("pad", "x".repeat(1024)), Expect::deny(401, "token_too_large")),
    ];
    for (name, token, expect) in rows {
        bench.row(name, &get(&token), &expect);
    }
}

/// The `lenient` policy with another secret behind the same key id.
fn another_key() -> Value {
    let mut policy = lenient();
    policy["providers"][0]["keys"][0]["secret"]["env"] = json!("PARTNER_KEY");
    policy
}

/// A token that was good once is remembered, but neither past its time nor for another policy.
fn a_token_remembered(proxy: &Proxy, upstream: &Upstream) {
    let mut bench = Bench::new("remembered tokens", proxy, "lenient", upstream);
    let lasting = Request::get("/members").bearer(&Token::of("ada", "viewer").claim("jti", "lasting").mint());
    let brief = Request::get("/members").bearer(&Token::of("ada", "viewer").claim("exp", now() + 5).mint());
    let allowed = |request: &Request, listener: &str| proxy.client(listener).send(request).status == 200;
    for round in ["first", "again"] {
        bench.holds(round, allowed(&lasting, "lenient") && allowed(&brief, "lenient"), || "refused".to_owned());
    }
    bench.holds("under another key", !allowed(&lasting, "another-key"), || "let in".to_owned());
    eventually("the end of a token's time", || (!allowed(&brief, "lenient")).then_some(()));
    bench.holds("the other lasts", allowed(&lasting, "lenient"), || "refused".to_owned());
    bench.finish();
}
