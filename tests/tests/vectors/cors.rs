//! The CORS suites of two Go libraries: each of their policies is a block of ours on a route
//! of its own, and a browser must conclude from our answer what it would from theirs.

use std::collections::BTreeMap;

use portcullis_engine::{Policy, SecretLookup};
use serde_json::{Value, json};

use crate::harness::bench::Bench;
use crate::harness::client::{Request, Response};
use crate::harness::exceptions::Suite;
use crate::harness::fixtures;
use crate::harness::proxy::{Proxy, Setup};
use crate::harness::upstream::Upstream;
use crate::harness::wire::Headers;

use super::browser::{may_read, may_send};
use super::cors_policies::{jub0bs, rscors};

#[test]
fn jub0bs_requests() {
    let Some(rows) = fixtures::rows("cors/jub0bs_requests.jsonl") else { return };
    let mut blocks = Blocks::default();
    let mut suite = Suite::open("cors_jub0bs");
    let mut sent = Vec::new();
    for row in &rows {
        match expressed(jub0bs(&row["policy"])) {
            Ok(block) => sent.push((row, blocks.path_of(block))),
            Err(why) => suite.contested(row["id"].as_str().unwrap(), Err(why)),
        }
    }
    let upstream = Upstream::start();
    let proxy = blocks.start(&upstream);
    let mut bench = Bench::new("cors_jub0bs", &proxy, "main", &upstream);
    for (row, path) in sent {
        let request = Exchanged::of(&row["request"]);
        let credentials = row["policy"]["Credentialed"] == true;
        let exchange = bench.exchange(&request.build(&path));
        let found = request.concludes(exchange.response.status, &exchange.response.headers, credentials);
        // Without an Origin a browser asks nothing, whatever headers the answer has.
        let wanted = row["expect"]["browser_allows"] == true && request.origin.is_some();
        suite.row(row["id"].as_str().unwrap(), compare(found, wanted, &exchange.response));
        check_hygiene(row, &exchange.response);
    }
    suite.finish();
}

#[test]
fn rscors_requests() {
    let Some(rows) = fixtures::rows("cors/rscors_requests.jsonl") else { return };
    let mut blocks = Blocks::default();
    let mut suite = Suite::open("cors_rscors");
    let mut sent = Vec::new();
    for row in &rows {
        let id = row["id"].as_str().unwrap();
        if row["policy_needs_code"] == true {
            suite.contested(id, Err("a policy that is code has no counterpart".to_owned()));
            continue;
        }
        match expressed(Some(rscors(&row["policy"]))) {
            Ok(block) => sent.push((row, blocks.path_of(block))),
            Err(why) => suite.contested(id, Err(why)),
        }
    }
    let upstream = Upstream::start();
    let proxy = blocks.start(&upstream);
    let mut bench = Bench::new("cors_rscors", &proxy, "main", &upstream);
    for (row, path) in sent {
        let request = Exchanged::of(&row["request"]);
        let credentials = row["policy"]["AllowCredentials"] == true;
        let exchange = bench.exchange(&request.build(&path));
        let found = request.concludes(exchange.response.status, &exchange.response.headers, credentials);
        let wanted = request.concludes(200, &theirs(&row["expect"]["cors_headers"]), credentials);
        suite.row(row["id"].as_str().unwrap(), compare(found, wanted, &exchange.response));
        check_hygiene(row, &exchange.response);
    }
    suite.finish();
}

