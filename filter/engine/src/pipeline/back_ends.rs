//! What back ends of every kind make of the paths that are let through: never another route than the one decided on.
//!
//! The models share nothing with the engine. They are asked of what would be sent, and of the routes of the policy as
//! the same back end would have them.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::headers::HeaderEdit;
use crate::pipeline::RequestAction;
use crate::policy::Policy;
use crate::testing::{Request, policy, secrets, with_routes};

/// One thing that some back end does to a path before it looks for what to do.
type Quirk = (&'static str, fn(&[u8]) -> Vec<u8>);

const QUIRKS: [Quirk; 12] = [
    ("decodes", decode),
    ("decodes overlong UTF-8", decode_overlong),
    ("takes a backslash for a slash", backslash),
    ("cuts parameters", cut_parameters),
    ("compares in lower case", lower),
    ("compares in upper case", upper),
    ("merges slashes", merge),
    ("resolves dot segments", resolve),
    ("drops dots at the end of a segment", drop_dots),
    ("drops spaces at the end of a segment", drop_spaces),
    ("drops a slash at the end", drop_slash),
    ("cuts at a question mark or number sign", cut_query),
];

fn decode(path: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut out, mut rest) = (Vec::new(), path);
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match tail {
            [high, low, after @ ..] if *byte == b'%' && hex(*high).and(hex(*low)).is_some() => {
                out.push(hex(*high).unwrap() * 16 + hex(*low).unwrap());
                rest = after;
            }
            _ => out.push(*byte),
        }
    }
    out
}

fn decode_overlong(path: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), path);
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match tail {
            [next, after @ ..] if matches!(byte, 0xc0 | 0xc1) && next & 0xc0 == 0x80 => {
                out.push((byte & 1) << 6 | (next & 0x3f));
                rest = after;
            }
            _ => out.push(*byte),
        }
    }
    out
}

