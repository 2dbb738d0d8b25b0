#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use serde_json::{Value, json};

use super::*;
use crate::testing::{policy, with_routes};

/// A table of public routes that are named after their match: `GET,POST /path @host,host`, in any part but the path.
fn table(routes: &[&str]) -> RouteTable {
    policy(&with_routes(routes.iter().enumerate().map(|(index, spec)| route(index, spec)).collect())).routes
}

fn route(index: usize, spec: &str) -> Value {
    let mut matcher = json!({});
    for part in spec.split(' ') {
        if part.starts_with('/') {
            matcher["path"] = part.into();
        } else if let Some(hosts) = part.strip_prefix('@') {
            matcher["hosts"] = hosts.split(',').collect();
        } else {
            matcher["methods"] = part.split(',').collect();
        }
    }
    json!({"name": format!("r{index}"), "match": matcher, "access": "public"})
}

/// The spec of the route found for `GET /path @host`.
fn found<'s>(table: &RouteTable, specs: &[&'s str], request: &str) -> Option<&'s str> {
    let mut parts = request.split(' ');
    let (method, path) = (parts.next().unwrap(), parts.next().unwrap());
    let host = parts.next().map_or("", |host| host.strip_prefix('@').unwrap());
    let matched = table.find(path, host, method)?;
    let index: usize = matched.route.name.strip_prefix('r').unwrap().parse().unwrap();
    Some(specs[index])
}

#[track_caller]
fn check(specs: &[&str], cases: &[(&str, Option<&str>, &str)]) {
    let reversed: Vec<&str> = specs.iter().rev().copied().collect();
    let (forth, back) = (table(specs), table(&reversed));
    for (request, expected, message) in cases {
        assert_eq!(found(&forth, specs, request), *expected, "{message}: {request}");
        assert_eq!(found(&back, &reversed, request), *expected, "{message}, in reverse order: {request}");
    }
}

#[test]
fn a_literal_wins_over_a_parameter_and_that_over_the_rest() {
    check(
        &["/users/me", "/users/{id}", "/users/{*rest}", "/{a}/{b}", "/{*all}", "/users"],
        &[
            ("GET /users/me", Some("/users/me"), "literal"),
            ("GET /users/7", Some("/users/{id}"), "parameter"),
            ("GET /users/7/x", Some("/users/{*rest}"), "rest"),
            ("GET /users/me/x", Some("/users/{*rest}"), "the rest below a literal that ends"),
            ("GET /other/7", Some("/{a}/{b}"), "parameters at the top"),
            ("GET /other/7/x", Some("/{*all}"), "the rest of everything"),
            ("GET /users", Some("/users"), "a path that is the beginning of others"),
            ("GET /users/", Some("/{*all}"), "a trailing slash is another path"),
            ("GET /", None, "an empty rest is none"),
            ("GET /Users/me", Some("/{a}/{b}"), "case matters"),
        ],
    );
}

#[test]
fn the_search_goes_back_where_a_more_specific_path_leads_nowhere() {
    check(
        &["/a/b/c", "/a/{x}/d", "/{y}/b/e", "/{*z}"],
        &[
            ("GET /a/b/c", Some("/a/b/c"), "straight"),
            ("GET /a/b/d", Some("/a/{x}/d"), "one step back"),
            ("GET /a/b/e", Some("/{y}/b/e"), "two steps back"),
            ("GET /a/b/f", Some("/{*z}"), "to the top"),
            ("GET /a/b", Some("/{*z}"), "a path that only begins a route"),
            ("GET /a/b/c/d", Some("/{*z}"), "a path that goes beyond a route"),
        ],
    );
}

#[test]
fn methods_that_do_not_fit_are_as_if_the_route_were_not_there() {
    check(
        &["GET /users/me", "/users/{id}", "POST,PUT /users/{id}", "DELETE /{*all}"],
        &[
            ("GET /users/me", Some("GET /users/me"), "it fits"),
            ("PATCH /users/me", Some("/users/{id}"), "back to the parameter"),
            ("POST /users/me", Some("POST,PUT /users/{id}"), "named methods before any"),
            ("DELETE /users/me", Some("/users/{id}"), "a more specific path before a named method"),
            ("DELETE /other", Some("DELETE /{*all}"), "the rest"),
            ("GET /other", None, "nothing"),
            ("get /users/me", Some("/users/{id}"), "methods are case-sensitive"),
        ],
    );
}

