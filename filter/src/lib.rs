//! The proxy-wasm adapter: callbacks in, engine calls, host effects out. It decides nothing.

#![expect(missing_docs, reason = "the only public item is the entry point that the SDK's macro writes")]

mod direct;
mod exports;
mod feed;
mod fetch;
mod host;
mod http;
mod lockout;
mod metrics;
mod plugin;
mod shared;
mod streams;

use proxy_wasm::types::LogLevel;

use crate::plugin::Root;

#[cfg(target_family = "wasm")]
#[global_allocator]
static MEMORY: portcullis_memory::Lists = portcullis_memory::Lists::new();

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|context| Box::new(Root::new(context)));
}}
