//! Password hashes, both ways with pwdlib.

use serde_json::json;

use crate::harness::tool::{portcullis, python};

const PASSWORDS: [&str; 3] = ["päßwörd mit ümläuten", "a much longer one, with spaces and 数字 in it", "12345678"];

const HASH: &str = r#"
import json, sys
from pwdlib import PasswordHash
recommended = PasswordHash.recommended()
print(json.dumps([recommended.hash(password) for password in json.load(sys.stdin)]))
"#;

const VERIFY: &str = r#"
import json, sys
from pwdlib import PasswordHash
recommended = PasswordHash.recommended()
print(json.dumps([recommended.verify(password, digest) for password, digest in json.load(sys.stdin)]))
"#;

#[test]
fn password_hashes_go_both_ways() {
    let theirs: Vec<String> = serde_json::from_str(&python(HASH, &json!(PASSWORDS).to_string())).unwrap();
    let mut pairs = Vec::new();
    for (password, hash) in PASSWORDS.iter().zip(&theirs) {
        let verify = |password: &str| portcullis(&["password", "verify", "--hash", hash], password, &[]);
        assert_eq!(verify(password).code, 0, "pwdlib's hash of `{password}`: {:?}", verify(password));
        assert_eq!(verify("something else").code, 1, "pwdlib's hash of `{password}`, another password");
        let said = portcullis(&["password", "hash"], password, &[]);
        assert_eq!(said.code, 0, "{}", said.err);
        pairs.push((*password, said.out.trim().to_owned()));
        pairs.push(("something else", said.out.trim().to_owned()));
    }
    let verified: Vec<bool> = serde_json::from_str(&python(VERIFY, &json!(pairs).to_string())).unwrap();
    let expected: Vec<_> = PASSWORDS.iter().flat_map(|_| [true, false]).collect();
    assert_eq!(verified, expected, "pwdlib on our hashes");
}
