//! A thousand requests with something in them that nobody may ever read: in any place, spelled in any way. None of it is in
//! anything that is written, with the module at trace.

use serde_json::{Value, json};

use super::audited;
use super::chain::with_key;
use crate::harness::chain::AUDIT_KEY;
use crate::harness::client::Request;
use crate::harness::eventually;
use crate::harness::token::{Token, encode};
use crate::harness::upstream::{Reply, Upstream};

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOiJ0b2tlbiJ9.Y2FuYXJ5LW9mLWEtc2lnbmF0dXJl";
const API_KEY: &str = "pk_canaryid.canarykeyofasecretthatisnone";
const EMAIL: &str = "canary.person@canary.example";
const CARD: &str = "4111111111111111";
const PASSWORD: &str = "canary-correct-horse-battery";
const COOKIE: &str = "canary-cookie-7f3d1c";

/// What has a shape that gives it away, and so may stand even where a record repeats what a token says.
const SHAPED: [&str; 4] = [JWT, API_KEY, EMAIL, CARD];
const ALL: [&str; 6] = [JWT, API_KEY, EMAIL, CARD, PASSWORD, COOKIE];

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Every spelling, the plain one first.
fn spellings(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let wide = |sign: char| match sign.is_ascii_graphic() {
        true => char::from_u32(u32::from(sign) + 0xfee0).unwrap(),
        false => sign,
    };
    vec![
        secret.to_owned(),
        secret.to_uppercase(),
        secret.to_lowercase(),
        percent(secret),
        percent(&percent(secret)),
        encode(secret),
        encode(encode(secret)),
        hex.to_uppercase(),
        hex,
        secret.chars().map(wide).collect(),
        secret.chars().flat_map(|sign| [sign, '\u{200b}']).collect(),
        secret.chars().rev().collect(),
    ]
}

/// The request that has `text` in one place, and the places' number.
fn planted(place: usize, text: &str, token: &Token) -> Option<Request> {
    let target = percent(text);
    let get = |path: &str| Request::get(path);
    let mine = "/users/ada/documents/7";
    let bearing = |claim: &str| get(mine).bearer(&token.clone().claim(claim, text).mint());
    Some(match place {
        0 => get("/healthz").header("x-canary", text),
        1 => get(mine).header("authorization", text),
        2 => get(mine).header("authorization", format!("Bearer {text}")),
        3 => get(mine).header("authorization", format!("Basic {}", encode(text))),
        4 => get(mine).header("cookie", format!("a={text}; session={text}")),
        5 => get(&format!("/users/{target}/documents/{target}")).bearer(&token.mint()),
        6 => get(&format!("/{target}/{target}")).bearer(&token.mint()),
        7 => get(&format!("{mine}?access_token={target}")),
        8 => get(&format!("/healthz?{target}={target}")),
        9 => Request::new("PUT", mine).bearer(&token.mint()).body("text/plain", text),
        10 => Request::new("POST", "/users").bearer(&token.mint()).body("application/json", json!(text).to_string()),
        11 => bearing("jti"),
        12 => bearing("role"),
        13 => bearing("email"),
        14 => bearing("iss"),
        15 => get(mine).bearer(&token.clone().head("kid", text).mint()),
        16 => get(mine).bearer(&token.forged()).header("x-api-key", text).header("referer", text),
        17 => Request::new("OPTIONS", "/healthz").header("origin", text).header("access-control-request-method", text),
        18 => get("/healthz").header("x-forwarded-for", text).header("user-agent", text),
        19 => Request::new("POST", "/users").bearer(&token.mint()).body(text, "x").trailer("x-canary", text),
        _ => return None,
    })
}

#[test]
fn a_thousand_canaries_are_in_no_output() {
    let upstream = Upstream::start();
    upstream.on("/healthz", Reply::new(500).header("set-cookie", COOKIE).header("server", API_KEY).body(PASSWORD));
    let mut policy = audited(&json!({
        "level": "all",
        "sinks": ["access_log", "log"],
        "burst": {"max": 50, "interval": "1s"},
        "chain": {"key": {"env": "AUDIT_KEY"}, "checkpoint": "1s"},
    }));
    policy["providers"][0]["from_params"] = json!(["access_token"]);
    policy["providers"][0]["from_cookies"] = json!(["session"]);
    let proxy = with_key(&upstream).policy("main", &policy).trace().start();
    let token = Token::of("ada", "editor");
    let mut requests = Vec::new();
    for secret in ALL {
        for text in spellings(secret) {
            requests.extend((0..).map_while(|place| planted(place, &text, &token)));
        }
    }
    for secret in SHAPED {
        for text in spellings(secret).into_iter().rev().skip(1) {
            let subject = token.clone().claim("sub", text.as_str()).mint();
            requests.push(Request::get("/users/ada/documents/7").bearer(&subject));
            requests.push(Request::get("/healthz").header("x-request-id", &text));
        }
    }
    assert!(requests.len() > 1000, "{} requests", requests.len());
    let mut client = proxy.client("main");
    for request in &requests {
        // Envoy refuses some of them itself, and hangs up.
        let _ = client.try_send(request);
    }
    eventually("the end of every request", || (proxy.in_flight("main") == 0).then_some(()));
    eventually("a checkpoint", || proxy.log().contains("\"checkpoint\"").then_some(()));

    let personal = ["canary.person", "correct-horse", "canarykey", "7f3d1c"];
    let mut needles: Vec<String> = ALL.into_iter().chain(personal).flat_map(spellings).collect();
    needles.extend([AUDIT_KEY.to_owned(), encode(AUDIT_KEY)]);
    needles.extend(JWT.split('.').map(str::to_owned));
    for needle in &mut needles {
        *needle = needle.to_lowercase();
    }
    let mut written = proxy.written();
    written.push(("/stats".into(), proxy.admin("GET", "/stats").body));
    for (path, bytes) in written {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!text.is_empty(), "{} was to be searched and is empty", path.display());
        for needle in &needles {
            if let Some(line) = text.lines().find(|line| line.contains(needle)) {
                panic!("`{needle}` is in {}: {line}", path.display());
            }
        }
    }
    let records: Vec<Value> =
        proxy.log_lines("main").iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(records.len() > 500, "{} records", records.len());
    let log = proxy.log();
    assert!(log.contains("[trace][wasm]") && log.contains("\"count\":"), "all that there is was logged");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}
