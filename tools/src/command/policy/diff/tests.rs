use portcullis_engine::{Secret, SecretLookup};
use serde_json::Value;

use super::*;

fn policy(change: &Value) -> Side {
    let mut document = json!({
        "version": "v1",
        "providers": [provider(&json!({}))],
        "roles": {"editor": {"read": "any", "write": "own"}, "viewer": {"read": "any"}},
        "routes": [
            {"name": "doc", "match": {"path": "/u/{owner}", "methods": ["GET", "PUT"]}, "access": "role_table",
             "owner": {"param": "owner", "claim": ["sub"]}},
            {"name": "search", "match": {"path": "/search", "methods": ["GET"]}, "access": "authenticated",
             "ip": {"allow": ["10.0.0.0/8"]}, "when": [{"claim": ["scope"], "contains": "read"}]},
        ],
        "cors": {"allow_origins": ["https://a.test"]},
    });
    document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let secrets = |_: &str| SecretLookup::Value(Secret::new(vec![b'x'; 64]));
    let text = document.to_string();
    let policy = Policy::load(text.as_bytes(), &secrets).unwrap_or_else(|errors| panic!("{errors:?}"));
    Side { policy, inputs: Inputs::of(&Node::from_json(text.as_bytes()).unwrap()) }
}

fn provider(change: &Value) -> Value {
    let mut provider = json!({
        "name": "local", "allowed_algorithms": ["HS256"], "audiences": ["a"], "issuer": "https://i.test",
        "keys": [{"algorithm": "HS256", "secret": {"env": "KEY"}}], "roles_from": {"claim": ["role"]},
    });
    provider.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    provider
}

/// The two routes, with members of each replaced.
fn routes(doc: &Value, search: &Value) -> Value {
    let mut routes = json!([
        {"name": "doc", "match": {"path": "/u/{owner}", "methods": ["GET", "PUT"]}, "access": "role_table",
         "owner": {"param": "owner", "claim": ["sub"]}},
        {"name": "search", "match": {"path": "/search", "methods": ["GET"]}, "access": "authenticated",
         "ip": {"allow": ["10.0.0.0/8"]}, "when": [{"claim": ["scope"], "contains": "read"}]},
    ]);
    for (index, change) in [doc, search].into_iter().enumerate() {
        let route = routes[index].as_object_mut().unwrap();
        route.extend(change.as_object().unwrap().clone());
        route.retain(|_, value| !value.is_null());
    }
    json!({"routes": routes})
}

