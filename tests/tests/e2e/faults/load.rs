//! Many connections, many requests, and an end while there are some.

use std::net::SocketAddr;
use std::time::Instant;

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::settled;
use crate::e2e::setup;
use crate::harness::client::{Client, Request};
use crate::harness::eventually;
use crate::harness::policy;
use crate::harness::table::Table;
use crate::harness::token::Token;
use crate::harness::upstream::{Gate, Reply, Upstream};

const MIB: u64 = 1024 * 1024;
const CONNECTIONS: u64 = 10_000;
/// What Envoy, and the tests that run beside this one, need besides.
const OTHER_FILES: u64 = 2_000;

/// A route that Envoy answers itself, with 203, to whoever has a token.
fn direct() -> Value {
    policy::with_routes(json!([
        {"name": "direct", "match": {"path": "/direct/{*rest}"}, "access": "authenticated"},
        {"name": "documents", "match": {"path": "/documents/{*rest}"}, "access": "authenticated"},
    ]))
}

/// Whether so many files can be open; Envoy inherits it.
fn allowed_files(count: u64) -> bool {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).is_ok() && limit.maximum.is_none_or(|maximum| maximum >= count)
}

#[test]
fn ten_thousand_connections_are_each_answered() {
    if !allowed_files(CONNECTIONS + OTHER_FILES) {
        eprintln!("skipped: {CONNECTIONS} connections are more than this machine lets one process open (ulimit -Hn)");
        return;
    }
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", &direct()).concurrency(2).start();
    let address = proxy.address("main");
    let good = Request::get("/direct/x").bearer(&Token::of("ada", "editor").mint());
    let bad = Request::get("/direct/x").bearer("a.b.c");
    assert_eq!(Client::new(address).send(&good).status, 203);
    let (files, memory) = (proxy.open_files(), proxy.resident());
    let started = Instant::now();
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| Client::new(address)).collect();
    let which = |index: usize| if index.is_multiple_of(2) { (&good, 203) } else { (&bad, 401) };
    for (index, client) in clients.iter_mut().enumerate() {
        client.begin(which(index).0).unwrap();
    }
    let mut wrong = 0;
    for (index, client) in clients.iter_mut().enumerate() {
        wrong += usize::from(client.finish("GET", b"").unwrap().status != which(index).1);
    }
    let (open, held) = (proxy.open_files(), proxy.resident());
    // Each is still there, and takes another caller's request.
    for (index, client) in clients.iter_mut().enumerate() {
        wrong += usize::from(client.send(which(index + 1).0).status != which(index + 1).1);
    }
    assert_eq!(wrong, 0, "answers that were not their caller's");
    assert!(open >= clients.len(), "they were open at once: {open}");
    let records = settled(&proxy, "main", 1 + 2 * clients.len());
    assert_eq!(records.len(), 1 + 2 * clients.len(), "a record each");
    let allowed = records.iter().filter(|record| record.text("decision") == "allow").count();
    assert_eq!(allowed, 1 + clients.len());
    drop(clients);
    eventually("the connections' end", || (proxy.open_files() <= files + 4).then_some(()));
    eprintln!(
        "{CONNECTIONS} connections, {} requests in {:?}: {} KiB a connection, {} MiB in all",
        records.len() - 1,
        started.elapsed(),
        held.saturating_sub(memory) / CONNECTIONS / 1024,
        held / MIB
    );
    // Envoy's own buffers are most of it.
    assert!(held < memory + CONNECTIONS * 64 * 1024, "{held} bytes with them, {memory} without");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// Sends `requests` in turn, `count` in all, on a few connections; gives how many answers had not the status they should.
