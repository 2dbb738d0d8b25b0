//! Accounts and the filter: what `portcullis login` prints is what the filter takes.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::bench::Bench;
use crate::harness::chain::AUDIT_KEY;
use crate::harness::client::Request;
use crate::harness::expect::Expect;
use crate::harness::policy;
use crate::harness::token::SECRET;
use crate::harness::tool::{Said, portcullis, python};
use crate::harness::upstream::Upstream;

use super::setup;

pub(super) const PASSWORD: &str = "correct horse battery";

/// RFC 6238 by another hand: the code of a secret, so many seconds from now.
const CODE: &str = "
import base64, hmac, struct, sys, time
secret, ahead = sys.stdin.read().split()
counter = struct.pack('>Q', (int(time.time()) + int(ahead)) // 30)
digest = hmac.digest(base64.b32decode(secret), counter, 'sha1')
offset = digest[19] & 15
print(f'{(int.from_bytes(digest[offset:offset + 4], \"big\") & 0x7fffffff) % 1000000:06}')
";

/// A store of its own, and the commands on it.
pub(super) struct Accounts {
    directory: TempDir,
}

impl Accounts {
    pub(super) fn new() -> Self {
        let accounts = Self { directory: TempDir::new().unwrap() };
        let cheap = ["--memory", "64", "--iterations", "1", "--parallelism", "1"];
        let init = ["init", "admin@example.com", "--no-secret"];
        accounts.ok(&[&init[..], &cheap].concat(), PASSWORD);
        accounts
    }

    /// A file beside the store.
    pub(super) fn file(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a command, which leaves a record in the file `admin.log`.
    #[track_caller]
    pub(super) fn run(&self, arguments: &[&str], stdin: &str) -> Said {
        let (store, log) = (self.file("portcullis.db"), self.file("admin.log"));
        let environment = [
            ("PORTCULLIS_STORE", store.as_str()),
            ("SECRET_KEY", SECRET),
            ("PORTCULLIS_AUDIT_LOG", &log),
            ("PORTCULLIS_AUDIT_KEY", AUDIT_KEY),
            ("AUDIT_KEY", AUDIT_KEY),
        ];
        portcullis(arguments, stdin, &environment)
    }

    #[track_caller]
    pub(super) fn ok(&self, arguments: &[&str], stdin: &str) -> String {
        let said = self.run(arguments, stdin);
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
        said.out
    }

    /// The answer of a command that prints tokens, in the form the example policy asks for.
    #[track_caller]
    pub(super) fn tokens(&self, arguments: &[&str], stdin: &str) -> Value {
        let form = ["--iss", "https://issuer.example.com", "--aud", "portcullis-demo", "--kid", "2026-11", "--json"];
        serde_json::from_str(&self.ok(&[arguments, &form].concat(), stdin)).unwrap()
    }
}

fn code(secret: &str, ahead: i64) -> String {
    python(CODE, &format!("{secret} {ahead}")).trim().to_owned()
}

#[test]
fn the_filter_takes_the_tokens_of_a_sign_in() {
    let upstream = Upstream::start();
    let mut rules = policy::example();
    rules["routes"].as_array_mut().unwrap().push(json!({
        "name": "vault", "match": {"path": "/vault"}, "access": "authenticated",
        "step_up": {"amr": ["otp"], "max_age": "15m"},
    }));
    let proxy = setup(&upstream).policy("main", &rules).start();
    let mut bench = Bench::new("accounts", &proxy, "main", &upstream);

    let accounts = Accounts::new();
    let added = accounts.ok(&["user", "add", "ada@example.com", "--role", "editor", "--json"], PASSWORD);
    let id = serde_json::from_str::<Value>(&added).unwrap()["id"].as_str().unwrap().to_owned();
    let login = ["login", "ada@example.com"];
    let first = accounts.tokens(&login, PASSWORD);
    let bearer = |answer: &Value, request: Request| request.bearer(answer["access_token"].as_str().unwrap());
    let own = format!("/users/{id}/documents/7");
    let put = |path: &str| Request::new("PUT", path);

    bench.row(
        "her own document",
        &bearer(&first, put(&own)),
        &Expect::allow("owner_allowed").upstream("x-user-id", &id).upstream("x-user-role", "editor"),
    );
    bench.row("somebody else's", &bearer(&first, put("/users/bob/documents/9")), &Expect::deny(403, "owner_denied"));
    bench.row("for administrators", &bearer(&first, Request::get("/admin/x")), &Expect::deny(403, "role_denied"));
    let challenge = r#"Bearer realm="portcullis", error="insufficient_user_authentication", max_age="900""#;
    let weak = Expect::deny(401, "step_up_required").response("www-authenticate", challenge);
    bench.row("with a password alone", &bearer(&first, Request::get("/vault")), &weak);

    let enrolled = accounts.ok(&["user", "totp", "enroll", "ada@example.com", "--json"], "");
    let enrolled: Value = serde_json::from_str(&enrolled).unwrap();
    let secret = enrolled["secret"].as_str().unwrap();
    accounts.ok(&["user", "totp", "confirm", "ada@example.com"], &code(secret, 0));
    let second = accounts.tokens(&login, &format!("{PASSWORD}\n{}\n", code(secret, 30)));
    bench.row("with a code", &bearer(&second, Request::get("/vault")), &Expect::allow("authenticated"));

    accounts.ok(&["user", "set-role", "ada@example.com", "admin"], "");
    bench.row("the old role, in a token from before", &bearer(&second, put(&own)), &Expect::allow("owner_allowed"));
    let refreshed = accounts.tokens(&["token", "refresh"], second["refresh_token"].as_str().unwrap());
    bench.row("the new role, refreshed", &bearer(&refreshed, Request::get("/admin/x")), &Expect::allow("role_allowed"));
    bench.row("still the same sign-in", &bearer(&refreshed, Request::get("/vault")), &Expect::allow("authenticated"));

    accounts.ok(&["user", "disable", "ada@example.com", "--reason", "left"], "");
    let said = accounts.run(&["token", "refresh"], refreshed["refresh_token"].as_str().unwrap());
    assert_eq!((said.code, said.out.as_str()), (1, ""), "a disabled user gets no more tokens: {said:?}");
    bench.finish();
}
