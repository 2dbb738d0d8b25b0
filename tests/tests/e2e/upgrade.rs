//! Another module in the place of the one that serves, as docs/upgrading.md has it: no request is lost by it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::bootstrap::Delivery;
use crate::harness::client::{Client, Request};
use crate::harness::eventually;
use crate::harness::paths;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

use super::setup;

/// The module with other bytes: a custom section more, of no meaning (WebAssembly Core Specification 2.0, 5.5.3).
fn next_version(folder: &Path) -> PathBuf {
    let mut module = std::fs::read(paths::module()).unwrap();
    module.extend([0, 5, 4, b'n', b'e', b'x', b't']);
    let path = folder.join("portcullis-next.wasm");
    std::fs::write(&path, module).unwrap();
    path
}

/// Ends the asking, also where the test fails: the threads are waited for.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn count(proxy: &Proxy, name: &str) -> u64 {
    let stats = proxy.stats();
    *stats.get(name).unwrap_or_else(|| panic!("Envoy has no `{name}`"))
}

fn updates(proxy: &Proxy) -> u64 {
    count(proxy, "extension_config_discovery.http_filter.portcullis-main.update_success")
}

#[test]
fn a_new_module_takes_over_without_a_gap_and_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let next = next_version(folder.path());
    let broken = folder.path().join("broken.wasm");
    std::fs::write(&broken, b"\0asm is all that is right here").unwrap();

    let upstream = Upstream::start();
    let mut proxy = setup(&upstream).policy("main", &policy::example()).delivery(Delivery::Ecds).concurrency(2).start();
    let address = proxy.address("main");
    let token = Token::of("ada", "viewer").mint();
    let done = AtomicBool::new(false);
    let created = || "wasm.envoy.wasm.runtime.v8.created";
    let active = |proxy: &Proxy| count(proxy, "wasm.envoy.wasm.runtime.v8.active");
    // One for the main thread, one a worker, and the one that they are made from.
    let serving = eventually("the machines", || Some(active(&proxy)).filter(|machines| *machines >= 4));
    std::thread::scope(|scope| {
        let ended = Ended(&done);
        let asking: Vec<_> = [("nobody", None, 401), ("ada", Some(&token), 200)]
            .into_iter()
            .map(|(who, token, expected)| {
                let done = &done;
                scope.spawn(move || {
                    let request = Request::get("/users/ada/documents/7");
                    let request = token.map_or(request.clone(), |token| request.bearer(token));
                    let mut client = Client::new(address);
                    let mut asked = 0_u32;
                    while !done.load(Ordering::Relaxed) || asked == 0 {
                        let status = client.send(&request).status;
                        assert_eq!(status, expected, "{who}, after {asked} requests");
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        for (what, module, taken) in
            [("the next one", next.clone(), true), ("a broken one", broken, false), ("back", paths::module(), true)]
        {
            let (machines, before) = (count(&proxy, created()), updates(&proxy));
            let rejected =
                |proxy: &Proxy| count(proxy, "extension_config_discovery.http_filter.portcullis-main.update_rejected");
            let refused = rejected(&proxy);
            proxy.replace_module(&module);
            eventually(what, || {
                let ended = if taken { updates(&proxy) > before } else { rejected(&proxy) > refused };
                ended.then_some(())
            });
            if taken {
                // One a worker: the new code runs, and not the old one under a new name.
                eventually(what, || (count(&proxy, created()) >= machines + 2).then_some(()));
                // Envoy lets go of the old one when its last request is over, and until then would take it up again.
                eventually("the old machines' end", || (active(&proxy) <= serving).then_some(()));
            }
        }
        drop(ended);
        for thread in asking {
            assert!(thread.join().unwrap() > 0, "somebody asked nothing");
        }
    });
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}
