//! Requests, by the numbers that the host has for them.
//!
//! This is what the SDK's dispatcher does for contexts of every kind. For requests alone it takes a third of the code, which
//! counts where every request runs through it: from one to the next, a processor forgets what it knew of it.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::http::Request;
use crate::plugin::Plugin;

/// The contexts of this virtual machine. The host counts them up; nobody chooses their numbers.
struct Streams {
    /// What is in force, if anything is, by root context.
    plugins: FxHashMap<u32, Option<Rc<Plugin>>>,
    requests: FxHashMap<u32, Rc<RefCell<Request>>>,
}

thread_local! {
    static STREAMS: RefCell<Streams> = const {
        RefCell::new(Streams {
            plugins: FxHashMap::with_hasher(FxBuildHasher),
            requests: FxHashMap::with_hasher(FxBuildHasher),
        })
    };
}

/// Held for the length of `act` alone, which calls nothing that comes back here: it cannot be taken.
fn with<T>(act: impl FnOnce(&mut Streams) -> T) -> Option<T> {
    STREAMS.with(|streams| streams.try_borrow_mut().ok().map(|mut streams| act(&mut streams)))
}

/// Requests under this root context that come from now on are decided by this; refused, where it is nothing.
pub(crate) fn put_in_force(root: u32, plugin: Option<Rc<Plugin>>) {
    // What was in force before is dropped out here, and may write to the log.
    drop(with(|streams| streams.plugins.insert(root, plugin)));
}

/// There is no such root context any more.
pub(crate) fn withdraw(root: u32) {
    drop(with(|streams| streams.plugins.remove(&root)));
}

/// There is a new request.
pub(crate) fn create(context: u32, root: u32) {
    drop(with(|streams| {
        let request = Request::new(context, streams.plugins.get(&root).cloned().flatten());
        streams.requests.insert(context, Rc::new(RefCell::new(request)))
    }));
}

/// A request; `None` where the host has told of none of this number.
pub(crate) fn get(context: u32) -> Option<Rc<RefCell<Request>>> {
    with(|streams| streams.requests.get(&context).cloned()).flatten()
}

/// Forgets a request. Says whether the number is that of a root context instead, which is the SDK's to forget.
pub(crate) fn delete(context: u32) -> bool {
    let request = with(|streams| streams.requests.remove(&context)).flatten();
    request.is_none() && with(|streams| streams.plugins.contains_key(&context)) == Some(true)
}
