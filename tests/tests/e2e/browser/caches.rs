//! What the browser remembers, of preflights and of answers, and where redirects lead: one request after another.

use serde_json::{Value, json};

use crate::harness::policy;
use crate::harness::table::Table;
use crate::harness::upstream::{Reply, Upstream};

use super::{API, Fetch, Read, Stage, pages};

const APP: &str = "https://app.example.com";
/// Of the same site as `APP`, so that both share what the browser has cached.
const SIBLING: &str = "https://admin.example.com";
const STRANGER: &str = "https://stranger.example.com";
const EVIL: &str = "https://evil.example.net";

pub fn routes(upstream: &Upstream) -> Vec<Value> {
    let fresh = || Reply::new(200).header("content-type", "text/plain").header("cache-control", "max-age=600");
    for path in ["/shared-1", "/shared-2", "/shared-3"] {
        upstream.on(path, fresh().body("fresh"));
    }
    upstream.on("/image", pages::image().header("cache-control", "max-age=600"));
    // Allows one origin and does not say that it is one.
    upstream.on("/careless", fresh().header("access-control-allow-origin", APP).body("fresh"));
    for (path, location) in [
        ("/hop", format!("{API}/landed")),
        ("/hop-away", "https://api.example.net/landed-away".to_owned()),
        ("/hop-to-anyone", "https://api.example.net/landed-anyone".to_owned()),
    ] {
        upstream.on(path, Reply::new(302).header("location", &location));
    }
    let mut two = policy::cors();
    two["allow_origins"] = json!([APP, SIBLING]);
    two["allow_methods"] = json!(["PUT"]);
    let mut unremembered = two.clone();
    unremembered["max_age"] = json!("0s");
    let anyone = json!({"allow_origins": ["*"], "allow_methods": ["GET"]});
    let public = |name: &str, cors: &Value| json!({"name": name, "match": {"path": format!("/{name}")}, "access": "public", "cors": cors});
    vec![
        public("remembered", &two),
        public("unremembered", &unremembered),
        public("shared-1", &two),
        public("shared-2", &two),
        public("shared-3", &anyone),
        public("image", &two),
        public("hop", &two),
        public("landed", &two),
        public("hop-away", &two),
        public("landed-away", &two),
        public("hop-to-anyone", &two),
        public("landed-anyone", &anyone),
    ]
}

pub fn run(stage: &mut Stage) {
    let mut table = Table::new("what a browser remembers");
    preflights(stage, &mut table);
    answers(stage, &mut table);
    redirects(stage, &mut table);
    table.finish();
}

/// Sends `requests` one after another, each from its origin, to `API`; the statuses that script read.
fn statuses(stage: &mut Stage, requests: &[(&str, &str, &str)]) -> Vec<Option<u64>> {
    let send = |(origin, method, path): &(&str, &str, &str)| {
        stage.fetch(origin, &[Fetch::new(method, &format!("{API}{path}"))], 1).remove(0).status()
    };
    requests.iter().map(send).collect()
}

fn preflights(stage: &mut Stage, table: &mut Table) {
    let put = |origin, path| (origin, "PUT", path);
    for (row, requests, read, expected) in [
        (
            "a preflight is remembered for its origin and place",
            vec![
                put(APP, "/remembered"),
                put(APP, "/remembered"),
                put(SIBLING, "/remembered"),
                put(SIBLING, "/remembered"),
                put(STRANGER, "/remembered"),
                put(APP, "/remembered"),
            ],
            vec![Some(200), Some(200), Some(200), Some(200), None, Some(200)],
            vec!["cors_preflight", "public", "public", "cors_preflight", "public", "public", "cors_origin", "public"],
        ),
        (
            "with `max_age: 0s` it is not",
            vec![put(APP, "/unremembered"), put(APP, "/unremembered")],
            vec![Some(200), Some(200)],
            vec!["cors_preflight", "public", "cors_preflight", "public"],
        ),
        (
            "a refusal is not remembered either",
            vec![put(STRANGER, "/unremembered"), put(STRANGER, "/unremembered")],
            vec![None, None],
            vec!["cors_origin", "cors_origin"],
        ),
    ] {
        let found = statuses(stage, &requests);
        let records = stage.records();
        let reasons: Vec<_> = records.values().flatten().map(|record| record.text("reason")).collect();
        table.holds(row, found == read && reasons == expected, || format!("{found:?}, {reasons:?}"));
    }
    stage.seen();
}