fn pour(address: SocketAddr, requests: &[(Request, u16)], count: usize) -> usize {
    let connections = 8;
    let thread = |first: usize| {
        let mut client = Client::new(address);
        let mine = requests.iter().cycle().skip(first).take(count / connections);
        mine.filter(|(request, status)| client.send(request).status != *status).count()
    };
    std::thread::scope(|scope| {
        let first = |connection| connection * requests.len() / connections;
        let threads: Vec<_> = (0..connections).map(|index| scope.spawn(move || thread(first(index)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

/// `PORTCULLIS_SOAK` requests, as many as `make soak` says; a tenth of a million in every run of the tests.
#[test]
fn memory_stays_flat() {
    let count = std::env::var("PORTCULLIS_SOAK").map_or(100_000, |count| count.parse().expect("a number"));
    let upstream = Upstream::start();
    // The records are made as ever; a million of them are not to be kept.
    let nowhere = json!({"access_log": [{"name": "audit", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": "/dev/null",
        "log_format": {"text_format_source": {"inline_string": "%FILTER_STATE(wasm.portcullis.audit:PLAIN)%\n"}},
    }}]});
    let mut policy = direct();
    policy["cors"] = policy::cors();
    // Fewer than there are tokens, so that they come and go all the time.
    policy["cache"] = json!({"max_bytes": 65_536});
    let proxy = setup(&upstream).policy("main", &policy).manager(&nowhere).start();
    let address = proxy.address("main");
    let get = Request::get("/direct/x");
    let mut requests = Vec::new();
    for index in 0..250 {
        let token = Token::of(&format!("user-{index}"), "editor").mint();
        requests.extend([
            (get.clone().bearer(&token), 203),
            (get.clone().bearer(&token[..token.len() - 4]), 401),
            (Request::get(format!("/direct/{}", "x".repeat(1 + index * 8))).bearer(&token), 203),
            (Request::get(format!("/nowhere/{index}")).bearer(&token), 403),
        ]);
    }
    let preflight = Request::new("OPTIONS", "/direct/x")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "GET");
    requests.extend([(get, 401), (Request::get("/direct/%zz"), 400), (preflight, 204)]);

    // Until every token was seen, and every buffer has grown to its size.
    let warming = count / 5;
    assert_eq!(pour(address, &requests, warming), 0, "answers that were not as they should be");
    let (before, started) = (proxy.resident(), Instant::now());
    assert_eq!(pour(address, &requests, count - warming), 0, "answers that were not as they should be");
    let (after, elapsed) = (proxy.resident(), started.elapsed());
    eprintln!(
        "{} requests in {elapsed:?} after {warming}: {} KiB before, {} KiB after",
        count - warming,
        before / 1024,
        after / 1024
    );
    // A byte kept of each request of a million would be one.
    assert!(after <= before + 4 * MIB, "{before} bytes grew to {after}");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// As `docs/failure-modes.md` has it: fail the health check, drain, wait until nothing is under way, SIGTERM.
#[test]
fn a_proxy_that_drains_loses_no_request_and_no_record() {
    let upstream = Upstream::start();
    let gate = Gate::default();
    upstream.on("/documents/slow", Reply::new(200).body("whole").behind(&gate));
    let mut proxy = setup(&upstream).policy("main", &direct()).concurrency(2).drain_time("2").start();
    let address = proxy.address("main");
    let token = Token::of("ada", "editor").mint();
    let slow = Request::get("/documents/slow").bearer(&token);
    let mut table = Table::new("drain");
    let mut waiting: Vec<_> = (0..20).map(|_| Client::new(address)).collect();
    for client in &mut waiting {
        client.begin(&slow).unwrap();
    }
    eventually("the requests to be in flight", || (proxy.in_flight("main") == 20).then_some(()));
    for target in ["/healthcheck/fail", "/drain_listeners?graceful"] {
        assert_eq!(proxy.admin("POST", target).status, 200, "{target}");
    }
    // Those that come meanwhile are served, and told to go elsewhere.
    let (mut late, mut refused) = (0, false);
    eventually("the listener to close", || {
        match Client::new(address).try_send(&Request::get("/documents/x").bearer(&token)) {
            Ok(response) => {
                late += 1;
                table.holds("a late request", response.status == 200, || format!("{response:?}"));
                let closes = response.headers.all("connection") == ["close"];
                table.holds("a late connection is not kept", closes, || format!("{response:?}"));
            }
            Err(_) => refused = true,
        }
        refused.then_some(())
    });
    table.holds("requests while it drains", late > 0, || "none came".to_owned());
    gate.open();
    for client in &mut waiting {
        let answer = client.finish("GET", b"");
        let whole = answer.as_ref().is_ok_and(|response| response.status == 200 && response.text() == "whole");
        table.holds("a request in flight", whole, || format!("{answer:?}"));
    }
    eventually("nothing to be under way", || (proxy.in_flight("main") == 0).then_some(()));
    let status = proxy.terminate();
    table.holds("Envoy ends well", status.success(), || status.to_string());
    let lines = proxy.log_lines("main");
    let recorded = lines.iter().filter(|line| line.contains(r#""decision":"allow""#)).count();
    table.holds("a record each", lines.len() == 20 + late && recorded == lines.len(), || {
        format!("{recorded} records in {} lines, of {} requests", lines.len(), 20 + late)
    });
    table.finish();
}
