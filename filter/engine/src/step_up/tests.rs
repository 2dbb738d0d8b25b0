#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::policy::Policy;
use crate::testing::{NOW, Request, amended, errors, policy, provider, with_routes};

fn rule(acr_values: &[&str], amr: &[&str], max_age: Option<u64>) -> StepUp {
    let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    StepUp::new(owned(acr_values), owned(amr), max_age)
}

#[test]
fn all_that_is_given_must_hold() {
    let (any, mfa) = (rule(&[], &[], None), rule(&["mfa", "phr"], &[], None));
    let (otp, fresh) = (rule(&[], &["otp", "hwk"], None), rule(&[], &[], Some(900)));
    let all = rule(&["mfa"], &["otp"], Some(900));
    for (rule, claims, expected, message) in [
        (&any, json!({}), true, "nothing asked"),
        (&mfa, json!({"acr": "phr"}), true, "one of two classes"),
        (&mfa, json!({"acr": "pwd"}), false, "another class"),
        (&mfa, json!({}), false, "no class"),
        (&mfa, json!({"acr": ["mfa"]}), false, "a class is a string"),
        (&mfa, json!({"acr": "mfa phr"}), false, "one string is one class"),
        (&otp, json!({"amr": ["pwd", "otp"]}), true, "among others"),
        (&otp, json!({"amr": "hwk"}), true, "alone"),
        (&otp, json!({"amr": ["pwd"]}), false, "another method"),
        (&otp, json!({"amr": [["otp"], 1, null]}), false, "none that is a string"),
        (&otp, json!({"amr": "pwd otp"}), false, "one string is one method"),
        (&otp, json!({"acr": "otp"}), false, "no methods"),
        (&fresh, json!({"auth_time": NOW}), true, "now"),
        (&fresh, json!({"auth_time": NOW - 930}), true, "at the limit, clocks apart"),
        (&fresh, json!({"auth_time": NOW - 931}), false, "just beyond it"),
        (&fresh, json!({"auth_time": NOW + 30}), true, "ahead, as clocks may be"),
        (&fresh, json!({"auth_time": NOW + 31}), false, "ahead beyond that"),
        (&fresh, json!({"auth_time": (NOW - 5).to_string()}), false, "a string is no date"),
        (&fresh, json!({"auth_time": -1e300}), false, "long ago"),
        (&fresh, json!({}), false, "unknown"),
        (&all, json!({"acr": "mfa", "amr": ["otp"], "auth_time": NOW - 5}), true, "all three"),
        (&all, json!({"acr": "pwd", "amr": ["otp"], "auth_time": NOW - 5}), false, "not the class"),
        (&all, json!({"acr": "mfa", "amr": ["pwd"], "auth_time": NOW - 5}), false, "not the method"),
        (&all, json!({"acr": "mfa", "amr": ["otp"], "auth_time": NOW - 5000}), false, "not the time"),
    ] {
        let claims = claims.as_object().unwrap();
        assert_eq!(rule.is_met(&claims.into(), UnixTime::from_seconds(NOW), 30.0), expected, "{message}: {claims:?}");
    }
}

