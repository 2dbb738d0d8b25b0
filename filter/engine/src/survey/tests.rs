#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::testing::{Request, policy, with_routes};

fn shown(policy: &Policy) -> Vec<String> {
    let survey = Survey::new(policy);
    let views = policy.routes().map(|view| {
        let Decided { here, elsewhere } = survey.decided(view);
        let here = here.map(|methods| methods.join(" ")).join("|");
        let elsewhere: Vec<String> = elsewhere.iter().map(|(method, by)| format!(" {method}:{}", by.name())).collect();
        format!("{} {here}{}", view.name(), elsewhere.concat())
    });
    views.collect()
}

#[test]
fn a_method_is_shown_where_it_is_decided() {
    let any = "GET HEAD OPTIONS|POST PUT PATCH DELETE|(other)";
    for (routes, expected, message) in [
        (json!([["a", "/a", ["PURGE", "POST", "GET"], []]]), vec!["a GET|POST|PURGE".to_owned()], "named ones"),
        (
            json!([["a", "/a", [], []], ["b", "/a", ["GET", "DELETE"], []]]),
            vec!["a HEAD OPTIONS|POST PUT PATCH|(other) GET:b DELETE:b".into(), "b GET|DELETE|".into()],
            "a route that names the method",
        ),
        (
            json!([["a", "/a/{x}", [], []], ["b", "/a/{y}", ["GET"], ["h.test"]]]),
            vec![format!("a {any}"), "b GET||".into()],
            "only on a host",
        ),
        (
            json!([["a", "/a/{*r}", [], []], ["b", "/a/{x}", [], []], ["c", "/a/{x}/{y}", [], []]]),
            vec![format!("a {any}"), format!("b {any}"), format!("c {any}")],
            "deeper than all others",
        ),
        (
            json!([["a", "/a/{*r}", [], []], ["b", "/a/{x}", [], []], ["c", "/a/{x}/{*r}", ["GET"], []]]),
            vec![format!("a {any}"), format!("b {any}"), "c GET||".into()],
            "what is left is a slash",
        ),
    ] {
        assert_eq!(shown(&policy(&document(&routes, &json!({"access": "public"})))), expected, "{message}");
    }
}

/// A policy of `[name, path, methods, hosts]`, all with the same rules.
fn document(routes: &Value, rules: &Value) -> Value {
    let routes: Vec<Value> = routes.as_array().unwrap().iter().map(|row| route(row, rules)).collect();
    with_routes(json!(routes))
}

fn route(row: &Value, rules: &Value) -> Value {
    let mut matching = json!({"path": row[1]});
    for (index, name) in [(2, "methods"), (3, "hosts")] {
        if row[index].as_array().is_some_and(|list| !list.is_empty()) {
            matching[name] = row[index].clone();
        }
    }
    let mut route = rules.clone();
    route["name"] = row[0].clone();
    route["match"] = matching;
    route
}

#[test]
fn rules_are_in_words() {
    let policy = policy(&with_routes(json!([
        {
            "name": "a", "match": {"path": "/a/{owner}", "hosts": ["h.test", "*.x.test"]}, "access": "role_table",
            "owner": {"param": "owner", "claim": ["act", "sub"]}, "mode": "dry_run",
            "ip": {"allow": ["10.0.0.0/8", "::1", "192.0.2.1"], "deny": ["10.1.0.0/16", "2001:db8::/32"]},
            "when": [
                {"claim": ["scope"], "contains": "docs:read"}, {"claim": ["level"], "equals": 3},
                {"claim": ["plan"], "equals": "gold"}, {"claim": ["t"], "equals": {"header": "x-t"}},
                {"claim": ["t"], "equals": {"param": "owner"}}, {"claim": ["t"], "equals": {"query": "t"}},
            ],
        },
        {"name": "b", "match": {"path": "/b"}, "access": "role_table", "owner": {"upstream": true}},
        {"name": "c", "match": {"path": "/c"}, "access": "public", "ip": {"deny": ["0.0.0.0/1"]}},
    ])));
    let views: Vec<RouteView<'_>> = policy.routes().collect();
    assert_eq!(views[0].hosts(), ["h.test", "*.x.test"]);
    assert_eq!(views[0].owner().unwrap(), "own: {owner} is the caller's act.sub");
    let addresses = views[0].addresses().unwrap();
    assert_eq!(addresses, "from 10.0.0.0/8, ::1, 192.0.2.1, not from 10.1.0.0/16, 2001:db8::/32");
    let conditions = [
        "scope contains docs:read",
        "level is 3",
        "plan is \"gold\"",
        "t is the header x-t",
        "t is {owner} of the path",
        "t is t of the query",
    ];
    assert_eq!(views[0].conditions(), conditions);
    assert!(views[0].is_dry_run() && !views[1].is_dry_run());
    assert_eq!((views[1].owner().unwrap().as_str(), views[2].owner()), ("own: the service finds out", None));
    assert_eq!(views[2].addresses().unwrap(), "not from 0.0.0.0/1");
    assert_eq!(policy.known_roles(), ["admin", "editor", "viewer"]);
}

