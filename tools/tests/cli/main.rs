//! The command line, driven through the built binary.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod accounts;
mod api_key;
mod argon2;
mod audit;
mod docs;
mod feed;
mod fixtures;
mod incident;
mod key;
mod life;
mod login;
mod password;
mod policy;
mod policy_test;
mod render;
mod secret;
mod sign_in;
mod store;
mod support;
mod surface;
mod token;
mod totp;
mod user;
mod user_import;
mod vectors;