#[test]
fn an_exact_host_wins_over_a_suffix_and_that_over_any() {
    check(
        &["/a @api.example.com", "/a @*.example.com", "/a @*.eu.example.com", "/a", "/b @api.example.com", "/{*all}"],
        &[
            ("GET /a @api.example.com", Some("/a @api.example.com"), "exact"),
            ("GET /a @www.example.com", Some("/a @*.example.com"), "suffix"),
            ("GET /a @a.b.example.com", Some("/a @*.example.com"), "a suffix takes any depth"),
            ("GET /a @a.eu.example.com", Some("/a @*.eu.example.com"), "the longer suffix"),
            ("GET /a @eu.example.com", Some("/a @*.example.com"), "a suffix is not its own name"),
            ("GET /a @example.com", Some("/a"), "a suffix is not the name above"),
            ("GET /a @badexample.com", Some("/a"), "a suffix begins at a dot"),
            ("GET /a @api.example.com.evil.test", Some("/a"), "an exact host is no prefix"),
            ("GET /a", Some("/a"), "no host at all"),
            ("GET /b @api.example.com", Some("/b @api.example.com"), "exact"),
            ("GET /b @www.example.com", Some("/{*all}"), "back to the rest where the host does not fit"),
        ],
    );
}

#[test]
fn of_a_route_with_several_hosts_only_the_one_that_fits_counts() {
    check(
        &["/a @api.example.com,*.example.com", "/a @*.eu.example.com", "GET /b @*.x.test", "/b @y.test,*.x.test"],
        &[
            ("GET /a @api.example.com", Some("/a @api.example.com,*.example.com"), "exact"),
            ("GET /a @a.eu.example.com", Some("/a @*.eu.example.com"), "the longer suffix, whatever else is listed"),
            ("GET /b @a.x.test", Some("GET /b @*.x.test"), "the same suffix: the named method"),
            ("PUT /b @a.x.test", Some("/b @y.test,*.x.test"), "the same suffix: any method"),
        ],
    );
}

#[test]
fn the_host_is_compared_before_the_method() {
    check(
        &["GET /a", "/a @*.example.com"],
        &[
            ("GET /a @api.example.com", Some("/a @*.example.com"), "the host that fits"),
            ("GET /a @other.test", Some("GET /a"), "the method that fits"),
            ("PUT /a @other.test", None, "neither"),
        ],
    );
}

#[test]
fn trailing_slashes_and_rests() {
    check(
        &["/a", "/b/", "/c/{x}", "/d/{x}/", "/e/{*r}", "/f/g", "/"],
        &[
            ("GET /", Some("/"), "the root"),
            ("GET /a", Some("/a"), "without"),
            ("GET /a/", None, "with, where the route has none"),
            ("GET /b/", Some("/b/"), "with"),
            ("GET /b", None, "without, where the route has one"),
            ("GET /c/1", Some("/c/{x}"), "a parameter"),
            ("GET /c/1/", None, "a parameter and a slash"),
            ("GET /c/", None, "a parameter is never empty"),
            ("GET /d/1/", Some("/d/{x}/"), "a parameter before a slash"),
            ("GET /d//", None, "an empty parameter"),
            ("GET /e/1", Some("/e/{*r}"), "a rest"),
            ("GET /e/1/2/", Some("/e/{*r}"), "a rest with a slash at its end"),
            ("GET /e/", None, "an empty rest"),
            ("GET /e", None, "no rest"),
            ("GET /f", None, "half a route"),
        ],
    );
}

