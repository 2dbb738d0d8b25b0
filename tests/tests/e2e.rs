//! The module in a real Envoy, seen from both sides: what the client is answered, what
//! reaches the upstream, what the audit log says.

mod accounts;
mod api_keys;
mod audit;
mod authz;
mod browser;
mod canaries;
mod cors;
mod crypto;
mod dry_run;
mod errors;
mod example;
mod faults;
mod feed;
mod headers;
mod hostcalls;
mod hostile;
mod http2;
mod incident;
mod input;
mod jwks;
mod key_ring;
mod loading;
mod lockout;
mod metrics;
mod migration;
mod observability;
mod robustness;
mod step_up;
mod tokens;
mod trailers;
mod tunnels;
mod upgrade;

use serde_json::{Value, json};

use crate::harness::proxy::Setup;
use crate::harness::token::SECRET;
use crate::harness::upstream::Upstream;

/// A proxy whose module knows the example's secret.
fn setup(upstream: &Upstream) -> Setup {
    Setup::before(upstream).env("SECRET_KEY", SECRET)
}

/// The fields of a cluster whose servers are spoken to like this.
fn speaking(options: &Value) -> Value {
    json!({"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": options,
    }}})
}

/// Envoy leaves trailers of HTTP/1.1 out unless it is told to pass them on.
fn with_trailers() -> Value {
    json!({"http_protocol_options": {"enable_trailers": true}})
}

/// Envoy waits a second before it hangs up on a client that it has refused, which is many where most are.
fn hanging_up_soon() -> Value {
    json!({"delayed_close_timeout": "0.05s"})
}
