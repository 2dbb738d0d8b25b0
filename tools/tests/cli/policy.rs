use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Outcome, SECRET, command, directory, file, finish, run, run_with};

const POLICY: &str = r#"version: v1
providers:
  - name: local
    issuer: https://issuer.example.com
    allowed_algorithms: [HS256]
    keys: [{kid: k1, algorithm: HS256, secret: {env: SECRET_KEY}}]
    roles_from: {claim: [role]}
    claim_to_headers: [{claim: [sub], header: x-user-id}]
    from_cookies: [session]
roles:
  editor: {read: any, write: own}
routes:
  - {name: health, match: {path: /healthz, methods: [GET]}, access: public}
  - name: documents
    match: {path: "/users/{owner}/documents/{id}"}
    access: role_table
    owner: {param: owner, claim: [sub]}
  - {name: new, match: {path: /new}, access: authenticated, mode: dry_run}
  - {name: inside, match: {path: /inside}, access: authenticated, ip: {allow: [10.0.0.0/8]}}
cors: {allow_origins: ["https://app.example.com"]}
"#;

const BAD: &str = "version: v1\nroutes:\n  - name: a\n    match: {path: /x}\n    acess: public\n";

fn everything() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies/everything.yaml")
}

/// A command without the secrets of the policies here.
fn without_secrets(args: &[&str]) -> Command {
    let mut command = command(args);
    command.env_remove("SECRET_KEY");
    command
}

fn check(policy: &str, args: &[&str]) -> Outcome {
    run_with(["policy", "check", "-"].iter().chain(args), policy)
}

#[test]
fn the_schema_is_printed() {
    let schema = run(["policy", "schema"]).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn a_good_policy_is_valid_in_yaml_and_in_json() {
    let careful = POLICY.replace("    allowed_algorithms", "    audiences: [portcullis-demo]\n    allowed_algorithms");
    assert_eq!(check(&careful, &[]).ok(), "standard input: valid, 4 routes");
    let advised = check(POLICY, &[]).ok();
    assert!(advised.starts_with("warning: no `audiences`: a token that its issuer made"), "{advised}");
    assert!(advised.ends_with("standard input: valid, 4 routes, 1 warning"), "{advised}");
    assert_eq!(check(POLICY, &["--deny-warnings"]).code, 3);
    let explained = run_with(["policy", "explain", "-", "--path", "/healthz"], POLICY);
    assert!(!explained.stderr.contains("audiences"), "advice is for a review: {}", explained.stderr);
    let json = r#"{"version": "v1", "routes": [{"name": "a", "match": {"path": "/"}, "access": "public"}]}"#;
    assert_eq!(check(json, &[]).ok(), "standard input: valid, 1 route");
    let path = file(&directory("policy_json"), "policy.json", json);
    assert!(run(["policy", "check", path.to_str().unwrap()]).ok().ends_with("policy.json: valid, 1 route"));
    let yaml = check("version: v1\nroutes: [{name: a, match: {path: /}, access: public}]", &["--json"]).json();
    assert_eq!(yaml["digest"], check(json, &["--json"]).json()["digest"], "the digest is of the content");
}

#[test]
fn every_mistake_has_its_line_and_a_remedy() {
    let outcome = check(BAD, &[]);
    assert_eq!(outcome.code, 3);
    assert_eq!(outcome.stderr, "");
    let expected = "error: unknown field `acess`\n --> standard input:5 routes[0].acess\n  |\n\
                    5 |     acess: public\n  |     ^^^^^\n  = help: did you mean `access`?\n";
    assert!(outcome.stdout.contains(expected), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("standard input: not valid, 2 errors\n"), "{}", outcome.stdout);

    let json = check(BAD, &["--json"]);
    let printed: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &printed["valid"]), (3, &false.into()));
    let expected = json!({
        "path": "routes[0].acess", "line": 5,
        "message": "unknown field `acess`", "remedy": "did you mean `access`?"
    });
    assert!(printed["errors"].as_array().unwrap().contains(&expected), "{printed}");

    let github = check(BAD, &["--format", "github"]);
    let expected = "::error file=standard input,line=5,title=portcullis::routes[0].acess: unknown field `acess`";
    assert!(github.stdout.contains(expected), "{}", github.stdout);
    assert_eq!(github.code, 3);
}

