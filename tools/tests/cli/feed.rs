//! `feed`: from the store and from files to what the engine reads.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_engine::feed::{Digest16, Feed, FeedError, Feeds, read};
use portcullis_engine::token::KeySet;
use serde_json::Value;

use crate::accounts::Accounts;
use crate::support::{Outcome, key};

/// A store with users, and the key that signs its feed.
struct Desk {
    accounts: Accounts,
}

impl Desk {
    fn new(test: &str) -> Self {
        Self { accounts: Accounts::new(test) }
    }

    fn path(&self, name: &str) -> String {
        self.accounts.path(name).to_str().unwrap().to_owned()
    }

    /// `feed build` with an Ed25519 key into a file.
    fn build_into(&self, out: &str, options: &[&str]) -> Outcome {
        let (signing, out) = (key("ed25519.pem"), self.path(out));
        let build = ["feed", "build", "--key", signing.to_str().unwrap(), "--out", &out];
        self.accounts.run_with(build.iter().chain(options), "")
    }

    fn build(&self, options: &[&str]) -> Outcome {
        self.build_into("identity.feed", options)
    }

    fn jwks(&self) -> String {
        let set = self.accounts.run(&format!("key jwks {}", key("ed25519.pem").display())).ok();
        self.accounts.file("jwks.json", &set).to_str().unwrap().to_owned()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.accounts.path(name)).unwrap()
    }

    /// A feed as the filter would read it.
    fn read(&self, name: &str) -> Feed {
        read(self.bytes(name), &self.keys()).unwrap()
    }

    fn keys(&self) -> KeySet {
        KeySet::from_public_jwks(&std::fs::read(self.jwks()).unwrap()).unwrap()
    }

    fn verify(&self, name: &str, options: &[&str]) -> Outcome {
        let (path, jwks) = (self.path(name), self.jwks());
        self.accounts.run_with(["feed", "verify", &path, "--jwks", &jwks].iter().chain(options), "")
    }
}

fn roles(feed: &Feed, subject: &str) -> Option<Vec<String>> {
    feed.subject(&Digest16::subject(subject))?.roles().map(|roles| roles.map(str::to_owned).collect())
}

#[test]
fn the_store_is_what_the_filter_is_told() {
    let desk = Desk::new("feed_store");
    let accounts = &desk.accounts;
    let alice = accounts.add("alice@example.com", "editor");
    let bob = accounts.add("bob@example.com", "viewer");
    let carol = accounts.add("carol@example.com", "viewer");
    let api_key = accounts.run("api-key issue --owner alice@example.com --cidr 10.0.0.0/8").ok();
    let (id, secret) = api_key.strip_prefix("pk_").unwrap().split_once('_').unwrap();
    let revoked = accounts.run("api-key issue --owner alice@example.com --json").json();
    accounts.run(&format!("api-key revoke {}", revoked["id"].as_str().unwrap())).ok();
    accounts.run("token revoke --jti token-1 --expires 2100-01-01T00:00:00Z").ok();
    accounts.run("user disable bob@example.com").ok();
    accounts.run("user erase carol@example.com --yes").ok();
    desk.build(&[]).ok();

    let feed = desk.read("identity.feed");
    assert_eq!(roles(&feed, &alice), Some(vec!["editor".to_owned()]));
    for gone in [&bob, &carol] {
        let subject = feed.subject(&Digest16::subject(gone)).unwrap();
        assert!(subject.is_disabled() && subject.tokens_before() > 0, "{gone}");
    }
    assert!(feed.subject(&Digest16::subject("somebody else")).is_none());
    assert!(feed.revoked(&Digest16::token("token-1")).is_some());
    assert_eq!(feed.counts().keys, 1, "one that was revoked is not there");
    let row = feed.key(&Digest16::key(id)).unwrap();
    assert_eq!(row.owner(), Some(alice.as_str()));
    assert_eq!(row.secret_sha256(), digest(secret));
    assert_eq!(row.roles().collect::<Vec<_>>(), ["editor"], "what its owner may");
    assert_eq!(row.networks().unwrap().collect::<Vec<_>>(), ["10.0.0.0/8"]);

    // What the owner loses, the key loses with the next feed.
    accounts.run("user set-role alice@example.com viewer").ok();
    desk.build(&["--no-roles"]).ok();
    let feed = desk.read("identity.feed");
    assert_eq!(feed.key(&Digest16::key(id)).unwrap().roles().collect::<Vec<_>>(), ["viewer"]);
    assert!(feed.subject(&Digest16::subject(&alice)).is_none(), "with --no-roles there is nothing to say of her");
}