#[test]
fn every_kind_of_change_is_told_from_both_sides() {
    let none = json!({});
    for (change, forth, back) in [
        (json!({}), vec![], vec![]),
        (
            routes(&json!({"name": "renamed"}), &none),
            vec!["~ route `doc` is gone: GET PUT /u/{owner}", "~ route `renamed` is new: GET PUT /u/{owner}"],
            vec!["~ route `doc` is new: GET PUT /u/{owner}", "~ route `renamed` is gone: GET PUT /u/{owner}"],
        ),
        (
            routes(&json!({"step_up": {"amr": ["otp"], "max_age": "15m"}}), &none),
            vec![
                "- GET PUT /u/{owner} asks for amr has one of [otp], auth_time is at most 15m ago now, before no step-up",
            ],
            vec![
                "+ GET PUT /u/{owner} asks for no step-up now, before amr has one of [otp], auth_time is at most 15m ago",
            ],
        ),
        (
            json!({"roles": {"editor": {"read": "any", "write": "any"}, "viewer": {"read": "any", "write": "own"}}}),
            vec![
                "+ editor may now PUT /u/{owner} (any, not only its own)",
                "+ viewer may now PUT /u/{owner} (own only)",
            ],
            vec!["- editor may PUT /u/{owner} with its own only now", "- viewer can no longer PUT /u/{owner}"],
        ),
        (
            routes(&none, &json!({"access": "public", "when": null, "ip": null})),
            vec![
                "+ GET /search is let in from anywhere now, before from 10.0.0.0/8",
                "+ GET /search is public now",
                "+ GET /search no longer asks that scope contains read",
            ],
            vec![
                "- GET /search is let in from 10.0.0.0/8 now, before from anywhere",
                "- GET /search is no longer public",
                "- GET /search now asks that scope contains read",
            ],
        ),
        (
            routes(&none, &json!({"mode": "dry_run"})),
            vec!["+ GET /search is a dry run now: nobody is refused"],
            vec!["- GET /search is no longer a dry run"],
        ),
        (
            routes(&json!({"owner": {"upstream": true}}), &none),
            vec!["~ GET PUT /u/{owner}: own: the service finds out, before own: {owner} is the caller's sub"],
            vec!["~ GET PUT /u/{owner}: own: {owner} is the caller's sub, before own: the service finds out"],
        ),
        (
            json!({"providers": [provider(&json!({"allowed_algorithms": ["HS256", "HS512"], "audiences": ["a", "b"]}))]}),
            vec!["+ provider `local` takes the audience b", "+ provider `local` takes tokens signed with HS512"],
            vec![
                "- provider `local` no longer takes the audience b",
                "- provider `local` no longer takes tokens signed with HS512",
            ],
        ),
        (
            json!({"providers": [provider(&json!({"issuer": "https://j.test"}))]}),
            vec!["~ provider `local` takes the issuer https://j.test instead of its old one"],
            vec!["~ provider `local` takes the issuer https://i.test instead of its old one"],
        ),
        (
            json!({"cors": {"allow_origins": ["https://a.test", "https://*.b.test"]}, "security_headers": {"preset": "none"}}),
            vec![
                "+ origin https://*.b.test may now read responses",
                "+ security headers are those of `none` now, before `recommended`",
            ],
            vec![
                "- origin https://*.b.test may no longer read responses",
                "- security headers are those of `recommended` now, before `none`",
            ],
        ),
        (
            json!({"providers": [provider(&json!({
                "from_cookies": ["session"], "from_params": ["token"], "forward": true,
                "claim_to_headers": [{"claim": ["sub"], "header": "x-user"}]}))]}),
            vec![
                "+ provider `local` leaves tokens in requests to the upstream (`forward`)",
                "+ provider `local` takes tokens from cookie `session`",
                "+ provider `local` takes tokens from query parameter `token`",
                "~ provider `local` has the upstream sent sub as x-user",
            ],
            vec![
                "- provider `local` no longer leaves tokens in requests to the upstream (`forward`)",
                "- provider `local` no longer takes tokens from cookie `session`",
                "- provider `local` no longer takes tokens from query parameter `token`",
                "~ provider `local` no longer has the upstream sent x-user",
            ],
        ),
        (
            routes(&none, &json!({"input": {"max_body_bytes": 10}})),
            vec!["- GET /search is judged by what it brings along (`input`)"],
            vec!["+ GET /search may bring along anything now (`input`)"],
        ),
        (
            json!({"schemas": {"user": {"type": "object"}}}),
            vec!["~ schemas of bodies are others (`schemas`)"],
            vec!["~ schemas of bodies are others (`schemas`)"],
        ),
        (
            json!({"errors": {"hide_upstream_5xx": false},
                   "security_headers": {"set_cookie": {"secure": true, "same_site": "lax", "except": ["a"]}}}),
            vec![
                "+ the upstream's errors are shown now (`hide_upstream_5xx`)",
                "- cookies are made to say SameSite=Lax, but for a",
                "- cookies are made to say Secure, but for a",
            ],
            vec![
                "+ cookies are no longer made to say SameSite=Lax, but for a",
                "+ cookies are no longer made to say Secure, but for a",
                "- the upstream's errors are hidden now (`hide_upstream_5xx`)",
            ],
        ),
        (
            routes(&none, &json!({"errors": {"hide_upstream_5xx": false}})),
            vec!["+ the upstream's errors of route `search` are shown now (`hide_upstream_5xx`)"],
            vec!["- the upstream's errors of route `search` are hidden now (`hide_upstream_5xx`)"],
        ),
        (
            json!({"cors": {"allow_origins": ["https://a.test"], "allow_methods": ["GET", "HEAD", "POST", "PUT"],
                            "allow_headers": ["X-A"], "expose_headers": ["X-B"]}}),
            vec![
                "+ scripts of these origins may now read x-b",
                "+ scripts of these origins may now send PUT",
                "+ scripts of these origins may now set x-a",
            ],
            vec![
                "- scripts of these origins may no longer read x-b",
                "- scripts of these origins may no longer send PUT",
                "- scripts of these origins may no longer set x-a",
            ],
        ),
        (
            json!({"identity_feed": feed(&none), "api_keys": {"header": "x-api-key"},
                   "lockout": {"max_failures": 5, "window": "5m", "duration": "5m"}}),
            vec![
                "+ API keys are taken from `x-api-key`",
                "- the identity feed is obeyed: who is switched off stays out",
                "- who fails to authenticate too often is locked out",
            ],
            vec![
                "+ no identity feed is obeyed: who is switched off or revoked gets in again",
                "+ nobody is locked out, however often they fail to authenticate",
                "- API keys are no longer taken",
            ],
        ),
        (
            json!({"audit": {"level": "denied", "sinks": ["log"], "sample": 0.125, "burst": {"max": 20, "interval": "10s"},
                             "mask": {"ip_address": "truncate"}, "chain": {"key": {"env": "SECRET_KEY"}}}}),
            vec![
                "~ of allowed requests 12.5 % are recorded now, before 100 %",
                "~ of refused requests of a kind, 20 in 10 s have records of their own; the others are counted in one",
                "~ only refused requests are recorded (`audit.level`)",
                "~ records are links of a chain: a change to one shows",
                "~ records go to log now, before to access_log",
                "~ records mask more: ip_address: truncate",
            ],
            vec![
                "~ every refused request has a record of its own",
                "~ every request is recorded (`audit.level`)",
                "~ of allowed requests 100 % are recorded now, before 12.5 %",
                "~ records are no longer links of a chain: a change to one does not show",
                "~ records go to access_log now, before to log",
                "~ records no longer mask ip_address: truncate",
            ],
        ),
        (
            json!({"audit": {"level": "none"}}),
            vec!["~ nothing is recorded any more (`audit.level`)"],
            vec!["~ every request is recorded (`audit.level`)"],
        ),
    ] {
        let lines = |old: &Side, new: &Side| -> Vec<String> {
            compare(old, new).iter().map(|change| format!("{} {}", change.effect.sign(), change.text)).collect()
        };
        let (old, new) = (policy(&none), policy(&change));
        assert_eq!(lines(&old, &new), forth, "{change}");
        assert_eq!(lines(&new, &old), back, "back from {change}");
    }
}

