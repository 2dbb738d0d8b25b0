//! A filter that traps, which only a build for this test can be made to: nobody gets past it meanwhile.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::e2e::setup;
use crate::harness::client::{Client, Request};
use crate::harness::proxy::Proxy;
use crate::harness::table::Table;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;
use crate::harness::{eventually, keys, paths, policy};

const SWITCH: &[u8] = b"x-trap";

fn has_switch(module: std::path::PathBuf) -> bool {
    std::fs::read(module).unwrap().windows(SWITCH.len()).any(|bytes| bytes == SWITCH)
}

#[test]
fn the_filter_itself_has_no_such_switch() {
    assert!(has_switch(paths::trap_module()), "the check would find it");
    assert!(!has_switch(paths::module()), "the module that is shipped can be made to trap");
}

/// Ends the hammering, also where the test fails: its threads are waited for.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends `request` without a pause, each time on a new connection and so to any worker; counts what is answered.
fn hammer(address: SocketAddr, request: &Request, done: &AtomicBool) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    while !done.load(Ordering::Relaxed) {
        let status = Client::new(address).try_send(request).map_or(0, |response| response.status);
        *statuses.entry(status).or_default() += 1;
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    statuses
}

fn reloads(proxy: &Proxy) -> f64 {
    proxy.metric("envoy_wasm_portcullis_vm_reload_success")
}

#[test]
fn a_trap_is_503_never_a_pass_and_heals() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).module(paths::trap_module()).policy("main", &policy::example()).concurrency(2).start();
    let address = proxy.address("main");
    let token = Token::of("ada", "editor").mint();
    let document = Request::get("/users/ada/documents/7");
    let good = document.clone().bearer(&token);
    let forged = keys::resigned(&token, |signature| signature[9] ^= 1);
    let bad = document.bearer(&forged).header("x-who", "mallory");
    assert_eq!(Client::new(address).send(&good).status, 200, "before");
    let done = AtomicBool::new(false);
    let mut table = Table::new("traps");
    std::thread::scope(|scope| {
        let ended = Ended(&done);
        let (nobody, ada) =
            (scope.spawn(|| hammer(address, &bad, &done)), scope.spawn(|| hammer(address, &good, &done)));
        for (place, statuses) in [
            ("request", [503].as_slice()),
            // The service has answered by then, and its answer does not pass.
            ("response", [503].as_slice()),
            // It had its answer: what follows of a request is only the record.
            ("log", [200].as_slice()),
        ] {
            let before = reloads(&proxy);
            // Some connections on either worker.
            let mut others: Vec<_> = (0..24).map(|_| Client::new(address)).collect();
            for other in &mut others {
                other.send(&good);
            }
            let trapped = Client::new(address).try_send(&good.clone().header("x-trap", place));
            let status = trapped.map_or(0, |response| response.status);
            table.holds(&format!("{place}: the request"), statuses.contains(&status), || status.to_string());
            let meanwhile: Vec<_> =
                others.iter_mut().map(|other| other.try_send(&good).map_or(0, |response| response.status)).collect();
            table.holds(
                &format!("{place}: other workers go on"),
                meanwhile.contains(&200) && meanwhile.iter().all(|status| [0, 200, 503].contains(status)),
                || format!("{meanwhile:?}"),
            );
            eventually("a machine made anew", || (reloads(&proxy) > before).then_some(()));
            eventually("every worker's recovery", || {
                (0..24).all(|_| Client::new(address).send(&good).status == 200).then_some(())
            });
        }
        drop(ended);
        let (nobody, ada) = (nobody.join().unwrap(), ada.join().unwrap());
        table
            .holds("a forged token", nobody.keys().all(|status| [401, 503].contains(status)), || format!("{nobody:?}"));
        table.holds("a forged token was refused", nobody.contains_key(&401), || format!("{nobody:?}"));
        table.holds("a trap was felt", nobody.contains_key(&503) || ada.contains_key(&503), || format!("{ada:?}"));
        table.holds("a good token", ada.keys().all(|status| [0, 200, 503].contains(status)), || format!("{ada:?}"));
        eprintln!("a forged token: {nobody:?}; a good one: {ada:?}");
    });
    let passed = upstream.take().into_iter().filter(|seen| seen.headers.has("x-who")).count();
    table.holds("the service never saw the forged token", passed == 0, || passed.to_string());
    // Each that trapped has a line, and nothing to write in it.
    let unrecorded = proxy.log_lines("main").iter().filter(|line| *line == "-").count();
    table.holds("lines without a record", unrecorded >= 3, || unrecorded.to_string());
    let failed = proxy.metric("envoy_wasm_portcullis_vm_reload_failure");
    table.holds("no machine failed to be made", failed == 0.0, || failed.to_string());
    table.finish();
}
