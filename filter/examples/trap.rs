//! The filter, and a switch that makes it trap: what `tests/tests/e2e/faults` needs to see a trap, which the filter itself must
//! never give it. Nothing of it is in the module that is shipped.
//!
//! A request with `x-trap: request` traps before it is decided, with `response` when the upstream has answered, with `log` when
//! all is done.

#![expect(missing_docs, reason = "the only public item is the entry point that the SDK's macro writes")]

#[path = "../src/direct.rs"]
mod direct;
#[path = "../src/feed.rs"]
mod feed;
#[path = "../src/fetch.rs"]
mod fetch;
#[path = "../src/host.rs"]
mod host;
#[path = "../src/http.rs"]
mod http;
#[path = "../src/lockout.rs"]
mod lockout;
#[path = "../src/metrics.rs"]
mod metrics;
#[path = "../src/plugin.rs"]
mod plugin;
#[path = "../src/shared.rs"]
mod shared;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MapType};

use crate::plugin::Root;

#[cfg(target_family = "wasm")]
#[global_allocator]
static MEMORY: portcullis_memory::Lists = portcullis_memory::Lists::new();

/// The filter's root context, whose requests can trap.
struct Trapping(Root);

struct Request {
    request: Box<dyn HttpContext>,
    trap: Vec<u8>,
}

impl Request {
    fn at(&self, place: &str) {
        if self.trap == place.as_bytes() {
            std::process::abort();
        }
    }
}

impl Context for Trapping {
    fn on_http_call_response(&mut self, token: u32, headers: usize, size: usize, trailers: usize) {
        self.0.on_http_call_response(token, headers, size, trailers);
    }
}

impl RootContext for Trapping {
    fn on_configure(&mut self, size: usize) -> bool {
        self.0.on_configure(size)
    }

    fn on_tick(&mut self) {
        self.0.on_tick();
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        let request = self.0.create_http_context(context)?;
        Some(Box::new(Request { request, trap: Vec::new() }))
    }

    fn get_type(&self) -> Option<ContextType> {
        self.0.get_type()
    }
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, count: usize, end: bool) -> Action {
        let trap = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, "x-trap");
        self.trap = trap.ok().flatten().unwrap_or_default();
        self.at("request");
        self.request.on_http_request_headers(count, end)
    }

    fn on_http_response_headers(&mut self, count: usize, end: bool) -> Action {
        self.at("response");
        self.request.on_http_response_headers(count, end)
    }

    fn on_http_response_trailers(&mut self, count: usize) -> Action {
        self.request.on_http_response_trailers(count)
    }

    fn on_log(&mut self) {
        self.at("log");
        self.request.on_log();
    }
}

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|context| Box::new(Trapping(Root::new(context))));
}}
