//! Secrets are planted wherever a request can carry one; none of them is ever written down,
//! not even by a proxy that logs all the module does.

use serde_json::json;

use crate::harness::client::Request;
use crate::harness::policy;
use crate::harness::proxy::Setup;
use crate::harness::token::{Token, encode};
use crate::harness::upstream::{Reply, Upstream};

/// What must not be found: each is planted as itself and looked for in every encoding a
/// careless line might have.
const SECRET_KEY: &str = "canary-signing-secret-0123456789abcdef";
const PASSWORD: &str = "canary-password-hunter2";
const EMAIL: &str = "canary.person@canary.example";
const QUERY: &str = "canary-query-value";
const COOKIE: &str = "canary-cookie-value";
const CLAIM: &str = "canary-claim-value";
const API_KEY: &str = "canary-api-key-value";
const BODY: &str = "canary-body-value";
const UPSTREAM: &str = "canary-upstream-trace";
const PATH: &str = "canary-path-segment";

#[test]
fn no_secret_is_ever_written_down() {
    let upstream = Upstream::start();
    upstream.on("/healthz", Reply::new(500).header("set-cookie", COOKIE).body(UPSTREAM));
    let mut policy = policy::example();
    policy["audit"] = json!({"level": "all", "sinks": ["access_log", "log"]});
    policy["providers"][0]["from_params"] = json!(["access_token"]);
    policy["providers"][0]["from_cookies"] = json!(["session"]);
    let proxy = Setup::before(&upstream).host_env("SECRET_KEY", SECRET_KEY).policy("main", &policy).trace().start();

    let token = Token::of(EMAIL, "admin")
        .secret(SECRET_KEY)
        .claim("jti", CLAIM)
        .claim("email", EMAIL)
        .claim("password", PASSWORD);
    let good = token.mint();
    let tokens = [
        good.clone(),
        token.clone().claim("exp", 1).mint(),
        token.forged(),
        token.clone().head("kid", CLAIM).mint(),
        token.clone().head("alg", CLAIM).mint(),
        token.clone().claim("iss", CLAIM).mint(),
        token.clone().claim("aud", CLAIM).mint(),
        token.clone().claim("role", CLAIM).mint(),
        token.clone().claim("exp", CLAIM).mint(),
        token.unsigned(),
        format!("{CLAIM}.{CLAIM}.{CLAIM}"),
        PASSWORD.to_owned(),
    ];
    let mut client = proxy.client("main");
    let mut audit = proxy.audit("main");
    let mut requests = 0;
    let mut send = |request: Request| {
        client.send(&request);
        audit.next();
        requests += 1;
    };
    for (index, path) in [
        "/users/canary.person@canary.example/documents/canary-path-segment",
        "/healthz",
        "/search",
        "/canary-path-segment/canary.person@canary.example",
        "/users/%63anary-path-segment/x/%00",
        "/admin/canary-path-segment",
    ]
    .iter()
    .enumerate()
    {
        let target = format!("{path}?q={QUERY}&email={EMAIL}&password={PASSWORD}");
        for token in &tokens {
            let request = Request::new(if index % 2 == 0 { "GET" } else { "POST" }, &target)
                .header("cookie", format!("sid={COOKIE}"))
                .header("x-api-key", API_KEY)
                .header("x-tenant", CLAIM)
                .header("referer", format!("https://app.example.com/?{QUERY}"))
                .header("user-agent", PASSWORD)
                .header("x-user-id", EMAIL)
                .body("application/json", format!(r#"{{"password":"{PASSWORD}","x":"{BODY}"}}"#));
            send(request.clone().bearer(token));
            send(request.clone().header("authorization", format!("Basic {}", encode(PASSWORD))));
            send(request.bearer(token).header("authorization", API_KEY));
        }
        send(Request::get(format!("{path}?access_token={good}")));
        send(Request::get(*path).header("cookie", format!("session={good}; a={COOKIE}")));
    }
    send(
        Request::new("OPTIONS", "/healthz")
            .header("origin", format!("https://{CLAIM}"))
            .header("access-control-request-method", CLAIM),
    );
    send(Request::new("PURGE", "/healthz").header("x-request-id", CLAIM));

    let signatures =
        tokens.iter().filter_map(|token| token.rsplit('.').next()).filter(|signature| signature.len() > 20);
    let secrets = [SECRET_KEY, PASSWORD, EMAIL, "canary.person", QUERY, COOKIE, CLAIM, API_KEY, BODY, UPSTREAM, PATH];
    let encoded = secrets.map(encode);
    let needles: Vec<&str> = secrets.into_iter().chain(encoded.iter().map(String::as_str)).chain(signatures).collect();
    let mut written = proxy.written();
    written.push(("/stats".into(), proxy.admin("GET", "/stats").body));
    for (path, bytes) in written {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.is_empty(), "{} was to be searched and is empty", path.display());
        for needle in &needles {
            if let Some(line) = text.lines().find(|line| line.contains(needle)) {
                panic!("`{needle}` is in {}: {line}", path.display());
            }
        }
    }
    let log = proxy.log();
    assert!(
        log.contains("{\"timestamp\"") && log.contains("[trace][wasm]"),
        "the {requests} requests were logged in full"
    );
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}
