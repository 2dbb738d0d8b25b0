//! The public suites through the whole thing: their requests, a real Envoy, our module.

mod browser;
mod cors;
mod cors_policies;
mod istio;
mod json_bodies;
mod jwt_negative;
mod networks;
mod paths;
mod wycheproof;