fn digest(secret: &str) -> [u8; 32] {
    let out = hmac_sha256::Hash::hash(secret.as_bytes());
    assert_eq!(URL_SAFE_NO_PAD.decode(secret).unwrap().len(), 32);
    out
}

#[test]
fn files_of_other_systems_are_taken() {
    let desk = Desk::new("feed_files");
    let subjects = desk.accounts.file("subjects.csv", "subject,disabled,roles\nauth0|1,true,\nauth0|2,,editor\n");
    let revoked = desk.accounts.file("revoked.jsonl", "{\"jti\":\"t\",\"expires\":4000000000}\n");
    let line = format!("{{\"id\":\"abcdefghij01\",\"secret_sha256\":\"{}\",\"owner\":\"auth0|2\"}}", "ab".repeat(32));
    let keys = desk.accounts.file("keys.jsonl", &line);
    let mut all: Vec<&str> = Vec::new();
    for (option, path) in [("--subjects", &subjects), ("--revoked", &revoked), ("--api-keys", &keys)] {
        all.extend([option, path.to_str().unwrap()]);
    }
    // Without a store to read: no variable names one.
    let (signing, out) = (key("ed25519.pem"), desk.path("identity.feed"));
    let build = ["feed", "build", "--key", signing.to_str().unwrap(), "--out", &out, "--json"];
    let report = crate::support::run_with(build.iter().chain(&all), "").json();
    assert_eq!(
        (&report["feed"]["subjects"], &report["feed"]["revoked"], &report["feed"]["api_keys"]),
        (&2.into(), &1.into(), &1.into())
    );
    let feed = desk.read("identity.feed");
    assert!(feed.subject(&Digest16::subject("auth0|1")).unwrap().is_disabled());
    assert_eq!(roles(&feed, "auth0|2"), Some(vec!["editor".to_owned()]));
    assert_eq!(feed.key(&Digest16::key("abcdefghij01")).unwrap().secret_sha256(), [0xab; 32]);

    // And with one: both.
    desk.build(&all).ok();
    assert_eq!(desk.read("identity.feed").counts().subjects, 3, "the administrator too");
    let admin = desk.accounts.run("user show admin@example.com --json").json()["id"].as_str().unwrap().to_owned();
    let twice = desk.accounts.file("twice.csv", &format!("subject\n{admin}\n"));
    let before = desk.bytes("identity.feed");
    desk.build(&["--subjects", twice.to_str().unwrap()]).fails(3, "line 2: /subject: is named before");
    let wrong = desk.accounts.file("wrong.jsonl", "{\"jti\":\"a\"}\n[]\n{\"jti\":\"b\",\"expires\":\"soon\"}\n");
    let outcome = desk.build(&["--revoked", wrong.to_str().unwrap()]);
    for says in [
        "3 lines of",
        "line 1: /expires: must be there",
        "line 2: must be a JSON object",
        "line 3: /expires: must be seconds",
    ] {
        assert!(outcome.stderr.contains(says), "{says} not in {}", outcome.stderr);
    }
    outcome.fails(3, "nothing was written");
    assert_eq!(desk.bytes("identity.feed"), before);
}

