//! A policy on trial: everything is decided and recorded, nothing is enforced.

use serde_json::json;

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

use super::setup;

#[test]
fn a_dry_policy_denies_nobody() {
    let upstream = Upstream::start();
    let mut policy = policy::example();
    policy["mode"] = json!("dry_run");
    policy["routes"][1]["ip"] = json!({"allow": ["192.0.2.0/24"]});
    let proxy = setup(&upstream).policy("main", &policy).start();
    let mut bench = Bench::new("dry run", &proxy, "main", &upstream);
    let document = "/users/ada/documents/7";
    let get = |path: &str, token: &Token| Request::get(path).bearer(&token.mint());
    let ada = Token::of("ada", "viewer");
    let rows = [
        ("nobody", Request::get(document), "credentials_missing"),
        ("a forged token", Request::get(document).bearer(&ada.forged()), "token_signature"),
        ("an expired token", get(document, &ada.clone().claim("exp", 1)), "token_expired"),
        ("a role", Request::new("PUT", document).bearer(&ada.mint()), "role_denied"),
        (
            "an owner",
            Request::new("PUT", "/users/bob/documents/7").bearer(&Token::of("ada", "editor").mint()),
            "owner_denied",
        ),
        ("an address", get("/admin/x", &Token::of("root", "admin")), "ip_denied"),
        ("no route", get("/nowhere", &ada), "route_not_found"),
    ];
    for (name, request, reason) in rows {
        let spoofed = request.header("x-user-role", "admin").header("x-portcullis-scope", "any");
        let exchange = bench.row(
            name,
            &spoofed,
            &Expect::dry_run(reason).no_upstream("authorization").no_upstream("x-portcullis-scope"),
        );
        let role = exchange.seen.first().map(|seen| seen.headers.all("x-user-role")).unwrap_or_default();
        bench.holds(
            &format!("{name}: no role was brought along"),
            role.is_empty() || role == ["viewer"] || role == ["editor"],
            || format!("{role:?}"),
        );
    }
    bench.row(
        "what is allowed is allowed",
        &get(document, &ada),
        &Expect::allow("role_allowed").upstream("x-user-id", "ada"),
    );
    bench.row("and so is what is public", &Request::get("/healthz"), &Expect::allow("public"));
    let twice = Request::get(document).bearer("a").bearer("b");
    let exchange = bench.exchange(&twice);
    let reason = exchange.record.as_ref().map(|record| record.text("reason")).unwrap_or_default();
    bench.holds("a malformed request is told apart too", reason == "header_duplicate", || format!("{exchange:?}"));
    bench.finish();
}