#[test]
fn the_challenge_says_what_to_ask_for() {
    let error = r#"Bearer realm="portcullis", error="insufficient_user_authentication""#;
    for (rule, more) in [
        (rule(&["mfa"], &["otp"], Some(900)), r#", acr_values="mfa", max_age="900""#),
        (rule(&["urn:a", "urn:b"], &[], None), r#", acr_values="urn:a urn:b""#),
        (rule(&[], &["otp"], None), ""),
    ] {
        assert_eq!(**rule.challenge(), format!("{error}{more}"));
    }
}

#[test]
fn durations_are_in_their_largest_unit() {
    for (seconds, text) in
        [(1, "1s"), (59, "59s"), (60, "1m"), (90, "90s"), (900, "15m"), (7200, "2h"), (172_800, "2d")]
    {
        assert_eq!(duration_text(seconds), text);
    }
}

#[test]
fn a_rule_is_wider_where_less_suffices() {
    let (mfa, either) = (rule(&["mfa"], &[], None), rule(&["mfa", "phr"], &[], None));
    let (short, long) = (rule(&[], &[], Some(60)), rule(&[], &[], Some(600)));
    for (rule, other, expected, message) in [
        (&mfa, &either, false, "one of two"),
        (&either, &mfa, true, "two for one"),
        (&short, &long, false, "fresher"),
        (&long, &short, true, "older"),
        (&mfa, &short, true, "another question"),
    ] {
        assert_eq!(rule.admits_beyond(other), expected, "{message}");
    }
}

fn stepped(access: Value) -> Policy {
    let step_up = json!({"acr_values": ["mfa"], "amr": ["otp"], "max_age": "15m"});
    let route = amended(json!({"name": "pay", "match": {"path": "/pay/{owner}"}, "step_up": step_up}), access);
    policy(&with_routes(json!([route])))
}

#[test]
fn step_up_comes_last_and_is_asked_for_with_every_request() {
    let table = stepped(json!({"access": "role_table", "owner": {"param": "owner", "claim": ["sub"]}}));
    let claims =
        |role: &str, amr: &str| json!({"sub": "u1", "role": role, "acr": "mfa", "amr": ["pwd", amr], "auth_time": NOW});
    let put = |claims: Value| Request::new("PUT", "/pay/u1").bearer(claims);
    let challenge =
        r#"Bearer realm="portcullis", error="insufficient_user_authentication", acr_values="mfa", max_age="900""#;
    for (request, reason, status, message) in [
        (put(claims("editor", "otp")), "owner_allowed", None, "enough"),
        (put(claims("editor", "sms")), "step_up_required", Some(401), "too little"),
        (put(claims("viewer", "sms")), "role_denied", Some(403), "who may not is not asked to come again"),
        (Request::new("PUT", "/pay/u2").bearer(claims("editor", "sms")), "owner_denied", Some(403), "nor another"),
        (Request::new("PUT", "/pay/u1"), "credentials_missing", Some(401), "nor nobody"),
    ] {
        let verdict = request.decide(&table);
        assert_eq!((verdict.decision.reason(), verdict.status()), (reason, status), "{message}");
        if reason == "step_up_required" {
            assert_eq!(verdict.reply().header("www-authenticate"), Some(challenge));
            assert_eq!(verdict.recorded("event"), Some(json!("authentication")));
            assert_eq!(verdict.recorded("user_id"), Some(json!("u1")));
        }
    }
    // A verified token is kept; its age is not.
    let mut worker = crate::Worker::new(&table, crate::token::Proven::NOTHING);
    let request =
        put(json!({"sub": "u1", "role": "editor", "acr": "mfa", "amr": ["otp"], "auth_time": NOW, "exp": NOW + 9999}));
    assert_eq!(request.decide_with(&table, &mut worker).decision.reason(), "owner_allowed");
    let later = request.at(NOW + 931);
    assert_eq!(later.decide_with(&table, &mut worker).decision.reason(), "step_up_required");
    let reasons: Vec<_> = put(claims("viewer", "sms")).objections(&table).iter().map(|one| one.reason.code()).collect();
    assert_eq!(reasons, ["role_denied", "step_up_required"]);
    let steps = put(claims("editor", "sms")).steps(&table);
    let words = "step-up: acr is one of [mfa], amr has one of [otp], auth_time is at most 15m ago: not met";
    assert!(steps.last().is_some_and(|(_, _, detail)| detail.contains(words)), "{steps:?}");
}

#[test]
fn each_field_of_a_policy_is_a_demand_of_its_own() {
    let good = json!({"acr": "mfa", "amr": ["otp"], "auth_time": NOW});
    for (field, value, claim) in [
        ("acr_values", json!(["mfa"]), "acr"),
        ("amr", json!(["hwk", "otp"]), "amr"),
        ("max_age", json!("15m"), "auth_time"),
    ] {
        let route = json!({"name": "a", "match": {"path": "/a"}, "access": "authenticated", "step_up": {field: value}});
        let policy = policy(&with_routes(json!([route])));
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(claim);
        for (claims, expected) in [(json!({claim: good[claim]}), "authenticated"), (without, "step_up_required")] {
            assert_eq!(
                Request::get("/a").bearer(claims.clone()).decide(&policy).decision.reason(),
                expected,
                "{field}: {claims}"
            );
        }
    }
}

#[test]
fn a_trial_of_step_up_refuses_nobody() {
    let dry = stepped(json!({"access": "authenticated", "mode": "dry_run"}));
    let verdict = Request::get("/pay/u1").role("editor").decide(&dry);
    assert_eq!(verdict.outcome(), ("dry_run_deny", "step_up_required"));
}

#[test]
fn mistakes_in_step_up_are_errors() {
    for (step_up, access, path, message) in [
        (json!({}), "authenticated", "routes[0].step_up", "nothing is asked for"),
        (json!({"acr_values": []}), "authenticated", "routes[0].step_up.acr_values", "an empty list"),
        (json!({"acr_values": ["a b"]}), "authenticated", "routes[0].step_up.acr_values[0]", "`a b` is not a value of"),
        (json!({"amr": ["\""]}), "authenticated", "routes[0].step_up.amr[0]", "is not a value of"),
        (json!({"max_age": "0s"}), "authenticated", "routes[0].step_up.max_age", "no time at all"),
        (json!({"max_age": 900}), "authenticated", "routes[0].step_up.max_age", "not a duration"),
        (json!({"arc_values": ["a"]}), "authenticated", "routes[0].step_up.arc_values", "unknown field"),
        (json!({"amr": ["otp"]}), "public", "routes[0].step_up", "a public route has none"),
    ] {
        let route = json!({"name": "a", "match": {"path": "/a"}, "access": access, "step_up": step_up});
        let found = errors(&amended(with_routes(json!([route])), json!({"providers": [provider()]})));
        assert_eq!(found[0].path, path, "{step_up}: {found:?}");
        assert!(found[0].message.contains(message), "{step_up}: {found:?}");
    }
}