#[test]
fn text_that_is_no_document_is_reported_the_same_way() {
    let outcome = check("a: [1\nb: 2", &[]);
    assert_eq!(outcome.code, 3);
    assert!(outcome.stdout.starts_with("error: "), "{outcome:?}");
    assert!(outcome.stdout.contains("--> standard input:2\n"), "{outcome:?}");
    assert_eq!(check("", &[]).code, 3);
    run(["policy", "check", "no/such/file"]).fails(4, "cannot be read");
    run_with(["policy", "check", "-"], [0xff]).fails(3, "not UTF-8");
}

#[test]
fn a_route_that_others_leave_nothing_is_remarked_on() {
    let route = |name: &str, path: &str, more: &str| {
        format!("  - {{name: {name}, match: {{path: \"{path}\"{more}}}, access: authenticated}}\n")
    };
    let head = POLICY.replace("    issuer:", "    audiences: [a]\n    issuer:");
    let head = head.split("  - {name: new").next().unwrap();
    let any = [route("one", "/a/{x}", ""), route("slash", "/a/{x}/", ""), route("deep", "/a/{x}/{*rest}", "")].concat();
    let rest = route("rest", "/a/{*rest}", "");
    let root = route("root", "/a/", "");
    for (routes, message) in [
        (
            format!("{any}{rest}"),
            Some("never decides anything: more specific routes, such as `deep`, take all its requests"),
        ),
        (format!("{any}{rest}").replace("/a/{x}/{*rest}\"", "/a/{x}/{*rest}\", methods: [GET]"), None),
        (format!("{root}{rest}"), None),
    ] {
        let checked = check(&format!("{head}{routes}"), &["--json"]).json();
        let found: Vec<_> = checked["warnings"].as_array().unwrap().iter().map(|one| &one["message"]).collect();
        assert_eq!(
            found
                .iter()
                .find(|text| text.as_str().unwrap().starts_with("never decides"))
                .map(|text| text.as_str().unwrap()),
            message,
            "{checked}"
        );
        if message.is_some() {
            let place = &checked["warnings"].as_array().unwrap()[found.len() - 1];
            assert_eq!((&place["path"], &place["line"]), (&"routes[5]".into(), &22.into()), "{checked}");
        }
    }
}

#[test]
fn a_secret_that_is_not_here_is_a_warning_and_a_bad_one_an_error() {
    let careful = POLICY.replace("    allowed_algorithms", "    audiences: [portcullis-demo]\n    allowed_algorithms");
    let path = file(&directory("policy_secrets"), "policy.yaml", &careful);
    let args = ["policy", "check", path.to_str().unwrap()];
    let unset = finish(without_secrets(&args), b"");
    assert!(unset.stdout.starts_with("warning: environment variable `SECRET_KEY` is not set here"), "{unset:?}");
    assert!(unset.stdout.contains("secret: {env: SECRET_KEY}"), "{unset:?}");
    assert!(unset.ok().ends_with("valid, 4 routes, 1 warning"));
    let denied = finish(without_secrets(&[&args[..], &["--deny-warnings"]].concat()), b"");
    assert_eq!(denied.code, 3);

    let mut short = command(args);
    short.env("SECRET_KEY", "hunter2");
    let short = finish(short, b"");
    assert_eq!(short.code, 3);
    assert!(short.stdout.contains("has 7 bytes, HS256 needs at least 32"), "{short:?}");
    assert!(!short.stdout.contains("hunter2"), "{short:?}");
}

#[test]
fn secrets_in_a_policy_are_not_repeated() {
    let inline = POLICY.replace("{env: SECRET_KEY}", "hunter2");
    for format in ["human", "json", "github"] {
        let outcome = check(&inline, &["--format", format]);
        assert_eq!(outcome.code, 3);
        assert!(!outcome.stdout.contains("hunter2"), "{outcome:?}");
    }
}

/// A token for `alice`, an editor.
fn token(args: &[&str]) -> String {
    let start = [
        "token",
        "issue",
        "--sub",
        "alice",
        "--role",
        "editor",
        "--iss",
        "https://issuer.example.com",
        "--kid",
        "k1",
        "--secret-env",
        "SECRET_KEY",
        "--at",
        "1750000000",
    ];
    run(start.iter().chain(args)).ok()
}

struct Explain {
    directory: PathBuf,
    policy: PathBuf,
}

