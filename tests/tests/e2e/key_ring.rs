//! Secrets in succession: each good for its time, and for no moment more.

use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::{Request, fetch};
use crate::harness::clock::rfc3339;
use crate::harness::eventually;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::proxy::Setup;
use crate::harness::token::{Token, now};
use crate::harness::upstream::Upstream;

/// A secret of `kid`'s own.
fn secret(kid: &str) -> String {
    format!("{kid:-<40}")
}

/// The example's policy with these keys, each with the bounds it has.
fn ring(keys: &[(&str, Option<i64>, Option<i64>)]) -> Value {
    let key = |(kid, not_before, not_after): &(&str, Option<i64>, Option<i64>)| {
        let mut key = json!({"kid": kid, "algorithm": "HS256", "secret": {"env": variable(kid)}});
        for (name, bound) in [("not_before", not_before), ("not_after", not_after)] {
            if let Some(seconds) = bound {
                key[name] = json!(rfc3339(*seconds));
            }
        }
        key
    };
    let mut policy = policy::example();
    policy["providers"][0]["keys"] = keys.iter().map(key).collect();
    policy
}

fn variable(kid: &str) -> String {
    format!("SECRET_{}", kid.to_uppercase())
}

fn setup<'a>(upstream: &Upstream, kids: impl IntoIterator<Item = &'a str>) -> Setup {
    kids.into_iter().fold(Setup::before(upstream), |setup, kid| setup.env(&variable(kid), &secret(kid)))
}

fn document(token: &Token) -> Request {
    Request::get("/users/ada/documents/7").bearer(&token.mint())
}

#[test]
fn a_key_is_good_from_its_first_moment_to_the_one_before_its_last() {
    const NOW: i64 = 1_796_083_200;
    let (before, after) = (NOW - 86_400, NOW + 86_400);
    let keys = [
        ("always", None, None),
        ("ended", Some(before), Some(NOW)),
        ("long_ended", None, Some(before)),
        ("last_second", Some(before), Some(NOW + 1)),
        ("begins", Some(NOW), Some(after)),
        ("next_second", Some(NOW + 1), None),
        ("later", Some(after), None),
        ("open_end", Some(before), None),
        ("open_start", None, Some(after)),
    ];
    let good = ["always", "last_second", "begins", "open_end", "open_start"];
    let upstream = Upstream::start();
    let proxy = setup(&upstream, keys.map(|(kid, ..)| kid)).clock(NOW).policy("main", &ring(&keys)).start();
    let mut bench = Bench::new("a ring of keys", &proxy, "main", &upstream);
    for (kid, ..) in keys {
        let token = Token::of("ada", "editor")
            .claim("iat", NOW - 60)
            .claim("exp", NOW + 1800)
            .head("kid", kid)
            .secret(secret(kid));
        let named = if good.contains(&kid) {
            Expect::allow("role_allowed").record("kid", kid)
        } else {
            Expect::deny(401, "token_unknown_key")
        };
        bench.row(kid, &document(&token), &named);
        // Known by now, if it was good: the answer is the same.
        bench.row(&format!("{kid}, again"), &document(&token), &named);
        // The name of a good key does not help the secret of one that is not.
        let renamed = document(&token.clone().head("kid", "always"));
        let expected = if kid == "always" { named.clone() } else { Expect::deny(401, "token_signature") };
        bench.row(&format!("{kid}, renamed"), &renamed, &expected);
        // A token that names no key is tried with those that are good.
        let unnamed = bench.exchange(&document(&token.head("kid", Value::Null)));
        let status = unnamed.response.status;
        let right = if good.contains(&kid) { status == 200 } else { status == 401 };
        bench.holds(&format!("{kid}, unnamed"), right, || status.to_string());
    }
    bench.finish();
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// Both keys of one name: the months of a rotation.
#[test]
fn months_follow_each_other() {
    const DECEMBER: i64 = 1_796_083_200;
    let keys = [("november", Some(DECEMBER - 30 * 86_400), Some(DECEMBER)), ("december", Some(DECEMBER), None)];
    for (clock, good) in [(DECEMBER - 1, "november"), (DECEMBER, "december"), (DECEMBER + 1, "december")] {
        let upstream = Upstream::start();
        let proxy = setup(&upstream, keys.map(|(kid, ..)| kid)).clock(clock).policy("main", &ring(&keys)).start();
        let mut bench = Bench::new("months", &proxy, "main", &upstream);
        for (kid, ..) in keys {
            let token = Token::of("ada", "editor").claim("iat", clock - 60).claim("exp", clock + 600);
            let token = token.head("kid", kid).secret(secret(kid));
            let expect = if kid == good {
                Expect::allow("role_allowed").record("kid", kid)
            } else {
                Expect::deny(401, "token_unknown_key")
            };
            bench.row(&format!("{kid} at {}", rfc3339(clock)), &document(&token), &expect);
        }
        bench.finish();
    }
}

/// A token that was good a moment ago, and is remembered, ends with its key.
#[test]
fn a_remembered_token_ends_with_its_key() {
    // Time enough to start a proxy, unless the machine is very busy: then only the end is seen.
    let end = now() + 8;
    let upstream = Upstream::start();
    let keys = [("ends", None, Some(end)), ("next", Some(end), None)];
    let proxy = setup(&upstream, ["ends", "next"]).policy("main", &ring(&keys)).start();
    let address = proxy.address("main");
    let request = |kid: &str| document(&Token::of("ada", "editor").head("kid", kid).secret(secret(kid)));
    let (ends, next) = (request("ends"), request("next"));
    let first = fetch(address, &ends).status;
    let in_time = now() < end;
    if in_time {
        assert_eq!(first, 200);
        // Once more, which the worker remembers it by.
        fetch(address, &ends);
    }
    eventually("the key's end", || (fetch(address, &ends).status == 401).then_some(()));
    assert!(now() >= end, "the key ended before its time");
    assert_eq!(fetch(address, &next).status, 200, "its successor begins at the same moment");
    assert!(!in_time || proxy.metric("portcullis_token_cache_hit") >= 1.0, "the token was not remembered");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// A window that nothing fits in is a mistake, and said so.
#[test]
fn a_window_that_never_opens_is_refused() {
    let upstream = Upstream::start();
    for (name, bounds) in [
        ("ends before it begins", (json!("2026-12-01T00:00:00Z"), json!("2026-11-01T00:00:00Z"))),
        ("ends as it begins", (json!("2026-12-01T00:00:00Z"), json!("2026-12-01T00:00:00Z"))),
        ("no moment", (json!("December"), Value::Null)),
        ("a number", (json!(1_796_083_200), Value::Null)),
        ("no such day", (json!("2026-02-30T00:00:00Z"), Value::Null)),
    ] {
        let mut policy = ring(&[("odd", None, None)]);
        let key = &mut policy["providers"][0]["keys"][0];
        key["not_before"] = bounds.0;
        if !bounds.1.is_null() {
            key["not_after"] = bounds.1;
        }
        let started = setup(&upstream, ["odd"]).policy("main", &policy).launch();
        let Err(log) = started else { panic!("{name}: taken") };
        assert!(log.contains("keys[0]"), "{name}: the log does not say where: {log}");
    }
}
