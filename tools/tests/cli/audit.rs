//! `portcullis audit`: found, counted, verified, pruned and handed on.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use portcullis_engine::audit::{Chain, ChainKey};
use portcullis_engine::{AllowReason, DenyReason, Secret, UnixTime};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::Value;

use crate::support::{Outcome, command, directory, file, finish, run, run_with};

pub const KEY: &str = "an audit key of at least thirty-two bytes";

/// 2026-11-24T00:00:00Z.
const START: i64 = 1_795_478_400_000;

/// A record as the filter writes it.
fn record(at: i64, user: &str, ip: &str, denied: bool) -> String {
    let (event, decision, reason, status) =
        if denied { ("authorization", "deny", "role_denied", 403) } else { ("access", "allow", "role_allowed", 200) };
    format!(
        r#"{{"timestamp":"{}","event":"{event}","action":"read","decision":"{decision}","reason":"{reason}","route":"documents","user_id":"{user}","role":"editor","ip_address":"{ip}","method":"GET","path":"/users/{{owner}}/documents/{{id}}","status":{status},"request_id":"r{at}","token_id":"t-{user}","policy":"6S9Z4mdaNrKxQfQp"}}"#,
        UnixTime::from_millis(at).rfc3339(),
    )
}

/// Records of two workers, sealed, with a checkpoint of each at the end.
pub fn sealed(count: i64, start: i64) -> Vec<String> {
    let key = ChainKey::new(&Secret::new(KEY.as_bytes().to_vec()));
    let mut chains: Vec<Chain> = [1, 2].into_iter().map(|id| Chain::new(key.clone(), [id; 16])).collect();
    let mut lines: Vec<String> = (0..count)
        .map(|index| {
            let user = ["alice", "bob", "alice@example.com"][usize::try_from(index % 3).unwrap()];
            let line = record(start + index * 1000, user, &format!("203.0.113.{}", index % 9), index % 4 == 0);
            chains[usize::try_from(index % 2).unwrap()].seal(line.replace("alice@", "a***@"))
        })
        .collect();
    let end = UnixTime::from_millis(start + count * 1000);
    lines.extend(chains.iter_mut().filter_map(|chain| chain.checkpoint(end, "6S9Z4mdaNrKxQfQp")));
    lines
}

/// A file with these lines.
pub fn lines_file(folder: &Path, name: &str, lines: &[String]) -> PathBuf {
    file(folder, name, &(lines.join("\n") + "\n"))
}

/// Runs a command with the key in its environment.
fn with_key<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Outcome {
    let mut command = command(args);
    command.env("AUDIT_KEY", KEY);
    finish(command, b"")
}

#[test]
fn records_are_found_whatever_a_file_is_packed_with() {
    let folder = directory("audit-search");
    let lines = sealed(60, START);
    let text = lines.join("\n") + "\n";
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    std::fs::write(folder.join("a.gz"), gzip.finish().unwrap()).unwrap();
    std::fs::write(folder.join("a.zst"), compress_to_vec(text.as_bytes(), CompressionLevel::Fastest)).unwrap();
    file(&folder, "plain.log", &text);
    let prefixed: String =
        lines.iter().map(|line| format!("[2026][12][info][wasm] wasm log: {line}\nnoise {{}}\n")).collect();
    file(&folder, "proxy.log", &prefixed);
    let expected: Vec<&str> = lines.iter().map(String::as_str).filter(|line| line.contains("\"alice\"")).collect();
    for name in ["a.gz", "a.zst", "plain.log", "proxy.log"] {
        let path = folder.join(name);
        let found = run(["audit", "search", path.to_str().unwrap(), "--user", "alice", "--json"]).ok();
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{name}");
    }
    let piped = run_with(["audit", "search", "--user", "alice", "--count"], &text).ok();
    assert_eq!(piped, expected.len().to_string());
    assert_eq!(run_with(["audit", "search", "-", "--count"], &text).ok(), "60", "checkpoints are no records");
    run_with(["audit", "search", "--user", "nobody"], &text).fails(1, "");
    run(["audit", "search", "/nowhere.log"]).fails(4, "cannot be read");
    run(["audit", "search", "--ip", "300.0.0.1"]).fails(2, "expected an address");
}

