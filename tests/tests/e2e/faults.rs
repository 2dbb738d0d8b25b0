//! What goes wrong around the filter, and in it: nothing is let through, told or forgotten for that.

mod clients;
mod grpc;
mod load;
mod traps;
mod upstreams;

use crate::harness::audit::Record;
use crate::harness::proxy::Proxy;
use crate::harness::{eventually, policy};

/// Every path, to everybody.
fn open_policy() -> serde_json::Value {
    policy::with_routes(serde_json::json!([{"name": "all", "match": {"path": "/{*rest}"}, "access": "public"}]))
}

/// Waits until the listener has this many lines in its log and nothing in flight; gives the records among them.
#[track_caller]
fn settled(proxy: &Proxy, listener: &str, lines: usize) -> Vec<Record> {
    eventually("the end of every request", || (proxy.in_flight(listener) == 0).then_some(()));
    eventually("a line for each request", || (proxy.log_lines(listener).len() >= lines).then_some(()));
    let found = proxy.log_lines(listener);
    assert_eq!(found.len(), lines, "one line a request, no more: {found:#?}");
    found.iter().filter(|line| *line != "-").map(|line| Record::parse(line)).collect()
}
