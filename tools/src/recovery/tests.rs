use std::collections::HashSet;

use super::{ALPHABET, RecoveryCode, is_kept};

#[test]
fn codes_are_random_and_of_the_form_that_people_are_shown() {
    let codes: HashSet<String> = (0..200).map(|_| RecoveryCode::generate().unwrap().expose().to_string()).collect();
    assert_eq!(codes.len(), 200);
    for code in &codes {
        let groups: Vec<&str> = code.split('-').collect();
        assert!(groups.len() == 4 && groups.iter().all(|group| group.len() == 4), "{code}");
        assert!(code.bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte)), "{code}");
    }
    let seen: HashSet<u8> = codes.iter().flat_map(|code| code.bytes()).collect();
    assert_eq!(seen.len(), ALPHABET.len() + 1, "every character comes up in 3,200");
}

#[test]
fn a_code_is_read_however_it_is_typed() {
    let kept = RecoveryCode::parse("0123-4567-89ab-cdef").unwrap().digest(b"alice");
    for typed in
        ["0123456789abcdef", "0123-4567-89AB-CDEF", " o123 4567 89ab cdef", "oi23-4567-89ab-cdef", "Ol23456789abcdef"]
    {
        assert_eq!(RecoveryCode::parse(typed).unwrap().digest(b"alice"), kept, "{typed:?}");
    }
    for typed in
        ["", "254676", "0123-4567-89ab-cde", "0123-4567-89ab-cdef-0", "0123-4567-89ab-cdeu", "0123-4567-89ab-cdé"]
    {
        assert!(RecoveryCode::parse(typed).is_none(), "{typed:?}");
    }
}

#[test]
fn a_digest_is_of_one_code_and_one_user() {
    let [first, second] = ["0123456789abcdef", "0123456789abcdeg"].map(|text| RecoveryCode::parse(text).unwrap());
    let kept = vec![first.digest(b"alice").to_vec(), second.digest(b"alice").to_vec()];
    assert!(is_kept(&kept, &first.digest(b"alice")));
    assert!(is_kept(&kept, &second.digest(b"alice")));
    assert!(!is_kept(&kept, &first.digest(b"bob")));
    assert!(!is_kept(&[Vec::new(), vec![0; 31]], &[0; 32]), "damaged");
}