#[test]
fn versions_only_go_up_and_what_is_unchanged_stays() {
    let desk = Desk::new("feed_versions");
    desk.build(&[]).ok();
    let first = desk.bytes("identity.feed");
    let outcome = desk.build(&[]);
    assert!(outcome.stderr.contains("nothing changed"), "{}", outcome.stderr);
    assert_eq!(desk.bytes("identity.feed"), first, "proxies need not fetch it again");
    let mut versions = vec![desk.read("identity.feed").version()];
    let mut next = |options: &[&str]| {
        desk.build(options).ok();
        versions.push(desk.read("identity.feed").version());
    };
    next(&["--force"]);
    next(&["--ttl", "1h"]);
    desk.accounts.add("alice@example.com", "viewer");
    next(&["--ttl", "1h"]);
    assert!(versions.is_sorted_by(|before, after| before < after), "{versions:?}");

    // A feed from ahead of the clock, as another machine may have written it: the next one is above it all the same.
    let ahead = versions.last().unwrap() + 10_000_000_000;
    let content = desk.bytes("identity.feed");
    let line = content.iter().position(|byte| *byte == b'\n').unwrap();
    let text = std::str::from_utf8(&content[..line]).unwrap();
    let payload = text.split('.').nth(1).unwrap();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    claims["version"] = ahead.into();
    let moved = text.replace(payload, &URL_SAFE_NO_PAD.encode(claims.to_string()));
    std::fs::write(desk.accounts.path("identity.feed"), [moved.as_bytes(), &content[line..]].concat()).unwrap();
    desk.build(&["--ttl", "1h"]).ok();
    assert!(desk.read("identity.feed").version() > ahead);
    // And so without the file, by what the store has given out.
    std::fs::remove_file(desk.accounts.path("identity.feed")).unwrap();
    desk.build(&[]).ok();
    assert!(desk.read("identity.feed").version() > ahead + 1);
}

#[test]
fn a_feed_is_verified_as_the_filter_does() {
    let desk = Desk::new("feed_verify");
    desk.build(&["--ttl", "1h"]).ok();
    let good = desk.verify("identity.feed", &["--json"]).json();
    assert_eq!((&good["valid"], &good["kind"], &good["subjects"]), (&true.into(), &"full".into(), &1.into()));
    let version = good["version"].as_u64().unwrap().to_string();
    desk.verify("identity.feed", &["--newer-than", "1"]).ok();
    let refused = |outcome: Outcome, says: &str| {
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(says), "{says} not in {}", outcome.stderr);
    };
    refused(desk.verify("identity.feed", &["--newer-than", &version]), "is not above");
    refused(desk.verify("identity.feed", &["--at", "2100-01-01T00:00:00Z"]), "expired");
    let whole = desk.bytes("identity.feed");
    let mut touched = whole.clone();
    *touched.last_mut().unwrap() ^= 1;
    for (bytes, says) in [
        (touched, "not what was signed"),
        (whole[..whole.len() - 1].to_vec(), "bytes of content"),
        (b"nonsense\n".to_vec(), "first line"),
        (Vec::new(), "first line"),
    ] {
        std::fs::write(desk.accounts.path("bad.feed"), bytes).unwrap();
        refused(desk.verify("bad.feed", &[]), says);
    }
    let set = desk.accounts.run(&format!("key jwks {}", key("p256.pem").display())).ok();
    let other = desk.accounts.file("other.json", &set);
    let path = desk.path("identity.feed");
    refused(desk.accounts.run_with(["feed", "verify", &path, "--jwks", other.to_str().unwrap()], ""), "signature");
    let secret = desk
        .accounts
        .file("secret.json", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\"}]}");
    desk.accounts.run_with(["feed", "verify", &path, "--jwks", secret.to_str().unwrap()], "").fails(3, "secret.json");
    desk.accounts.run("feed verify absent.feed --jwks absent.json").fails(4, "cannot be read");
}

#[test]
fn a_feed_tells_what_it_is_asked() {
    let desk = Desk::new("feed_inspect");
    let alice = desk.accounts.add("alice@example.com", "editor");
    let issued = desk.accounts.run("api-key issue --owner alice@example.com --json").json();
    let id = issued["id"].as_str().unwrap();
    desk.accounts.run("token revoke --jti token-1 --expires 2100-01-01T00:00:00Z").ok();
    desk.build(&[]).ok();
    let path = desk.path("identity.feed");
    let inspect = |options: &[&str]| desk.accounts.run_with(["feed", "inspect", &path].iter().chain(options), "");
    let overview = inspect(&[]);
    assert!(overview.stderr.contains("nothing was verified"), "{}", overview.stderr);
    assert!(overview.ok().contains("2 subjects, 1 revoked token, 1 API key"));
    let object = inspect(&["--json"]).json();
    assert_eq!((&object["verified"], &object["header"]["alg"]), (&false.into(), &"EdDSA".into()));
    let said = inspect(&["--subject", &alice, "--json"]).json();
    assert_eq!(said["says"], serde_json::json!({"disabled": false, "tokens_before": null, "roles": ["editor"]}));
    let said = inspect(&["--jti", "token-1", "--json"]).json();
    assert_eq!((&said["named"], &said["says"]["expires"]), (&true.into(), &"2100-01-01T00:00:00Z".into()));
    let said = inspect(&["--key-id", id, "--json"]).json();
    assert_eq!((&said["says"]["owner"], &said["says"]["roles"]), (&alice.into(), &serde_json::json!(["editor"])));
    assert!(!said.to_string().contains("sha256"), "{said}");
    for unknown in [["--subject", "bob"], ["--jti", "token-2"], ["--key-id", "abcdefghij01"]] {
        let outcome = inspect(&unknown);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, "it says nothing of that\n"), "{unknown:?}");
    }
    inspect(&["--key-id", issued["key"].as_str().unwrap()]).fails(2, "no id of an API key");
    inspect(&["--jti", "a", "--subject", "b"]).fails(2, "cannot be used with");
}

