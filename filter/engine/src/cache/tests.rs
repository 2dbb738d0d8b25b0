#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::session::testing::session;

fn cache(max_entries: usize, max_bytes: usize) -> TokenCache {
    TokenCache::new(CacheLimits { max_entries, max_bytes })
}

fn insert(cache: &mut TokenCache, token: &str) {
    cache.insert(0, token, Rc::new(session()));
}

#[test]
fn finds_only_the_same_token_from_the_same_place() {
    let mut cache = cache(4, usize::MAX);
    insert(&mut cache, "a.b.c");
    for (source, token, found, message) in [
        (0, "a.b.c", true, "the same"),
        (1, "a.b.c", false, "from a place that other providers read"),
        (0, "a.b.d", false, "another signature"),
        (0, "a.b.", false, "a part of it"),
        (0, "", false, "nothing"),
    ] {
        assert_eq!(cache.get(source, token).is_some(), found, "{message}");
    }
    assert_eq!(cache.take_counts(), (1, 4));
    assert_eq!(cache.take_counts(), (0, 0), "counts are taken once");
}

#[test]
fn a_flood_does_not_push_out_what_is_in_use() {
    let mut cache = cache(100, usize::MAX);
    insert(&mut cache, "hot");
    for number in 0..10_000 {
        insert(&mut cache, &format!("cold-{number}"));
        assert!(cache.get(0, "hot").is_some(), "lost after {number}");
    }
    assert_eq!(cache.slots.len(), 100);
    assert_eq!(cache.index.len(), 100);
}

#[test]
fn stays_within_its_bytes() {
    let mut cache = cache(usize::MAX, 20 * cost("token-0000"));
    for number in 0..1000 {
        insert(&mut cache, &format!("token-{number:04}"));
        assert!(cache.bytes <= cache.limits.max_bytes);
    }
    assert_eq!(cache.slots.len(), 20);
    let whole = cache.limits.max_bytes;
    insert(&mut cache, &"x".repeat(whole));
    assert_eq!(cache.slots.len(), 20, "one that would never fit evicts nothing");
}

#[test]
fn forgets_what_is_removed_and_keeps_nothing_where_it_may_not() {
    let mut cache = cache(3, usize::MAX);
    for token in ["a", "b", "c"] {
        insert(&mut cache, token);
    }
    cache.remove("a");
    cache.remove("a");
    assert!(cache.get(0, "a").is_none());
    assert!(cache.get(0, "b").is_some() && cache.get(0, "c").is_some(), "the others are still found");
    let mut off = TokenCache::new(CacheLimits { max_entries: 0, max_bytes: usize::MAX });
    insert(&mut off, "a");
    assert!(off.get(0, "a").is_none());
}