#[test]
fn a_search_takes_many_questions_at_once() {
    let folder = directory("audit-questions");
    let log = lines_file(&folder, "a.log", &sealed(60, START));
    let count = |args: &[&str]| {
        let start = ["audit", "search", log.to_str().unwrap(), "--count"];
        run(start.iter().chain(args)).stdout.trim().to_owned()
    };
    assert_eq!(count(&["--decision", "deny"]), "15");
    assert_eq!(count(&["--decision", "deny", "--user", "bob"]), "5");
    assert_eq!(count(&["--user", "alice@example.com"]), "20", "found by what the record has of it");
    assert_eq!(count(&["--user", "alice", "--user", "bob"]), "40");
    assert_eq!(count(&["--ip", "203.0.113.0/30"]), "28");
    assert_eq!(count(&["--ip", "203.0.113.1"]), "7");
    assert_eq!(count(&["--since", "2026-11-24T00:00:10Z", "--until", "2026-11-24T00:00:20Z"]), "10");
    let moments = ["2026-11-24T00:00:10.001Z", "2026-11-24T00:00:10.000Z", "2026-11-24T01:00:10+01:00", "1795478410"];
    assert_eq!(moments.map(|moment| count(&["--until", moment])), ["11", "10", "10", "10"], "to the millisecond");
    assert_eq!(moments.map(|moment| count(&["--since", moment])), ["49", "50", "50", "50"], "to the millisecond");
    assert_eq!(count(&["--route", "documents", "--reason", "role_denied", "--event", "authorization"]), "15");
    assert_eq!(count(&["--request-id", "r1795478403000"]), "1");
    assert_eq!(count(&["--until", "1d"]), count(&["--until", "24h"]));
    let table = run(["audit", "search", log.to_str().unwrap(), "--request-id", "r1795478404000"]).ok();
    assert_eq!(
        table,
        "2026-11-24T00:00:04.000Z deny         role_denied          403 203.0.113.4     bob                  GET /users/{owner}/documents/{id}"
    );
}

#[test]
fn a_file_without_a_record_is_told_from_one_where_none_fits() {
    let folder = directory("audit-none");
    let records = sealed(4, START);
    for (text, is_log, message) in [
        (records.join("\n"), true, "records"),
        (format!("[2026][12][info] starting\nwasm log: {}\n", records[0]), true, "a record among other lines"),
        (records[5].clone(), true, "a checkpoint"),
        (String::new(), true, "nothing"),
        ("hello\n{\"level\":\"info\"}\n".to_owned(), false, "another log"),
    ] {
        let path = file(&folder, "a.log", &text);
        for filter in [&[][..], &["--user", "nobody"]] {
            let run = |command: &str, more: &[&str]| {
                run(["audit", command, path.to_str().unwrap()].iter().chain(filter).chain(more))
            };
            let (stats, search) = (run("stats", &["--json"]), run("search", &["--count"]));
            let export = run("export", &["--format", "csv"]);
            assert_eq!((stats.code, export.code), (0, 0), "{message} {filter:?} {stats:?} {export:?}");
            assert_eq!(search.code, i32::from(search.stdout == "0\n"), "{message} {filter:?} {search:?}");
            for outcome in [&stats, &search, &export] {
                let said = outcome.stderr.contains("no line is an audit record");
                assert_eq!(said, !is_log, "{message} {filter:?} {outcome:?}");
                assert_eq!(outcome.stderr.contains("name a file that records"), said, "{message} {outcome:?}");
            }
        }
    }
}

