//! Every hostcall there is, but for those of [`direct`](crate::direct). Bytes in, results out: the string calls of the SDK
//! panic on values that are not UTF-8.

use std::cell::Cell;
use std::net::IpAddr;
use std::time::Duration;

use portcullis_engine::token::{HostCrypto, SignatureCheck};
use portcullis_engine::{
    Change, Counter, Facts, HeaderEdit, HeaderEdits, Headers, LocalReply, Lockout, Secret, SecretLookup, Standing,
    UnixTime, parse_peer,
};
use prost::Message as _;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, MetricType, Status};

use crate::direct::{self, HeaderMap};
use crate::lockout;

/// The key under which Envoy keeps the audit record in filter state; access loggers read it as
/// `%FILTER_STATE(wasm.portcullis.audit:PLAIN)%`.
const AUDIT_KEY: &[u8] = b"portcullis.audit";

/// What the engine asks of the host.
pub(crate) struct HostFacts;

impl Facts for HostFacts {
    fn now(&self) -> UnixTime {
        let millis = direct::current_time().and_then(|time| i64::try_from(time / 1_000_000).ok());
        // Without a clock every token is of the distant past.
        UnixTime::from_millis(millis.unwrap_or(i64::MAX))
    }

    fn client(&self) -> Option<IpAddr> {
        parse_peer(&direct::property(b"source\0address")?)
    }
}

/// What the engine asks of the host about one request.
pub(crate) struct RequestFacts {
    /// The head is all there is.
    pub(crate) is_whole: bool,
    /// Where its attempt is counted, until it is known what becomes of it.
    pub(crate) reserved: Cell<Option<Counter>>,
}

impl Facts for RequestFacts {
    fn now(&self) -> UnixTime {
        HostFacts.now()
    }

    fn client(&self) -> Option<IpAddr> {
        HostFacts.client()
    }

    fn has_body(&self) -> Option<bool> {
        Some(!self.is_whole)
    }

    fn standing(&self, lockout: &Lockout, counter: &Counter, reserve: bool) -> Standing {
        if !reserve {
            return lockout::standing(lockout, counter);
        }
        // One that waited for keys is decided twice, and is one attempt.
        if self.reserved.get() == Some(*counter) {
            return Standing::Open;
        }
        let standing = lockout::change(lockout, counter, Change::Reserve);
        if standing == Standing::Open {
            self.reserved.set(Some(*counter));
        }
        standing
    }
}

impl HostCrypto for RequestFacts {
    fn verify_signature(&self, check: &SignatureCheck<'_>) -> Option<bool> {
        HostFacts.verify_signature(check)
    }
}

/// The answer of Envoy's foreign function `verify_signature`
/// (`source/extensions/common/wasm/ext/verify_signature.proto`). What went wrong with a signature is of no interest: it is bad.
#[derive(prost::Message)]
struct VerifySignatureResult {
    #[prost(bool, tag = "1")]
    result: bool,
}

impl HostCrypto for HostFacts {
    fn verify_signature(&self, check: &SignatureCheck<'_>) -> Option<bool> {
        // `hash_function`, `public_key`, `signature` and `text`, where they stand: a message of prost's own would have
        // copies of them.
        let fields = [check.hash.as_bytes(), check.public_key, check.signature, check.message];
        let mut arguments = Vec::with_capacity(fields.iter().map(|field| field.len() + 8).sum());
        for (number, field) in (1_u8..).zip(fields) {
            // Its number, and that its length follows (protobuf's wire type 2).
            arguments.push(number << 3 | 2);
            prost::encode_length_delimiter(field.len(), &mut arguments).ok()?;
            arguments.extend_from_slice(field);
        }
        let answer = hostcalls::call_foreign_function("verify_signature", Some(&arguments)).ok()?;
        // A message of defaults has no bytes, and the SDK then gives nothing.
        VerifySignatureResult::decode(answer.unwrap_or_default().as_slice()).ok().map(|answer| answer.result)
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

/// Bytes that nobody can foresee; `None` where the host gives none.
pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}

/// What has come of the request's body.
pub(crate) fn request_body(size: usize) -> Result<Vec<u8>, Status> {
    hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size).map(Option::unwrap_or_default)
}

pub(crate) fn request_headers() -> Result<HeaderMap, Status> {
    HeaderMap::read(MapType::HttpRequestHeaders)
}

pub(crate) fn request_trailers() -> Result<HeaderMap, Status> {
    HeaderMap::read(MapType::HttpRequestTrailers)
}

pub(crate) fn response_headers() -> Result<HeaderMap, Status> {
    HeaderMap::read(MapType::HttpResponseHeaders)
}

pub(crate) fn response_trailers() -> Result<HeaderMap, Status> {
    HeaderMap::read(MapType::HttpResponseTrailers)
}

/// Edits the request's headers, of which `known` were just read.
pub(crate) fn edit_request(known: &Headers<'_>, edits: &HeaderEdits) -> Result<(), Status> {
    edits.iter().try_for_each(|edit| apply(MapType::HttpRequestHeaders, known, edit))
}

/// Edits the response's headers, of which `known` were just read.
pub(crate) fn edit_response(known: &Headers<'_>, edits: &HeaderEdits) -> Result<(), Status> {
    edits.iter().try_for_each(|edit| apply(MapType::HttpResponseHeaders, known, edit))
}

/// Edits the request's trailers, of which `known` were just read.
pub(crate) fn edit_request_trailers(known: &Headers<'_>, edits: &[HeaderEdit]) -> Result<(), Status> {
    edits.iter().try_for_each(|edit| apply(MapType::HttpRequestTrailers, known, edit))
}

