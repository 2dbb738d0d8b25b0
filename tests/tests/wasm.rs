//! The module itself, before any host runs it.

use crate::harness::module::{exports, hints, imports};

/// A host serves these two and no other: an import from anywhere else, such as what crates
/// written for browsers pull in, keeps the module from loading at all.
const HOSTS: [&str; 2] = ["env", "wasi_snapshot_preview1"];

#[test]
fn imports_only_what_a_proxy_offers() {
    let imports = imports();
    for import in &imports {
        assert!(HOSTS.contains(&import.module.as_str()), "{}.{} is not a proxy's to give", import.module, import.name);
        assert!(import.is_function, "{}.{} is not a function", import.module, import.name);
    }
    assert!(!imports.is_empty(), "a filter that asks its host for nothing does nothing");
}

#[test]
fn speaks_the_abi_it_says() {
    let exports = exports();
    let has = |name: &str| exports.iter().any(|export| export == name);
    assert!(has("proxy_abi_version_0_2_0") || has("proxy_abi_version_0_2_1"), "{exports:?}");
    // Without the second and the third, what follows a head that is held back would take it along.
    for needed in
        ["proxy_on_request_headers", "proxy_on_request_body", "proxy_on_request_trailers", "proxy_on_response_headers"]
    {
        assert!(has(needed), "{needed} is not exported: {exports:?}");
    }
    // A host crosses into the module for every callback it exports, and for every piece of a body.
    for unused in ["proxy_on_response_body", "proxy_on_done"] {
        assert!(!has(unused), "{unused} is exported and does nothing: was the module pruned? (make build)");
    }
}

#[test]
fn tells_an_engine_which_branches_are_seldom_taken() {
    let (count, misplaced) = hints();
    // Some 2,500; engines pass over a section that they cannot read, and say nothing.
    assert!(count > 1000, "only {count} branches are told of: was the module trained? (make build)");
    assert!(misplaced.is_empty(), "no branches, and told of as such (function, place): {misplaced:?}");
}