fn backslash(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

fn by_segment(path: &[u8], change: impl Fn(&[u8]) -> &[u8]) -> Vec<u8> {
    path.split(|byte| *byte == b'/').map(change).collect::<Vec<_>>().join(&b'/')
}

fn cut_parameters(path: &[u8]) -> Vec<u8> {
    by_segment(path, |segment| segment.split(|byte| *byte == b';').next().unwrap())
}

fn lower(path: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(path).to_lowercase().into_bytes()
}

fn upper(path: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(path).to_uppercase().into_bytes()
}

fn merge(path: &[u8]) -> Vec<u8> {
    let mut out = path.to_vec();
    out.dedup_by(|next, byte| *next == b'/' && *byte == b'/');
    out
}

fn resolve(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        match segment {
            b"." => {}
            b".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    [b"/".as_slice(), &kept.join(&b'/')].concat()
}

fn drop_all(segment: &[u8], unwanted: u8) -> &[u8] {
    if matches!(segment, b"." | b"..") {
        return segment;
    }
    let end = segment.iter().rposition(|byte| *byte != unwanted).map_or(0, |last| last + 1);
    &segment[..end]
}

fn drop_dots(path: &[u8]) -> Vec<u8> {
    by_segment(path, |segment| drop_all(segment, b'.'))
}

fn drop_spaces(path: &[u8]) -> Vec<u8> {
    by_segment(path, |segment| drop_all(segment, b' '))
}

fn drop_slash(path: &[u8]) -> Vec<u8> {
    path.strip_suffix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(path).to_vec()
}

fn cut_query(path: &[u8]) -> Vec<u8> {
    path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap().to_vec()
}

/// A route as a back end has it.
#[derive(Clone, Debug)]
struct Site {
    path: &'static str,
    access: &'static str,
}

impl Site {
    fn json(&self, index: usize) -> Value {
        let mut route = json!({"name": format!("r{index}"), "match": {"path": self.path}});
        match self.access {
            "admin" => (route["access"], route["roles"]) = ("roles".into(), json!(["admin"])),
            access => route["access"] = access.into(),
        }
        route
    }

    /// How specific the route is for a path that a back end sees, where it takes it: kinds of segments from the left.
    fn rank(&self, seen: &[u8], quirks: &[Quirk]) -> Option<Vec<u8>> {
        // Who cuts requests has no route that is cut.
        let quirks = quirks.iter().filter(|(name, _)| !name.starts_with("cuts"));
        let pattern = quirks.fold(self.path.as_bytes().to_vec(), |path, (_, quirk)| quirk(&path));
        let mut segments = seen.split(|byte| *byte == b'/').skip(1).peekable();
        let mut rank = Vec::new();
        for literal in pattern.split(|byte| *byte == b'/').skip(1) {
            let segment = *segments.peek()?;
            if literal.starts_with(b"{*") {
                let empty = segment.is_empty() && segments.count() == 1;
                rank.push(0);
                return (!empty).then_some(rank);
            }
            segments.next();
            rank.push(match literal {
                [b'{', ..] if !segment.is_empty() => 1,
                _ if literal == segment => 2,
                _ => return None,
            });
        }
        segments.next().is_none().then_some(rank)
    }
}

/// What is sent where a request is let through, and for which of the routes.
fn sent(policy: &Policy, target: &str, role: Option<&str>) -> Option<(usize, Vec<u8>)> {
    let request = Request::get(target);
    let verdict = role.into_iter().fold(request, Request::role).decide(policy);
    let RequestAction::Continue(edits) = &verdict.action else { return None };
    let path = edits.iter().find_map(|edit| match edit {
        HeaderEdit::Set(name, value) if &**name == ":path" => Some(value.as_bytes().to_vec()),
        _ => None,
    });
    let path = path.unwrap_or_else(|| target.as_bytes().to_vec());
    let path = path.split(|byte| *byte == b'?').next().unwrap().to_vec();
    Some((verdict.route.unwrap().strip_prefix('r').unwrap().parse().unwrap(), path))
}

/// Says which route a back end with these quirks takes a request for, where that is a guarded one of other access.
fn misled(sites: &[Site], (route, path): &(usize, Vec<u8>), quirks: &[Quirk]) -> Option<String> {
    let seen = quirks.iter().fold(path.clone(), |path, (_, quirk)| quirk(&path));
    let taken = sites.iter().filter_map(|site| Some((site.rank(&seen, quirks)?, site)));
    let (_, taken_for) = taken.max_by_key(|(rank, _)| rank.clone())?;
    (taken_for.access != "public" && taken_for.access != sites[*route].access).then(|| {
        let names: Vec<&str> = quirks.iter().map(|(name, _)| *name).collect();
        let (path, seen) = (String::from_utf8_lossy(path), String::from_utf8_lossy(&seen));
        format!("{path} went on for {:?}; who {names:?} sees {seen}: {taken_for:?}", sites[*route])
    })
}

fn compiled(sites: &[Site]) -> (Vec<Site>, Policy) {
    // Routes that a back end cannot tell apart are the policy's to avoid; two of one path are an error.
    let mut kept: Vec<Site> = Vec::new();
    for site in sites {
        kept.push(site.clone());
        let all: Vec<Value> = kept.iter().enumerate().map(|(index, site)| site.json(index)).collect();
        if Policy::load(with_routes(all.into()).to_string().as_bytes(), &secrets).is_err() {
            kept.pop();
        }
    }
    let all: Vec<Value> = kept.iter().enumerate().map(|(index, site)| site.json(index)).collect();
    (kept, policy(&with_routes(all.into())))
}

/// Spellings of a path that some back end takes for the path itself.
const SPELLINGS: [&str; 44] = [
    "/ADMIN/keys",
    "/Admin/keys",
    "/admin/KEYS",
    "/%41DMIN/keys",
    "/%61dmin/keys",
    "/%2561dmin/keys",
    "/admin%2fkeys",
    "/admin%252fkeys",
    "/admin\\keys",
    "/admin%5Ckeys",
    "/x\\..\\admin/keys",
    "/x%5c..%5cadmin/keys",
    "//admin/keys",
    "/x/..//admin/keys",
    "/./admin/keys",
    "/%2e/admin/keys",
    "/x/%2e%2e/admin/keys",
    "/x/%252e%252e/admin/keys",
    "/x/..;/admin/keys",
    "/x/..;a=b/admin/keys",
    "/x/..%3b/admin/keys",
    "/x/..%20/admin/keys",
    "/x/...%20/admin/keys",
    "/x/.%20./admin/keys",
    "/%20/admin/keys",
    "/.%20/admin/keys",
    "/admin;x/keys",
    "/admin%3Bx/keys",
    "/admin./keys",
    "/admin../keys",
    "/admin%20/keys",
    "/admin%20./keys",
    "/admin/keys/",
    "/admin/keys.",
    "/admin/keys%20",
    "/admin/keys%3Fx",
    "/admin/keys%23x",
    "/ADMIN/KEYS./%3F",
    "/admin/key%C5%BF",
    "/admin/%E2%84%AAeys",
    "/%c1%a1dmin/keys",
    "/admin%c0%afkeys",
    "/admin/keys%00",
    "/admin/keys%0a",
];

#[test]
fn no_spelling_of_a_guarded_path_passes_for_another() {
    for guarded in ["/admin/keys", "/admin/{*rest}", "/{a}/keys", "/{a}/{b}"] {
        for catch_all in ["public", "authenticated"] {
            let (sites, policy) =
                compiled(&[Site { path: guarded, access: "admin" }, Site { path: "/{*rest}", access: catch_all }]);
            for spelling in SPELLINGS {
                let Some(sent) = sent(&policy, spelling, Some("viewer")) else { continue };
                for first in QUIRKS {
                    for second in QUIRKS {
                        for third in QUIRKS {
                            let misled = misled(&sites, &sent, &[first, second, third]);
                            assert_eq!(misled, None, "{spelling}, where {guarded} is beside {catch_all}");
                        }
                    }
                }
            }
        }
    }
}

fn site() -> impl Strategy<Value = Site> {
    let paths = [
        "/admin/{*rest}",
        "/admin/keys",
        "/admin",
        "/{a}/keys",
        "/{a}/keys/{b}",
        "/{a}/{*rest}",
        "/items/all",
        "/items/{id}",
        "/Mixed/Case",
        "/docs/",
        "/a%20b/{x}",
        "/a:b",
        "/stra%C3%9Fe",
        "/what%3F/{x}",
        "/",
        "/{*rest}",
    ];
    let access = prop_oneof![Just("public"), Just("authenticated"), Just("admin")];
    (prop::sample::select(paths.to_vec()), access).prop_map(|(path, access)| Site { path, access })
}

/// A path of hostile pieces, most of them spellings of what routes have.
fn target() -> impl Strategy<Value = String> {
    let pieces = [
        "admin",
        "ADMIN",
        "Admin",
        "%61dmin",
        "keys",
        "KEYS",
        "key%C5%BF",
        "items",
        "ITEMS",
        "all",
        "All",
        "mixed",
        "Mixed",
        "case",
        "Case",
        "docs",
        "Docs",
        "a%20b",
        "A%20B",
        "a:b",
        "A%3Ab",
        "stra%C3%9Fe",
        "STRASSE",
        "what%3F",
        "WHAT%3f",
        "x",
        "",
        ".",
        "..",
        "%2e%2e",
        "%252e",
        "%2f",
        "%5c",
        "%25",
        "%00",
        "%c0%ae",
        "\u{e9}",
    ];
    let ends = ["", "", "", "", ".", "..", "%20", "%20.", ";", ";x=y", "%3B", "%3F", "%3Fx", "%23", "\\", "%5C", "%2F"];
    let segment = (prop::sample::select(pieces.to_vec()), prop::sample::select(ends.to_vec()));
    let segment = segment.prop_map(|(piece, end)| format!("/{piece}{end}"));
    (prop::collection::vec(segment, 1..5), any::<bool>())
        .prop_map(|(segments, slash)| segments.concat() + if slash { "/" } else { "" })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_back_end_sees_another_route_than_the_one_decided_on(
        sites in prop::collection::vec(site(), 1..8),
        targets in prop::collection::vec(target(), 16),
        role in prop::sample::select(vec![None, Some("viewer"), Some("admin")]),
        quirks in prop::collection::vec(prop::collection::vec(prop::sample::select(QUIRKS.to_vec()), 0..6), 16),
    ) {
        let (sites, policy) = compiled(&sites);
        for target in &targets {
            let Some(sent) = sent(&policy, target, role) else { continue };
            for quirks in &quirks {
                prop_assert_eq!(misled(&sites, &sent, quirks), None, "{}", target);
            }
        }
    }
}
