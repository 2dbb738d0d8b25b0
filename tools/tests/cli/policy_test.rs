use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Outcome, command, directory, file, finish, key, run, run_with};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn policy() -> PathBuf {
    root().join("envoy/policy.yaml")
}

/// Cases that are given on standard input, against the policy of the demonstration.
fn test(cases: &str, args: &[&str]) -> Outcome {
    run_with(["policy", "test", policy().to_str().unwrap(), "-"].iter().chain(args), cases)
}

const CASES: &str = r#"now: 2026-11-24T09:30:00Z
cases:
  - name: a viewer changes nothing
    request: {method: PUT, path: "/users/alice/documents/1?access_token=hunter2"}
    as: {provider: local, claims: {sub: alice, role: viewer}}
    expect: {decision: allow, status: 200, reason: owner_allowed}
  - name: the service is told <who> calls
    request: {path: /me, headers: {X-User-Id: mallory, cookie: a=hunter2}}
    as: {provider: local, claims: {sub: alice, role: viewer}}
    expect: {upstream_headers: {x-user-id: alice, cookie: b=1}, removed_headers: [authorization]}
  - name: anyone may ask for the health
    request: {path: /healthz}
    expect: {decision: allow}
"#;

#[test]
fn the_example_agrees_with_its_policy_without_any_secret() {
    let cases = root().join("envoy/policy.test.yaml");
    let mut command = command([Path::new("policy"), Path::new("test"), &policy(), &cases]);
    command.env_remove("SECRET_KEY");
    let outcome = finish(command, b"");
    assert!(outcome.ok().contains("policy.test.yaml: 17 passed, 0 failed, "));
}

#[test]
fn a_failing_case_prints_both_sides_and_the_steps() {
    let outcome = test(CASES, &[]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""));
    let expected = "fail a viewer changes nothing (standard input:3)
  expected
    decision  allow
    reason    owner_allowed
    status    200
  got
    decision  deny
    reason    role_denied
    status    403
  steps
    pass request        PUT /users/alice/documents/1
    pass route          `document` (/users/{owner}/documents/{id})
    pass authentication header `authorization`, provider `local`, roles: [viewer]
    stop authorization  access: role_table, role `viewer`, write: none: role_denied
";
    assert!(outcome.stdout.starts_with(expected), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("\nstandard input: 1 passed, 2 failed, "), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("hunter2"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("x-user-id"), "only what differs: {}", outcome.stdout);
}

#[test]
fn results_are_there_for_programs() {
    let outcome = test(CASES, &["--json"]);
    let printed: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((outcome.code, &printed["passed"], &printed["failed"]), (1, &1.into(), &2.into()));
    let case = &printed["cases"][0];
    assert_eq!((&case["passed"], &case["line"], &case["reason"]), (&false.into(), &3.into(), &"role_denied".into()));
    let status = serde_json::json!({"field": "status", "expected": 200, "got": 403, "note": null});
    assert!(case["differences"].as_array().unwrap().contains(&status), "{case}");
    assert_eq!(case["steps"][3]["passed"], false);
}

#[test]
fn a_filter_runs_some_and_says_how_many_it_leaves_out() {
    assert!(test(CASES, &["--filter", "health"]).ok().starts_with("standard input: 1 passed, 0 failed, 2 left out, "));
    test(CASES, &["--filter", "nothing of this name"]).fails(2, "has `nothing of this name` in its name");
}

#[test]
fn a_report_is_written_for_ci() {
    let report = directory("policy_test_junit").join("report.xml");
    for _ in 0..2 {
        assert_eq!(test(CASES, &["--junit", report.to_str().unwrap()]).code, 1);
    }
    let xml = std::fs::read_to_string(&report).unwrap();
    for part in [
        "<testsuites tests=\"3\" failures=\"2\" errors=\"0\"",
        "name=\"the service is told &lt;who&gt; calls\"",
        "file=\"standard input\" line=\"3\"",
        "<failure message=\"decision: expected allow, got deny; ",
    ] {
        assert!(xml.contains(part), "{part}: {xml}");
    }
    assert!(!xml.contains("hunter2"), "{xml}");
    test(CASES, &["--junit", report.join("x").to_str().unwrap()]).fails(4, "cannot be written");
    let cases = file(&directory("policy_test_overwrite"), "cases.yaml", CASES);
    let cases = cases.to_str().unwrap();
    run(["policy", "test", policy().to_str().unwrap(), cases, "--junit", cases]).fails(2, "take the place");
}

