//! The floor under the filter's cost, for `make bench`: the crossings of a request that the filter lets through, as
//! `tests/tests/e2e/hostcalls.rs` counts them, and not one decision. What this costs is Envoy's and the virtual machine's.
//!
//! Its configuration is the letters of the steps to take: `q` reads the request's headers, `t` the time, `a` the client's
//! address, `m` counts in three counters, `e` edits the request, `p` reads the response's headers, `s` sets nine, `r`
//! leaves a record, `d` answers 401, `v` has the host verify a signature: one after the other of those whose arguments follow in
//! hexadecimal, each after a space. One and the same signature would be verified quicker than they are in life: the processor
//! learns which way each branch goes.

#![expect(missing_docs, reason = "the only public item is the entry point that the SDK's macro writes")]

#[path = "../src/direct.rs"]
mod direct;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use direct::HeaderMap;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::{Action, BufferType, LogLevel, MapType, MetricType, Status};
use rustc_hash::{FxBuildHasher, FxHashMap};

#[cfg(target_family = "wasm")]
#[global_allocator]
static MEMORY: portcullis_memory::Lists = portcullis_memory::Lists::new();

/// As long as an audit record.
const RECORD: [u8; 330] = [b'x'; 330];

/// As long as a problem document.
const PROBLEM: [u8; 110] = [b'x'; 110];

/// The security headers of the preset `recommended`, shortened to the lengths that matter.
const RESPONSE: [(&str, &str); 9] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-xss-protection", "1; mode=block"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("cross-origin-opener-policy", "same-origin"),
    ("content-security-policy", "frame-ancestors 'none'"),
    (
        "permissions-policy",
        "accelerometer=(), autoplay=(), camera=(), cross-origin-isolated=(), display-capture=(), encrypted-media=(), \
         fullscreen=(), geolocation=(), gyroscope=(), keyboard-map=(), magnetometer=(), microphone=(), midi=(), \
         payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), sync-xhr=(self), \
         usb=(), web-share=(), xr-spatial-tracking=(), clipboard-read=(), clipboard-write=(), gamepad=(), hid=(), \
         idle-detection=(), interest-cohort=(), serial=(), unload=()",
    ),
    ("vary", "Origin"),
];

/// Its own context.
struct Root(u32);

#[derive(Default)]
struct Plan {
    steps: Vec<u8>,
    signatures: Vec<Vec<u8>>,
    /// How many were verified.
    verified: Cell<usize>,
    /// The header map of its replies.
    reply: Vec<u8>,
    counters: Vec<u32>,
}

impl Plan {
    fn has(&self, step: u8) -> bool {
        self.steps.contains(&step)
    }

    fn request(&self) -> Result<(), Status> {
        let map = MapType::HttpRequestHeaders;
        if self.has(b'q') {
            HeaderMap::read(map)?.headers()?;
        }
        if self.has(b't') {
            direct::current_time().ok_or(Status::InternalFailure)?;
        }
        if self.has(b'a') {
            direct::property(b"source\0address").ok_or(Status::NotFound)?;
        }
        if self.has(b'v') {
            let next = self.verified.get() % self.signatures.len().max(1);
            self.verified.set(next + 1);
            let signature = self.signatures.get(next).ok_or(Status::NotFound)?;
            hostcalls::call_foreign_function("verify_signature", Some(signature))?;
        }
        if self.has(b'm') {
            self.counters.iter().try_for_each(|counter| hostcalls::increment_metric(*counter, 1))?;
        }
        if self.has(b'd') {
            direct::reply(401, &self.reply, &PROBLEM).map_err(|_| Status::InternalFailure)?;
            return Err(Status::Ok);
        }
        if self.has(b'e') {
            hostcalls::remove_map_value(map, "authorization")?;
            hostcalls::add_map_value(map, "x-user-id", "7")?;
            hostcalls::add_map_value(map, "x-user-role", "editor")?;
        }
        Ok(())
    }

    fn response(&self) -> Result<(), Status> {
        let map = MapType::HttpResponseHeaders;
        if self.has(b'd') {
            return Ok(());
        }
        if self.has(b'p') {
            HeaderMap::read(map)?.headers()?;
        }
        if self.has(b's') {
            RESPONSE.iter().try_for_each(|(name, value)| hostcalls::add_map_value(map, name, value))?;
        }
        Ok(())
    }
}

/// [`RESPONSE`] as the host takes it.
fn reply() -> Vec<u8> {
    let lengths = RESPONSE.iter().flat_map(|(name, value)| [name.len(), value.len()]);
    let numbers = [RESPONSE.len()].into_iter().chain(lengths).filter_map(|number| u32::try_from(number).ok());
    let mut map: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
    map.extend(RESPONSE.iter().flat_map(|(name, value)| [name.as_bytes(), &[0], value.as_bytes(), &[0]].concat()));
    map
}

fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = hexadecimal.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect()
}

fn action(done: Result<(), Status>) -> Action {
    if done.is_ok() { Action::Continue } else { Action::Pause }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let names = ["floor_allowed", "floor_requests", "floor_cached"];
        let counters = names.iter().map(|name| hostcalls::define_metric(MetricType::Counter, name));
        let Ok(counters) = counters.collect() else { return false };
        let configuration = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).ok().flatten();
        let configuration = configuration.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let mut words = configuration.split(' ');
        let steps = words.next().unwrap_or_default().into();
        let Some(signatures) = words.map(bytes_of).collect() else { return false };
        let plan = Rc::new(Plan { steps, signatures, verified: Cell::new(0), reply: reply(), counters });
        PLANS.with_borrow_mut(|plans| plans.insert(self.0, plan));
        true
    }
}

thread_local! {
    /// By context: of roots and of the requests under them.
    static PLANS: RefCell<FxHashMap<u32, Rc<Plan>>> = const { RefCell::new(FxHashMap::with_hasher(FxBuildHasher)) };
}

fn plan(context: u32) -> Rc<Plan> {
    PLANS.with_borrow(|plans| plans.get(&context).cloned()).unwrap_or_default()
}

#[expect(unsafe_code, reason = "the SDK has this callback in Rust, but under no path")]
unsafe extern "C" {
    safe fn proxy_on_context_create(context: u32, root: u32);
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_context_create")]
extern "C" fn create(context: u32, root: u32) {
    if root == 0 {
        return proxy_on_context_create(context, root);
    }
    let plan = plan(root);
    PLANS.with_borrow_mut(|plans| plans.insert(context, plan));
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_request_headers")]
extern "C" fn request_headers(context: u32, _: usize, _: bool) -> Action {
    action(plan(context).request())
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_response_headers")]
extern "C" fn response_headers(context: u32, _: usize, _: bool) -> Action {
    action(plan(context).response())
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_log")]
extern "C" fn log(context: u32) {
    if plan(context).has(b'r') {
        // Whether there is one shows in the log that the bench has written.
        let _ = direct::set_property(b"portcullis.audit", &RECORD);
    }
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_delete")]
extern "C" fn delete(context: u32) {
    PLANS.with_borrow_mut(|plans| plans.remove(&context));
}

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|context| Box::new(Root(context)));
}}
