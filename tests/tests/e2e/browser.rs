//! What a real browser makes of it: pages of many origins fetch through the filter, and what their script may read, what
//! reached the upstream and what the audit says must be what the policy's rule makes of the request.

mod caches;
mod origins;
mod pages;
mod rule;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::harness::audit::{Audit, Record};
use crate::harness::browser::{self, Browser};
use crate::harness::eventually;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::tls::Certificate;
use crate::harness::upstream::{Reply, Seen, Upstream};

use super::setup;

/// Where the filter is.
const API: &str = "https://api.example.com";
/// Where it is under a policy without a CORS block.
const CLOSED: &str = "https://closed.example.com";

#[test]
fn script_may_read_what_the_policy_says() {
    let Some(executable) = browser::find() else { return };
    let upstream = Upstream::start();
    // Without an icon of its own, the browser asks for one.
    let page = r#"<!doctype html><link rel="icon" href="data:,"><p>a page</p>"#;
    upstream.on("/page", Reply::new(200).header("content-type", "text/html").body(page));
    let table = origins::Table::make(&upstream);
    let mut routes = [table.routes(), caches::routes(&upstream), pages::routes(&upstream)].concat();
    // When its record is written, so are all before it.
    routes.push(json!({"name": "end", "match": {"path": "/end"}, "access": "authenticated"}));
    // Pages of the filter's own origin fetch too, unhindered by headers.
    let own =
        json!({"name": "page", "match": {"path": "/page"}, "access": "public", "security_headers": {"preset": "none"}});
    routes.push(own.clone());
    let mut policy = policy::with_routes(json!(routes));
    policy["cors"] = policy::cors();
    policy["providers"][0]["from_cookies"] = json!(["session"]);
    let closed = policy::with_routes(json!([pages::routes(&upstream), vec![own]].concat()));

    let certificate = Certificate::make();
    let pin = certificate.pin();
    let proxy =
        setup(&upstream).tls(certificate).policy("main", &policy).policy("closed", &closed).bare("sites").start();
    let main = proxy.address("main");
    let hosts = [
        // No TLS there: straight to the pages.
        ("*:80", upstream.address),
        ("api.example.com", main),
        ("api.example.net", main),
        ("strict.example.org", main),
        ("closed.example.com", proxy.address("closed")),
        ("*", proxy.address("sites")),
    ];
    let browser = Browser::start(&executable, &hosts, &pin);
    let audit = proxy.audit("main");
    let mut stage = Stage { browser, proxy, upstream, audit };
    table.run(&mut stage);
    caches::run(&mut stage);
    pages::run(&mut stage);
}

/// The browser, what it talks to, and what both sides remember.
struct Stage {
    browser: Browser,
    proxy: Proxy,
    upstream: Upstream,
    audit: Audit,
}

impl Stage {
    /// Sends `requests` from a page at `origin`, `at_once` of them at any time, and gives what script read of each.
    #[track_caller]
    fn fetch(&mut self, origin: &str, requests: &[Fetch], at_once: usize) -> Vec<Read> {
        let sent: Vec<_> = requests.iter().map(Fetch::told).collect();
        let told = json!({"at": origin, "requests": sent, "atOnce": at_once});
        let Value::Array(answers) = self.browser.ask("fetch", told) else { panic!("no list of answers") };
        assert_eq!(answers.len(), requests.len(), "an answer each");
        answers.into_iter().map(Read).collect()
    }

    /// All that the filter recorded since the last call, by route; what has none is under its reason.
    #[track_caller]
    fn records(&mut self) -> BTreeMap<String, Vec<Record>> {
        // What the page did not wait for, such as the end of an answer it may not read, may still be under way.
        eventually("nothing in flight", || (self.proxy.in_flight("main") == 0).then_some(()));
        let [last] = &self.fetch(API, &[Fetch::get(&format!("{API}/end"))], 1)[..] else { panic!("one answer") };
        assert_eq!(last.status(), Some(401), "the last word: {}", last.0);
        let mut found = BTreeMap::<String, Vec<Record>>::new();
        loop {
            let record = self.audit.next().expect("a request without a record");
            let name = Some(record.text("route")).filter(|name| !name.is_empty()).unwrap_or(record.text("reason"));
            if name == "end" {
                return found;
            }
            found.entry(name).or_default().push(record);
        }
    }

    /// What reached the upstream since the last call, by its path.
    fn seen(&self) -> BTreeMap<String, Vec<Seen>> {
        let mut found = BTreeMap::<String, Vec<Seen>>::new();
        for seen in self.upstream.take() {
            found.entry(seen.target.clone()).or_default().push(seen);
        }
        found
    }
}

/// A call of `fetch`.
#[derive(Clone, Debug)]
struct Fetch {
    url: String,
    init: Map<String, Value>,
}

impl Fetch {
    fn new(method: &str, url: &str) -> Self {
        let mut init = Map::new();
        init.insert("method".to_owned(), json!(method));
        Self { url: url.to_owned(), init }
    }

    fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// A member of the call's second argument.
    fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.init.insert(member.to_owned(), value.into());
        self
    }

    fn told(&self) -> Value {
        json!({"url": self.url, "init": self.init})
    }
}

/// What script read of an answer.
#[derive(Clone, Debug)]
struct Read(Value);

impl Read {
    /// The status; `None` where script was told nothing but that it failed.
    fn status(&self) -> Option<u64> {
        self.0["status"].as_u64()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.0["headers"][name].as_str()
    }

    fn body(&self) -> &str {
        self.0["body"].as_str().unwrap_or_default()
    }

    /// `fetch` failed as it does for whatever CORS forbids.
    fn is_refused(&self) -> bool {
        self.0 == json!({"error": "TypeError"})
    }
}
