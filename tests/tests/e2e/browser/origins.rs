//! Every origin, under every block, with every kind of request, with credentials and without: the whole product, each on a
//! route of its own, so that what was seen and recorded of it can be told apart.

use serde_json::{Value, json};

use crate::harness::audit::Record;
use crate::harness::policy;
use crate::harness::table;
use crate::harness::token::Token;
use crate::harness::upstream::{Reply, Seen, Upstream};

use super::rule::{Ask, Rule, exposed, rule};
use super::{API, Fetch, Read, Stage};

/// One allowed by all, then those that look like it, the filter's own, and none.
const ORIGINS: [&str; 10] = [
    "https://app.example.com",
    "https://a.b.example.com",
    "https://example.com",
    "https://evil.example.net",
    "https://evilexample.com",
    "https://app.example.com.evil.net",
    "http://app.example.com",
    "https://app.example.com:8443",
    "null",
    API,
];

const ASKS: [Ask; 13] = [
    Ask { name: "GET", method: "GET", headers: &[], body: None },
    Ask { name: "GET with simple headers", method: "GET", headers: &[("accept", "text/x")], body: None },
    Ask { name: "GET with a token", method: "GET", headers: &[("authorization", "")], body: None },
    Ask { name: "GET with X-One", method: "GET", headers: &[("x-one", "1")], body: None },
    Ask { name: "GET with X-Evil", method: "GET", headers: &[("x-one", "1"), ("x-evil", "1")], body: None },
    Ask { name: "HEAD", method: "HEAD", headers: &[], body: None },
    Ask { name: "POST of text", method: "POST", headers: &[("content-type", "text/plain")], body: Some("a=1") },
    Ask {
        name: "POST of a form",
        method: "POST",
        headers: &[("content-type", "application/x-www-form-urlencoded")],
        body: Some("a=1"),
    },
    Ask { name: "POST of JSON", method: "POST", headers: &[("content-type", "application/json")], body: Some("{}") },
    Ask {
        name: "POST of JSON with a token",
        method: "POST",
        headers: &[("content-type", "application/json"), ("authorization", "")],
        body: Some("{}"),
    },
    Ask { name: "PUT", method: "PUT", headers: &[], body: Some("a") },
    Ask { name: "DELETE with a token", method: "DELETE", headers: &[("authorization", "")], body: None },
    Ask { name: "PATCH", method: "PATCH", headers: &[], body: Some("a") },
];

/// The headers of an answer that script looks for.
const HEADERS: [&str; 6] =
    ["content-type", "cache-control", "x-total", "x-page", "x-frame-options", "www-authenticate"];

fn blocks() -> Vec<(&'static str, Value)> {
    vec![
        ("the example", policy::cors()),
        (
            "no credentials",
            json!({"allow_origins": ["https://app.example.com"], "allow_methods": ["GET", "PATCH"],
                   "allow_headers": ["Authorization", "X-One"], "expose_headers": ["X-Total"]}),
        ),
        (
            "subdomains",
            json!({"allow_origins": ["https://app.example.com", "https://*.example.com"], "allow_methods": ["PUT"],
                   "allow_headers": ["Content-Type", "X-One", "X-Evil"], "expose_headers": ["X-Page", "WWW-Authenticate"],
                   "allow_credentials": true}),
        ),
        (
            "anyone",
            json!({"allow_origins": ["*"], "allow_methods": ["*"], "allow_headers": ["*"], "expose_headers": ["*"]}),
        ),
        (
            "anyone, with a token",
            json!({"allow_origins": ["*"], "allow_methods": ["DELETE"], "allow_headers": ["*", "Authorization"]}),
        ),
    ]
}

/// What the answer is, where script may read it.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Upstream,
    /// A reply of the filter's own, for a reason.
    Own(u64, &'static str),
    /// An answer of the upstream that is hidden.
    Hidden(u64),
}

