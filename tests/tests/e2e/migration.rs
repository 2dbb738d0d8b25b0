//! The pairs of docs/migration.md: what Envoy's own filters did before, beside what the policy does after.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::audit::Audit;
use crate::harness::client::{Client, Request, Response};
use crate::harness::jwks::{Answer, KeyServer};
use crate::harness::paths;
use crate::harness::proxy::{Proxy, Setup};
use crate::harness::table::Table;
use crate::harness::token::now;
use crate::harness::tool::{portcullis, python};
use crate::harness::upstream::{Reply, Upstream};

fn page() -> String {
    std::fs::read_to_string(paths::root().join("docs/migration.md")).unwrap()
}

/// The snippets in YAML of one section, in their order.
fn snippets(page: &str, heading: &str) -> Vec<Value> {
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let fenced = section.split("```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    fenced
        .map(|text| {
            let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
            serde_json::from_str(&python(script, text)).unwrap()
        })
        .collect()
}

/// An issuer: its keys, and tokens signed with them.
struct Issuer {
    folder: TempDir,
    set: Value,
}

impl Issuer {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = key(folder.path());
        let said = portcullis(&["key", "generate", "--algorithm", "RS256", "--bits", "2048", "--out", &key], "", &[]);
        assert_eq!(said.code, 0, "{}", said.err);
        let said = portcullis(&["key", "jwks", &key], "", &[]);
        Self { folder, set: serde_json::from_str(&said.out).unwrap() }
    }

    /// A token for ada in `role`, good but for what `changes` says.
    fn token(&self, role: &str, changes: &[&str]) -> String {
        let key = key(self.folder.path());
        let mut arguments = vec!["token", "issue", "--key", &key, "--sub", "ada", "--role", role];
        let given = |option| changes.contains(&option);
        for (option, value) in [("--iss", "https://issuer.example.com"), ("--aud", "documents")] {
            if !given(option) {
                arguments.extend([option, value]);
            }
        }
        arguments.extend(changes);
        let said = portcullis(&arguments, "", &[]);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        said.out.trim().to_owned()
    }

    /// The same without `exp`, which the command has no way to leave out.
    fn endless(&self, role: &str) -> String {
        let script = r#"
import json, sys, jwt
told = json.load(sys.stdin)
claims = jwt.decode(told["token"], options={"verify_signature": False})
del claims["exp"]
kid = jwt.get_unverified_header(told["token"])["kid"]
print(jwt.encode(claims, open(told["key"]).read(), algorithm="RS256", headers={"kid": kid}))
"#;
        let told = json!({"token": self.token(role, &[]), "key": key(self.folder.path())});
        python(script, &told.to_string()).trim().to_owned()
    }
}

fn key(folder: &Path) -> String {
    folder.join("private.pem").to_str().unwrap().to_owned()
}

fn preflight(origin: &str) -> Request {
    Request::new("OPTIONS", "/documents/7").header("origin", origin).header("access-control-request-method", "PUT")
}