/// A command that goes on until it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_search_follows_a_file_that_is_rotated() {
    let folder = directory("audit-follow");
    let lines = sealed(12, START);
    let log = lines_file(&folder, "a.log", &lines[..4]);
    let out = folder.join("out");
    let mut following = command(["audit", "search", log.to_str().unwrap(), "--follow", "--user", "bob", "--json"]);
    following.stdin(Stdio::null()).stdout(std::fs::File::create(&out).unwrap());
    let _running = Running(following.spawn().unwrap());
    let found = || std::fs::read_to_string(&out).unwrap().lines().count();
    until("what is there", || found() == 1);
    std::fs::rename(&log, folder.join("a.log.1")).unwrap();
    lines_file(&folder, "a.log", &lines[4..8]);
    until("the file in its place", || found() == 3);
    std::fs::OpenOptions::new()
        .append(true)
        .open(&log)
        .unwrap()
        .write_all((lines[10].clone() + "\n").as_bytes())
        .unwrap();
    until("what is added", || found() == 4);
}

#[test]
fn figures_are_printed_and_made_a_page() {
    let folder = directory("audit-stats");
    let log = lines_file(&folder, "a.log", &sealed(60, START));
    let log = log.to_str().unwrap();
    let text = run(["audit", "stats", log]).ok();
    assert!(text.starts_with("2026-11-24T00:00:00.000Z to 2026-11-24T00:00:59.000Z\n60 requests: 45 allow, 15 deny\nrefused, by 1 second: █···█"), "{text}");
    assert!(text.contains("\nrefused users\n  5  a***@example.com\n  5  alice\n  5  bob\n"), "{text}");
    let json = run(["audit", "stats", log, "--json", "--top", "1"]).json();
    assert_eq!(json["refused"]["users"]["distinct"], 3);
    assert_eq!(json["refused"]["reasons"]["top"][0]["count"], 15);
    let page = folder.join("report.html");
    let outcome = run(["audit", "stats", log, "--html", page.to_str().unwrap()]);
    assert!(outcome.stderr.contains("note: wrote the report to"), "{outcome:?}");
    assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!doctype html>"));
    run(["audit", "stats", log, "--html", page.to_str().unwrap()]).fails(4, "exists already");
}

#[test]
fn verification_names_what_is_wrong() {
    let folder = directory("audit-verify");
    let lines = sealed(40, START);
    let good = lines_file(&folder, "good.log", &lines);
    let outcome = with_key(["audit", "verify", good.to_str().unwrap(), "--key-env", "AUDIT_KEY"]);
    assert!(
        outcome.stderr.contains("good: 40 lines of 2 chains and 2 checkpoints are as they were written"),
        "{outcome:?}"
    );
    assert_eq!(outcome.ok(), "");

    let mut bad = lines.clone();
    bad[7] = bad[7].replace("\"status\":200", "\"status\":201");
    bad.remove(20);
    let (old, new) = (lines_file(&folder, "a.log.1", &bad[..15]), lines_file(&folder, "a.log", &bad[15..]));
    let args = ["audit", "verify", old.to_str().unwrap(), new.to_str().unwrap(), "--key-env", "AUDIT_KEY"];
    let outcome = with_key(args);
    assert_eq!(outcome.code, 1);
    let chain = |byte: u8| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([byte; 16])
    };
    let expected = format!(
        "{}:8: chain {} seq 4: changed: it does not fit its MAC and the line before\n\
         {}:7: chain {} seq 12: removed: 11 is missing before it\n",
        old.display(),
        chain(2),
        new.display(),
        chain(1),
    );
    assert_eq!(outcome.stdout, expected);
    assert!(outcome.stderr.contains("2 findings:"), "{}", outcome.stderr);
    let json: Value = serde_json::from_str(&with_key(args.iter().copied().chain(["--json"])).stdout).unwrap();
    assert_eq!(
        (&json["good"], &json["findings"][1]["problem"], &json["findings"][1]["missing_from"]),
        (&false.into(), &"removed".into(), &11.into())
    );

    run(args).fails(4, "environment variable `AUDIT_KEY` is not set");
    let mut other = command(args);
    other.env("AUDIT_KEY", "another key of at least thirty-two bytes");
    assert!(finish(other, b"").stderr.contains("is it the key that the policy names"));
    let mut short = command(args);
    short.env("AUDIT_KEY", "short");
    finish(short, b"").fails(3, "fewer than 32 bytes");
    let plain = file(&folder, "plain.log", &(record(START, "alice", "203.0.113.1", false) + "\n"));
    let unsealed = with_key(["audit", "verify", plain.to_str().unwrap(), "--key-env", "AUDIT_KEY"]);
    assert!(unsealed.code == 1 && unsealed.stdout.contains("a record without a seal"), "{unsealed:?}");
}