#[test]
fn a_delta_over_its_base_is_the_new_feed() {
    let desk = Desk::new("feed_delta");
    let alice = desk.accounts.add("alice@example.com", "editor");
    let bob = desk.accounts.add("bob@example.com", "viewer");
    desk.accounts.run("token revoke --jti token-1 --expires 2100-01-01T00:00:00Z").ok();
    desk.build_into("base.feed", &[]).ok();
    let (base, delta) = (desk.path("base.feed"), desk.path("identity.delta"));
    let options = ["--base", &base, "--delta-out", &delta];
    desk.build(&options).ok();
    let empty = desk.read("identity.delta");
    assert_eq!(
        (empty.counts().subjects, empty.counts().revoked, empty.claims().base),
        (0, 0, Some(desk.read("base.feed").version()))
    );
    let outcome = desk.build(&options);
    assert!(outcome.stderr.contains("nothing changed"), "{}", outcome.stderr);

    desk.accounts.run("user disable bob@example.com").ok();
    desk.accounts.run("token unrevoke --jti token-1").ok();
    let report = desk.build(&[&options[..], &["--json"]].concat()).json();
    assert_eq!(
        (&report["delta"]["subjects"], &report["delta"]["revoked"]),
        (&1.into(), &1.into()),
        "what changed, alone"
    );
    assert_eq!(report["delta"]["version"], report["feed"]["version"]);
    let delta = desk.read("identity.delta");
    assert!(delta.subject(&Digest16::subject(&bob)).unwrap().is_disabled());
    assert!(delta.subject(&Digest16::subject(&alice)).is_none());
    assert_eq!(delta.revoked(&Digest16::token("token-1")).unwrap().expires(), 0, "it is no longer revoked");

    // The engine lays it over the base, and over nothing older.
    let feeds = Feeds::of(desk.read("base.feed")).unwrap();
    assert_eq!(feeds.followed_by(desk.read("identity.delta")).unwrap().version(), delta.version());
    assert!(matches!(Feeds::of(desk.read("identity.delta")), Err(FeedError::Gap { .. })));
    let newer = Feeds::of(desk.read("identity.feed")).unwrap();
    assert!(
        matches!(newer.followed_by(desk.read("base.feed")), Err(FeedError::Older { .. })),
        "versions do not go back"
    );

    desk.build(&["--base", &desk.path("identity.delta"), "--delta-out", &desk.path("x.delta")]).fails(3, "is a delta");
    desk.build(&["--base", &desk.path("identity.feed"), "--delta-out", &desk.path("x.delta")]).fails(2, "one file");
    desk.build(&["--base", &base]).fails(2, "--delta-out");
    desk.build_into("identity.delta", &[]).fails(2, "is a delta");
    let signing = key("p256.pem");
    let build = ["feed", "build", "--key", signing.to_str().unwrap(), "--out", &desk.path("p256.feed")];
    let options = ["--base", &base, "--delta-out", &desk.path("p256.delta")];
    desk.accounts.run_with(build.iter().chain(&options), "").fails(3, "no base for a delta");
    let jwks = desk.jwks();
    desk.accounts.run_with(build.iter().chain(&options).chain(&["--jwks", &jwks]), "").ok();
}

