use std::collections::BTreeSet;

use super::{ID_ALPHABET, NewApiKey, is_id, parse_id};

#[test]
fn a_key_is_an_id_and_a_secret_that_only_a_digest_is_kept_of() {
    let key = NewApiKey::generate().unwrap();
    let text = key.expose();
    let (id, secret) = text.strip_prefix("pk_").unwrap().split_once('_').unwrap();
    assert_eq!(id, key.id);
    assert!(is_id(id), "{id}");
    assert_eq!(secret.len(), 43);
    assert_eq!(key.digest(), hmac_sha256::Hash::hash(secret.as_bytes()));
    assert_ne!(NewApiKey::generate().unwrap().expose(), text);
}

#[test]
fn ids_are_made_of_all_their_characters() {
    let ids: Vec<String> = (0..500).map(|_| NewApiKey::generate().unwrap().id).collect();
    let used: BTreeSet<u8> = ids.iter().flat_map(|id| id.bytes()).collect();
    assert_eq!(used, ID_ALPHABET.iter().copied().collect(), "6,000 draws miss none of 36");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn what_is_no_id_is_not_repeated() {
    assert_eq!(parse_id("abcdefghij01").unwrap(), "abcdefghij01");
    for text in ["", "abcdefghij0", "abcdefghij012", "ABCDEFGHIJ01", "abcdefghij-1", "pk_abcdefghij01_secret"] {
        let failure = parse_id(text).unwrap_err();
        assert!(text.is_empty() || !failure.cause.contains(text), "{text}");
    }
}
