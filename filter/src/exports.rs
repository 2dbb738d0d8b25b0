//! The callbacks of a request, as the host calls them. `prune_exports.py` lets each take the place of the SDK's of its name.

use portcullis_engine::failure_reply;
use proxy_wasm::types::Action;

use crate::{host, http, streams};

#[expect(unsafe_code, reason = "the SDK has these callbacks in Rust, but under no path")]
unsafe extern "C" {
    safe fn proxy_on_context_create(context: u32, root: u32);
    safe fn proxy_on_delete(context: u32);
}

/// A root context, which has none above it, is the SDK's.
#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_context_create")]
extern "C" fn create(context: u32, root: u32) {
    if root == 0 {
        proxy_on_context_create(context, root);
    } else {
        streams::create(context, root);
    }
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_request_headers")]
extern "C" fn request_headers(context: u32, _count: usize, end_of_stream: bool) -> Action {
    let Some(request) = streams::get(context) else {
        host::reply(&failure_reply(500));
        return Action::Pause;
    };
    http::on_request_headers(&request, end_of_stream)
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_request_body")]
extern "C" fn request_body(context: u32, size: usize, end_of_stream: bool) -> Action {
    streams::get(context).map_or(Action::Pause, |request| http::on_request_body(&request, size, end_of_stream))
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_request_trailers")]
extern "C" fn request_trailers(context: u32, _count: usize) -> Action {
    streams::get(context).map_or(Action::Pause, |request| http::on_request_trailers(&request))
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_response_headers")]
extern "C" fn response_headers(context: u32, _count: usize, _end_of_stream: bool) -> Action {
    streams::get(context).map_or(Action::Pause, |request| http::on_response_headers(&request))
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_response_trailers")]
extern "C" fn response_trailers(context: u32, _count: usize) -> Action {
    streams::get(context).map_or(Action::Pause, |request| http::on_response_trailers(&request))
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_log")]
extern "C" fn log(context: u32) {
    if let Some(request) = streams::get(context) {
        http::on_log(&request);
    }
}

#[expect(unsafe_code, reason = "a name for the host")]
#[unsafe(export_name = "portcullis_on_delete")]
extern "C" fn delete(context: u32) {
    // The SDK traps where it is told of a context that it does not know.
    if streams::delete(context) {
        proxy_on_delete(context);
    }
}
