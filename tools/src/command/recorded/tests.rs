use clap::Parser;

use super::*;
use crate::cli::Cli;

/// The action and the target, of a command that is recorded.
type Recorded<'r> = Option<(&'r str, Option<&'r str>)>;

#[test]
fn what_changes_something_is_recorded_and_what_only_looks_is_not() {
    let cases: [(&str, Recorded<'_>); 43] = [
        ("secret generate", Some(("secret_generate", None))),
        ("secret generate --out a.key", Some(("secret_generate", Some("a.key")))),
        ("key generate --out a.pem", Some(("key_generate", Some("a.pem")))),
        ("key jwks a.pem", None),
        ("key rotate --jwks a.json --out b.pem", Some(("key_rotate", Some("a.json")))),
        ("token issue --sub alice --secret-env A", Some(("token_issue", Some("alice")))),
        ("token issue --sub alice@example.com --secret-env A", Some(("token_issue", Some("a***@example.com")))),
        ("token inspect", None),
        ("token refresh", Some(("token_refresh", None))),
        ("login", Some(("login", None))),
        ("login bob@example.com", Some(("login", Some("b***@example.com")))),
        ("logout", Some(("logout", None))),
        ("logout --user bob@example.com", Some(("logout", Some("b***@example.com")))),
        ("init a@example.com", Some(("init", Some("a***@example.com")))),
        ("user add bob@example.com --role viewer", Some(("user_add", Some("b***@example.com")))),
        ("user set-role bob@example.com viewer", Some(("user_role", Some("b***@example.com")))),
        ("user set-password bob@example.com", Some(("password_set", Some("b***@example.com")))),
        (
            "user disable 0f8fad5b-d9cb-469f-a165-70867728950e",
            Some(("user_disable", Some("0f8fad5b-d9cb-469f-a165-70867728950e"))),
        ),
        ("user enable bob@example.com", Some(("user_enable", Some("b***@example.com")))),
        ("user erase bob@example.com", Some(("user_erase", Some("b***@example.com")))),
        ("user import users.csv", Some(("user_import", Some("users.csv")))),
        ("user export --all", Some(("user_export", None))),
        ("user prune --inactive 730d", Some(("user_prune", None))),
        ("user totp reset bob@example.com --reason x", Some(("totp_reset", Some("b***@example.com")))),
        ("user list", None),
        ("user show bob@example.com", None),
        ("api-key issue --owner bob@example.com", Some(("api_key_issue", Some("b***@example.com")))),
        ("api-key revoke abcdefghij01", Some(("api_key_revoke", Some("abcdefghij01")))),
        ("api-key rotate abcdefghij01", Some(("api_key_rotate", Some("abcdefghij01")))),
        ("api-key list", None),
        ("token revoke --user bob@example.com", Some(("token_revoke", Some("b***@example.com")))),
        ("token revoke --token-file t.jwt", Some(("token_revoke", None))),
        ("token unrevoke --jti 1", Some(("token_unrevoke", None))),
        ("feed build --key k.pem --out a.feed", Some(("feed_build", Some("a.feed")))),
        ("feed verify a.feed --jwks k.json", None),
        ("store rotate-key", Some(("store_rotate", None))),
        ("store backup --out b.db", Some(("store_backup", Some("b.db")))),
        ("store check", None),
        ("store check --repair", Some(("store_repair", None))),
        ("policy render p.yaml --for envoy", Some(("policy_render", Some("p.yaml")))),
        ("policy check p.yaml", None),
        ("audit prune --older-than 730d a.log --dry-run", None),
        ("audit prune --older-than 730d a.log", Some(("audit_prune", Some("a.log")))),
    ];
    for (line, expected) in cases {
        let cli = Cli::try_parse_from(std::iter::once("portcullis").chain(line.split(' ')))
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        let act = act(&cli.command);
        let found = act.as_ref().map(|act| (act.action, act.target.as_deref()));
        assert_eq!(found, expected, "{line}");
        let event = if line.starts_with("log") || line.ends_with("refresh") { "authentication" } else { "admin" };
        assert!(act.is_none_or(|act| act.event == event), "{line}");
    }
}