fn feed(change: &Value) -> Value {
    let key = r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let mut feed = json!({"cluster": "feed", "authority": "feed.test", "path": "/feed", "key": key});
    feed.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    feed
}

#[test]
fn a_feed_that_is_believed_otherwise_is_a_change() {
    let of = |change: &Value| policy(&json!({"identity_feed": feed(change)}));
    let old = of(&json!({}));
    for (change, expected) in [
        (json!({}), vec![]),
        (json!({"interval": "9s"}), vec![]),
        (json!({"path": "/other"}), vec!["~ the identity feed comes from another place, or is signed by other keys"]),
        (
            json!({"on_stale": "serve", "stale_after": "1h"}),
            vec![
                "+ an identity feed that is too old goes on being believed (`on_stale`)",
                "+ the identity feed is believed for longer without news (`stale_after`)",
            ],
        ),
        (
            json!({"stale_after": "1m"}),
            vec!["- the identity feed is believed for less long without news (`stale_after`)"],
        ),
    ] {
        let changes = compare(&old, &of(&change));
        let lines: Vec<String> =
            changes.iter().map(|change| format!("{} {}", change.effect.sign(), change.text)).collect();
        assert_eq!(lines, expected, "{change}");
    }
}

#[test]
fn what_is_sent_and_judged_otherwise_counts_as_wider() {
    let headers = |claim: &str| {
        let headers = json!({"claim_to_headers": [{"claim": [claim], "header": "x-user"}]});
        policy(&json!({"providers": [provider(&headers)]}))
    };
    let input = |most: u32| policy(&routes(&json!({}), &json!({"input": {"max_body_bytes": most}})));
    for (old, new, expected) in [
        (headers("sub"), headers("email"), "provider `local` has the upstream sent email as x-user now, before sub"),
        (input(10), input(9), "GET /search may bring along something else (`input`)"),
    ] {
        assert_eq!(compare(&old, &new), [Change::new(Effect::Unclear, expected)]);
    }
}

#[test]
fn nothing_found_is_not_nothing_changed() {
    assert_eq!(markdown(&[], true), "### Policy\n\nNothing changes for anybody.");
    assert_eq!(markdown(&[], false), "### Policy\n\nNothing changes of what is compared.");
}

#[test]
fn a_narrow_route_that_goes_opens_what_it_took() {
    let at = |routes: Value| policy(&json!({"routes": routes}));
    let wide = json!({"name": "wide", "match": {"path": "/{a}/b"}, "access": "public"});
    let old =
        at(json!([wide, {"name": "narrow", "match": {"path": "/a/{b}"}, "access": "roles", "roles": ["editor"]}]));
    let changes = compare(&old, &at(json!([wide])));
    assert!(changes.contains(&Change::new(Effect::Wider, "any method /a/b is public now")), "{changes:?}");
}

#[test]
fn markdown_is_escaped() {
    let changes = [Change::new(Effect::Wider, "editor may now GET /a/{*x}<b>@team")];
    let text = markdown(&changes, false);
    assert!(text.contains("**Wider**") && !text.contains("<b>") && !text.contains("@team"), "{text}");
}
