use clap::Parser;
use serde_json::{Value, json};

use super::claims;
use crate::cli::{Cli, Command, IssueArgs, TokenCommand};
use crate::exit::{Exit, Failure};

fn args(line: &[&str]) -> IssueArgs {
    let start = ["portcullis", "token", "issue", "--sub", "alice", "--secret-env", "K"];
    let cli = Cli::try_parse_from(start.iter().chain(line)).unwrap();
    let Command::Token(TokenCommand::Issue(args)) = cli.command else { panic!() };
    *args
}

fn issue(line: &[&str]) -> Result<Value, Failure> {
    claims(&args(line), 1_750_000_000, "an-id").map(Value::Object)
}

#[test]
fn the_claims_are_those_asked_for() {
    for (line, expected) in [
        (&[][..], json!({"sub": "alice", "iat": 1_750_000_000, "exp": 1_750_001_800, "jti": "an-id"})),
        (
            &["--no-jti", "--ttl", "1h", "--iss", "https://issuer.example.com"],
            json!({"sub": "alice", "iat": 1_750_000_000, "exp": 1_750_003_600, "iss": "https://issuer.example.com"}),
        ),
        (
            &["--no-jti", "--role", "admin", "--aud", "a"],
            json!({"sub": "alice", "iat": 1_750_000_000, "exp": 1_750_001_800, "role": "admin", "aud": "a"}),
        ),
        (
            &["--no-jti", "--role", "admin", "--role", "editor", "--aud", "a", "--aud", "b"],
            json!({"sub": "alice", "iat": 1_750_000_000, "exp": 1_750_001_800, "role": ["admin", "editor"], "aud": ["a", "b"]}),
        ),
        (
            &[
                "--no-jti",
                "--claim",
                "tenant=\"acme\"",
                "--claim",
                "realm_access={\"roles\":[\"x\"]}",
                "--claim",
                "a=\"b=1\"",
            ],
            json!({
                "sub": "alice", "iat": 1_750_000_000, "exp": 1_750_001_800,
                "tenant": "acme", "realm_access": {"roles": ["x"]}, "a": "b=1"
            }),
        ),
        (
            &["--no-jti", "--claim", "jti=\"mine\"", "--claim", "nbf=1750000000", "--claim", "iss=\"x\""],
            json!({"sub": "alice", "iat": 1_750_000_000, "exp": 1_750_001_800, "jti": "mine", "nbf": 1_750_000_000, "iss": "x"}),
        ),
    ] {
        assert_eq!(issue(line).unwrap(), expected, "{line:?}");
    }
}

#[test]
fn a_claim_is_set_once() {
    for line in [
        &["--claim", "sub=\"mallory\""][..],
        &["--claim", "exp=9999999999"],
        &["--claim", "iat=1"],
        &["--claim", "jti=\"x\""],
        &["--iss", "a", "--claim", "iss=\"b\""],
        &["--aud", "a", "--claim", "aud=\"b\""],
        &["--role", "viewer", "--claim", "role=\"admin\""],
        &["--claim", "tenant=1", "--claim", "tenant=2"],
    ] {
        let failure = issue(line).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{line:?}");
        assert!(failure.cause.contains("set twice"), "{line:?}: {}", failure.cause);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [&["--ttl", "0s"][..], &["--ttl", "500ms"], &["--ttl", "9999999d"], &["--role", ""], &["--kid", ""]] {
        assert_eq!(issue(line).unwrap_err().exit, Exit::Usage, "{line:?}");
    }
}

#[test]
fn claims_are_json_and_nothing_else() {
    let start = ["portcullis", "token", "issue", "--sub", "alice", "--secret-env", "K", "--claim"];
    for claim in ["tenant=acme", "tenant", "=1", "tenant=", "tenant='acme'", "tenant={\"a\":1", "tenant=1 2"] {
        assert!(Cli::try_parse_from(start.iter().chain(&[claim])).is_err(), "{claim}");
    }
    for (claim, member, message) in [
        (r#"x={"a":1,"a":2}"#, "`a`", "a member of the value"),
        (r#"x={"a":1,"b":0,"\u0061":1}"#, "`a`", "spelt otherwise"),
        (r#"x=[1,{"a":{"b":1,"b":1}}]"#, "`b`", "a member within"),
    ] {
        let error = Cli::try_parse_from(start.iter().chain(&[claim])).unwrap_err().to_string();
        assert!(error.contains(&format!("{member} is in one object twice")), "{message}: {error}");
    }
    assert_eq!(issue(&["--claim", r#"x=[{"a":1},{"a":2}]"#]).unwrap()["x"], json!([{"a": 1}, {"a": 2}]));
}
