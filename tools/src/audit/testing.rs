//! Files for tests: several chains, one between the lines of the others.

use std::io::Write;
use std::path::{Path, PathBuf};

use portcullis_engine::audit::{Chain, ChainKey};
use portcullis_engine::{Secret, UnixTime};

/// 2026-11-24T00:00:00Z.
pub const START: i64 = 1_795_478_400_000;

pub const SECRET: &[u8] = b"an audit key of at least thirty-two bytes";

/// The key of the chains.
pub fn key() -> ChainKey {
    ChainKey::new(&Secret::new(SECRET.to_vec()))
}

/// Numbers without a pattern, always the same ones: SplitMix64.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// A record without its seal.
pub fn record(at: i64, user: &str, denied: bool) -> String {
    let (event, decision, reason, status) =
        if denied { ("authorization", "deny", "role_denied", 403) } else { ("access", "allow", "role_allowed", 200) };
    format!(
        r#"{{"timestamp":"{}","event":"{event}","action":"read","decision":"{decision}","reason":"{reason}","route":"documents","user_id":"{user}","role":"editor","ip_address":"203.0.113.{}","method":"GET","path":"/users/{{owner}}/documents/{{id}}","status":{status},"request_id":"r{at}","token_id":"t-{user}","policy":"6S9Z4mdaNrKxQfQp"}}"#,
        UnixTime::from_millis(at).rfc3339(),
        at % 7,
    )
}

/// So many records of so many chains, with a checkpoint now and then and one of each chain at the end.
pub fn chained(count: usize, chains: u8) -> Vec<String> {
    let mut numbers = Numbers(7);
    let mut open: Vec<Chain> = (0..chains).map(|id| Chain::new(key(), [id; 16])).collect();
    let mut lines = Vec::new();
    let mut at = START;
    for index in 0..count {
        at += 10;
        let which = numbers.below(open.len());
        let user = format!("user{}", numbers.below(50));
        lines.push(open[which].seal(record(at, &user, index % 5 == 0)));
        if index % 97 == 96 {
            let which = numbers.below(open.len());
            lines.extend(open[which].checkpoint(UnixTime::from_millis(at), "6S9Z4mdaNrKxQfQp"));
        }
    }
    for chain in &mut open {
        lines.extend(chain.checkpoint(UnixTime::from_millis(at), "6S9Z4mdaNrKxQfQp"));
    }
    lines
}

/// A fresh directory for one test.
pub fn directory(test: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("portcullis-audit-{}-{test}", std::process::id()));
    let _absent = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A file with these lines.
pub fn write<S: AsRef<[u8]>>(directory: &Path, name: &str, lines: &[S]) -> PathBuf {
    let path = directory.join(name);
    let mut text = Vec::new();
    for line in lines {
        text.write_all(line.as_ref()).unwrap();
        text.push(b'\n');
    }
    std::fs::write(&path, text).unwrap();
    path
}