struct Row {
    name: String,
    path: String,
    /// The route it is on; a request on none is recorded under its reason.
    route: Option<Value>,
    block: Value,
    origin: &'static str,
    ask: Ask,
    credentials: &'static str,
    answer: Answer,
    token: Option<String>,
}

/// The rows, before they are run.
pub struct Table(Vec<Row>);

impl Table {
    pub fn make(upstream: &Upstream) -> Self {
        let mut rows = Vec::new();
        product(&mut rows);
        refusals(&mut rows);
        cookies(&mut rows);
        for (number, row) in rows.iter().enumerate() {
            // Not every second: the rows take turns in that.
            upstream.on(&row.path, row.reply(number % 3 == 0));
        }
        Self(rows)
    }

    pub fn routes(&self) -> Vec<Value> {
        self.0.iter().filter_map(|row| row.route.clone()).collect()
    }

    pub fn run(&self, stage: &mut Stage) {
        for (name, value) in [("none", "None"), ("lax", "Lax")] {
            let cookie = json!({
                "name": "session", "value": Token::of("ada", "viewer").mint(), "domain": "api.example.com",
                "path": format!("/{name}"), "secure": true, "httpOnly": true, "sameSite": value,
            });
            stage.browser.ask("cookies", json!({"cookies": [cookie]}));
        }
        let mut reads = Vec::new();
        for origin in ORIGINS {
            let rows: Vec<_> = self.0.iter().filter(|row| row.origin == origin).collect();
            let sent: Vec<_> = rows.iter().map(|row| row.fetch()).collect();
            reads.extend(rows.into_iter().zip(stage.fetch(origin, &sent, 16)));
        }
        let records = stage.records();
        let seen = stage.seen();
        let mut table = table::Table::new("what script may read");
        let nothing = Vec::new();
        for (row, read) in &reads {
            let seen = seen.get(&row.path).map_or(&[][..], Vec::as_slice);
            let records: &[Record] = match &row.route {
                Some(route) => records.get(route["name"].as_str().unwrap()).unwrap_or(&nothing),
                None => &[],
            };
            table.row(&row.name, &row.problems(read, seen, records));
        }
        for reason in ["route_not_found", "path_malformed"] {
            let rows = self.0.iter().filter(|row| matches!(row.answer, Answer::Own(_, why) if why == reason));
            let sent = rows.filter(|row| row.rule().sent).count();
            let found = records.get(reason).map_or(0, Vec::len);
            table.holds(reason, found == sent && sent > 0, || format!("{found} records of {sent} requests"));
        }
        table.finish();
    }
}

fn ask(name: &str) -> Ask {
    ASKS.into_iter().find(|ask| ask.name == name).unwrap()
}

fn product(rows: &mut Vec<Row>) {
    let token = Token::of("ada", "viewer").mint();
    for (block_name, block) in blocks() {
        for origin in ORIGINS {
            for ask in ASKS {
                for credentials in ["omit", "include"] {
                    let name = format!("{block_name}: {}, credentials {credentials}, from {origin}", ask.name);
                    let with_token = ask.headers.iter().any(|(name, _)| *name == "authorization");
                    let token = with_token.then(|| token.clone());
                    let access = if with_token { "authenticated" } else { "public" };
                    let row = Row::on(rows.len(), "", &json!({"access": access, "cors": block}));
                    rows.push(Row { name, block: block.clone(), origin, ask, credentials, token, ..row });
                }
            }
        }
    }
}

