//! The decisions Portcullis takes, as pure functions of a policy, a request and a time.

pub mod config;
