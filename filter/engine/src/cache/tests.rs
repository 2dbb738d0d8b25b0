#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::session::testing::session;

fn cache(max_entries: usize, max_bytes: usize) -> TokenCache {
    TokenCache::new(CacheLimits { max_entries, max_bytes })
}

fn insert(cache: &mut TokenCache, token: &str) {
    cache.insert(0, token.as_bytes(), Rc::new(session()));
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
        assert_eq!(cache.get(source, token.as_bytes()).is_some(), found, "{message}");
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
        assert!(cache.get(0, b"hot").is_some(), "lost after {number}");
    }
    check_sound(&cache, 100);
}

#[test]
fn tokens_that_nobody_uses_any_more_make_room() {
    let mut cache = cache(100, usize::MAX);
    for number in 0..200 {
        insert(&mut cache, &format!("gone-{number}"));
        cache.get(0, format!("gone-{number}").as_bytes());
    }
    // A hundred callers with tokens of their own, who come in turns.
    for round in 0..5 {
        let known = (0..90).filter(|number| {
            let token = format!("turn-{number}");
            let found = cache.get(0, token.as_bytes()).is_some();
            if !found {
                insert(&mut cache, &token);
            }
            found
        });
        let known = known.count();
        assert!(round < 4 || known == 90, "only {known} of 90 are known in round {round}");
    }
    check_sound(&cache, 100);
}

#[test]
fn a_token_that_came_back_is_kept_through_a_flood() {
    let mut cache = cache(100, usize::MAX);
    let flood = |cache: &mut TokenCache, from: usize, count: usize| {
        (from..from + count).for_each(|number| insert(cache, &format!("cold-{number}")));
    };
    flood(&mut cache, 0, 100);
    insert(&mut cache, "back");
    flood(&mut cache, 100, 150);
    assert!(cache.get(0, b"back").is_none(), "nobody used it in time");
    insert(&mut cache, "back");
    flood(&mut cache, 250, 1000);
    assert!(cache.get(0, b"back").is_some(), "it was known to have been there");
    check_sound(&cache, 100);
}

#[test]
fn whatever_comes_the_queues_hold_every_token_once() {
    let mut cache = cache(20, 25 * cost(b"token-00"));
    let mut state = 1_u32;
    for _ in 0..20_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let token = format!("token-{:02}", state >> 16 & 63);
        match state >> 28 {
            0 => cache.remove(token.as_bytes()),
            1..=8 => drop(cache.get(0, token.as_bytes())),
            _ => insert(&mut cache, &token),
        }
        check_sound(&cache, cache.entries.len());
        assert!(cache.entries.len() <= 20);
    }
    cache.clear();
    check_sound(&cache, 0);
}

#[track_caller]
fn check_sound(cache: &TokenCache, entries: usize) {
    assert_eq!(cache.entries.len(), entries);
    let mut queued: Vec<u64> = cache.new.iter().chain(&cache.kept).copied().collect();
    queued.sort_unstable();
    queued.dedup();
    assert_eq!(queued.len(), cache.new.len() + cache.kept.len(), "twice in a queue");
    assert_eq!(queued.len(), entries, "not in a queue");
    assert!(queued.iter().all(|tag| cache.entries.contains_key(tag)));
    assert_eq!(cache.bytes, cache.entries.values().map(|entry| cost(&entry.token)).sum::<usize>());
    assert_eq!(cache.gone.tags.len(), cache.gone.order.len());
    assert!(cache.gone.order.len() <= cache.limits.max_entries);
}

#[test]
fn stays_within_its_bytes() {
    let mut cache = cache(usize::MAX, 20 * cost(b"token-0000"));
    for number in 0..1000 {
        insert(&mut cache, &format!("token-{number:04}"));
        assert!(cache.bytes <= cache.limits.max_bytes);
    }
    check_sound(&cache, 20);
    let whole = cache.limits.max_bytes;
    insert(&mut cache, &"x".repeat(whole));
    assert_eq!(cache.entries.len(), 20, "one that would never fit evicts nothing");
}

#[test]
fn forgets_what_is_removed_and_keeps_nothing_where_it_may_not() {
    let mut cache = cache(3, usize::MAX);
    for token in ["a", "b", "c"] {
        insert(&mut cache, token);
    }
    cache.remove(b"a");
    cache.remove(b"a");
    assert!(cache.get(0, b"a").is_none());
    assert!(cache.get(0, b"b").is_some() && cache.get(0, b"c").is_some(), "the others are still found");
    let mut off = TokenCache::new(CacheLimits { max_entries: 0, max_bytes: usize::MAX });
    insert(&mut off, "a");
    assert!(off.get(0, b"a").is_none());
}