/// A server that decodes before it routes sees `:` in both, and so must the policy.
#[test]
fn an_escape_of_what_needs_none_is_no_way_around_a_literal() {
    check(
        &["/jobs/all:purge", "/jobs/{id}", "/@me/{x}", "/a%20b", "/c%3Ad", "/{a}/{b}"],
        &[
            ("GET /jobs/all:purge", Some("/jobs/all:purge"), "plain"),
            ("GET /jobs/all%3Apurge", Some("/jobs/all:purge"), "escaped"),
            ("GET /%40me/x", Some("/@me/{x}"), "escaped, before more"),
            ("GET /a%20b", Some("/a%20b"), "what must be escaped"),
            ("GET /c:d", Some("/c%3Ad"), "escaped in the route"),
            ("GET /c%3Ad", Some("/c%3Ad"), "escaped in both"),
            ("GET /jobs/all%3Fpurge", Some("/jobs/{id}"), "an escape of something else"),
        ],
    );
    let table = table(&["/jobs/all:purge", "/c%3Ad/{x}"]);
    assert_eq!(table.redact("/jobs/all%3Apurge/x"), "/jobs/all:purge/*");
    assert_eq!(table.find("/c:d/a%40b", "", "GET").unwrap().param("x"), Some("a%40b"), "values stay as they are");
}

/// Routes whose names say what they ask: `a…` one thing, `b…` another.
fn guarded(routes: &[(&str, &str)]) -> RouteTable {
    let routes = routes.iter().map(|(name, path)| match name.chars().next() {
        Some('p') => json!({"name": name, "match": {"path": path}, "access": "public"}),
        Some('t') => json!({"name": name, "match": {"path": path}, "access": "role_table"}),
        Some('o') => {
            let owner = json!({"param": "id", "claim": ["sub"]});
            json!({"name": name, "match": {"path": path}, "access": "role_table", "owner": owner})
        }
        _ => json!({"name": name, "match": {"path": path}, "access": "roles", "roles": ["admin"]}),
    });
    policy(&with_routes(routes.collect())).routes
}

#[test]
fn a_path_that_a_careless_server_takes_for_another_routes_is_told() {
    let site = [("admin", "/admin/{*rest}"), ("keys", "/keys"), ("p-health", "/healthz"), ("public", "/{*rest}")];
    let mixed = [("admin", "/Admin/x"), ("p-other", "/admin/x"), ("public", "/{*rest}")];
    let slash = [("t-docs", "/docs/"), ("public", "/{*rest}")];
    let names =
        [("all", "/items/all"), ("o-item", "/items/{id}"), ("o-copy", "/copies/{id}/{n}"), ("o-rest", "/{n}/{id}")];
    let between = [("p-x", "/admin/x"), ("admin", "/admin/{*rest}"), ("public", "/{*rest}")];
    let cut = [("p-docs", "/docs/"), ("p-any", "/{a}/{*rest}"), ("t-rest", "/{*rest}")];
    let odd = [("question", "/wiki/{title}"), ("public", "/{*rest}")];
    for (routes, path, expected, message) in [
        (site.as_slice(), "/admin/x", None, "as it is written"),
        (&site, "/other/x", None, "another"),
        (&site, "/Other/X", None, "another, with capitals"),
        (&site, "/ADMIN/x", Some("admin"), "case"),
        (&site, "/aDmin/X/y", Some("admin"), "case of one letter"),
        (&site, "/admin/X", None, "case below the route's own"),
        (&site, "/admin./x", Some("admin"), "a dot at an end"),
        (&site, "/admin%20/x", Some("admin"), "a space at an end"),
        (&site, "/%C3%84dmin/x", None, "another letter"),
        (&site, "/%E2%84%AAeys", Some("keys"), "a letter whose lower case is ASCII"),
        (&site, "/key%C5%BF", Some("keys"), "a letter whose upper case is ASCII"),
        (&site, "/keys/", Some("keys"), "a slash at the end"),
        (&site, "/keys%3Fx", Some("keys"), "an escaped question mark"),
        (&site, "/keys/%23/x", Some("keys"), "an escaped number sign"),
        (&site, "/KEYS.%3F", Some("keys"), "several at once"),
        (&site, "/x/..%20/admin/x", Some("-"), "what may be a dot segment"),
        (&site, "/HEALTHZ", None, "a route that asks the same"),
        (&site, "/healthz/", None, "a route that asks the same"),
        (&site, "/admin", None, "no more than the policy says itself"),
        (&mixed, "/Admin/x", None, "the policy tells them apart"),
        (&mixed, "/admin/x", None, "the policy tells them apart"),
        (&mixed, "/ADMIN/x", Some("admin"), "neither of both"),
        (&slash, "/docs/", None, "as it is written"),
        (&slash, "/docs", Some("t-docs"), "the slash left out"),
        (&slash, "/Docs", Some("t-docs"), "and case"),
        (&names, "/items/all", None, "as it is written"),
        (&names, "/items/ALL", Some("all"), "a value that is another route's word"),
        (&names, "/items/Ada", None, "a value with a capital"),
        (&names, "/Copies/1", None, "no other route"),
        (&names, "/ITEMS/1", Some("o-item"), "a route that compares the same with another part of the path"),
        (&between, "/ADMIN/x", Some("admin"), "a route that asks the same, before one that does not"),
        (&between, "/ADMIN/x.", Some("admin"), "who keeps the dot sees another route than who drops it"),
        (&cut, "/docs%3F/x", Some("t-rest"), "who keeps slashes sees another route than who drops them"),
        (&odd, "/wiki/What%3F", None, "a question mark within a value"),
        (&odd, "/wiki/%3F", None, "nothing but, before a route that lets everybody in"),
    ] {
        let table = guarded(routes);
        let found = table.find(path, "", "GET").unwrap();
        let misread = table.misread(&found, path, "", "GET").map(|misreading| match misreading {
            Misreading::Other(route) => route.name.to_string(),
            Misreading::Unknown => "-".to_owned(),
        });
        assert_eq!(misread.as_deref(), expected, "{message}: {path}");
    }
}