/// Access-Control-Request-Headers as browsers write it, and as they never would.
#[test]
fn jub0bs_request_headers() {
    let Some(rows) = fixtures::rows("cors/jub0bs_acrh.jsonl") else { return };
    let mut blocks = Blocks::default();
    let mut suite = Suite::open("cors_jub0bs_acrh");
    let mut sent = Vec::new();
    for row in &rows {
        let mut names: Vec<_> = row["allowed_request_headers"].as_array().unwrap().clone();
        names.dedup();
        let unique: std::collections::BTreeSet<_> = names.iter().map(|name| name.as_str().unwrap()).collect();
        let block = json!({"allow_origins": ["https://a.example"], "allow_methods": ["PUT"], "allow_headers": unique});
        sent.push((row, blocks.path_of(Some(block))));
    }
    let upstream = Upstream::start();
    let proxy = blocks.start(&upstream);
    let mut bench = Bench::new("cors_jub0bs_acrh", &proxy, "main", &upstream);
    for (row, path) in sent {
        let mut request = Request::new("OPTIONS", &path)
            .header("origin", "https://a.example")
            .header("access-control-request-method", "PUT");
        let lines: Vec<_> = row["acrh_lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        for line in &lines {
            request = request.header("access-control-request-headers", line);
        }
        let allowed = row["allowed_request_headers"].as_array().unwrap();
        let mut asked = lines.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|name| !name.is_empty());
        let harmless = asked.all(|name| allowed.contains(&json!(name)));
        let response = bench.exchange(&request).response;
        let id = row["id"].as_str().unwrap();
        let outcome = compare(response.status == 204, row["accept"] == true, &response);
        if row["accept"] == false && harmless {
            // Refused there for its form alone; every name in it is allowed.
            suite.contested(id, outcome);
        } else {
            suite.row(id, outcome);
        }
    }
    suite.finish();
}

/// Origins as a policy may name them.
#[test]
fn jub0bs_origin_patterns() {
    let Some(rows) = fixtures::rows("cors/jub0bs_origin_pattern_parse.jsonl") else { return };
    let mut suite = Suite::open("cors_jub0bs_origins");
    for row in &rows {
        let origin = row["input"].as_str().unwrap();
        let refusal = refusal(&json!({"allow_origins": [origin], "allow_methods": ["GET"]}));
        let outcome = match (&refusal, row["valid"] == true) {
            (None, true) | (Some(_), false) => Ok(()),
            _ => Err(format!("`{origin}`: {}", refusal.as_deref().unwrap_or("taken"))),
        };
        suite.row(row["id"].as_str().unwrap(), outcome);
    }
    suite.finish();
}

/// Origins as a request may bear them, well formed or not: none of these is the one allowed.
#[test]
fn jub0bs_origins() {
    let Some(rows) = fixtures::rows("cors/jub0bs_origin_parse.jsonl") else { return };
    let mut blocks = Blocks::default();
    let path = blocks.path_of(Some(json!({"allow_origins": ["https://a.example", "https://*.b.example"]})));
    let upstream = Upstream::start();
    let proxy = blocks.start(&upstream);
    let mut bench = Bench::new("cors_jub0bs_origin_parse", &proxy, "main", &upstream);
    let mut suite = Suite::open("cors_jub0bs_origin_parse");
    for row in &rows {
        let origin = row["input"].as_str().unwrap();
        let response = bench.exchange(&Request::get(&path).header("origin", origin)).response;
        suite.row(row["id"].as_str().unwrap(), compare(may_read(&response.headers, origin, false), false, &response));
        check_hygiene(row, &response);
    }
    suite.finish();
}

/// The block, unless it is one we refuse on principle: `*` for anything with credentials, or for a port.
fn expressed(block: Option<Value>) -> Result<Option<Value>, String> {
    let Some(block) = block else { return Ok(None) };
    let star = |field: &str| block[field].as_array().is_some_and(|list| list.contains(&json!("*")));
    let any = ["allow_origins", "allow_methods", "allow_headers", "expose_headers"].into_iter().any(star);
    let any_port =
        block["allow_origins"].as_array().unwrap().iter().any(|origin| origin.as_str().unwrap().ends_with(":*"));
    match refusal(&block) {
        Some(why) if any_port || any && block["allow_credentials"] == true => Err(why),
        Some(why) => panic!("{block}: {why}"),
        None => Ok(Some(block)),
    }
}