#[test]
fn a_state_knows_of_what_was_cut_off() {
    let folder = directory("audit-state");
    let lines: Vec<String> = sealed(40, START).into_iter().take(40).collect();
    let log = lines_file(&folder, "a.log", &lines);
    let state = folder.join("state");
    let (log, state) = (log.to_str().unwrap(), state.to_str().unwrap());
    let outcome = with_key(["audit", "checkpoint", log, "--key-env", "AUDIT_KEY", "--out", state]);
    assert!(outcome.stderr.contains("wrote the state of 2 chains"), "{outcome:?}");
    outcome.ok();
    let cut = lines_file(&folder, "cut.log", &lines[..30]);
    let cut = cut.to_str().unwrap();
    with_key(["audit", "verify", cut, "--key-env", "AUDIT_KEY"]).ok();
    let outcome = with_key(["audit", "verify", cut, "--key-env", "AUDIT_KEY", "--since", state]);
    assert!(
        outcome.code == 1 && outcome.stdout.contains("cut off: the state says that the chain had reached 20"),
        "{outcome:?}"
    );
    with_key(["audit", "checkpoint", log, "--key-env", "AUDIT_KEY", "--since", state, "--out", state]).ok();
    let text = std::fs::read_to_string(state).unwrap();
    std::fs::write(state, text.replace("\"seq\":20", "\"seq\":10")).unwrap();
    with_key(["audit", "verify", cut, "--key-env", "AUDIT_KEY", "--since", state]).fails(3, "does not fit its seal");
}

#[test]
fn old_records_are_pruned_and_the_rest_verifies() {
    let folder = directory("audit-prune");
    let now =
        i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let key = ChainKey::new(&Secret::new(KEY.as_bytes().to_vec()));
    let mut chain = Chain::new(key, [9; 16]);
    let day = 24 * 60 * 60 * 1000;
    let lines: Vec<String> = (0..10)
        .map(|index| chain.seal(record(now - (10 - index) * day - 1000, "alice", "203.0.113.1", false)))
        .collect();
    let log = lines_file(&folder, "a.log", &lines);
    let path = log.to_str().unwrap();
    let prune = ["audit", "prune", path, "--older-than", "5d"];
    run(prune.iter().copied().chain(["--yes"])).fails(2, "has lines of a chain");
    with_key(prune.iter().copied().chain(["--key-env", "AUDIT_KEY"])).fails(2, "nobody can be asked");
    let dry = with_key(prune.iter().copied().chain(["--key-env", "AUDIT_KEY", "--dry-run"]));
    assert!(dry.stderr.contains("would remove 6 lines"), "{dry:?}");
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 10);
    let done = with_key(prune.iter().copied().chain(["--key-env", "AUDIT_KEY", "--yes", "--json"])).json();
    assert_eq!((&done["files"][0]["removed"], &done["files"][0]["left"]), (&6.into(), &4.into()));
    let text = std::fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), lines[6..], "the rest is as it was");
    with_key(["audit", "verify", path, "--key-env", "AUDIT_KEY"]).ok();
    assert_eq!(run(["audit", "search", path, "--count"]).ok(), "4");
    with_key(["audit", "prune", path, "--older-than", "2d", "--key-env", "AUDIT_KEY", "--yes"]).ok();
    with_key(["audit", "verify", path, "--key-env", "AUDIT_KEY"]).ok();
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 2, "one line for all that went");

    let mut bad = lines.clone();
    bad[8] = bad[8].replace("alice", "mallory");
    let bad = lines_file(&folder, "bad.log", &bad);
    let refused =
        with_key(["audit", "prune", bad.to_str().unwrap(), "--older-than", "5d", "--key-env", "AUDIT_KEY", "--yes"]);
    assert!(refused.code == 1 && refused.stderr.contains("nothing was removed"), "{refused:?}");
}