#[test]
fn a_misreading_is_of_the_same_host_and_method() {
    let specs = [
        json!({"name": "purge", "match": {"path": "/purge", "methods": ["POST"], "hosts": ["a.test"]}, "access": "authenticated"}),
        json!({"name": "rest", "match": {"path": "/{*rest}"}, "access": "public"}),
    ];
    let table = policy(&with_routes(specs.to_vec().into())).routes;
    for (host, method, misread) in [("a.test", "POST", true), ("a.test", "GET", false), ("b.test", "POST", false)] {
        let found = table.find("/Purge", host, method).unwrap();
        assert_eq!(table.misread(&found, "/Purge", host, method).is_some(), misread, "{method} {host}");
    }
}

#[test]
fn parameters_have_their_values() {
    let table = table(&["/users/{owner}/docs/{id}", "/files/{*rest}", "/users/{a}/{b}/x"]);
    for (path, expected) in [
        ("/users/alice/docs/7", vec![("owner", "alice"), ("id", "7")]),
        ("/files/a/b%20c", vec![("rest", "a/b%20c")]),
        ("/users/alice/docs/x", vec![("owner", "alice"), ("id", "x")]),
        ("/users/alice/other/x", vec![("a", "alice"), ("b", "other")]),
    ] {
        let matched = table.find(path, "", "GET").unwrap();
        assert_eq!(matched.params().collect::<Vec<_>>(), expected, "{path}");
        for (name, value) in expected {
            assert_eq!(matched.param(name), Some(value), "{path}: {name}");
        }
        assert_eq!(matched.param("none"), None, "{path}");
    }
}

#[test]
fn ten_thousand_routes_keep_apart() {
    let specs: Vec<String> = (0..10_000)
        .map(|n| match n % 4 {
            0 => format!("/tenants/t{n}/items/{{id}}"),
            1 => format!("/tenants/t{n}/{{*rest}}"),
            2 => format!("GET /s{n}/{{a}}/{{b}}"),
            _ => format!("/hosts @h{n}.example.com"),
        })
        .collect();
    let specs: Vec<&str> = specs.iter().map(String::as_str).collect();
    let table = table(&specs);
    for n in (0..10_000).step_by(7) {
        let request = match n % 4 {
            0 => format!("GET /tenants/t{n}/items/9"),
            1 => format!("PUT /tenants/t{n}/a/b/c"),
            2 => format!("GET /s{n}/1/2"),
            _ => format!("GET /hosts @h{n}.example.com"),
        };
        assert_eq!(found(&table, &specs, &request), Some(specs[n]), "{request}");
    }
    assert!(table.find("/tenants/t10000/items/9", "", "GET").is_none(), "one that is not there");
}

