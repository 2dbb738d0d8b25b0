//! An incident from its first sign to its file, in a real Envoy and by commands that docs/incident-response.md names.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::accounts::{Accounts, PASSWORD};
use super::feed::everywhere;
use super::setup;
use crate::harness::chain::AUDIT_KEY;
use crate::harness::client::{Request, fetch};
use crate::harness::eventually;
use crate::harness::feed::{self, FULL, served};
use crate::harness::jwks::KeyServer;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

/// How many tokens are tried.
const GUESSES: usize = 60;
/// What the policy polls at, and what it may take beyond that.
const OBEYED_WITHIN: Duration = Duration::from_secs(2);

/// The accounts, what signs their feed, and the server that has it.
struct Published {
    accounts: Accounts,
    server: KeyServer,
}

impl Published {
    fn new() -> Self {
        let accounts = Accounts::new();
        accounts.ok(&["key", "generate", "--algorithm", "EdDSA", "--out", &accounts.file("feed.pem")], "");
        let published = Self { accounts, server: KeyServer::start_down() };
        published.publish();
        published
    }

    /// Public keys, as a policy has them.
    fn keys(&self) -> String {
        self.accounts.ok(&["key", "jwks", &self.accounts.file("feed.pem")], "")
    }

    /// Builds the feed and serves it.
    fn publish(&self) {
        let out = self.accounts.file("identity.feed");
        let built = ["feed", "build", "--key", &self.accounts.file("feed.pem"), "--out", &out, "--json"];
        let built: Value = serde_json::from_str(&self.accounts.ok(&built, "")).unwrap();
        let version = built["feed"]["version"].as_u64().unwrap();
        self.server.on(FULL, served(version, std::fs::read(out).unwrap()));
    }

    /// Changes something, publishes it, and waits until every worker answers `request` with `status`; how long that took.
    #[track_caller]
    fn obeyed(&self, command: &[&str], proxy: &Proxy, request: &Request, status: u16) -> Duration {
        self.accounts.ok(command, "");
        self.publish();
        let published = Instant::now();
        everywhere(proxy, request, status);
        published.elapsed()
    }
}

fn rules(keys: &str) -> Value {
    let mut rules = policy::example();
    rules["identity_feed"] = feed::source(&json!({"key": keys}));
    rules["api_keys"] = json!({"header": "x-api-key"});
    rules["audit"] = json!({"chain": {"key": {"env": "AUDIT_KEY"}, "checkpoint": "1s"}});
    rules
}

fn started() -> (Published, Upstream, Proxy) {
    let mut published = Published::new();
    let upstream = Upstream::start();
    let keys = published.keys();
    published.server.up();
    let proxy = setup(&upstream)
        .env("AUDIT_KEY", AUDIT_KEY)
        .cluster("feed", published.server.address)
        .concurrency(4)
        .policy("main", &rules(&keys))
        .start();
    (published, upstream, proxy)
}

#[test]
fn what_the_commands_switch_off_is_off_on_every_worker() {
    let (published, _upstream, proxy) = started();
    let accounts = &published.accounts;
    let added = accounts.ok(&["user", "add", "ada@example.com", "--role", "editor", "--json"], PASSWORD);
    let id = serde_json::from_str::<Value>(&added).unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/users/{id}/documents/7");
    let login =
        || accounts.tokens(&["login", "ada@example.com"], PASSWORD)["access_token"].as_str().unwrap().to_owned();
    let (first, second) = (login(), login());
    let with_token = |token: &str| Request::get(&path).bearer(token);
    let with_key = |key: &str| Request::get(&path).header("x-api-key", key);
    everywhere(&proxy, &with_token(&first), 200);

    std::fs::write(accounts.file("first.jwt"), &first).unwrap();
    let mut took = Vec::new();
    let first_revoked = ["token", "revoke", "--token-file", &accounts.file("first.jwt")];
    took.push(published.obeyed(&first_revoked, &proxy, &with_token(&first), 401));
    everywhere(&proxy, &with_token(&second), 200);

    let key = accounts.ok(&["api-key", "issue", "--owner", &id], "").trim().to_owned();
    published.publish();
    everywhere(&proxy, &with_key(&key), 200);
    let key_id = key.split('_').nth(1).unwrap();
    let next = accounts.ok(&["api-key", "rotate", key_id, "--overlap", "1h"], "").trim().to_owned();
    published.publish();
    everywhere(&proxy, &with_key(&next), 200);
    everywhere(&proxy, &with_key(&key), 200);
    took.push(published.obeyed(&["api-key", "revoke", key_id], &proxy, &with_key(&key), 401));
    everywhere(&proxy, &with_key(&next), 200);

    took.push(published.obeyed(&["user", "disable", &id, "--reason", "left"], &proxy, &with_key(&next), 401));
    everywhere(&proxy, &with_token(&second), 401);
    took.push(published.obeyed(&["user", "enable", &id, "--reason", "back"], &proxy, &with_key(&next), 200));
    // Disabling ended the sign-ins, too.
    everywhere(&proxy, &with_token(&second), 401);
    let slowest = took.iter().max().unwrap();
    assert!(*slowest <= OBEYED_WITHIN, "{took:?}");
}

