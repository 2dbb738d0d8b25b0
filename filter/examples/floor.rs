//! The floor under the filter's cost, for `make bench`: the crossings of a request that the filter lets through, as
//! `tests/tests/e2e/hostcalls.rs` counts them, and not one decision. What this costs is Envoy's and the virtual machine's.

#![expect(missing_docs, reason = "the only public item is the entry point that the SDK's macro writes")]

#[path = "../src/header_map.rs"]
mod header_map;

use std::rc::Rc;

use header_map::HeaderMap;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MapType, MetricType, Status};

/// As long as an audit record.
const RECORD: [u8; 330] = [b'x'; 330];

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
struct Root {
    counters: Rc<Vec<u32>>,
}

struct Http(Rc<Vec<u32>>);

impl Http {
    fn request(&self) -> Result<(), Status> {
        HeaderMap::read(MapType::HttpRequestHeaders)?.headers()?;
        hostcalls::get_current_time()?;
        hostcalls::get_property(vec!["source", "address"])?;
        self.0.iter().try_for_each(|counter| hostcalls::increment_metric(*counter, 1))?;
        hostcalls::remove_map_value(MapType::HttpRequestHeaders, "authorization")?;
        hostcalls::add_map_value(MapType::HttpRequestHeaders, "x-user-id", "7")?;
        hostcalls::add_map_value(MapType::HttpRequestHeaders, "x-user-role", "editor")
    }

    fn response() -> Result<(), Status> {
        HeaderMap::read(MapType::HttpResponseHeaders)?.headers()?;
        RESPONSE
            .iter()
            .try_for_each(|(name, value)| hostcalls::add_map_value(MapType::HttpResponseHeaders, name, value))
    }
}

fn action(done: Result<(), Status>) -> Action {
    if done.is_ok() { Action::Continue } else { Action::Pause }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let names = ["floor_allowed", "floor_requests", "floor_cached"];
        let counters = names.iter().map(|name| hostcalls::define_metric(MetricType::Counter, name));
        self.counters = counters.collect::<Result<Vec<u32>, Status>>().map(Rc::new).unwrap_or_default();
        self.counters.len() == names.len()
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http(Rc::clone(&self.counters))))
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
        action(Self::response())
    }

    fn on_log(&mut self) {
        // A record that is not left is a floor that is not reached; the bench compares what is written.
        let _ = hostcalls::set_property(vec!["portcullis.audit"], Some(&RECORD));
    }
}

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}
