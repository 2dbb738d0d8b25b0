//! The floor under the filter's cost, for `make bench`: the crossings of a request that the filter lets through, as
//! `tests/tests/e2e/hostcalls.rs` counts them, and not one decision. What this costs is Envoy's and the virtual machine's.
//!
//! Its configuration is the letters of the steps to take: `q` reads the request's headers, `t` the time, `a` the client's
//! address, `m` counts in three counters, `e` edits the request, `p` reads the response's headers, `s` sets nine, `r`
//! leaves a record, `d` answers 401, `v` has the host verify a signature, whose arguments follow in hexadecimal after a space.

#![expect(missing_docs, reason = "the only public item is the entry point that the SDK's macro writes")]

#[path = "../src/direct.rs"]
mod direct;

use std::rc::Rc;

use direct::HeaderMap;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, MapType, MetricType, Status};

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

#[derive(Default)]
struct Root(Rc<Plan>);

struct Http(Rc<Plan>);

#[derive(Default)]
struct Plan {
    steps: Vec<u8>,
    signature: Vec<u8>,
    counters: Vec<u32>,
}

impl Plan {
    fn has(&self, step: u8) -> bool {
        self.steps.contains(&step)
    }
}

impl Http {
    fn request(&self) -> Result<(), Status> {
        let map = MapType::HttpRequestHeaders;
        if self.0.has(b'q') {
            HeaderMap::read(map)?.headers()?;
        }
        if self.0.has(b't') {
            direct::current_time().ok_or(Status::InternalFailure)?;
        }
        if self.0.has(b'a') {
            direct::property(b"source\0address").ok_or(Status::NotFound)?;
        }
        if self.0.has(b'v') {
            hostcalls::call_foreign_function("verify_signature", Some(&self.0.signature))?;
        }
        if self.0.has(b'm') {
            self.0.counters.iter().try_for_each(|counter| hostcalls::increment_metric(*counter, 1))?;
        }
        if self.0.has(b'd') {
            let headers = RESPONSE.to_vec();
            hostcalls::send_http_response(401, headers, Some(&PROBLEM))?;
            return Err(Status::Ok);
        }
        if self.0.has(b'e') {
            hostcalls::remove_map_value(map, "authorization")?;
            hostcalls::add_map_value(map, "x-user-id", "7")?;
            hostcalls::add_map_value(map, "x-user-role", "editor")?;
        }
        Ok(())
    }

    fn response(&self) -> Result<(), Status> {
        let map = MapType::HttpResponseHeaders;
        if self.0.has(b'd') {
            return Ok(());
        }
        if self.0.has(b'p') {
            HeaderMap::read(map)?.headers()?;
        }
        if self.0.has(b's') {
            RESPONSE.iter().try_for_each(|(name, value)| hostcalls::add_map_value(map, name, value))?;
        }
        Ok(())
    }
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
        let (steps, signature) = configuration.split_once(' ').unwrap_or((&configuration, ""));
        let Some(signature) = bytes_of(signature) else { return false };
        self.0 = Rc::new(Plan { steps: steps.into(), signature, counters });
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http(Rc::clone(&self.0))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        action(self.request())
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        action(self.response())
    }

    fn on_log(&mut self) {
        if self.0.has(b'r') {
            // Whether there is one shows in the log that the bench has written.
            let _ = direct::set_property(b"portcullis.audit", &RECORD);
        }
    }
}

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}