impl Explain {
    fn new(test: &str) -> Self {
        let directory = directory(test);
        let policy = file(&directory, "policy.yaml", POLICY);
        Self { directory, policy }
    }

    fn run(&self, args: &[&str]) -> Outcome {
        run(["policy", "explain", self.policy.to_str().unwrap(), "--at", "1750000060"].iter().chain(args))
    }

    fn json(&self, args: &[&str]) -> (i32, Value) {
        let outcome = self.run(&[args, &["--json"]].concat());
        (outcome.code, serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome:?}")))
    }

    fn token(&self) -> String {
        file(&self.directory, "token.jwt", &format!("{}\n", token(&[]))).to_str().unwrap().to_owned()
    }
}

#[test]
fn a_request_that_is_let_through_is_explained() {
    let explain = Explain::new("explain_allow");
    let token = explain.token();
    let args = ["--method", "PUT", "--path", "/users/alice/documents/1?x=y", "--token-file", &token];
    let (code, shown) = explain.json(&[&args[..], &["--header", "x-user-id: mallory"]].concat());
    assert_eq!(code, 0);
    assert_eq!((&shown["decision"], &shown["reason"]), (&"allow".into(), &"owner_allowed".into()));
    assert_eq!((&shown["route"], &shown["role"]), (&"documents".into(), &"editor".into()));
    assert_eq!(shown["status"], Value::Null, "the upstream's");
    assert_eq!(shown["upstream_headers"], json!({"x-user-id": "alice"}));
    assert!(shown["removed_headers"].as_array().unwrap().contains(&"authorization".into()), "{shown}");
    assert_eq!(shown["response_headers"]["x-content-type-options"], "nosniff");
    assert_eq!(shown["audit"]["user_id"], "alice");
    let steps: Vec<_> = shown["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["request", "route", "authentication", "authorization"]);

    let (_, shown) = explain.json(&[&args[..], &["--response-header", "Server: apache"]].concat());
    assert_eq!(shown["removed_response_headers"], json!(["server"]));

    let printed = explain.run(&args).ok();
    assert!(printed.starts_with("decision allow (owner_allowed)\nroute    documents\nrole     editor\n"), "{printed}");
    assert!(printed.contains("\n  set     x-user-id: alice\n"), "{printed}");
    assert!(printed.contains("\n  remove  authorization\n"), "{printed}");
}

#[test]
fn a_request_that_is_refused_is_explained() {
    let explain = Explain::new("explain_deny");
    let token = explain.token();
    for (args, status, reason) in [
        (&["--path", "/users/bob/documents/1", "--method", "DELETE", "--token-file", &token][..], 403, "owner_denied"),
        (&["--path", "/users/bob/documents/1"], 401, "credentials_missing"),
        (&["--path", "/nowhere", "--token-file", &token], 403, "route_not_found"),
        (&["--path", "/nowhere"], 401, "route_not_found"),
        (&["--path", "/%00"], 400, "path_malformed"),
        (&["--path", "/inside", "--token-file", &token], 403, "ip_denied"),
        (&["--path", "/inside", "--token-file", &token, "--ip", "192.0.2.1"], 403, "ip_denied"),
        (&["--path", "/inside", "--header", "authorization: Bearer x", "--ip", "10.1.2.3"], 401, "token_malformed"),
    ] {
        let (code, shown) = explain.json(args);
        assert_eq!((code, &shown["decision"]), (1, &"deny".into()), "{args:?}");
        assert_eq!((&shown["status"], &shown["reason"]), (&status.into(), &reason.into()), "{args:?}");
        assert_eq!(shown["response_headers"]["content-type"], "application/problem+json", "{args:?}");
    }
    let printed = explain.run(&["--path", "/users/bob/documents/1"]);
    assert!(printed.stdout.starts_with("decision deny (credentials_missing)\nstatus   401\n"), "{printed:?}");
    assert!(printed.stdout.contains("stop authentication"), "{printed:?}");
    assert!(printed.stdout.contains("www-authenticate: Bearer realm=\"portcullis\"\n"), "{printed:?}");
}

#[test]
fn dry_runs_addresses_and_preflights_are_explained() {
    let explain = Explain::new("explain_more");
    let (code, shown) = explain.json(&["--path", "/new"]);
    assert_eq!((code, &shown["decision"]), (0, &"dry_run_deny".into()));
    let token = explain.token();
    let (code, _) = explain.json(&["--path", "/inside", "--token-file", &token, "--ip", "10.1.2.3"]);
    assert_eq!(code, 0);
    let preflight = [
        "--method",
        "OPTIONS",
        "--path",
        "/inside",
        "--header",
        "origin: https://app.example.com",
        "--header",
        "access-control-request-method: GET",
    ];
    let (code, shown) = explain.json(&preflight);
    assert_eq!((code, &shown["reason"], &shown["status"]), (0, &"cors_preflight".into(), &204.into()));
    assert_eq!(shown["response_headers"]["access-control-allow-origin"], "https://app.example.com");
}

#[test]
fn every_rule_against_a_request_is_told_and_every_route_that_nearly_took_it() {
    let explain = Explain::new("explain_all");
    let reasons = |shown: &Value| {
        let objections = shown["objections"].as_array().unwrap().iter();
        objections.map(|one| format!("{} {}", one["step"], one["reason"]).replace('"', "")).collect::<Vec<_>>()
    };
    let (_, shown) = explain.json(&["--path", "/inside"]);
    assert_eq!(reasons(&shown), ["ip ip_denied", "authorization credentials_missing"]);
    let printed = explain.run(&["--path", "/inside"]).stdout;
    assert!(
        printed
            .contains("\nfurther rules against it\n  stop authorization  access: authenticated: credentials_missing\n"),
        "{printed}"
    );
    let (_, shown) = explain.json(&["--path", "/new"]);
    assert_eq!((&shown["decision"], reasons(&shown).len()), (&"dry_run_deny".into(), 1), "{shown}");
    let (_, shown) = explain.json(&["--method", "PUT", "--path", "/healthz"]);
    assert_eq!(shown["near_misses"], json!([{"route": "health", "but_for": "the method"}]));
}

#[test]
fn a_host_line_is_the_host_and_two_are_none() {
    let explain = Explain::new("explain_host");
    for (args, expected) in [
        (&["--host", "a.example"][..], "public"),
        (&["--header", "Host: a.example"], "public"),
        (&["--header", "host: a.example", "--header", "host: b.example"], "header_duplicate"),
        (&["--host", "a.example", "--header", "host: a.example"], "header_duplicate"),
    ] {
        let (_, shown) = explain.json(&[&["--path", "/healthz"], args].concat());
        assert_eq!(shown["reason"], expected, "{args:?}");
    }
}

#[test]
fn a_header_in_a_file_may_be_of_any_bytes() {
    let explain = Explain::new("explain_bytes");
    let path = explain.directory.join("headers.txt");
    std::fs::write(&path, b"x-bytes: \x80\xff\r\norigin: \xe9\r\n").unwrap();
    let (code, shown) = explain.json(&["--path", "/healthz", "--header-file", path.to_str().unwrap()]);
    assert_eq!((code, &shown["reason"]), (0, &"public".into()), "{shown}");
}

#[test]
fn tokens_and_cookies_are_not_printed() {
    let explain = Explain::new("explain_secrets");
    let token = token(&[]);
    let headers =
        file(&explain.directory, "headers.txt", &format!("Cookie: session={token}; other=hunter2\n\nX-A: b\n"));
    for args in [&["--json"][..], &[]] {
        let outcome = explain.run(
            &[&["--path", "/inside", "--ip", "10.0.0.1", "--header-file", headers.to_str().unwrap()], args].concat(),
        );
        assert!(!outcome.stdout.contains(&token) && !outcome.stdout.contains("hunter2"), "{outcome:?}");
        assert!(outcome.stdout.contains("cookie"), "{outcome:?}");
        outcome.ok();
    }
    let bad = file(&explain.directory, "bad.txt", "x-a: b\nno colon\n");
    explain.run(&["--path", "/", "--header-file", bad.to_str().unwrap()]).fails(3, "line 2 of");
}

#[test]
fn commands_that_need_a_good_policy_say_what_is_wrong_with_a_bad_one() {
    let path = file(&directory("policy_bad"), "policy.yaml", BAD);
    let path = path.to_str().unwrap();
    for outcome in
        [run(["policy", "explain", path, "--path", "/"]), run_with(["token", "verify", "--policy", path], token(&[]))]
    {
        assert!(outcome.stderr.contains("did you mean `access`?"), "{outcome:?}");
        outcome.fails(3, "is not a valid policy");
    }
}

#[test]
fn tokens_are_verified_under_a_policy() {
    let path = file(&directory("policy_verify"), "policy.yaml", POLICY);
    let verify = |args: &[&str], token: &str| {
        let start = ["token", "verify", "--json", "--policy", path.to_str().unwrap(), "--at", "1750000060"];
        let outcome = run_with(start.iter().chain(args), token);
        (outcome.code, serde_json::from_str::<Value>(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome:?}")))
    };
    let (code, shown) = verify(&[], &token(&[]));
    assert_eq!((code, &shown["provider"], &shown["kid"]), (0, &"local".into(), &"k1".into()));
    let (code, shown) = verify(&[], &token(&["--algorithm", "HS512"]));
    assert_eq!((code, &shown["reason"]), (1, &"token_algorithm".into()));
    let late = ["token", "verify", "--policy", path.to_str().unwrap(), "--at", "1750001829"];
    assert_eq!(run_with(late, token(&[])).code, 0, "the policy's clock skew holds");
    run(["token", "verify", "--policy", "x", "--issuer", "y"]).fails(2, "cannot be used with");
}

#[test]
fn a_policy_with_everything_is_valid() {
    let mut check = command([Path::new("policy"), Path::new("check"), Path::new("--deny-warnings"), &everything()]);
    check.env("OLD_SECRET_KEY", "A".repeat(43)).env("SECRET_KEY", SECRET);
    assert!(finish(check, b"").ok().ends_with("everything.yaml: valid, 5 routes"));
}

#[test]
fn the_matrix_is_printed_as_a_table_as_json_and_as_a_page() {
    let directory = directory("policy_matrix");
    let path = file(&directory, "policy.yaml", POLICY);
    let matrix = |args: &[&str]| run(["policy", "matrix", path.to_str().unwrap()].iter().chain(args));
    let printed = matrix(&[]).ok();
    assert!(printed.starts_with("path ") && !printed.contains('\u{1b}'), "{printed}");
    assert!(printed.contains("POST PUT PATCH DELETE  denied  "), "{printed}");
    let shown = matrix(&["--json"]).json();
    assert_eq!(shown["roles"], json!(["editor"]));
    assert_eq!(shown["routes"][1]["rows"][1]["roles"], json!({"editor": "own"}));
    assert_eq!(shown["routes"][3]["ip"], "from 10.0.0.0/8");
    let page = directory.join("matrix.html");
    for _again in 0..2 {
        let outcome = matrix(&["--html", page.to_str().unwrap()]);
        assert!(outcome.stderr.starts_with("note: wrote the matrix to "), "{outcome:?}");
        assert_eq!(outcome.ok(), "");
    }
    assert!(std::fs::read_to_string(page).unwrap().starts_with("<!doctype html>"));
    matrix(&["--html", directory.join("no/such/page.html").to_str().unwrap()]).fails(4, "cannot be written");
}

#[test]
fn a_change_is_told_in_every_format_and_may_be_refused() {
    let directory = directory("policy_diff");
    let old = file(&directory, "old.yaml", POLICY);
    let new = file(&directory, "new.yaml", &POLICY.replace("write: own", "write: any"));
    let diff = |from: &Path, to: &Path, args: &[&str]| {
        run(["policy", "diff", from.to_str().unwrap(), to.to_str().unwrap()].iter().chain(args))
    };
    let says = "editor may now POST PUT PATCH DELETE /users/{owner}/documents/{id} (any, not only its own)";
    assert_eq!(diff(&old, &new, &[]).ok(), format!("+ {says}"));
    assert_eq!(diff(&old, &new, &["--deny-widening"]).code, 1);
    assert_eq!(diff(&new, &old, &["--deny-widening"]).code, 0);
    assert_eq!(diff(&old, &old, &["--deny-widening"]).ok(), "nothing changes for anybody");
    assert_eq!(diff(&old, &new, &["--json"]).json()["changes"], json!([{"effect": "wider", "change": says}]));
    let github = diff(&old, &new, &["--format", "github"]).ok();
    assert!(github.starts_with("::warning file=") && github.ends_with(says), "{github}");
    assert!(
        diff(&old, &new, &["--format", "markdown"]).ok().starts_with("### Policy: what changes\n\n**Wider**\n\n- ")
    );
    diff(&old, &directory.join("none"), &[]).fails(4, "cannot be read");
    diff(Path::new("-"), Path::new("-"), &[]).fails(2, "standard input");
}
