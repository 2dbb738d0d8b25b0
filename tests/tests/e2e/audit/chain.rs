//! Records that are sealed: every worker's chain is whole, and says how far it has come.

use serde_json::{Value, json};

use super::audited;
use crate::e2e::setup;
use crate::harness::bootstrap::Delivery;
use crate::harness::chain::{AUDIT_KEY, Found, follow, sealed};
use crate::harness::client::{Client, Request, fetch};
use crate::harness::eventually;
use crate::harness::policy;
use crate::harness::proxy::{Proxy, Setup};
use crate::harness::token::Token;
use crate::harness::upstream::{Gate, Reply, Upstream};

pub(super) fn chained(sinks: &Value) -> Value {
    json!({"sinks": sinks, "chain": {"key": {"env": "AUDIT_KEY"}, "checkpoint": "1s"}})
}

pub(super) fn with_key(upstream: &Upstream) -> Setup {
    setup(upstream).env("AUDIT_KEY", AUDIT_KEY)
}

/// Every chain of a proxy whose records are in the access log of `main` and whose checkpoints are in its own.
fn chains(proxy: &Proxy) -> Vec<Found> {
    let checkpoints = sealed(&proxy.log());
    let lines = proxy.log_lines("main");
    follow(lines.iter().chain(&checkpoints)).into_values().collect()
}

fn linked(chains: &[Found]) -> usize {
    chains.iter().map(|chain| chain.macs.len()).sum()
}

fn told(chains: &[Found]) -> usize {
    chains.iter().map(|chain| usize::try_from(chain.told).unwrap()).sum()
}

#[test]
fn the_chains_of_four_workers_are_whole_in_one_file() {
    const CLIENTS: usize = 32;
    const REQUESTS: usize = 25;
    let upstream = Upstream::start();
    let mut proxy =
        with_key(&upstream).policy("main", &audited(&chained(&json!(["access_log"])))).concurrency(4).start();
    let address = proxy.address("main");
    let token = Token::of("ada", "admin").mint();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::new(address);
                for request in 0..REQUESTS {
                    let path = if request % 2 == 0 { "/users/ada/documents/7" } else { "/nowhere" };
                    client.send(&Request::get(path).bearer(&token));
                }
            });
        }
    });
    let total = CLIENTS * REQUESTS;
    eventually("a line for each request", || (proxy.log_lines("main").len() >= total).then_some(()));
    let found = chains(&proxy);
    assert_eq!(linked(&found), total, "every line is a link");
    assert!((2..=4).contains(&found.len()), "one chain a worker: {}", found.len());
    eventually("checkpoints of all that was written", || (told(&chains(&proxy)) == total).then_some(()));
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());

    // What comes after the last checkpoint is told of at the end.
    fetch(address, &Request::get("/healthz"));
    eventually("one more line", || (proxy.log_lines("main").len() > total).then_some(()));
    proxy.terminate();
    let found = chains(&proxy);
    assert_eq!((linked(&found), told(&found)), (total + 1, total + 1), "a checkpoint at the end");
}

#[test]
fn both_sinks_have_the_same_lines() {
    let upstream = Upstream::start();
    let proxy = with_key(&upstream).policy("main", &audited(&chained(&json!(["access_log", "log"])))).start();
    let mut client = proxy.client("main");
    for path in ["/healthz", "/nowhere", "/%zz"] {
        client.send(&Request::get(path));
    }
    let written = eventually("the lines", || Some(proxy.log_lines("main")).filter(|lines| lines.len() == 3));
    let logged = eventually("the lines in the log", || Some(sealed(&proxy.log())).filter(|lines| lines.len() >= 3));
    let logged: Vec<_> = logged.into_iter().filter(|line| !line.contains("\"checkpoint\"")).collect();
    assert_eq!(written, logged);
    assert_eq!(follow(&written).len(), 1);
}

/// A request that began under the policy before has its record in that policy's chain, however late it ends.
#[test]
fn a_reload_begins_a_chain_and_ends_the_one_before() {
    for delivery in [Delivery::Lds, Delivery::Ecds] {
        let upstream = Upstream::start();
        let gate = Gate::default();
        upstream.on("/users/ada/documents/slow", Reply::new(200).body("whole").behind(&gate));
        let audit = chained(&json!(["access_log"]));
        let mut policy = audited(&audit);
        let setup = with_key(&upstream).policy("main", &policy).delivery(delivery).drain_time("1");
        let mut proxy = setup.start();
        let token = Token::of("ada", "admin").mint();
        let mut slow = proxy.client("main");
        slow.begin(&Request::get("/users/ada/documents/slow").bearer(&token)).unwrap();
        eventually("the request at the service", || upstream.take().pop());
        let mut sent = 1;
        let mut ask = |proxy: &Proxy, path: &str| {
            sent += 1;
            fetch(proxy.address("main"), &Request::get(path)).status
        };
        for _ in 0..5 {
            assert_eq!(ask(&proxy, "/healthz"), 200);
        }
        let new = json!({"name": "new", "match": {"path": "/new"}, "access": "public"});
        policy["routes"].as_array_mut().unwrap().push(new);
        proxy.replace_policy("main", &policy.to_string());
        eventually("the new policy", || (ask(&proxy, "/new") == 200).then_some(()));
        gate.open();
        assert_eq!(slow.finish("GET", b"").unwrap().status, 200, "{delivery:?}: the request in flight");
        eventually("a line for each request", || (proxy.log_lines("main").len() >= sent).then_some(()));
        let found = chains(&proxy);
        assert_eq!((linked(&found), found.len()), (sent, 2), "{delivery:?}: one chain a policy");
        eventually("checkpoints of all that was written", || (told(&chains(&proxy)) == sent).then_some(()));
        assert!(proxy.vm_failures().is_empty(), "{delivery:?}: {:?}", proxy.vm_failures());
    }
}

/// Without random numbers two chains might have one name: then there is no policy, and nobody is served.
#[test]
fn a_policy_that_needs_random_numbers_is_refused_without_them() {
    let upstream = Upstream::start();
    let setup = with_key(&upstream).policy("main", &audited(&chained(&json!(["access_log"]))));
    let Err(log) = setup.deny_capability("random_get").launch() else { panic!("Envoy started") };
    assert!(log.contains("`audit` asks for random numbers"), "{log}");
    let plain = setup_without(&upstream).start();
    assert_eq!(fetch(plain.address("main"), &Request::get("/healthz")).status, 200, "others need none");
}

fn setup_without(upstream: &Upstream) -> Setup {
    setup(upstream).policy("main", &policy::example()).deny_capability("random_get")
}