#[test]
fn every_mistake_in_the_cases_has_its_line_and_a_remedy() {
    let cases = r#"now: yesterday
case: 1
cases:
  - name: one
    request: {path: /me, headers: {authorization: "Bearer hunter2", x-level: 3}, ip: nowhere}
    as: {provider: other, claims: [a]}
    expect: {decision: allow, status: 403}
  - name: one
    request: {path: /, headers: {":path": x}}
    expect: {status: 201, raeson: x}
"#;
    let outcome = test(cases, &[]);
    for (line, message, remedy) in [
        (1, "`yesterday` is not a time", "RFC 3339"),
        (2, "unknown field `case`", "did you mean `cases`?"),
        (5, "a string is needed here, not a number", "put the value in quotes"),
        (5, "`nowhere`: invalid IP address", "write an address"),
        (6, "the policy has no provider `other`", "write one of: local"),
        (6, "a mapping is needed here, not a list", "write a mapping"),
        (7, "a request that goes on has no status 403", "write 200 for a request that goes on"),
        (9, "`:path` is not a header name", "write it as request.path"),
        (10, "201 is no status of the filter's", "204 for a preflight"),
        (10, "unknown field `raeson`", "did you mean `reason`?"),
    ] {
        let found = outcome.stderr.split("\n\n").any(|finding| {
            finding.contains(message) && finding.contains(&format!("input:{line} ")) && finding.contains(remedy)
        });
        assert!(found, "{message}: {}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    outcome.fails(3, "is not a valid file of cases");
    let twice = "cases:\n  - {name: a, request: {path: /}, expect: {status: 200}}\n";
    test(&format!("{twice}{}", twice.replace("cases:\n", "")), &[])
        .fails(3, "another case is named `a`, on line 2 too");
    test("cases: []", &[]).fails(3, "no cases");
    test("cases: [", &[]).fails(3, "nothing else was checked");
    run(["policy", "test", "-", "-"]).fails(2, "standard input cannot be read for two things");
}

#[test]
fn a_bad_policy_is_reported_as_one() {
    let bad = file(&directory("policy_test_bad"), "policy.yaml", "version: v1\nroutes: 1\n");
    run_with(["policy", "test", bad.to_str().unwrap(), "-"], CASES).fails(3, "is not a valid policy");
}

#[test]
fn tokens_are_verified_at_the_time_of_the_case() {
    let issue =
        ["token", "issue", "--sub", "alice", "--kid", "2026-11", "--secret-env", "SECRET_KEY", "--at", "1750000000"];
    let claims = ["--iss", "https://issuer.example.com", "--aud", "portcullis-demo"];
    let token = run(issue.iter().chain(&claims)).ok();
    let case = |name: &str, now: &str, expect: &str| {
        let request = format!("{{path: /me, headers: {{authorization: Bearer {token}}}}}");
        format!("  - {{name: {name}, now: {now}, request: {request}, expect: {expect}}}\n")
    };
    let good =
        case("good", "1750000060", "{decision: allow, upstream_headers: {x-user-id: alice, authorization: null}}");
    let late = case("late", "2026-11-24T09:30:00Z", "{status: 401, reason: token_expired}");
    assert!(test(&format!("cases:\n{good}{late}"), &[]).ok().contains("2 passed"));
}

/// A policy whose keys are fetched.
const REMOTE: &str = "version: v1
providers:
  - name: keycloak
    issuer: https://issuer.example.com
    allowed_algorithms: [RS256]
    remote_jwks: {cluster: keycloak, authority: issuer.example.com, path: /jwks}
routes: [{name: me, match: {path: /me}, access: authenticated}]
";

#[test]
fn the_keys_of_a_provider_are_given_once_and_with_a_policy() {
    let directory = directory("provider_jwks");
    let policy = file(&directory, "policy.yaml", REMOTE);
    let policy = policy.to_str().unwrap();
    let jwks = file(&directory, "jwks.json", &run(["key", "jwks", key("rsa2048.pem").to_str().unwrap()]).ok());
    let jwks = jwks.to_str().unwrap();
    let cases = "cases: [{name: a, request: {path: /me}, expect: {status: 401}}]";
    let given = format!("keycloak={jwks}");
    for (command, code) in [
        (&["token", "verify", "--policy", policy][..], 1),
        (&["policy", "explain", policy, "--path", "/me"], 1),
        (&["policy", "test", policy, "-"], 0),
    ] {
        let once = run_with(command.iter().chain(&["--provider-jwks", &given]), cases);
        assert_eq!(once.code, code, "{command:?} {once:?}");
        let twice = ["--provider-jwks", &given, "--provider-jwks", "keycloak=/nowhere.json"];
        let outcome = run_with(command.iter().chain(&twice), cases);
        assert!(outcome.stderr.contains("help: give one file for each provider"), "{command:?} {outcome:?}");
        outcome.fails(2, "keys of provider `keycloak` twice");
        run_with(command.iter().chain(&["--provider-jwks", "other=/nowhere.json"]), cases)
            .fails(2, "no provider `other`");
    }
    for trust in [["--jwks", jwks], ["--secret-env", "SECRET_KEY"], ["--secret-file", jwks]] {
        let outcome = run_with(["token", "verify", "--provider-jwks", &given].iter().chain(&trust), "");
        assert!(outcome.stderr.contains("help: name the policy with --policy"), "{trust:?} {outcome:?}");
        outcome.fails(2, "no policy is named");
    }
}

#[test]
fn remote_keys_are_not_needed_for_an_assumed_caller_and_asked_for_otherwise() {
    let policy = file(&directory("policy_test_remote"), "policy.yaml", REMOTE);
    let test = |cases: &str| run_with(["policy", "test", policy.to_str().unwrap(), "-"], cases);
    let assumed =
        "cases: [{name: a, request: {path: /me}, as: {provider: keycloak, claims: {}}, expect: {status: 200}}]";
    let outcome = test(assumed);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    // {"alg":"RS256"}.{}
    let token = "eyJhbGciOiJSUzI1NiJ9.e30.AAAA";
    let real = format!(
        "cases: [{{name: a, request: {{path: /me, headers: {{authorization: Bearer {token}}}}}, expect: {{status: 200}}}}]"
    );
    let outcome = test(&real);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("--provider-jwks keycloak=FILE"), "{outcome:?}");
}

#[test]
fn the_filter_is_not_built_with_assumed_identities() {
    for manifest in ["Cargo.toml", "filter/Cargo.toml"] {
        let text = std::fs::read_to_string(root().join(manifest)).unwrap();
        assert!(!text.contains("assumed-identity"), "{manifest} lets callers in without a proof");
    }
    let engine = std::fs::read_to_string(root().join("filter/engine/Cargo.toml")).unwrap();
    assert!(engine.contains("\nassumed-identity = []\n") && !engine.contains("default ="), "it is off unless named");
}

/// Not how fast, which the machine decides, but that a large table against a large policy is no trouble.
#[test]
fn a_thousand_cases_on_a_thousand_routes() {
    let (mut policy, mut cases) = ("version: v1\nroutes:\n".to_owned(), "cases:\n".to_owned());
    for index in 0..1000 {
        writeln!(policy, "  - {{name: r{index}, match: {{path: \"/a{index}/{{id}}\"}}, access: public}}").unwrap();
        let expect = format!("{{decision: allow, route: r{index}}}");
        writeln!(cases, "  - {{name: c{index}, request: {{path: /a{index}/1}}, expect: {expect}}}").unwrap();
    }
    let policy = file(&directory("policy_test_large"), "policy.yaml", &policy);
    let outcome = run_with(["policy", "test", policy.to_str().unwrap(), "-"], cases);
    assert!(outcome.ok().contains("1000 passed, 0 failed"));
}
