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
#[path = "../src/streams.rs"]
mod streams;

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MapType};

use crate::plugin::Root;

#[cfg(target_family = "wasm")]
#[global_allocator]
static MEMORY: portcullis_memory::Lists = portcullis_memory::Lists::new();

/// The filter's root context, whose requests can trap. They come by the SDK's callbacks, before they go to the filter's.
struct Trapping {
    root: u32,
    filter: Root,
}

struct Request {
    context: u32,
    trap: Vec<u8>,
}

impl Request {
    /// What is under way in the filter, unless this is the place to trap.
    fn at(&self, place: &str) -> Option<Rc<RefCell<http::Request>>> {
        if self.trap == place.as_bytes() {
            std::process::abort();
        }
        streams::get(self.context)
    }
}

impl Context for Trapping {
    fn on_http_call_response(&mut self, token: u32, headers: usize, size: usize, trailers: usize) {
        self.filter.on_http_call_response(token, headers, size, trailers);
    }
}

impl RootContext for Trapping {
    fn on_configure(&mut self, size: usize) -> bool {
        self.filter.on_configure(size)
    }

    fn on_tick(&mut self) {
        self.filter.on_tick();
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        streams::create(context, self.root);
        Some(Box::new(Request { context, trap: Vec::new() }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Context for Request {}

impl Drop for Request {
    fn drop(&mut self) {
        streams::delete(self.context);
    }
}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        let trap = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, "x-trap");
        self.trap = trap.ok().flatten().unwrap_or_default();
        self.at("request").map_or(Action::Pause, |request| http::on_request_headers(&request, end))
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.at("-").map_or(Action::Pause, |request| http::on_request_body(&request, size, end))
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.at("-").map_or(Action::Pause, |request| http::on_request_trailers(&request))
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.at("response").map_or(Action::Pause, |request| http::on_response_headers(&request))
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.at("-").map_or(Action::Pause, |request| http::on_response_trailers(&request))
    }

    fn on_log(&mut self) {
        if let Some(request) = self.at("log") {
            http::on_log(&request);
        }
    }
}

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|context| Box::new(Trapping { root: context, filter: Root::new(context) }));
}}