/// Edits the response's trailers, of which `known` were just read.
pub(crate) fn edit_response_trailers(known: &Headers<'_>, edits: &[HeaderEdit]) -> Result<(), Status> {
    edits.iter().try_for_each(|edit| apply(MapType::HttpResponseTrailers, known, edit))
}

fn apply(map: MapType, known: &Headers<'_>, edit: &HeaderEdit) -> Result<(), Status> {
    match edit {
        // A header that is not there needs no replacing, which is dearer.
        HeaderEdit::Set(name, value) if !known.iter().any(|(known, _)| *known == **name) => {
            hostcalls::add_map_value(map, name, value)
        }
        HeaderEdit::Set(name, value) => hostcalls::set_map_value(map, name, Some(value)),
        HeaderEdit::Add(name, value) | HeaderEdit::Append(name, value) => hostcalls::add_map_value(map, name, value),
        HeaderEdit::Remove(name) => hostcalls::remove_map_value(map, name),
    }
}

pub(crate) fn reply(reply: &LocalReply) {
    // There is nothing left to do where even this fails: the request stays paused, and so is never let through.
    if let Err(status) = direct::reply(reply.status, &reply.header_map(), &reply.body) {
        log::error!("cannot reply: the host says {status}");
    }
}

/// The status the client was sent; `None` where it was sent none.
pub(crate) fn response_code() -> Option<u16> {
    let code = u64::from_le_bytes(direct::property(b"response\0code")?.try_into().ok()?);
    u16::try_from(code).ok().filter(|code| *code != 0)
}

/// Writes audit lines to the proxy's own log.
pub(crate) fn log_audit_lines(lines: impl IntoIterator<Item = String>) {
    for line in lines {
        log::info!("{line}");
    }
}

pub(crate) fn leave_audit_record(line: &str) {
    if let Err(status) = direct::set_property(AUDIT_KEY, line.as_bytes()) {
        log::error!("cannot leave the audit record: the host says {status}");
    }
}

pub(crate) fn define_counter(name: &str) -> Option<u32> {
    hostcalls::define_metric(MetricType::Counter, name).ok()
}

pub(crate) fn define_gauge(name: &str) -> Option<u32> {
    hostcalls::define_metric(MetricType::Gauge, name).ok()
}

pub(crate) fn set_gauge(gauge: u32, value: u64) {
    let _ = hostcalls::record_metric(gauge, value);
}

pub(crate) fn count(counter: u32) {
    // A counter that does not count is no reason to refuse a request.
    let _ = hostcalls::increment_metric(counter, 1);
}

/// Makes what follows act on another context, such as a request that waits.
pub(crate) fn act_as(context: u32) -> Result<(), Status> {
    hostcalls::set_effective_context(context)
}

pub(crate) fn resume_request() {
    // Where this fails the request stays paused until the host's own time-out.
    if let Err(status) = hostcalls::resume_http_request() {
        log::error!("cannot resume the request: {status:?}");
    }
}

pub(crate) fn set_tick_period(period: Duration) {
    if let Err(status) = hostcalls::set_tick_period(period) {
        log::error!("cannot set the timer: {status:?}");
    }
}

/// A value that all workers see, and its version.
pub(crate) fn shared(key: &str) -> (Option<Vec<u8>>, Option<u32>) {
    hostcalls::get_shared_data(key).unwrap_or_default()
}

pub(crate) fn set_shared(key: &str, value: &[u8]) -> Result<(), Status> {
    hostcalls::set_shared_data(key, Some(value), None)
}

/// Replaces a shared value of this version; `None` is for one that is not there yet. `false` where somebody was faster.
pub(crate) fn replace_shared(key: &str, value: &[u8], version: Option<u32>) -> bool {
    // A key that is not there has no version, and takes the value whatever is asked; one that has come meanwhile has
    // another version than this.
    hostcalls::set_shared_data(key, Some(value), Some(version.unwrap_or(u32::MAX))).is_ok()
}

/// A GET.
pub(crate) struct Get<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) authority: &'a str,
    pub(crate) path: &'a str,
    pub(crate) accept: &'a str,
    /// What is at hand, and need not be sent again.
    pub(crate) etag: Option<&'a str>,
    pub(crate) timeout: Duration,
}

/// Sends a GET; the answer comes to the context that is active now.
pub(crate) fn get(get: &Get<'_>) -> Result<u32, Status> {
    let mut headers = vec![
        (":method", "GET"),
        (":path", get.path),
        (":authority", get.authority),
        ("accept", get.accept),
        ("user-agent", concat!("portcullis/", env!("CARGO_PKG_VERSION"))),
    ];
    headers.extend(get.etag.map(|etag| ("if-none-match", etag)));
    hostcalls::dispatch_http_call(get.cluster, headers, None, Vec::new(), get.timeout)
}

/// The status of an answer to [`get`]; `None` where there was none.
pub(crate) fn fetched_status() -> Option<u16> {
    let value = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, ":status").ok()??;
    std::str::from_utf8(&value).ok()?.parse().ok()
}

/// A header of an answer to [`get`].
pub(crate) fn fetched_header(name: &str) -> Option<String> {
    let value = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name).ok()??;
    String::from_utf8(value).ok()
}

/// The body of an answer to [`get`], and no more of it than `limit`.
pub(crate) fn fetched_body(size: usize, limit: usize) -> Vec<u8> {
    // The SDK panics where there is no body to read.
    if size == 0 {
        return Vec::new();
    }
    let wanted = size.min(limit);
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, wanted).ok().flatten().unwrap_or_default()
}
