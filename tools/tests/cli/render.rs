//! `policy render`, as far as it needs no host to judge it.

use crate::support::{directory, file, run, run_with};

const POLICY: &str = r#"---
version: v1
providers:
  - name: local
    allowed_algorithms: [HS256]
    # Two secrets, one of them twice.
    keys:
      - {kid: a, algorithm: HS256, secret: {env: SECRET_KEY}}
      - {kid: b, algorithm: HS256, secret: {env: OLD_KEY}}
  - {name: other, allowed_algorithms: [HS256], from_cookies: [s], keys: [{algorithm: HS256, secret: {env: SECRET_KEY}}]}
routes:
  - {name: all, match: {path: "/{*rest}"}, access: authenticated}
"#;

#[test]
fn secrets_are_named_once_and_never_shown() {
    let policy = file(&directory("render"), "policy.yaml", POLICY);
    let policy = policy.to_str().unwrap();
    for (options, names) in [
        (
            &["--for", "envoy"][..],
            "host_env_keys:\n            - OLD_KEY\n            - SECRET_KEY\n      configuration",
        ),
        (
            &["--for", "istio", "--url", "oci://a/b"],
            "- name: OLD_KEY\n        valueFrom: HOST\n      - name: SECRET_KEY\n",
        ),
        (
            &["--for", "envoy-gateway", "--gateway", "g", "--url", "a/b"],
            "hostKeys:\n          - OLD_KEY\n          - SECRET_KEY\n",
        ),
    ] {
        let outcome = run([&["policy", "render", policy][..], options].concat());
        assert_eq!(outcome.code, 0, "{options:?}: {outcome:?}");
        assert!(outcome.stdout.contains(names), "{options:?}: {}", outcome.stdout);
        assert!(!outcome.stdout.contains(crate::support::SECRET), "{options:?}");
        // Envoy is given JSON, which has no comments.
        let has_comment = outcome.stdout.contains("# Two secrets, one of them twice.\n");
        assert_eq!(has_comment, options[1] != "envoy", "{options:?}: comments go along");
        assert!(!outcome.stdout.contains("---"), "{options:?}: {}", outcome.stdout);
    }
}

#[test]
fn what_cannot_be_rendered_says_why() {
    let directory = directory("render_refused");
    let bad = file(&directory, "bad.yaml", "version: v1\nroutes: []\n");
    let ended = file(&directory, "ended.yaml", &format!("{POLICY}...\n"));
    let good = file(&directory, "good.yaml", POLICY);
    let (bad, ended, good) = (bad.to_str().unwrap(), ended.to_str().unwrap(), good.to_str().unwrap());
    for (arguments, code, words) in [
        (vec![bad, "--for", "envoy"], 3, "is not a valid policy"),
        (vec![ended, "--for", "istio", "--url", "a"], 3, "has the line `...`"),
        (vec![good], 2, "--for <HOST>"),
        (vec![good, "--for", "nginx"], 2, "[possible values: envoy, istio, envoy-gateway]"),
        (vec![good, "--for", "istio"], 2, "--url <URL>"),
        (vec![good, "--for", "envoy-gateway", "--url", "a"], 2, "--gateway <NAME>"),
        (vec![good, "--for", "istio", "--url", "a", "--sha256", "abc"], 2, "64 hexadecimal digits"),
        (vec![good, "--for", "istio", "--url", "a", "--selector", "x"], 2, "NAME=VALUE"),
        (vec![good, "--for", "istio", "--url", "a", "--name", "a\nb: c"], 2, "lower-case letters"),
        (vec![good, "--for", "istio", "--url", "https://a", "--wasm", "/nowhere.wasm"], 4, "/nowhere.wasm"),
        (vec![good, "--for", "istio", "--url", "oci://a", "--wasm", good], 2, "by its own digest"),
        (vec![good, "--for", "istio", "--url", "a", "--wasm", good], 2, "by its own digest"),
        (vec![good, "--for", "envoy-gateway", "--gateway", "g", "--url", "a", "--wasm", good], 2, "--sha256"),
        (vec!["/nowhere.yaml", "--for", "envoy"], 4, "/nowhere.yaml"),
    ] {
        let outcome = run([&["policy", "render"][..], &arguments].concat());
        assert_eq!(outcome.code, code, "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(words), "{arguments:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
    }
}

#[test]
fn a_policy_in_json_is_taken_too() {
    let policy = r#"{"version": "v1", "routes": [{"name": "a", "match": {"path": "/a"}, "access": "public"}]}"#;
    let outcome = run_with(["policy", "render", "-", "--for", "envoy"], policy);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let expected = r#"
        value: |
          {
            "version": "v1",
            "routes": [
              {
                "name": "a",
                "match": {"path": "/a"},
                "access": "public"
              }
            ]
          }
"#;
    assert!(outcome.stdout.ends_with(expected), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("environment_variables"), "no secret, no environment: {}", outcome.stdout);
}

/// JSON may be indented with tabs and write letters beyond U+FFFF in two escapes; YAML takes neither.
#[test]
fn a_policy_in_any_json_is_yaml_in_a_manifest() {
    let policy = include_str!("../policies/tabs.json");
    for target in [&["--for", "istio"][..], &["--for", "envoy-gateway", "--gateway", "g"]] {
        let outcome = run_with([&["policy", "render", "-", "--url", "oci://a"], target].concat(), policy);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert!(!outcome.stdout.contains('\t'), "{}", outcome.stdout);
        assert!(outcome.stdout.contains("\"equals\": \"\u{1f600}\""), "{}", outcome.stdout);
    }
}

#[test]
fn a_module_that_is_not_pinned_is_remarked_on() {
    let directory = directory("render_pinned");
    let (policy, module) = (file(&directory, "policy.yaml", POLICY), file(&directory, "m.wasm", "abc"));
    let start = ["policy", "render", policy.to_str().unwrap(), "--for", "istio", "--url", "https://a/m.wasm"];
    let loose = run(start);
    assert!(loose.stderr.contains("not pinned"), "{}", loose.stderr);
    let pinned = run([&start[..], &["--wasm", module.to_str().unwrap()]].concat());
    // FIPS 180-2, appendix B.1.
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert!(pinned.stdout.contains(&format!("sha256: {digest}\n")), "{}", pinned.stdout);
    assert!(!pinned.stderr.contains("not pinned"), "{}", pinned.stderr);
}
