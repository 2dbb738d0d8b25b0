use portcullis_engine::Secret;

use super::*;
use crate::audit::testing::{START, record};

const LINES: [&str; 6] = [
    r#"{"timestamp":"2026-11-24T00:00:00.000Z","event":"access","action":"read","decision":"allow","reason":"public","ip_address":"203.0.113.7"}"#,
    r#"{"timestamp":"2026-11-24T00:00:01.000Z","event":"authorization","action":"read","decision":"deny","reason":"role_denied","route":"admin","user_id":"alice","ip_address":"203.0.113.8"}"#,
    r#"{"timestamp":"2026-11-24T00:00:02.000Z","event":"authentication","action":"authenticate","decision":"deny","reason":"token_expired","user_id":"a***@example.com","ip_address":"203.0.113.0/24","masked":["user_id","ip_address"]}"#,
    r#"{"timestamp":"2026-11-24T00:00:03.000Z","event":"access","action":"read","decision":"allow","reason":"authenticated","user_id":"h:LN5_H_ZO0BLNPvCbwFAiVw","request_id":"r-3"}"#,
    r#"{"timestamp":"2026-11-24T00:00:04.000Z","event":"admin","action":"user_disable","decision":"allow","reason":"done","user_id":"carol","target":"alice"}"#,
    r#"{"timestamp":"2026-11-24T00:00:05.000Z","event":"access","action":"read","decision":"dry_run_deny","reason":"role_denied","user_id":"al\"ice","ip_address":"2001:db8::1"}"#,
];

/// Which of the lines fit.
fn found(criteria: &Criteria<'_>) -> Vec<usize> {
    let query = Query::new(criteria);
    let text = LINES.join("\n");
    let mut found = Vec::new();
    query.candidates(text.as_bytes(), |line| {
        let record = Record::parse(line).expect("a whole line");
        if query.fits(&record) {
            found.push(LINES.iter().position(|other| other.as_bytes() == line).unwrap());
        }
    });
    found
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn lines_are_found_by_what_is_in_them() {
    let none = Criteria::default();
    assert_eq!(found(&none), [0, 1, 2, 3, 4, 5], "nothing is asked for");
    let users: [(&[&str], &[usize], &str); 5] = [
        (&["alice"], &[1], "by name"),
        (&["alice", "al\"ice"], &[1, 5], "either of two, one of them escaped"),
        (&["alice@example.com"], &[2], "by an address that the record has in part"),
        (&["bob@example.com"], &[], "by another"),
        (&["lice"], &[], "by a part of a name"),
    ];
    for (names, expected, what) in users {
        assert_eq!(found(&Criteria { users: &texts(names), ..none.clone() }), expected, "{what}");
    }
    let addresses: [(&[&str], &[usize], &str); 5] = [
        (&["203.0.113.7"], &[0, 2], "an address, also where there is only its block"),
        (&["203.0.113.0/24"], &[0, 1, 2], "a block"),
        (&["203.0.113.8/31"], &[1, 2], "a small one"),
        (&["2001:db8::/32", "203.0.113.7"], &[0, 2, 5], "either of two"),
        (&["192.0.2.1"], &[], "another"),
    ];
    for (blocks, expected, what) in addresses {
        let blocks: Vec<Block> = blocks.iter().map(|block| block.parse().unwrap()).collect();
        assert_eq!(found(&Criteria { addresses: &blocks, ..none.clone() }), expected, "{what}");
    }
    let deny = texts(&["deny"]);
    assert_eq!(found(&Criteria { decisions: &deny, ..none.clone() }), [1, 2], "by decision");
    assert_eq!(found(&Criteria { reasons: &texts(&["role_denied"]), ..none.clone() }), [1, 5], "by reason");
    assert_eq!(
        found(&Criteria { reasons: &texts(&["role_denied"]), decisions: &deny, ..none.clone() }),
        [1],
        "by both"
    );
    assert_eq!(found(&Criteria { routes: &texts(&["admin"]), ..none.clone() }), [1], "by route");
    assert_eq!(found(&Criteria { events: &texts(&["admin"]), ..none.clone() }), [4], "by event");
    assert_eq!(found(&Criteria { request_ids: &texts(&["r-3"]), ..none.clone() }), [3], "by request");
    assert_eq!(found(&Criteria { targets: &texts(&["alice"]), ..none.clone() }), [4], "by what was done to whom");
    let since = Some("2026-11-24T00:00:02.000Z".to_owned());
    let until = Some("2026-11-24T00:00:04.000Z".to_owned());
    assert_eq!(found(&Criteria { since, until, ..none }), [2, 3], "by time: the first counts, the last does not");
}

/// A collector of logs may read a record and write it anew.
#[test]
fn lines_are_found_however_their_json_is_written() {
    let users = ["edith", "jürgen", "acme/bob", "a\"b", "<b>", "é", "a b", "/"];
    for user in users {
        let quoted = serde_json::Value::from(user).to_string();
        let compact = record(START, "USER", true).replace(r#""USER""#, &quoted);
        let spaced = compact.replace("\":", "\": ").replace(",\"", ", \"");
        let escaped: String = compact
            .chars()
            .map(|sign| match sign {
                '/' => "\\/".to_owned(),
                '<' | '>' => format!("\\u{:04x}", u32::from(sign)),
                sign if !sign.is_ascii() => format!("\\u{:04X}", u32::from(sign)),
                sign => sign.to_string(),
            })
            .collect();
        for line in [&compact, &spaced, &escaped] {
            for (users, decisions) in
                [(&texts(&[user])[..], &texts(&["deny"])[..]), (&[], &texts(&["allow", "deny"])[..])]
            {
                let query = Query::new(&Criteria { users, decisions, ..Criteria::default() });
                let mut seen = 0;
                query.candidates(line.as_bytes(), |line| {
                    seen += usize::from(query.fits(&Record::parse(line).expect("a whole line")));
                });
                assert_eq!(seen, 1, "{user}: {line}");
            }
        }
    }
}

#[test]
fn a_user_is_found_by_hash_with_the_key() {
    let key = MaskKey::new(&Secret::new(b"0123456789abcdef0123456789abcdef".to_vec()));
    let hash = key.hash("user_id", "dora");
    let line = record(START, &hash, false);
    let users = texts(&["dora"]);
    let with = Query::new(&Criteria { users: &users, mask_key: Some(&key), ..Criteria::default() });
    let without = Query::new(&Criteria { users: &users, ..Criteria::default() });
    let record = Record::parse(line.as_bytes()).unwrap();
    assert!(with.fits(&record) && !without.fits(&record));
    let mut seen = 0;
    with.candidates(line.as_bytes(), |_| seen += 1);
    assert_eq!(seen, 1, "the bytes looked for are those of the hash");
}
