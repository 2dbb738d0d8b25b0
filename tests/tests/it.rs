//! Portcullis proved from outside: the module in a real Envoy over real HTTP, the
//! command line against other implementations, and the public test suites.
//!
//! Needs the built module, the built command and an Envoy, which `make build` provides;
//! without them these tests fail and say so. `harness/paths.rs` names the variables that
//! point elsewhere.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test fails by panicking, and its helpers are read beside the test that calls them"
)]

mod differential;
mod e2e;
mod harness;
mod interop;
mod manifests;
mod vectors;
mod wasm;