#[test]
fn a_delta_that_is_too_long_sends_proxies_to_the_full_feed() {
    let desk = Desk::new("feed_delta_long");
    desk.build_into("base.feed", &[]).ok();
    let lines: Vec<_> = (0..220_000).map(|at| format!("token-{at},4000000000\n")).collect();
    let revoked = desk.accounts.file("revoked.csv", &format!("jti,expires\n{}", lines.concat()));
    let (base, delta) = (desk.path("base.feed"), desk.path("identity.delta"));
    let options = [
        "--revoked",
        revoked.to_str().unwrap(),
        "--store",
        &desk.path("store.db"),
        "--base",
        &base,
        "--delta-out",
        &delta,
    ];
    let outcome = desk.build(&options);
    assert!(outcome.stderr.contains("warning: a delta"), "{}", outcome.stderr);
    outcome.ok();
    let (full, delta) = (desk.read("identity.feed"), desk.read("identity.delta"));
    assert_eq!((full.counts().revoked, delta.counts().revoked), (220_000, 0));
    let old = Feeds::of(desk.read("base.feed")).unwrap();
    assert!(matches!(old.followed_by(delta), Err(FeedError::Gap { .. })));
    assert!(desk.build(&options).stderr.contains("nothing changed"));
}

/// A policy that obeys the feed of a desk, and takes API keys.
fn policy(desk: &Desk) -> String {
    let jwks = serde_json::from_str::<Value>(&std::fs::read_to_string(desk.jwks()).unwrap()).unwrap().to_string();
    let policy = serde_json::json!({
        "version": "v1",
        "providers": [{
            "name": "local",
            "keys": [{"algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}],
            "allowed_algorithms": ["HS256"],
            "roles_from": {"feed": true},
        }],
        "identity_feed": {
            "cluster": "feed", "authority": "feed.example.com", "path": "/identity.feed", "key": jwks,
        },
        "api_keys": {"header": "x-api-key"},
        "routes": [
            {"name": "edit", "match": {"path": "/edit"}, "access": "roles", "roles": ["editor"]},
        ],
    });
    desk.accounts.file("policy.json", &policy.to_string()).to_str().unwrap().to_owned()
}

#[test]
fn what_the_filter_would_decide_is_explained() {
    let desk = Desk::new("feed_explain");
    let alice = desk.accounts.add("alice@example.com", "editor");
    let api_key = desk.accounts.run("api-key issue --owner alice@example.com").ok();
    let token = desk.accounts.run(&format!("token issue --sub {alice} --secret-env SECRET_KEY")).ok();
    let token = desk.accounts.file("token.jwt", &token).to_str().unwrap().to_owned();
    let key_file = desk.accounts.file("key.headers", &format!("x-api-key: {api_key}\n")).to_str().unwrap().to_owned();
    desk.build_into("base.feed", &[]).ok();
    let (policy, base) = (policy(&desk), desk.path("base.feed"));
    let explain = |credential: [&str; 2], feeds: &[&str]| {
        let mut args = vec!["policy", "explain", &policy, "--path", "/edit", "--json", credential[0], credential[1]];
        args.extend(feeds.iter().flat_map(|feed| ["--feed", *feed]));
        let outcome = desk.accounts.run_with(args, "");
        let printed: Value =
            serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
        printed["reason"].as_str().unwrap().to_owned()
    };
    let (by_token, by_key) = (["--token-file", &*token], ["--header-file", &*key_file]);
    assert_eq!(explain(by_token, &[]), "feed_unavailable");
    for credential in [by_token, by_key] {
        assert_eq!(explain(credential, &[&base]), "role_allowed", "the roles are the feed's: {credential:?}");
    }
    desk.accounts.run_with(["token", "revoke", "--token-file", &token], "").ok();
    let (id, delta) = (api_key.split('_').nth(1).unwrap(), desk.path("identity.delta"));
    desk.accounts.run(&format!("api-key revoke {id}")).ok();
    desk.build(&["--base", &base, "--delta-out", &delta]).ok();
    let full = desk.path("identity.feed");
    for feeds in [&[&*full][..], &[&*base, &*delta]] {
        assert_eq!(explain(by_token, feeds), "token_revoked");
        assert_eq!(explain(by_key, feeds), "api_key_unknown");
    }
    desk.accounts.run("user disable alice@example.com").ok();
    desk.build(&[]).ok();
    assert_eq!(explain(by_token, &[&full]), "subject_disabled");
    let verified = desk.accounts.run_with(["token", "verify", "--policy", &policy, "--file", &token], "");
    assert!(verified.stderr.contains("identity feed") && verified.code == 0, "by itself it is good: {verified:?}");
    let cases = desk
        .accounts
        .file("cases.yaml", "cases:\n  - name: a\n    request: {path: /edit}\n    expect: {decision: deny}\n");
    let cases = cases.to_str().unwrap();
    desk.accounts.run_with(["policy", "test", &policy, cases, "--feed", &full], "").ok();
    desk.accounts.run_with(["policy", "test", &policy, cases, "--feed", &delta], "").fails(3, "a delta on version");
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let desk = Desk::new("feed_spare");
    let signing = key("ed25519.pem");
    let signing = signing.to_str().unwrap();
    let subjects = desk.accounts.file("subjects.csv", "subject\na\n");
    let subjects = subjects.to_str().unwrap();
    for (out, options, code, says) in [
        (signing, &[][..], 2, "made from"),
        (subjects, &["--subjects", subjects], 2, "made from"),
        ("-", &[], 2, "`-` is none"),
    ] {
        let build = ["feed", "build", "--key", signing, "--out", out];
        desk.accounts.run_with(build.iter().chain(options), "").fails(code, says);
    }
    let notes = desk.accounts.file("notes.txt", "dear diary\n");
    let build = ["feed", "build", "--key", signing, "--out", notes.to_str().unwrap()];
    desk.accounts.run_with(build, "").fails(3, "is no feed");
    assert_eq!(std::fs::read_to_string(Path::new(&notes)).unwrap(), "dear diary\n");
    let secret = desk.path("store.keys");
    desk.accounts.run_with(["feed", "build", "--key", &secret, "--out", "x"], "").fails(3, "not a private key");
}

#[test]
fn what_a_killed_builder_left_is_in_nobodys_way() {
    let desk = Desk::new("feed_killed");
    desk.build(&[]).ok();
    let (signing, out) = (key("ed25519.pem"), desk.path("identity.feed"));
    let build = ["feed", "build", "--key", signing.to_str().unwrap(), "--out", &out, "--force"];
    let mut last = desk.read("identity.feed").version();
    for at in 0..20_u64 {
        let mut command = desk.accounts.command(build);
        let null = std::process::Stdio::null;
        let mut child = command.stdin(null()).stdout(null()).stderr(null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(at));
        let _done_already = child.kill();
        child.wait().unwrap();
        let version = desk.read("identity.feed").version();
        assert!(version >= last, "a whole feed is there, and none from before");
        last = version;
    }
    desk.accounts.file("identity.feed.new", "half a fee");
    desk.build(&["--force"]).ok();
    assert!(desk.read("identity.feed").version() > last);
    assert!(!desk.accounts.path("identity.feed.new").exists());
}

#[test]
fn builders_of_one_file_wait_for_each_other() {
    let desk = Desk::new("feed_locked");
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..6).map(|_| scope.spawn(|| desk.build(&["--force", "--json"]))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut versions: Vec<u64> =
        outcomes.into_iter().map(|outcome| outcome.json()["feed"]["version"].as_u64().unwrap()).collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), 6, "each has a version of its own");
    assert_eq!(desk.read("identity.feed").version(), versions[5], "and the last one is there");
}

#[test]
fn a_store_that_was_tampered_with_is_not_published() {
    let desk = Desk::new("feed_tampered");
    desk.build(&[]).ok();
    let before = desk.bytes("identity.feed");
    // The administrator's role in the row of the user, without the version that says so.
    let path = desk.accounts.path("store.db");
    let edited = std::process::Command::new("python3").args(["-c", EDIT, path.to_str().unwrap()]).status().unwrap();
    assert!(edited.success());
    desk.build(&[]).fails(4, "the store is damaged");
    assert_eq!(desk.bytes("identity.feed"), before);
}

const EDIT: &str = "
import sqlite3, sys
store = sqlite3.connect(sys.argv[1])
store.execute('DROP TRIGGER users_say_their_version')
store.execute('UPDATE users SET tokens_void_before = 7')
store.commit()
";
