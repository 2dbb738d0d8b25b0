//! A feed outlives the policy it was fetched under.

use serde_json::{Value, json};

use super::{ada, everywhere, healthy, policy};
use crate::e2e::setup;
use crate::harness::bootstrap::Delivery;
use crate::harness::client::{Request, fetch};
use crate::harness::eventually;
use crate::harness::feed::{self, DELTA, FULL, Feed};
use crate::harness::jwks::KeyServer;
use crate::harness::proxy::Proxy;
use crate::harness::upstream::Upstream;

/// Puts another policy in force that differs in nothing that matters, and waits until every worker has it.
#[track_caller]
fn reload(proxy: &mut Proxy, mut policy: Value, path: &str) {
    let new = json!({"name": "new", "match": {"path": path}, "access": "public"});
    policy["routes"].as_array_mut().unwrap().push(new);
    proxy.replace_policy("main", &policy.to_string());
    let request = Request::get(path);
    eventually("the new policy on every worker", || {
        let address = proxy.find_address("main")?;
        (0..24).all(|_| fetch(address, &request).status == 200).then_some(())
    });
}

#[test]
fn a_key_that_is_added_changes_nothing_of_what_is_in_force() {
    let upstream = Upstream::start();
    let mut server = KeyServer::start_down();
    server.on(FULL, Feed::full(5).disabled("eve").answer());
    server.on(DELTA, Feed::delta(6, 5).disabled("ada").answer());
    server.up();
    let delta = json!({"delta_path": DELTA});
    let mut proxy = setup(&upstream)
        .cluster("feed", server.address)
        .delivery(Delivery::Ecds)
        .concurrency(4)
        .policy("main", &policy(&delta))
        .start();
    everywhere(&proxy, &ada(), 401);
    server.down();
    let mut rotated = delta.clone();
    rotated["key"] = feed::keys().to_string().into();
    reload(&mut proxy, policy(&rotated), "/new");
    let address = proxy.address("main");
    for connection in 0..24 {
        assert_eq!(fetch(address, &ada()).status, 401, "connection {connection} has no feed");
    }
    server.on(FULL, Feed::full(4).answer());
    server.on(DELTA, Feed::delta(5, 4).answer());
    server.up();
    eventually("the older feed's refusal", || proxy.log().contains("versions do not go back").then_some(()));
    everywhere(&proxy, &ada(), 401);

    // What none of the keys signed is in force no more.
    server.down();
    let mut other = delta;
    other["key"] = feed::other_key().to_string().into();
    reload(&mut proxy, policy(&other), "/newer");
    everywhere(&proxy, &ada(), 503);
    healthy(&proxy);
}

#[test]
fn another_policy_takes_the_feed_over_and_its_version_does_not_go_back() {
    for delivery in [Delivery::Ecds, Delivery::Lds] {
        let upstream = Upstream::start();
        let mut server = KeyServer::start_down();
        server.on(FULL, Feed::full(5).disabled("ada").answer());
        server.up();
        let mut proxy = setup(&upstream)
            .cluster("feed", server.address)
            .delivery(delivery)
            .concurrency(4)
            .policy("main", &policy(&json!({})))
            .start();
        everywhere(&proxy, &ada(), 401);
        let before = proxy.metric("portcullis_feed_applied");
        server.down();
        reload(&mut proxy, policy(&json!({})), "/new");
        let address = proxy.address("main");
        for connection in 0..24 {
            assert_eq!(fetch(address, &ada()).status, 401, "{delivery:?}: connection {connection} has no feed");
        }
        server.on(FULL, Feed::full(4).answer());
        server.up();
        eventually("the older feed's refusal", || proxy.log().contains("versions do not go back").then_some(()));
        everywhere(&proxy, &ada(), 401);
        assert_eq!(proxy.metric("portcullis_feed_applied"), before, "{delivery:?}: it was not fetched again");
        healthy(&proxy);
    }
}
