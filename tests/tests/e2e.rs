//! The module in a real Envoy, seen from both sides: what the client is answered, what
//! reaches the upstream, what the audit log says.

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
mod headers;
mod hostcalls;
mod hostile;
mod http2;
mod input;
mod jwks;
mod key_ring;
mod loading;
mod metrics;
mod migration;
mod observability;
mod robustness;
mod step_up;
mod tokens;
mod upgrade;

use crate::harness::proxy::Setup;
use crate::harness::token::SECRET;
use crate::harness::upstream::Upstream;

/// A proxy whose module knows the example's secret.
fn setup(upstream: &Upstream) -> Setup {
    Setup::before(upstream).env("SECRET_KEY", SECRET)
}