/// `Vary: Origin` keeps what one origin was answered from all others.
fn answers(stage: &mut Stage, table: &mut Table) {
    let get = |origin, path| (origin, "GET", path);
    for (row, requests, read, fetched) in [
        (
            "what is cached is read again without asking",
            vec![get(APP, "/shared-1"), get(APP, "/shared-1")],
            vec![Some(200), Some(200)],
            1,
        ),
        (
            "another origin is given an answer of its own",
            vec![get(SIBLING, "/shared-1"), get(APP, "/shared-1")],
            vec![Some(200), Some(200)],
            2,
        ),
        (
            "one that is not allowed gets none of it",
            vec![get(APP, "/shared-2"), get(STRANGER, "/shared-2")],
            vec![Some(200), None],
            2,
        ),
        (
            "what anyone may read: still asked for each, since `Vary` is always there",
            vec![get(APP, "/shared-3"), get(SIBLING, "/shared-3"), get(SIBLING, "/shared-3")],
            vec![Some(200), Some(200), Some(200)],
            2,
        ),
    ] {
        let found = statuses(stage, &requests);
        let reached = stage.seen().values().map(Vec::len).sum::<usize>();
        table.holds(row, found == read && reached == fetched, || format!("{found:?}, {reached} reached the upstream"));
    }
    without_an_origin_first(stage, table);
    // Without `Vary`, as the upstream says it itself: the browser does mix them up, or the rows above prove nothing.
    let careless = "https://careless.example.net/careless";
    let careless = [APP, SIBLING].map(|origin| stage.fetch(origin, &[Fetch::get(careless)], 1).remove(0));
    let reached = stage.seen().values().map(Vec::len).sum::<usize>();
    let mixed_up = careless[0].status() == Some(200) && careless[1].is_refused() && reached == 1;
    table.holds("without `Vary` one gets what is another's", mixed_up, || format!("{careless:?}, {reached} fetched"));
    stage.records();
}

/// An image is asked for without an origin. What was cached of it must not stand in for the answer to script.
fn without_an_origin_first(stage: &mut Stage, table: &mut Table) {
    let url = format!("{API}/image");
    stage.browser.ask("embed", json!({"at": APP, "kind": "img", "url": url}));
    let origins: Vec<_> = stage.seen().into_values().flatten().map(|seen| seen.headers.all("origin")).collect();
    table
        .holds("an image is asked for without an origin", origins == [Vec::<String>::new()], || format!("{origins:?}"));
    // With credentials, as the image was: without them, the browser might have asked again for that alone.
    let read = stage.fetch(APP, &[Fetch::get(&url).with("credentials", "include")], 1).remove(0);
    let reached = stage.seen().len();
    table.holds("and then by script with one", read.status() == Some(200) && reached == 1, || {
        format!("{read:?}, {reached} reached the upstream")
    });
}

fn redirects(stage: &mut Stage, table: &mut Table) {
    for (row, origin, path, readable, hops) in [
        ("within the API, from an allowed origin", APP, "/hop", true, vec![("/hop", APP), ("/landed", APP)]),
        ("within the API, from another: not even followed", EVIL, "/hop", false, vec![("/hop", EVIL)]),
        (
            "to another place: its origin is null there, which is never allowed",
            APP,
            "/hop-away",
            false,
            vec![("/hop-away", APP), ("/landed-away", "null")],
        ),
        (
            "to what anyone may read",
            APP,
            "/hop-to-anyone",
            true,
            vec![("/hop-to-anyone", APP), ("/landed-anyone", "null")],
        ),
    ] {
        let read: Read = stage.fetch(origin, &[Fetch::get(&format!("{API}{path}"))], 1).remove(0);
        let seen: Vec<_> = stage.upstream.take();
        let found: Vec<_> =
            seen.iter().map(|seen| (seen.target.as_str(), seen.headers.all("origin").join(" "))).collect();
        let expected: Vec<_> = hops.iter().map(|(target, origin)| (*target, (*origin).to_owned())).collect();
        let right = if readable { read.status() == Some(200) } else { read.is_refused() };
        table.holds(&format!("a redirect {row}"), right && found == expected, || format!("{read:?}, {found:?}"));
    }
    stage.records();
}