/// Refusals, which script of an allowed origin must be able to tell from one another, and others from nothing.
fn refusals(rows: &mut Vec<Row>) {
    let viewer = Token::of("ada", "viewer").mint();
    let (get, with_token) = (ask("GET"), ask("GET with a token"));
    let admins = json!({"access": "roles", "roles": ["admin"]});
    let elsewhere = json!({"access": "public", "ip": {"deny": ["127.0.0.0/8"]}});
    let public = json!({"access": "public"});
    for (kind, ask, token, route, answer) in [
        ("no token", get, None, json!({"access": "authenticated"}), Answer::Own(401, "credentials_missing")),
        ("rubbish", with_token, Some("rubbish"), admins.clone(), Answer::Own(401, "token_malformed")),
        ("another role", with_token, Some(&*viewer), admins, Answer::Own(403, "role_denied")),
        ("an address", get, None, elsewhere, Answer::Own(403, "ip_denied")),
        ("no route", with_token, Some(&*viewer), Value::Null, Answer::Own(403, "route_not_found")),
        ("no path", get, None, Value::Null, Answer::Own(400, "path_malformed")),
        ("a failure", get, None, public.clone(), Answer::Hidden(500)),
        ("busy", get, None, public, Answer::Hidden(503)),
    ] {
        for origin in ORIGINS {
            let name = format!("refused, {kind}: from {origin}");
            let token = token.map(str::to_owned);
            let mut row = Row { name, origin, ask, token, answer, ..Row::on(rows.len(), "", &route) };
            if matches!(answer, Answer::Own(_, "path_malformed")) {
                row.path.push_str("%2f");
            }
            rows.push(row);
        }
    }
}

/// A token in a cookie goes where the cookie goes, whoever may read the answer.
fn cookies(rows: &mut Vec<Row>) {
    let asks = [ask("GET"), ask("POST of a form"), ask("POST of JSON")];
    for (block_name, block) in blocks().into_iter().take(2) {
        let route = json!({"access": "authenticated", "cors": block});
        for origin in ORIGINS {
            for ask in asks {
                for kind in ["none", "lax"] {
                    for credentials in ["omit", "same-origin", "include"] {
                        let asked = format!("{}, credentials {credentials}, from {origin}", ask.name);
                        let name = format!("{block_name}: a {kind} cookie, {asked}");
                        let with_cookies = credentials == "include" || (credentials == "same-origin" && origin == API);
                        let answer = if with_cookies && (kind == "none" || is_same_site(origin)) {
                            Answer::Upstream
                        } else {
                            Answer::Own(401, "credentials_missing")
                        };
                        let row = Row::on(rows.len(), &format!("{kind}/"), &route);
                        rows.push(Row { name, block: block.clone(), origin, ask, credentials, answer, ..row });
                    }
                }
            }
        }
    }
}

/// Of the site of the API: the same scheme and registrable domain.
fn is_same_site(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").and_then(|rest| rest.split(':').next()).unwrap_or_default();
    host == "example.com" || host.ends_with(".example.com")
}

impl Row {
    /// A row on a route of its own, where no other is said.
    fn on(number: usize, folder: &str, route: &Value) -> Self {
        let path = format!("/{folder}{number}");
        let route = (!route.is_null()).then(|| {
            let mut route = route.clone();
            route["name"] = json!(format!("row-{number}"));
            route["match"] = json!({"path": path});
            route
        });
        Self {
            name: String::new(),
            path,
            route,
            block: policy::cors(),
            origin: API,
            ask: ASKS[0],
            credentials: "omit",
            answer: Answer::Upstream,
            token: None,
        }
    }

    /// What the upstream answers. A `loose` one has a word on CORS too: it allows everybody everything.
    fn reply(&self, loose: bool) -> Reply {
        let status = match self.answer {
            Answer::Hidden(status) => u16::try_from(status).unwrap(),
            _ => 200,
        };
        let reply = Reply::new(status)
            .header("content-type", "application/json")
            .header("cache-control", "no-store")
            .header("x-total", "7")
            .header("x-page", "1")
            .body(self.body());
        if !loose {
            return reply;
        }
        ["origin", "methods", "headers"]
            .iter()
            .fold(reply, |reply, name| reply.header(&format!("access-control-allow-{name}"), "*"))
            .header("access-control-allow-credentials", "true")
            .header("access-control-expose-headers", "x-total, x-page, x-frame-options")
    }