/// A request, and what it is answered before and after.
type Case = (&'static str, Request, u16, u16);

/// Every row in which the two differ stands in the page's table, in these words.
fn cases(issuer: &Issuer) -> Vec<Case> {
    let [viewer, editor, admin] = ["viewer", "editor", "admin"].map(|role| issuer.token(role, &[]));
    let get = |path: &str| Request::get(path);
    let hour_ago = (now() - 3600).to_string();
    let expired = issuer.token("editor", &["--at", &hour_ago, "--ttl", "30m"]);
    let forged = crate::harness::keys::forged(&editor);
    let other_issuer = issuer.token("editor", &["--iss", "https://other.example.com"]);
    let other_audience = issuer.token("editor", &["--aud", "billing"]);
    let stranger = Issuer::new().token("editor", &[]);
    let put = |token: &str| Request::new("PUT", "/documents/7").bearer(token);
    vec![
        ("anyone asks for the health", get("/healthz"), 200, 200),
        ("a viewer reads", get("/documents/7").bearer(&viewer), 200, 200),
        ("a viewer does not write", put(&viewer), 403, 403),
        ("an editor writes", put(&editor), 200, 200),
        ("an editor is no administrator", get("/admin/keys").bearer(&editor), 403, 403),
        ("an administrator is", get("/admin/keys").bearer(&admin), 200, 200),
        ("a role that no rule names", get("/documents/7").bearer(&issuer.token("guest", &[])), 403, 403),
        ("a method that no rule names", Request::new("PATCH", "/documents/7").bearer(&admin), 403, 403),
        ("no token", get("/documents/7"), 401, 401),
        ("a token that is none", get("/documents/7").bearer("nonsense"), 401, 401),
        ("an expired token", get("/documents/7").bearer(&expired), 401, 401),
        ("a forged token", get("/documents/7").bearer(&forged), 401, 401),
        ("a token signed with another key", get("/documents/7").bearer(&stranger), 401, 401),
        ("a token of another issuer", get("/documents/7").bearer(&other_issuer), 401, 401),
        ("a path that no rule names", get("/nowhere").bearer(&admin), 403, 403),
        ("no token, on a path that no rule names", get("/nowhere"), 403, 401),
        ("a token for another audience", get("/documents/7").bearer(&other_audience), 403, 401),
        ("a token without `exp`", get("/documents/7").bearer(&issuer.endless("editor")), 200, 401),
        (
            "a token in the query parameter `access_token`",
            get(&format!("/documents/7?access_token={editor}")),
            200,
            401,
        ),
        ("two `Authorization` headers", put(&editor).bearer(&editor), 401, 400),
        ("a preflight from an allowed origin", preflight("https://app.example.com"), 200, 204),
        ("a preflight from another origin", preflight("https://evil.example"), 401, 403),
        ("an editor asks for `/documents/../admin/keys`", get("/documents/../admin/keys").bearer(&editor), 200, 403),
        ("an editor asks for `//documents/7`", get("//documents/7").bearer(&editor), 403, 200),
        ("an editor asks for `/documents/a%2Fb`", get("/documents/a%2Fb").bearer(&editor), 200, 400),
    ]
}

/// What a browser is told of an origin.
fn cors(response: &Response) -> Vec<(String, Vec<String>)> {
    ["access-control-allow-origin", "access-control-allow-credentials", "access-control-max-age"]
        .map(|name| (name.to_owned(), response.headers.all(name)))
        .to_vec()
}

struct Pair {
    before: Value,
    after: Value,
    trial: Value,
}

/// What the page shows for Envoy, and the policy as its steps have it on trial.
fn pair(page: &str) -> Pair {
    let [before, after] = <[Value; 2]>::try_from(snippets(page, "From Envoy's filters")).unwrap();
    let [changes] = <[Value; 1]>::try_from(snippets(page, "Move in steps")).unwrap();
    let mut trial = after.clone();
    trial.as_object_mut().unwrap().remove("cors");
    trial["providers"][0]["forward"] = json!(true);
    trial.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    Pair { before, after, trial }
}

#[test]
fn the_policy_allows_and_refuses_what_envoys_filters_did() {
    let page = page();
    let Pair { before, after, .. } = pair(&page);
    let issuer = Issuer::new();
    let server = KeyServer::start(Answer::json(&issuer.set));
    let upstream = Upstream::start();
    let reply = || Reply::new(200).header("server", "upstream/1.0").body("ok");
    upstream.on("/documents/7", reply());
    let proxy = side_by_side(&upstream, &server, &before, &after);
    let (mut old, mut new) = (proxy.client("before"), proxy.client("after"));
    let mut table = Table::new("from Envoy's filters");
    for (name, request, expected_before, expected_after) in cases(&issuer) {
        let mut problems = Vec::new();
        let answers = [("before", &mut old, expected_before), ("after", &mut new, expected_after)].map(
            |(side, client, expected)| {
                let (response, reached) = send(client, &request, &upstream);
                if response.status != expected {
                    problems.push(format!("{side}: {} {}", response.status, response.text()));
                }
                if reached != (response.status == 200 && request.method != "OPTIONS") {
                    problems.push(format!("{side}: answered {}, and reached the service: {reached}", response.status));
                }
                response
            },
        );
        if request.method == "OPTIONS" && cors(&answers[0]) != cors(&answers[1]) {
            problems.push(format!("a browser is told {:?}, then {:?}", cors(&answers[0]), cors(&answers[1])));
        }
        if expected_before != expected_after {
            let row = format!("| {name} | {expected_before} | {expected_after} |");
            if !page.contains(&row) {
                problems.push(format!("docs/migration.md has no row `{row}`"));
            }
        }
        table.row(name, &problems);
    }
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.split(" | ").count() == 4);
    let told = rows.filter(|row| row.split(" | ").nth(1).is_some_and(|cell| cell.parse::<u16>().is_ok())).count();
    let differ = cases(&issuer).iter().filter(|case| case.2 != case.3).count();
    table.holds("the page's table has no other row", told == differ, || format!("{told} rows, {differ} cases"));
    table.finish();
}

