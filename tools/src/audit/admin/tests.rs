use super::*;
use crate::audit::source::Source;
use crate::audit::testing::{directory, key};
use crate::audit::verify::Verifier;
use crate::terminal::Terminal;

fn log(path: &Path, key: Option<ChainKey>) -> Log {
    Log::at(path, key, Actor::test("carol@example.com")).unwrap()
}

#[test]
fn a_record_says_who_did_what_to_whom_and_how_it_ended() {
    let path = directory("admin").join("audit.log");
    log(&path, None).record(&Act::admin("user_disable").on("alice@example.com"), true).unwrap();
    log(&path, None).record(&Act::authentication("login"), false).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("{\"timestamp\":\"20"), "{text}");
    assert!(
        lines[0].contains(
            r#""event":"admin","action":"user_disable","decision":"allow","reason":"done","user_id":"c***@example.com""#
        ),
        "{text}"
    );
    assert!(lines[0].ends_with(r#""masked":["user_id","target"],"target":"a***@example.com"}"#), "{text}");
    assert!(
        lines[1].contains(r#""event":"authentication","action":"login","decision":"deny","reason":"failed""#),
        "{text}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn with_a_key_the_lines_are_one_chain_however_many_write() {
    let path = directory("admin-chain").join("audit.log");
    std::fs::write(&path, "{\"cut off").unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || {
                for _ in 0..5 {
                    log(&path, Some(key())).record(&Act::admin("user_add").on("x"), true).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let sources = Source::find_all(&[path]).unwrap();
    let report = Verifier::new(key(), None, false).run(&sources, Terminal::standard().bar("testing")).unwrap();
    assert_eq!(report.findings.list(), []);
    assert_eq!((report.sealed, report.chains.len(), report.chains[0].seq), (20, 1, 20));
}

#[test]
fn what_cannot_be_recorded_is_said_before_it_is_done() {
    let failure = Log::at(Path::new("/nowhere/audit.log"), None, Actor::test("carol")).err().unwrap();
    assert!(failure.cause.contains("cannot be written") && failure.remedy.unwrap().contains("nothing was done"));
}

#[test]
fn a_log_that_was_replaced_meanwhile_is_written_where_it_is_now() {
    let path = directory("admin-rotated").join("audit.log");
    let open = log(&path, Some(key()));
    std::fs::rename(&path, path.with_extension("1")).unwrap();
    open.record(&Act::admin("audit_prune"), true).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    assert_eq!(std::fs::read_to_string(path.with_extension("1")).unwrap(), "");
}