    fn body(&self) -> String {
        format!("the upstream's {}", self.path)
    }

    fn include(&self) -> bool {
        self.credentials == "include"
    }

    fn rule(&self) -> Rule {
        rule(&self.block, self.origin, &self.ask, self.include())
    }

    fn fetch(&self) -> Fetch {
        let mut headers = serde_json::Map::new();
        for (name, value) in self.ask.headers {
            let value = match (*name, &self.token) {
                ("authorization", Some(token)) => format!("Bearer {token}"),
                _ => (*value).to_owned(),
            };
            headers.insert((*name).to_owned(), json!(value));
        }
        let fetch = Fetch::new(self.ask.method, &format!("{API}{}", self.path))
            .with("credentials", self.credentials)
            .with("headers", headers);
        match self.ask.body {
            Some(body) => fetch.with("body", body),
            None => fetch,
        }
    }

    fn problems(&self, read: &Read, seen: &[Seen], records: &[Record]) -> Vec<String> {
        let rule = self.rule();
        let mut problems = Vec::new();
        if rule.read {
            self.check_read(read, records, &mut problems);
        } else if !read.is_refused() {
            problems.push(format!("script read {}", read.0));
        }
        let reaches = rule.sent && !matches!(self.answer, Answer::Own(..));
        let methods: Vec<_> = seen.iter().map(|seen| seen.method.as_str()).collect();
        let expected: Vec<_> = reaches.then_some(self.ask.method).into_iter().collect();
        if methods != expected {
            problems.push(format!("the upstream saw {methods:?}, not {expected:?}"));
        }
        if let Some(route) = &self.route {
            let reasons: Vec<_> = records.iter().map(|record| record.text("reason")).collect();
            let expected = self.reasons(&rule, route);
            if reasons != expected {
                problems.push(format!("the records say {reasons:?}, not {expected:?}"));
            }
        }
        problems
    }

    /// The reasons of all records of the row, in order.
    fn reasons(&self, rule: &Rule, route: &Value) -> Vec<&'static str> {
        let granted = if route["access"] == "public" { "public" } else { "authenticated" };
        let own = match self.answer {
            Answer::Own(_, reason) => reason,
            Answer::Upstream | Answer::Hidden(_) => granted,
        };
        rule.preflight.into_iter().chain(rule.sent.then_some(own)).collect()
    }

    fn check_read(&self, read: &Read, records: &[Record], problems: &mut Vec<String>) {
        let (status, own) = match self.answer {
            Answer::Upstream => (200, false),
            Answer::Own(status, _) | Answer::Hidden(status) => (status, true),
        };
        if read.status() != Some(status) {
            problems.push(format!("script read {}, not {status}", read.0));
            return;
        }
        if own {
            let problem: Value = serde_json::from_str(read.body()).unwrap_or_default();
            let id = records.last().map(|record| json!(record.text("request_id")));
            let right = problem["status"] == status && id.is_none_or(|id| id == problem["request_id"]);
            if !right || read.header("content-type") != Some("application/problem+json") {
                problems.push(format!("the problem is {}", read.0));
            }
        } else if self.ask.method != "HEAD" && read.body() != self.body() {
            problems.push(format!("the body is `{}`", read.body()));
        }
        let kept = ["x-total", "x-page"];
        for name in HEADERS {
            let there = match name {
                "www-authenticate" => matches!(self.answer, Answer::Own(401, _) | Answer::Own(_, "role_denied")),
                name => !own || !kept.contains(&name),
            };
            let visible = there && exposed(&self.block, self.origin, self.include(), name);
            if read.header(name).is_some() != visible {
                let wrong = if visible { "may not read" } else { "reads" };
                problems.push(format!("script {wrong} `{name}`: {}", read.0["headers"]));
            }
        }
    }
}