#[test]
fn credential_stuffing_is_seen_stopped_and_proved() {
    let (published, _upstream, mut proxy) = started();
    let accounts = &published.accounts;
    let added = accounts.ok(&["user", "add", "ada@example.com", "--role", "editor", "--json"], PASSWORD);
    let id = serde_json::from_str::<Value>(&added).unwrap()["id"].as_str().unwrap().to_owned();
    let token = accounts.tokens(&["login", "ada@example.com"], PASSWORD)["access_token"].as_str().unwrap().to_owned();
    let stolen = Request::get(format!("/users/{id}/documents/7")).bearer(&token);
    let address = proxy.address("main");
    everywhere(&proxy, &stolen, 200);

    // Detect: what the alert's figures say is what the records say.
    let guess = Request::get("/users/eve/documents/7").bearer(&Token::of("eve", "admin").forged());
    for _ in 0..GUESSES {
        assert_eq!(fetch(address, &guess).status, 401);
    }
    eventually("the alert's figure", || {
        let figure: f64 = proxy
            .page()
            .lines()
            .filter(|line| line.starts_with("portcullis_requests") && line.contains("reason=\"token_signature\""))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        (figure == GUESSES as f64).then_some(())
    });
    let write_evidence = |proxy: &Proxy| {
        let lines: String = proxy.log_lines("main").iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(accounts.file("audit.log"), lines).unwrap();
        std::fs::write(accounts.file("proxy.log"), proxy.log()).unwrap();
    };
    eventually("a record of each guess", || {
        let guesses = proxy.log_lines("main").iter().filter(|line| line.contains("\"token_signature\"")).count();
        (guesses == GUESSES).then_some(())
    });
    write_evidence(&proxy);
    let audit_log = accounts.file("audit.log");
    let stats: Value = serde_json::from_str(&accounts.ok(&["audit", "stats", &audit_log, "--json"], "")).unwrap();
    let top = &stats["refused"]["reasons"]["top"][0];
    assert_eq!((top["value"].as_str(), top["count"].as_u64()), (Some("token_signature"), Some(GUESSES as u64)));
    assert_eq!(stats["refused"]["addresses"]["top"][0]["value"], "127.0.0.1");

    // Contain.
    let disable = ["user", "disable", "ada@example.com", "--reason", "incident 7"];
    let took = published.obeyed(&disable, &proxy, &stolen, 401);
    assert!(took <= OBEYED_WITHIN, "{took:?}");

    // Investigate: the files are whole, and say what happened.
    proxy.terminate();
    write_evidence(&proxy);
    let (proxy_log, admin_log) = (accounts.file("proxy.log"), accounts.file("admin.log"));
    let verify = ["audit", "verify", &audit_log, &proxy_log, "--key-env", "AUDIT_KEY"];
    let said = accounts.run(&verify, "");
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(accounts.run(&["audit", "verify", &admin_log, "--key-env", "AUDIT_KEY"], "").code, 0);
    let bundle = accounts.file("incident.json");
    let report =
        ["incident", "report", "--user", "ada@example.com", "--since", "7d", "--audit", &audit_log, &admin_log];
    let store = accounts.file("portcullis.db");
    let rest = ["--store", &store, "--key-env", "AUDIT_KEY", "--out", &bundle];
    accounts.ok(&[&report[..], &rest].concat(), "");
    let report: Value = serde_json::from_slice(&std::fs::read(&bundle).unwrap()).unwrap();
    assert!(
        report["all"]["refused"].as_u64().unwrap() > 0,
        "refused after the account was disabled: {}",
        report["all"]
    );
    let reasons: Vec<&str> = report["reasons"].as_object().unwrap().keys().map(String::as_str).collect();
    assert!(reasons.contains(&"subject_disabled"), "{reasons:?}");
    let acts: Vec<&str> = report["admin"].as_array().unwrap().iter().filter_map(|act| act["action"].as_str()).collect();
    for act in ["user_add", "user_disable"] {
        assert!(acts.contains(&act), "{act} is not among {acts:?}");
    }

    // Whoever takes a line away is found out.
    let lines = std::fs::read_to_string(&audit_log).unwrap();
    let without: String =
        lines.lines().filter(|line| !line.contains("subject_disabled")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&audit_log, without).unwrap();
    let said = accounts.run(&verify, "");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("audit.log") || said.err.contains("audit.log"), "{said:?}");
}
