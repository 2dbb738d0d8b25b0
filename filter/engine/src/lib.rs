//! The decisions Portcullis takes, as pure functions of a policy, a request and a time.
//!
//! No host, no clock, no randomness, no files, no globals: what a decision needs beyond the request's headers comes in
//! through [`Facts`]. A policy is compiled by [`Policy::compile`], a request decided by [`Policy::decide`].

mod api_key;
#[cfg(feature = "assumed-identity")]
mod assumed;
pub mod audit;
mod authz;
mod cache;
pub mod config;
mod cors;
mod decision;
pub mod feed;
mod hash;
mod header_map;
mod headers;
mod input;
mod ip;
mod json;
mod lockout;
mod names;
mod path;
mod pipeline;
mod policy;
mod remote;
mod reply;
mod request;
mod response;
mod route;
mod secret;
mod session;
mod set_cookie;
mod step_up;
mod survey;
#[cfg(test)]
mod testing;
mod text;
mod time;
pub mod token;
mod upstream;
mod worker;

#[cfg(feature = "assumed-identity")]
pub use assumed::AssumedIdentity;
pub use audit::{AuditRecord, Journal, Sinks};
pub use cache::{CacheLimits, TokenCache};
pub use decision::{AllowReason, Decision, DenyReason};
pub use header_map::parse_header_map;
pub use headers::{HeaderEdit, HeaderEdits};
pub use ip::parse_peer;
pub use lockout::{Attempt, Change, Counter, LOCKOUT_SLOTS, Lockout, Standing};
pub use pipeline::{BodyGate, ButFor, Facts, NearMiss, Objection, RequestAction, Step, Trace, Verdict};
pub use policy::Policy;
pub use remote::{Answer, FetchError, FetchState, MAX_DOCUMENT_BYTES, RemoteJwks, Stage};
pub use reply::LocalReply;
pub use request::{HeaderName, Headers, borrow_headers};
pub use response::{ResponsePlan, failure_reply};
pub use secret::{Secret, SecretLookup, SecretSource};
pub use survey::{AuditView, Caller, CorsView, Decided, Meeting, OTHER_METHODS, ProviderView, RouteView, Survey};
pub use text::{Header, Text};
pub use time::UnixTime;
pub use worker::Worker;
