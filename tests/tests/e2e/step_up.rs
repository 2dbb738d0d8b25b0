//! Routes that ask for a stronger or newer sign-in (RFC 9470).

use serde_json::json;

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

use super::setup;

/// Where Envoy's clock stands.
const NOW: i64 = 1_796_083_200;

#[test]
fn a_weak_or_old_sign_in_is_challenged() {
    let upstream = Upstream::start();
    let routes = json!([
        {"name": "read", "match": {"path": "/payments/{id}", "methods": ["GET"]}, "access": "authenticated"},
        {"name": "pay", "match": {"path": "/payments/{id}"}, "access": "roles", "roles": ["editor"],
         "step_up": {"amr": ["otp"], "max_age": "15m"}},
        {"name": "class", "match": {"path": "/class"}, "access": "authenticated",
         "step_up": {"acr_values": ["urn:example:mfa", "urn:example:phr"]}},
    ]);
    let proxy = setup(&upstream).clock(NOW).policy("main", &policy::with_routes(routes)).start();
    let mut bench = Bench::new("step-up", &proxy, "main", &upstream);
    let token = |role: &str| Token::of("ada", role).claim("iat", NOW).claim("exp", NOW + 3600);
    let signed_in = |methods: &[&str], at: i64| token("editor").claim("amr", json!(methods)).claim("auth_time", at);
    let pay = |token: &Token| Request::new("POST", "/payments/7").bearer(&token.mint());
    let challenge = r#"Bearer realm="portcullis", error="insufficient_user_authentication", max_age="900""#;
    let refused =
        Expect::deny(401, "step_up_required").response("www-authenticate", challenge).record("user_id", "ada");
    let allowed = Expect::allow("role_allowed").record("role", "editor");
    bench.row(
        "another route asks for less",
        &Request::get("/payments/7").bearer(&signed_in(&["pwd"], NOW).mint()),
        &Expect::allow("authenticated"),
    );
    bench.row("one factor", &pay(&signed_in(&["pwd"], NOW)), &refused);
    bench.row("two factors", &pay(&signed_in(&["pwd", "otp"], NOW - 60)), &allowed);
    bench.row("the same token again, from the cache", &pay(&signed_in(&["pwd", "otp"], NOW - 60)), &allowed);
    bench.row("two factors, long ago", &pay(&signed_in(&["pwd", "otp"], NOW - 3600)), &refused);
    bench.row("nothing said of it", &pay(&token("editor")), &refused);
    bench.row("a role that may not anyway", &pay(&token("viewer")), &Expect::deny(403, "role_denied"));
    let class = |class: &str| Request::get("/class").bearer(&token("viewer").claim("acr", class).mint());
    let challenge = "Bearer realm=\"portcullis\", error=\"insufficient_user_authentication\", \
                     acr_values=\"urn:example:mfa urn:example:phr\"";
    bench.row("a class", &class("urn:example:phr"), &Expect::allow("authenticated"));
    let refused = Expect::deny(401, "step_up_required").response("www-authenticate", challenge);
    bench.row("another class", &class("urn:example:pwd"), &refused);
    bench.finish();
}