#[test]
fn records_are_handed_on_in_other_forms() {
    let folder = directory("audit-export");
    let log = lines_file(&folder, "a.log", &sealed(8, START));
    let log = log.to_str().unwrap();
    let export = |format: &str| run(["audit", "export", log, "--format", format, "--decision", "deny"]).ok();
    let ocsf: Vec<Value> = export("ocsf").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((ocsf.len(), &ocsf[0]["class_uid"]), (2, &6003.into()));
    let ecs: Vec<Value> = export("ecs").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ecs[1]["user"]["id"], "bob");
    let csv = export("csv");
    assert_eq!(csv.lines().count(), 3);
    assert!(csv.starts_with("timestamp,event,action,decision,reason,route,user_id,role,ip_address"), "{csv}");
    let out = folder.join("out.csv");
    let outcome = run(["audit", "export", log, "--format", "csv", "--out", out.to_str().unwrap()]);
    assert!(outcome.stderr.contains("wrote 8 records"), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 9);
}

#[test]
fn the_schema_knows_every_record_and_every_reason() {
    let schema = run(["audit", "schema"]).json();
    let codes = |name: &str| -> Vec<String> {
        schema["$defs"][name]["enum"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
    };
    let allowed: Vec<_> = AllowReason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes("allow_reason"), allowed);
    let denied = codes("deny_reason");
    for reason in DenyReason::ALL {
        assert!(denied.contains(&reason.code().to_owned()), "{reason} is missing in audit.schema.json");
    }
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("audit.json", schema).unwrap();
    let mut schemas = boon::Schemas::new();
    let compiled = compiler.compile("audit.json", &mut schemas).unwrap();
    let anchor = r#"{"timestamp":"2026-11-24T00:00:00.000Z","event":"admin","action":"checkpoint","decision":"allow","reason":"pruned","link":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","chain":"AAAAAAAAAAAAAAAAAAAAAA","seq":9,"mac":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/audit.md")).unwrap();
    let shown = page.lines().filter(|line| line.starts_with("{\"timestamp\""));
    for line in sealed(8, START).iter().map(String::as_str).chain([anchor]).chain(shown) {
        let value = serde_json::from_str(line).unwrap();
        schemas.validate(&value, compiled).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    for (bad, what) in [
        (
            r#"{"timestamp":"2026-11-24T00:00:00.000Z","event":"access","action":"read","decision":"allow","reason":"public","cookie":"x"}"#,
            "a field of its own",
        ),
        (
            r#"{"timestamp":"2026-11-24T00:00:00.000Z","event":"access","action":"read","decision":"allow","reason":"because"}"#,
            "a reason of its own",
        ),
        (
            r#"{"timestamp":"2026-11-24T00:00:00.000Z","event":"access","action":"read","decision":"allow","reason":"public","seq":1}"#,
            "half a seal",
        ),
    ] {
        assert!(schemas.validate(&serde_json::from_str(bad).unwrap(), compiled).is_err(), "{what}");
    }
}

#[test]
fn what_commands_do_is_recorded_and_sealed() {
    let folder = directory("audit-admin");
    let log = folder.join("admin.log");
    let run = |args: &[&str], stdin: &str| {
        let mut command = command(args);
        command.current_dir(&folder).env("PORTCULLIS_AUDIT_LOG", &log).env("PORTCULLIS_AUDIT_KEY", KEY);
        command.env("PORTCULLIS_ACTOR", "carol").env("SSH_CONNECTION", "198.51.100.7 50000 10.0.0.1 22");
        finish(command, stdin.as_bytes())
    };
    let cheap = ["--memory", "8", "--iterations", "1", "--parallelism", "1"];
    let init = [&["init", "admin@example.com", "--no-secret"][..], &cheap].concat();
    run(&init, "correct horse battery").ok();
    let id = run(&["user", "add", "alice@example.com", "--role", "editor"], "correct horse battery").ok();
    std::fs::write(folder.join("secret.key"), KEY).unwrap();
    let tokens = run(&["login", "alice@example.com"], "correct horse battery").ok();
    let refresh = tokens.lines().last().unwrap();
    let next = run(&["token", "refresh"], refresh).ok();
    run(&["logout"], next.lines().last().unwrap()).ok();
    let tokens = run(&["login", "alice@example.com"], "correct horse battery").ok();
    let refresh = tokens.lines().last().unwrap();
    run(&["token", "refresh"], refresh).ok();
    assert_eq!(run(&["token", "refresh"], refresh).code, 1, "used before");
    run(&["logout"], refresh).ok();
    run(&["user", "disable", &id, "--reason", "phished"], "").ok();
    assert_eq!(run(&["login", "alice@example.com", "--secret-env", "SECRET_KEY"], "wrong password!").code, 1);
    run(&["user", "list"], "").ok();
    run(&["secret", "generate", "--out", "a.key"], "").ok();
    let text = std::fs::read_to_string(&log).unwrap();
    let events: Vec<(String, String, String)> = text
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!((&line["user_id"], &line["ip_address"]), (&"carol".into(), &"198.51.100.7".into()));
            let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (word("action"), word("reason"), word("target"))
        })
        .collect();
    let expected = [
        ("init", "done", "a***@example.com"),
        ("user_add", "done", "a***@example.com"),
        ("login", "done", "a***@example.com"),
        ("token_refresh", "done", &id),
        ("logout", "done", &id),
        ("login", "done", "a***@example.com"),
        ("token_refresh", "done", &id),
        ("token_refresh", "failed", &id),
        ("logout", "done", ""),
        ("user_disable", "done", &id),
        ("login", "failed", "a***@example.com"),
        ("secret_generate", "done", "a.key"),
    ];
    let found: Vec<_> = events.iter().map(|(action, reason, target)| (&**action, &**reason, &**target)).collect();
    assert_eq!(found, expected);
    assert!(!text.contains("alice") && !text.contains("horse") && !text.contains("phished"), "{text}");
    with_key(["audit", "verify", log.to_str().unwrap(), "--key-env", "AUDIT_KEY"]).ok();

    let mut refused = command(["secret", "generate", "--out", "never.key"]);
    refused.current_dir(&folder).env("PORTCULLIS_AUDIT_LOG", "/nowhere/admin.log");
    finish(refused, b"").fails(4, "nothing was done");
    assert!(!folder.join("never.key").exists());
}

#[test]
fn python_and_the_engine_seal_alike() {
    // What `make audit-scale` makes its million lines with.
    let folder = directory("audit-python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/audit_scale.py");
    let log = folder.join("a.log");
    let mut python = Command::new("python3");
    let status =
        python.arg(script).args(["--lines", "500", "--only-write"]).arg(&log).env("AUDIT_KEY", KEY).status().unwrap();
    assert!(status.success());
    let outcome = with_key(["audit", "verify", log.to_str().unwrap(), "--key-env", "AUDIT_KEY"]);
    assert!(outcome.stderr.contains("good: 500 lines of 4 chains"), "{outcome:?}");
}
