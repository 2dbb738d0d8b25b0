//! A service that is not there, breaks off or says nothing.

use serde_json::json;

use super::{open_policy, settled};
use crate::e2e::setup;
use crate::harness::client::{Request, Response};
use crate::harness::table::Table;
use crate::harness::upstream::{Fault, Reply, Upstream};

/// The service's own words, and those in which Envoy speaks of it.
const LEAKS: [&str; 9] =
    ["secret-db", "127.0.0.1", "upstream", "reset", "connect", "refused", "termination", "response timeout", "leaky"];

/// What the client comes to have.
#[derive(Clone, Copy, Debug)]
enum Gets {
    /// An answer of this status that is not the service's.
    Instead(u16),
    /// The head of the service's own answer and no end to it.
    BrokenOff,
    /// The service's own answer, whole.
    Own(u16),
}

const TIMEOUTS: &str = "0.3s";

#[test]
fn each_failure_is_one_answer_that_says_nothing_and_one_record() {
    let words = "secret-db is down ".repeat(20);
    let upstream = Upstream::start();
    let reply = |status: u16| Reply::new(status).header("server", "leaky/1.0").body(&words);
    let mut rows = Vec::new();
    for (name, fault, gets, gets_of_a_failure) in [
        ("reset", Fault::Reset, Gets::Instead(503), Gets::Instead(503)),
        ("closed", Fault::Close, Gets::Instead(503), Gets::Instead(503)),
        ("stalled", Fault::Stall, Gets::Instead(504), Gets::Instead(504)),
        // What fails is replaced as soon as its head is there: how it goes on is no matter.
        ("reset-in-body", Fault::ResetInBody, Gets::BrokenOff, Gets::Instead(500)),
        ("closed-in-body", Fault::CloseInBody, Gets::BrokenOff, Gets::Instead(500)),
        ("stalled-in-body", Fault::StallInBody, Gets::BrokenOff, Gets::Instead(500)),
    ] {
        for (status, gets) in [(200, gets), (500, gets_of_a_failure)] {
            for (form, reply) in [("whole", reply(status)), ("chunked", reply(status).chunked())] {
                let path = format!("/{name}/{status}/{form}");
                upstream.on(&path, reply.fails(fault));
                rows.push((path, gets, fault));
            }
        }
    }
    upstream.on("/well", reply(200));
    upstream.on("/ill", reply(502));
    rows.push(("/well".to_owned(), Gets::Own(200), Fault::Close));
    rows.push(("/ill".to_owned(), Gets::Instead(502), Fault::Close));

    let mut showing = open_policy();
    showing["errors"] = json!({"hide_upstream_5xx": false});
    let routes = json!({"route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        {"match": {"prefix": "/stalled"}, "route": {"cluster": "upstream", "timeout": TIMEOUTS}},
        {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
    ]}]}});
    let proxy =
        setup(&upstream).policy("hiding", &open_policy()).manager(&routes).policy("showing", &showing).manager(&routes);
    let proxy = proxy.start();

    for listener in ["hiding", "showing"] {
        let mut table = Table::new(listener);
        for (count, (path, gets, fault)) in rows.iter().enumerate() {
            let hides = listener == "hiding";
            let answer = proxy.client(listener).try_send(&Request::get(path));
            let records = settled(&proxy, listener, count + 1);
            let record = records.last().map(|record| record.text("status")).unwrap_or_default();
            let before_head = matches!(fault, Fault::Reset | Fault::Close | Fault::Stall);
            let gets = match gets {
                // Shown as it is, it breaks off as any other.
                Gets::Instead(500) if !hides => Gets::BrokenOff,
                Gets::Instead(502) if !hides => Gets::Own(502),
                Gets::Instead(status) if !before_head && !hides => Gets::Instead(*status),
                other => *other,
            };
            let mut problems = Vec::new();
            if records.len() != count + 1 {
                problems.push(format!("{} records of {} requests", records.len(), count + 1));
            }
            match (gets, &answer) {
                (Gets::Instead(status), Ok(response)) => {
                    if (response.status, &record) != (status, &status.to_string()) {
                        problems.push(format!("{} to the client, `{record}` in the audit", response.status));
                    }
                    instead(response, hides, &mut problems);
                }
                (Gets::Own(status), Ok(response)) => {
                    if (response.status, response.text(), &record) != (status, words.clone(), &status.to_string()) {
                        problems.push(format!("{response:?}, `{record}` in the audit"));
                    }
                }
                // Half of an answer has no end, whatever its status.
                (Gets::BrokenOff, Err(_)) => {
                    let sent = if path.contains("/500/") { "500" } else { "200" };
                    if record != sent {
                        problems.push(format!("`{record}` in the audit"));
                    }
                }
                _ => problems.push(format!("{gets:?} expected: {answer:?}")),
            }
            table.row(path, &problems);
        }
        table.finish();
    }
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

#[test]
fn a_service_that_is_not_there_is_one_answer_and_one_record() {
    let upstream = Upstream::gone();
    let mut showing = open_policy();
    showing["errors"] = json!({"hide_upstream_5xx": false});
    let proxy = setup(&upstream).policy("hiding", &open_policy()).policy("showing", &showing).start();
    for (listener, hides) in [("hiding", true), ("showing", false)] {
        let response = proxy.client(listener).send(&Request::get("/x"));
        let records = settled(&proxy, listener, 1);
        let mut problems = Vec::new();
        instead(&response, hides, &mut problems);
        assert_eq!(problems, [""; 0], "{listener}");
        assert_eq!((response.status, records[0].text("status").as_str()), (503, "503"), "{listener}");
    }
}

/// An answer in the place of the service's: generic where that is asked for, with our headers in any case.
fn instead(response: &Response, hides: bool, problems: &mut Vec<String>) {
    if response.headers.all("x-content-type-options") != ["nosniff"] || response.headers.has("server") {
        problems.push(format!("headers {:?}", response.headers));
    }
    if !hides {
        return;
    }
    let text = format!("{:?} {}", response.headers, response.text()).to_ascii_lowercase();
    let told: Vec<_> = LEAKS.iter().filter(|leak| response.text().to_ascii_lowercase().contains(**leak)).collect();
    if !told.is_empty() || text.contains("leaky") {
        problems.push(format!("tells of {told:?}: {text}"));
    }
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let title = body["title"].as_str().unwrap_or_default();
    let members = body.as_object().map_or(0, serde_json::Map::len);
    if title.is_empty() || members != 4 || body["status"] != response.status || !body["request_id"].is_string() {
        problems.push(format!("the body is {}", response.text()));
    }
}
