//! The module itself, before any host runs it.

use wasmparser::{Parser, Payload, TypeRef};

use crate::harness::paths;

/// A host serves these two and no other: an import from anywhere else, such as what crates
/// written for browsers pull in, keeps the module from loading at all.
const HOSTS: [&str; 2] = ["env", "wasi_snapshot_preview1"];

#[test]
fn imports_only_what_a_proxy_offers() {
    let module = std::fs::read(paths::module()).unwrap();
    let mut imports = 0;
    for payload in Parser::new(0).parse_all(&module) {
        let Payload::ImportSection(section) = payload.unwrap() else { continue };
        for import in section.into_imports() {
            let import = import.unwrap();
            assert!(HOSTS.contains(&import.module), "{}.{} is not a proxy's to give", import.module, import.name);
            assert!(matches!(import.ty, TypeRef::Func(_)), "{}.{} is not a function", import.module, import.name);
            imports += 1;
        }
    }
    assert!(imports > 0, "a filter that asks its host for nothing does nothing");
}

#[test]
fn speaks_the_abi_it_says() {
    let module = std::fs::read(paths::module()).unwrap();
    let mut exports = Vec::new();
    for payload in Parser::new(0).parse_all(&module) {
        if let Payload::ExportSection(section) = payload.unwrap() {
            exports.extend(section.into_iter().map(|export| export.unwrap().name.to_owned()));
        }
    }
    let has = |name: &str| exports.iter().any(|export| export == name);
    assert!(has("proxy_abi_version_0_2_0") || has("proxy_abi_version_0_2_1"), "{exports:?}");
    assert!(has("proxy_on_request_headers") && has("proxy_on_response_headers"), "{exports:?}");
    // A host crosses into the module for every callback it exports, and for every piece of a body.
    for unused in ["proxy_on_request_body", "proxy_on_response_body", "proxy_on_response_trailers", "proxy_on_done"] {
        assert!(!has(unused), "{unused} is exported and does nothing: was the module pruned? (make build)");
    }
}