/// An Envoy with both: its own filters, and ours.
fn side_by_side(upstream: &Upstream, server: &KeyServer, before: &Value, after: &Value) -> Proxy {
    Setup::before(upstream)
        .cluster("issuer", server.address)
        .bare("before")
        .manager(before)
        .policy("after", after)
        .start()
}

fn send(client: &mut Client, request: &Request, upstream: &Upstream) -> (Response, bool) {
    upstream.take();
    let response = client.send(request);
    (response, !upstream.take().is_empty())
}

#[test]
fn what_the_service_and_the_client_are_sent_is_the_same() {
    let Pair { before, after, .. } = pair(&page());
    let issuer = Issuer::new();
    let server = KeyServer::start(Answer::json(&issuer.set));
    let upstream = Upstream::start();
    upstream.on("/documents/7", Reply::new(200).header("server", "upstream/1.0").body("ok"));
    let proxy = side_by_side(&upstream, &server, &before, &after);
    let mut table = Table::new("what is sent on");
    let editor = issuer.token("editor", &[]);
    let request = Request::get("/documents/7").bearer(&editor).header("x-user-id", "mallory");
    let spoofed = Request::get("/healthz").header("x-user-id", "mallory").header("x_user_id", "mallory");
    for (side, disguised) in [("before", vec!["mallory".to_owned()]), ("after", Vec::new())] {
        let mut client = proxy.client(side);
        let response = client.send(&request);
        let seen = upstream.take().remove(0);
        let users = seen.headers.all("x-user-id");
        table.holds(&format!("{side}: the service is told who calls"), users == ["ada"], || format!("{users:?}"));
        let tokens = seen.headers.all("authorization");
        table.holds(&format!("{side}: and has no token"), tokens.is_empty(), || format!("{tokens:?}"));
        let kinds = response.headers.all("x-content-type-options");
        table.holds(&format!("{side}: nosniff"), kinds == ["nosniff"], || format!("{kinds:?}"));
        let servers = response.headers.all("server");
        table.holds(&format!("{side}: no server"), servers.is_empty(), || format!("{servers:?}"));
        client.send(&spoofed);
        let seen = upstream.take().remove(0);
        // Whether the first is there before depends on Envoy's version.
        let [plain, underscored] = ["x-user-id", "x_user_id"].map(|name| seen.headers.all(name));
        let right = underscored == disguised && (side == "before" || plain.is_empty());
        table.holds(&format!("{side}: on a public path"), right, || format!("{plain:?} {underscored:?}"));
    }
    table.finish();
}

/// The filter on trial before the others: they decide as ever, and it says what it would have done.
#[test]
fn on_trial_before_the_others_nothing_changes() {
    let Pair { before, trial, .. } = pair(&page());
    let issuer = Issuer::new();
    let server = KeyServer::start(Answer::json(&issuer.set));
    let upstream = Upstream::start();
    let proxy =
        Setup::before(&upstream).cluster("issuer", server.address).policy("both", &trial).manager(&before).start();
    let mut client = proxy.client("both");
    let mut audit: Audit = proxy.audit("both");
    let mut table = Table::new("both");
    let editor = issuer.token("editor", &[]);
    for (name, request, before, after) in cases(&issuer) {
        let response = client.send(&request);
        let record = audit.next().unwrap();
        // The page says so: on trial too, paths go on in their normal form.
        let normal = match name {
            "an editor asks for `/documents/../admin/keys`" => 403,
            "an editor asks for `//documents/7`" => 200,
            _ => before,
        };
        // Without `cors` a preflight is a request like any other, here one without a token.
        let refuses = after >= 400 || request.method == "OPTIONS";
        let decision = if refuses { "dry_run_deny" } else { "allow" };
        let mut problems = Vec::new();
        if response.status != normal {
            problems.push(format!("answered {}, not {normal}", response.status));
        }
        if record.text("decision") != decision {
            problems.push(format!("not {decision}: {}", record.line));
        }
        if record.text("status") != response.status.to_string() {
            problems.push(format!("answered {}, recorded {}", response.status, record.text("status")));
        }
        table.row(name, &problems);
    }
    upstream.take();
    upstream.on("/documents/7", Reply::new(500).header("server", "upstream/1.0").body("a trace"));
    let response = client.send(&Request::get("/documents/7").bearer(&editor));
    let told = (response.status, response.text(), response.headers.has("x-frame-options"));
    table.holds("responses stay as they are", told == (500, "a trace".to_owned(), false), || format!("{told:?}"));
    let users = upstream.take().remove(0).headers.all("x-user-id");
    table.holds("and so does the identity", users == ["ada"], || format!("{users:?}"));
    table.finish();
}