#[test]
fn paths_of_no_route_keep_only_what_the_policy_says_itself() {
    let table = table(&["/users/{id}/docs", "/admin/keys", "/a/b/"]);
    for (path, expected) in [
        ("/users/alice@example.com", "/users/*"),
        ("/users", "/users"),
        ("/admin/keys/7", "/admin/keys/*"),
        ("/admin", "/admin"),
        ("/secret", "/*"),
        ("/", "/*"),
        ("/admin/", "/admin/*"),
        ("/a/b/", "/a/b/"),
        ("/a/b/x/y", "/a/b/*"),
    ] {
        assert_eq!(table.redact(path), expected, "{path}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::Policy;
    use crate::testing::secrets;

    /// A spec of [`table`]; most collide with another one.
    fn spec() -> impl Strategy<Value = String> {
        let segment = prop_oneof![Just("a"), Just("b"), Just("a%20b"), Just("a@b"), Just("{p}")];
        let end = prop_oneof![4 => Just(""), 1 => Just("/"), 2 => Just("/{*r}")];
        let methods = prop_oneof![2 => Just(""), 1 => Just("GET "), 1 => Just("POST "), 1 => Just("GET,POST ")];
        let hosts = prop_oneof![
            3 => Just(""),
            1 => Just(" @x.test"),
            1 => Just(" @*.test"),
            1 => Just(" @*.y.test"),
            1 => Just(" @x.test,*.y.test"),
            1 => Just(" @x.test,*.test"),
        ];
        (prop::collection::vec(segment, 1..4), end, methods, hosts).prop_map(|(segments, end, methods, hosts)| {
            // The names of a path's parameters differ.
            let path: String = segments
                .iter()
                .enumerate()
                .map(|(index, text)| if *text == "{p}" { format!("/{{p{index}}}") } else { format!("/{text}") })
                .collect();
            format!("{methods}{path}{end}{hosts}")
        })
    }

    /// How specific a route is for a request that it takes: kinds of segments from the left, then host, then method.
    fn rank(route: &Route, host: &str) -> (Vec<u8>, usize, bool) {
        let kinds = route.path.segments.iter().map(|segment| match segment {
            Segment::Literal(_) => 2,
            Segment::Param(_) => 1,
            Segment::Rest(_) => 0,
        });
        let fitting = route.hosts.iter().filter(|pattern| pattern.matches(host)).map(HostPattern::specificity);
        (kinds.collect(), fitting.max().unwrap_or(0), !route.methods.is_empty())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_tree_finds_what_looking_at_every_route_finds(
            specs in prop::collection::vec(spec(), 1..10),
            paths in prop::collection::vec("(/(a|b|c|a%20b|a@b|a%40b)){1,4}/?", 1..8),
        ) {
            // Two routes that take the same requests are a mistake in the policy; the later one goes.
            let mut kept: Vec<Value> = Vec::new();
            for (index, spec) in specs.iter().enumerate() {
                kept.push(route(index, spec));
                let document = with_routes(kept.clone().into());
                if Policy::load(document.to_string().as_bytes(), &secrets).is_err() {
                    kept.pop();
                }
            }
            let table = policy(&with_routes(kept.into())).routes;
            for path in &paths {
                for host in ["", "x.test", "z.test", "y.test", "x.y.test"] {
                    for method in ["GET", "POST", "PUT"] {
                        let query = Query { host, method };
                        let fits = |route: &&Route| route.fit(query).is_some() && route.path.matches(path, str::eq);
                        let best = table.routes().iter().filter(fits).max_by_key(|route| rank(route, host));
                        let found = table.find(path, host, method);
                        prop_assert_eq!(
                            found.as_ref().map(|found| &found.route.name),
                            best.map(|best| &best.name),
                            "{} {} @{}", method, path, host
                        );
                        if let Some(found) = found {
                            prop_assert!(found.params().all(|(_, value)| !value.is_empty()));
                            prop_assert_eq!(found.values.len(), found.params().count());
                        }
                    }
                }
            }
        }
    }
}
