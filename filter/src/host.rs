//! Every hostcall there is. Bytes in, results out: the string calls of the SDK panic on values that are not UTF-8.

use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use portcullis_engine::{Facts, HeaderEdit, Headers, LocalReply, Secret, SecretLookup, UnixTime, parse_peer};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, MetricType, Status};

/// The key under which Envoy keeps the audit record in filter state; access loggers read it as
/// `%FILTER_STATE(wasm.portcullis.audit:PLAIN)%`.
const AUDIT_KEY: &str = "portcullis.audit";

/// What the engine asks of the host.
pub(crate) struct HostFacts;

impl Facts for HostFacts {
    fn now(&self) -> UnixTime {
        let since_epoch = hostcalls::get_current_time().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        // Without a clock every token is of the distant past.
        UnixTime::from_millis(since_epoch.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(i64::MAX))
    }

    fn client(&self) -> Option<IpAddr> {
        let address = hostcalls::get_property(vec!["source", "address"]).ok()??;
        parse_peer(std::str::from_utf8(&address).ok()?)
    }
}

pub(crate) fn configuration(size: usize) -> Vec<u8> {
    hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).ok().flatten().unwrap_or_default()
}

/// A secret from the VM's environment (`vm_config.environment_variables`).
pub(crate) fn secret(name: &str) -> SecretLookup {
    match std::env::var_os(name) {
        Some(value) => SecretLookup::Value(Secret::new(value.into_encoded_bytes())),
        None => SecretLookup::Unset,
    }
}

pub(crate) fn request_headers() -> Result<Vec<(String, Vec<u8>)>, Status> {
    hostcalls::get_map_bytes(MapType::HttpRequestHeaders)
}

pub(crate) fn response_headers() -> Result<Vec<(String, Vec<u8>)>, Status> {
    hostcalls::get_map_bytes(MapType::HttpResponseHeaders)
}

/// Edits the request's headers, of which `known` were just read.
pub(crate) fn edit_request(known: &Headers, edits: &[HeaderEdit]) -> Result<(), Status> {
    edits.iter().try_for_each(|edit| apply(MapType::HttpRequestHeaders, known, edit))
}

/// Edits the response's headers, of which `known` were just read.
pub(crate) fn edit_response(known: &Headers, edits: &[HeaderEdit]) -> Result<(), Status> {
    edits.iter().try_for_each(|edit| apply(MapType::HttpResponseHeaders, known, edit))
}

fn apply(map: MapType, known: &Headers, edit: &HeaderEdit) -> Result<(), Status> {
    match edit {
        // A header that is not there needs no replacing, which is dearer.
        HeaderEdit::Set(name, value) if !known.iter().any(|(known, _)| **known == **name) => {
            hostcalls::add_map_value(map, name, value)
        }
        HeaderEdit::Set(name, value) => hostcalls::set_map_value(map, name, Some(value)),
        HeaderEdit::Append(name, value) => hostcalls::add_map_value(map, name, value),
        HeaderEdit::Remove(name) => hostcalls::remove_map_value(map, name),
    }
}

pub(crate) fn reply(reply: &LocalReply) {
    let headers = reply.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    // There is nothing left to do where even this fails: the request stays paused, and so is never let through.
    if let Err(status) = hostcalls::send_http_response(u32::from(reply.status), headers, Some(&reply.body)) {
        log::error!("cannot reply: {status:?}");
    }
}

/// The status the client was sent; `None` where it was sent none.
pub(crate) fn response_code() -> Option<u16> {
    let bytes = hostcalls::get_property(vec!["response", "code"]).ok()??;
    let code = u64::from_le_bytes(bytes.try_into().ok()?);
    u16::try_from(code).ok().filter(|code| *code != 0)
}

pub(crate) fn leave_audit_record(line: &str) {
    if let Err(status) = hostcalls::set_property(vec![AUDIT_KEY], Some(line.as_bytes())) {
        log::error!("cannot leave the audit record: {status:?}");
    }
}

pub(crate) fn define_counter(name: &str) -> Option<u32> {
    hostcalls::define_metric(MetricType::Counter, name).ok()
}

pub(crate) fn count(counter: u32) {
    // A counter that does not count is no reason to refuse a request.
    let _ = hostcalls::increment_metric(counter, 1);
}
