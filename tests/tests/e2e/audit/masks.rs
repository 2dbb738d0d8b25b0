//! What a policy has masked: hashes that join, networks in the place of addresses.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use super::audited;
use crate::e2e::setup;
use crate::harness::client::Request;
use crate::harness::token::{Token, encode};
use crate::harness::upstream::Upstream;

const MASK_KEY: &str = "mask-key-of-the-tests-0123456789abcdefgh";

fn hash(field: &str, value: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(MASK_KEY.as_bytes()).unwrap();
    mac.update(format!("{field}\0{value}").as_bytes());
    format!("h:{}", encode(&mac.finalize().into_bytes()[..16]))
}

#[test]
fn records_are_masked_as_the_policy_says() {
    let upstream = Upstream::start();
    let key = json!({"env": "AUDIT_MASK_KEY"});
    let template = "/users/{owner}/documents/{id}";
    let hashed = format!("/users/{}/documents/{{id}}", hash("path", "ada@example.com"));
    let (user, plain) = (hash("user_id", "ada@example.com"), "a***@example.com".to_owned());
    let rows = [
        ("plain", json!({}), &plain, "127.0.0.1".to_owned(), template, json!(["user_id"])),
        ("user", json!({"user_id": "hash", "key": key}), &user, "127.0.0.1".to_owned(), template, json!(["user_id"])),
        (
            "network",
            json!({"ip_address": "truncate"}),
            &plain,
            "127.0.0.0/24".to_owned(),
            template,
            json!(["user_id", "ip_address"]),
        ),
        (
            "everything",
            json!({"user_id": "hash", "ip_address": "hash", "path_params": ["owner"], "key": key}),
            &user,
            hash("ip_address", "127.0.0.1"),
            &hashed,
            json!(["user_id", "ip_address", "path"]),
        ),
    ];
    let mut proxy = setup(&upstream).env("AUDIT_MASK_KEY", MASK_KEY);
    for (name, mask, ..) in &rows {
        proxy = proxy.policy(name, &audited(&json!({"mask": mask})));
    }
    let proxy = proxy.start();
    let put = Request::new("PUT", "/users/ada@example.com/documents/7")
        .bearer(&Token::of("ada@example.com", "editor").mint());
    for (name, _, user, address, path, masked) in &rows {
        let mut audit = proxy.audit(name);
        let mut client = proxy.client(name);
        // The second time, the token is known.
        let mut lines = BTreeSet::new();
        for _ in 0..2 {
            assert_eq!(client.send(&put).status, 200, "{name}: ownership is decided on what is not masked");
            let record = audit.next().expect("a record");
            let found = ["user_id", "ip_address", "path"].map(|member| record.text(member));
            assert_eq!(found, [(*user).clone(), address.clone(), (*path).to_owned()], "{name}");
            assert_eq!(record.get("masked"), Some(masked), "{name}");
            lines.insert(found);
        }
        assert_eq!(lines.len(), 1, "{name}: the records join");
        let seen = upstream.take();
        assert!(seen.iter().all(|seen| seen.headers.all("x-user-id") == ["ada@example.com"]), "{name}: {seen:?}");
    }
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}
