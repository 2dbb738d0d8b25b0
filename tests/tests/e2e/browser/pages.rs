//! The security headers in a browser: what they forbid is forbidden, and a page of the upstream's own works as before.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::table::Table;
use crate::harness::upstream::{Reply, Upstream};

use super::{API, CLOSED, Fetch, Stage};

const APP: &str = "https://app.example.com";
const EVIL: &str = "https://evil.example.net";

/// A pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A page that uses what pages use: files of its own, and things written into it.
const SITE: &str = r#"<!doctype html>
<link rel="icon" href="/site/pixel.png">
<link rel="stylesheet" href="/site/style.css">
<style>h1 { color: rgb(3, 4, 5) }</style>
<h1 id="written">A page</h1>
<p id="styled">in its own style</p>
<img id="image" src="/site/pixel.png">
<img id="inline" src="data:image/png;base64,PIXEL">
<form id="form" method="post" action="/site/form"><input name="a" value="1"></form>
<script src="/site/script.js"></script>
<script type="module" src="/site/module.js"></script>
<script>window.inline = true;</script>
"#;

/// Everything on the page that can be seen to work.
const LOOK: &str = r"(async () => {
  const style = (id) => getComputedStyle(document.getElementById(id)).color;
  const answer = await fetch('/site/data');
  localStorage.setItem('kept', 'yes');
  return {
    styled: style('styled'), written: style('written'),
    image: document.getElementById('image').naturalWidth, inline_image: document.getElementById('inline').naturalWidth,
    script: window.script, module: window.module, inline: window.inline,
    data: (await answer.json()).ok, kept: localStorage.getItem('kept'),
  };
})()";

pub fn image() -> Reply {
    Reply::new(200).header("content-type", "image/png").body(STANDARD.decode(PNG).unwrap())
}