/// What the engine has against a block.
fn refusal(block: &Value) -> Option<String> {
    let mut blocks = Blocks::default();
    blocks.path_of(Some(block.clone()));
    let errors = Policy::load(blocks.policy().to_string().as_bytes(), &|_: &str| SecretLookup::Unset).err()?;
    Some(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Every block on a route of its own, the same block once.
#[derive(Default)]
struct Blocks {
    paths: BTreeMap<String, (String, Option<Value>)>,
}

impl Blocks {
    fn path_of(&mut self, block: Option<Value>) -> String {
        let path = format!("/policy/{}", self.paths.len());
        self.paths.entry(format!("{block:?}")).or_insert((path, block)).0.clone()
    }

    fn policy(&self) -> Value {
        let route = |(index, (path, block)): (usize, &(String, Option<Value>))| {
            let mut route = json!({"name": format!("route-{index}"), "match": {"path": path}, "access": "public"});
            if let Some(block) = block {
                route["cors"] = block.clone();
            }
            route
        };
        json!({"version": "v1", "routes": self.paths.values().enumerate().map(route).collect::<Vec<_>>()})
    }

    fn start(&self, upstream: &Upstream) -> Proxy {
        Setup::before(upstream).policy("main", &self.policy()).start()
    }
}

/// A request of a suite, and what a browser that sent it is waiting to hear.
struct Exchanged {
    method: String,
    headers: Vec<(String, String)>,
    origin: Option<String>,
}

impl Exchanged {
    fn of(row: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let headers: Vec<_> = row["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| (text(&line[0]).to_ascii_lowercase(), text(&line[1])))
            .collect();
        let origin = headers.iter().find(|(name, _)| name == "origin").map(|(_, value)| value.clone());
        Self { method: text(&row["method"]), headers, origin }
    }

    fn build(&self, path: &str) -> Request {
        self.headers.iter().fold(Request::new(&self.method, path), |request, (name, value)| request.header(name, value))
    }

    fn values(&self, wanted: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// Whether a browser goes on: sends what a preflight asked for, or hands the answer out.
    fn concludes(&self, status: u16, headers: &Headers, credentials: bool) -> bool {
        let Some(origin) = &self.origin else { return false };
        let asked = self.values("access-control-request-method").next();
        match asked.filter(|_| self.method == "OPTIONS") {
            Some(method) => {
                let names: Vec<_> = self
                    .values("access-control-request-headers")
                    .flat_map(|line| line.split(','))
                    .map(|name| name.trim().to_owned())
                    .filter(|name| !name.is_empty())
                    .collect();
                may_send(status, headers, origin, credentials, method, &names)
            }
            None => may_read(headers, origin, credentials),
        }
    }
}

fn theirs(headers: &Value) -> Headers {
    let lines = headers.as_object().into_iter().flatten();
    let lines =
        lines.flat_map(|(name, values)| values.as_array().unwrap().iter().map(move |value| (name.clone(), value)));
    Headers(lines.map(|(name, value)| (name, value.as_str().unwrap().as_bytes().to_vec())).collect())
}

fn compare(found: bool, wanted: bool, response: &Response) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    let granted = response.headers.0.iter().filter(|(name, _)| name.starts_with("access-control-"));
    let granted: Vec<_> = granted.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect();
    Err(format!("a browser concludes {found}, not {wanted}, from {} {granted:?}", response.status))
}

/// What no answer of ours may do, whatever the policy.
fn check_hygiene(row: &Value, response: &Response) {
    let id = &row["id"];
    let headers = &response.headers;
    assert!(response.status < 500, "{id}: {}", response.status);
    assert_ne!(headers.all("access-control-allow-origin"), ["null"], "{id}");
    let open = headers.all("access-control-allow-origin") == ["*"];
    assert!(!(open && headers.has("access-control-allow-credentials")), "{id}: any origin, with credentials");
    if response.status == 403 {
        let leaks = headers.0.iter().any(|(name, _)| name.starts_with("access-control-allow-"));
        assert!(!leaks, "{id}: a refused preflight allows something: {headers:?}");
    }
}