#[test]
fn an_address_rule_is_wider_where_more_may_come_in() {
    let view = |rule: &Value| {
        let mut document = json!({"name": "a", "match": {"path": "/a"}, "access": "public"});
        if !rule.is_null() {
            document["ip"] = rule.clone();
        }
        policy(&with_routes(json!([document])))
    };
    let wide = json!({"allow": ["10.0.0.0/8"]});
    for (rule, other, expected, message) in [
        (json!(null), wide.clone(), true, "no rule beside one"),
        (wide.clone(), json!(null), false, "a rule beside none"),
        (wide.clone(), wide.clone(), false, "the same"),
        (json!({"allow": ["10.1.0.0/16", "10.2.0.0/16"]}), wide.clone(), false, "parts"),
        (wide.clone(), json!({"allow": ["10.1.0.0/16"]}), true, "the whole"),
        (json!({"allow": ["10.0.0.0/8", "::1"]}), wide.clone(), true, "one more"),
        (wide.clone(), json!({"allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"]}), true, "no longer denied"),
        (json!({"allow": ["10.2.0.0/16"]}), json!({"allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"]}), false, "apart"),
        (json!({"deny": ["10.0.0.0/8"]}), json!({"deny": ["10.1.0.0/16"]}), false, "denied as part of more"),
        (json!({"deny": ["10.1.0.0/16"]}), json!({"deny": ["10.0.0.0/8"]}), true, "denied in part"),
        (json!({"deny": ["10.1.0.0/16"]}), wide, true, "all but a few"),
    ] {
        let (rule, other) = (view(&rule), view(&other));
        let (rule, other) = (rule.routes().next().unwrap(), other.routes().next().unwrap());
        assert_eq!(rule.admits_beyond(&other), expected, "{message}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod at_random {
    use proptest::prelude::*;

    use super::*;

    /// Requests by brute force: every path of up to three segments of four, every method of some, three hosts.
    fn requests() -> impl Iterator<Item = (String, &'static str, &'static str)> {
        let segments = ["a", "b", "u1", "zz"];
        let mut paths: Vec<String> = vec!["/".into()];
        for one in segments {
            paths.extend([format!("/{one}"), format!("/{one}/")]);
            for two in segments {
                paths.push(format!("/{one}/{two}"));
                paths.extend(["a", "u1"].map(|three| format!("/{one}/{two}/{three}")));
            }
        }
        paths.into_iter().flat_map(|path| {
            ["GET", "DELETE", "PURGE", "TRACE"].into_iter().flat_map(move |method| {
                let path = path.clone();
                ["h.test", "w.x.test", "other.test"].into_iter().map(move |host| (path.clone(), method, host))
            })
        })
    }

    /// What stands for the method in a survey of a route.
    fn kind<'m>(view: RouteView<'_>, method: &'m str) -> &'m str {
        let named = view.methods().iter().any(|own| own == method) || KNOWN_METHODS.contains(&method);
        if named { method } else { OTHER_METHODS }
    }

    fn send(policy: &Policy, request: &(String, &str, &str), caller: Caller<'_>) -> crate::Verdict {
        let (path, method, host) = request;
        let request = Request::new(method, path).without(":authority").with(":authority", host);
        let request = match caller {
            Caller::Anyone => request,
            Caller::WithToken => request.bearer(json!({"sub": "u1"})),
            Caller::Role(role) => request.role(role),
        };
        request.objections(policy);
        request.decide(policy)
    }

    /// Every request and every caller, decided with real tokens, against what the survey says.
    fn agrees_with_decisions(policy: &Policy) {
        let survey = Survey::new(policy);
        let callers = [Caller::Anyone, Caller::WithToken, Caller::Role("editor"), Caller::Role("viewer")];
        for request in requests() {
            for caller in callers {
                let verdict = send(policy, &request, caller);
                let Some(view) = policy.routes().find(|view| Some(view.name()) == verdict.route.as_deref()) else {
                    assert_eq!(verdict.decision.reason(), "route_not_found");
                    continue;
                };
                let method = kind(view, request.1);
                assert!(
                    survey.decided(view).here.iter().flatten().any(|own| *own == method),
                    "{request:?} {}",
                    view.name()
                );
                let expected = match view.right(caller, method) {
                    // Of the parameters in question, only the one of that value is the caller's.
                    Ok(AllowReason::OwnerAllowed) if !request.0.starts_with("/u1") => "owner_denied",
                    Ok(reason) => reason.code(),
                    Err(reason) => reason.code(),
                };
                // A survey is of routes: what is not quite a path of one, and not quite of another, is in no cell of it.
                if verdict.decision.reason() == "path_ambiguous" {
                    assert!(view.right(caller, method).is_ok(), "{request:?} {caller:?} {}", view.name());
                    continue;
                }
                assert_eq!(verdict.decision.reason(), expected, "{request:?} {caller:?} {}", view.name());
            }
        }
    }

    /// Every request is in a meeting of the two routes that decide it.
    fn meets_all(old: &Policy, new: &Policy) {
        let meetings = Survey::between(old, new).meetings();
        for request in requests() {
            let [before, after] = [old, new].map(|policy| send(policy, &request, Caller::Anyone).route);
            if before.is_none() && after.is_none() {
                continue;
            }
            let met = meetings.iter().any(|meeting| {
                let names = [meeting.old, meeting.new].map(|view| view.map(|view| view.name()));
                let methods =
                    [meeting.old, meeting.new].map(|view| view.map_or(request.1, |view| kind(view, request.1)));
                let method = if methods.contains(&request.1) { request.1 } else { OTHER_METHODS };
                let method = if meeting.methods.contains(&method) { method } else { OTHER_METHODS };
                names == [before.as_deref(), after.as_deref()] && meeting.methods.contains(&method)
            });
            assert!(met, "{request:?} {before:?} {after:?}\n{meetings:#?}");
        }
    }

    /// A policy of a few routes of every kind, those that would be refused left out.
    fn policies() -> impl Strategy<Value = Policy> {
        let path = prop::sample::select(vec![
            "/",
            "/a",
            "/a/",
            "/{o}",
            "/{o}/",
            "/{o}/b",
            "/a/{x}",
            "/{o}/{x}",
            "/a/b",
            "/{*r}",
            "/a/{*r}",
            "/{o}/{*r}",
            "/{o}/b/{y}",
            "/a/{x}/{y}",
            "/{o}/{x}/u1",
        ]);
        let methods = prop::sample::select(vec![json!([]), json!([]), json!(["GET"]), json!(["DELETE", "PURGE"])]);
        let hosts = prop::sample::select(vec![json!([]), json!([]), json!(["h.test"]), json!(["*.x.test", "h.test"])]);
        let rules = prop::sample::select(vec![
            json!({"access": "public"}),
            json!({"access": "authenticated"}),
            json!({"access": "roles", "roles": ["viewer"]}),
            json!({"access": "role_table"}),
            json!({"access": "role_table", "owner": {"upstream": true}}),
            json!({"access": "role_table", "owner": {"param": "o", "claim": ["sub"]}}),
        ]);
        prop::collection::vec((path, methods, hosts, rules), 1..7).prop_filter_map("refused", |rows| {
            let mut routes: Vec<Value> = Vec::new();
            for (index, (path, methods, hosts, rules)) in rows.into_iter().enumerate() {
                let row = json!([format!("r{index}"), path, methods, hosts]);
                routes.push(route(&row, &rules));
                if Policy::load(with_routes(json!(routes)).to_string().as_bytes(), &crate::testing::secrets).is_err() {
                    routes.pop();
                }
            }
            (!routes.is_empty()).then(|| policy(&with_routes(json!(routes))))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_shown_is_what_is_decided(policy in policies()) {
            agrees_with_decisions(&policy);
        }

        #[test]
        fn no_request_is_overlooked(old in policies(), new in policies()) {
            meets_all(&old, &new);
        }
    }
}