pub fn routes(upstream: &Upstream) -> Vec<Value> {
    let html = |body: &str| Reply::new(200).header("content-type", "text/html").body(body);
    let page = r#"<!doctype html><link rel="icon" href="data:,"><p>a page</p>"#;
    let script = || Reply::new(200).body("window.ran = true;");
    let mut routes = Vec::new();
    for preset in ["recommended", "api", "none"] {
        upstream.on(&format!("/{preset}/page"), html(page));
        upstream.on(&format!("/{preset}/script"), script().header("content-type", "text/javascript"));
        upstream.on(&format!("/{preset}/text"), script().header("content-type", "text/plain"));
        upstream.on(&format!("/{preset}/image"), image());
        upstream.on(
            &format!("/{preset}/family"),
            html(page).header("content-security-policy", &format!("frame-ancestors {APP}")),
        );
        routes.push(json!({
            "name": preset, "match": {"path": format!("/{preset}/{{file}}")}, "access": "public",
            "security_headers": {"preset": preset},
        }));
    }
    upstream.on("/site/page", html(&SITE.replace("PIXEL", PNG)));
    upstream.on("/site/pixel.png", image());
    upstream
        .on("/site/style.css", Reply::new(200).header("content-type", "text/css").body("p { color: rgb(1, 2, 3) }"));
    let javascript = |body: &str| Reply::new(200).header("content-type", "text/javascript").body(body);
    upstream.on("/site/script.js", javascript("window.script = true;"));
    upstream.on("/site/module.js", javascript("window.module = true;"));
    upstream.on("/site/form", html("<p>thanks</p>"));
    routes.push(json!({"name": "site", "match": {"path": "/site/{file}"}, "access": "public"}));
    upstream.on("/told/page", html(r#"<form method="post" action="/told/form"><input name="a" value="1"></form>"#));
    upstream.on("/told/form", html("<p>thanks</p>"));
    routes.push(json!({
        "name": "told", "match": {"path": "/told/{file}"}, "access": "public",
        "security_headers": {"set": {"referrer-policy": "same-origin"}},
    }));
    routes
}

pub fn run(stage: &mut Stage) {
    let mut table = Table::new("security headers in a browser");
    frames(stage, &mut table);
    embedded(stage, &mut table);
    resources(stage, &mut table);
    windows(stage, &mut table);
    strict_transport(stage, &mut table);
    a_page_works(stage, &mut table);
    table.finish();
}

fn frames(stage: &mut Stage, table: &mut Table) {
    for (at, path, framed) in [
        (EVIL, "/none/page", true),
        (EVIL, "/recommended/page", false),
        (EVIL, "/api/page", false),
        (APP, "/recommended/page", false),
        (API, "/recommended/page", false),
        // The upstream's own word on ancestors stays under `recommended`, and browsers then ignore X-Frame-Options.
        (APP, "/recommended/family", true),
        (EVIL, "/recommended/family", false),
        (APP, "/api/family", false),
        (EVIL, "/none/family", false),
    ] {
        let url = format!("{API}{path}");
        let expected = if framed { &url } else { "chrome-error://chromewebdata/" };
        let ended = stage.browser.ask("frame", json!({"at": at, "url": url}));
        table.holds(&format!("{path} in a frame of {at}"), ended == expected, || format!("it shows {ended}"));
    }
}

fn embedded(stage: &mut Stage, table: &mut Table) {
    for (at, kind, path, taken) in [
        (API, "script", "/none/script", true),
        (API, "script", "/none/text", true),
        (API, "script", "/recommended/script", true),
        (API, "script", "/recommended/text", false),
        (API, "script", "/api/text", false),
        // Here a CORS block applies, which would be for nothing if the browser kept the answer from other origins.
        (EVIL, "script", "/recommended/script", true),
        (EVIL, "img", "/recommended/image", true),
        (EVIL, "img", "/api/image", true),
    ] {
        let url = format!("{API}{path}");
        let found = stage.browser.ask("embed", json!({"at": at, "kind": kind, "url": url}));
        table.holds(&format!("{kind} of {path} in {at}"), found == taken, || format!("{found}"));
    }
}

/// Where no CORS block applies, `api` keeps answers from the pages of all other origins, whatever these do with them.
fn resources(stage: &mut Stage, table: &mut Table) {
    for (at, path, taken) in [
        (CLOSED, "/api/image", true),
        (EVIL, "/api/image", false),
        (APP, "/api/image", false),
        (EVIL, "/recommended/image", true),
    ] {
        let url = format!("{CLOSED}{path}");
        let found = stage.browser.ask("embed", json!({"at": at, "kind": "img", "url": url}));
        table.holds(&format!("an image of {path} in {at}"), found == taken, || format!("{found}"));
        let read = stage.fetch(at, &[Fetch::get(&url).with("mode", "no-cors")], 1).remove(0);
        let kind = if at == CLOSED { "basic" } else { "opaque" };
        let right = if taken { read.0["type"] == kind } else { read.is_refused() };
        let hidden = at == CLOSED || read.body().is_empty();
        table.holds(&format!("no-cors for {path} from {at}"), right && hidden, || format!("{read:?}"));
        let read = stage.fetch(at, &[Fetch::get(&url)], 1).remove(0);
        let right = if at == CLOSED { read.status() == Some(200) } else { read.is_refused() };
        table.holds(&format!("script reads {path} from {at}"), right, || format!("{read:?}"));
    }
    let read = stage.fetch(CLOSED, &[Fetch::get(&format!("{CLOSED}/api/script")).with("mode", "no-cors")], 1).remove(0);
    table.holds("its own origin", read.body() == "window.ran = true;", || format!("{read:?}"));
}

fn windows(stage: &mut Stage, table: &mut Table) {
    for (path, reaches) in [("/none/page", true), ("/recommended/page", false), ("/api/page", false)] {
        let found = stage.browser.ask("popup", json!({"at": EVIL, "url": format!("{API}{path}")}));
        table.holds(&format!("{path} opened by {EVIL} reaches it"), found == reaches, || format!("{found}"));
    }
}

/// Once seen over TLS, the place is never asked without.
fn strict_transport(stage: &mut Stage, table: &mut Table) {
    let [plain, secure] = ["http", "https"].map(|scheme| format!("{scheme}://strict.example.org/none/page"));
    let visit =
        |stage: &mut Stage, url: &str| stage.browser.ask("visit", json!({"url": url, "expression": "0"}))["url"].take();
    for (row, url, ended) in [
        ("without TLS at first", &plain, &plain),
        ("with TLS, and no word of it", &secure, &secure),
        ("without TLS after that", &plain, &plain),
        (
            "with TLS, told to keep to it",
            &secure.replace("none", "recommended"),
            &secure.replace("none", "recommended"),
        ),
        ("without TLS from then on", &plain, &secure),
    ] {
        let found = visit(stage, url);
        table.holds(row, found == **ended, || format!("{found}"));
    }
}

/// `recommended` breaks no web page.
fn a_page_works(stage: &mut Stage, table: &mut Table) {
    stage.upstream.take();
    let url = format!("{API}/site/page");
    let looks = stage.browser.ask("visit", json!({"url": url, "expression": LOOK}));
    let works = json!({
        "styled": "rgb(1, 2, 3)", "written": "rgb(3, 4, 5)", "image": 1, "inline_image": 1, "script": true,
        "module": true, "inline": true, "data": true, "kept": "yes",
    });
    table.holds("all of a page works", looks["value"] == works, || format!("{}", looks["value"]));
    table.holds("and the browser finds no fault", looks["said"] == json!([]), || format!("{}", looks["said"]));
    let referers: Vec<_> = stage.upstream.take().iter().flat_map(|seen| seen.headers.all("referer")).collect();
    table.holds("what it loads is not told from where", referers.is_empty(), || format!("{referers:?}"));

    // With `referrer-policy: no-referrer` a form is sent from `null`, even to its own origin (Fetch, "append a request
    // `Origin` header"); a service that looks at the origin of forms needs another.
    for (site, origin) in [("site", "null"), ("told", API)] {
        let told = json!({"url": format!("{API}/{site}/page"), "ends": format!("{API}/{site}/form")});
        let thanks = stage.browser.ask("submit", told);
        let posts: Vec<_> = stage.upstream.take().into_iter().filter(|seen| seen.method == "POST").collect();
        let origins: Vec<_> = posts.iter().map(|seen| seen.headers.all("origin").join(" ")).collect();
        let right = thanks == "thanks" && origins == [origin] && posts[0].body == b"a=1";
        table.holds(&format!("the form of /{site} is sent"), right, || format!("{thanks}, from {origins:?}"));
    }
}
