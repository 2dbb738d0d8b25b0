//! Requests from many connections at once, while a test changes what is around them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::client::{Client, Request};
use super::eventually;

/// Failures kept to be told; all are counted.
const TOLD: usize = 5;

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    sent: AtomicUsize,
    failed: AtomicUsize,
    told: Mutex<Vec<String>>,
}

/// Connections that each send a request as soon as the last was answered, and wait for 200.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
    }
}

impl Load {
    /// `next` makes the requests, given how many were made before.
    pub fn start(
        address: SocketAddr,
        connections: usize,
        next: impl Fn(usize) -> Request + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::<Shared>::default();
        let next = Arc::new(next);
        let thread = |_| {
            let (shared, next) = (Arc::clone(&shared), Arc::clone(&next));
            std::thread::spawn(move || {
                let mut client = Client::new(address);
                while !shared.stop.load(Ordering::SeqCst) {
                    let request = next(shared.sent.fetch_add(1, Ordering::SeqCst));
                    match client.try_send(&request) {
                        Ok(response) if response.status == 200 => {}
                        Ok(response) => shared.fail(format!("{}: {}", response.status, response.text())),
                        Err(error) => shared.fail(format!("no answer: {error}")),
                    }
                    // Leaves the machine to what is under test.
                    std::thread::sleep(Duration::from_millis(1));
                }
            })
        };
        let threads = (0..connections).map(thread).collect();
        Self { shared, threads }
    }

    /// Waits until as many more requests as `count` were sent.
    #[track_caller]
    pub fn go_on(&self, count: usize) {
        let goal = self.shared.sent.load(Ordering::SeqCst) + count;
        eventually("requests under load", || (self.shared.sent.load(Ordering::SeqCst) >= goal).then_some(()));
    }

    /// Ends it: no request may have failed.
    #[track_caller]
    pub fn finish(mut self, what: &str) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        let failed = self.shared.failed.load(Ordering::SeqCst);
        let sent = self.shared.sent.load(Ordering::SeqCst);
        let told = self.shared.told.lock().unwrap();
        assert!(sent > 0, "{what}: no request was sent");
        assert!(failed == 0, "{what}: {failed} of {sent} requests failed, such as\n  {}", told.join("\n  "));
    }
}

impl Shared {
    fn fail(&self, what: String) {
        self.failed.fetch_add(1, Ordering::SeqCst);
        let mut told = self.told.lock().unwrap();
        if told.len() < TOLD {
            told.push(what);
        }
    }
}
