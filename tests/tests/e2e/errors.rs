//! An upstream's failures: the status is told, nothing else.

use serde_json::json;

use crate::harness::bench::Bench;
use crate::harness::client::Request;
use crate::harness::policy;
use crate::harness::upstream::{Reply, Upstream};

use super::setup;

const TRACE: &str = "Traceback (most recent call last):\n  File \"/srv/app/db.py\", line 7\npsycopg2.OperationalError: password=hunter2";

#[test]
fn an_upstream_failure_tells_nothing() {
    let upstream = Upstream::start();
    let failing = |status: u16| {
        Reply::new(status)
            .header("content-type", "text/html")
            .header("server", "leaky/1.0")
            .header("x-powered-by", "leaky")
            .header("x-debug", "kept")
            .body(TRACE)
    };
    for status in [500, 502, 503, 504, 599] {
        upstream.on(&format!("/fixed/{status}"), failing(status));
        upstream.on(&format!("/chunked/{status}"), failing(status).chunked());
    }
    upstream.on("/empty", Reply::new(500).header("server", "leaky/1.0"));
    upstream.on("/long", Reply::new(500).body(TRACE.repeat(20_000)));
    upstream.on("/busy", Reply::new(503).header("retry-after", "7").body(TRACE));
    upstream.on("/encoded", Reply::new(500).header("content-encoding", "gzip").header("etag", "x").body(TRACE));
    upstream.on("/brotli", Reply::new(502).header("content-encoding", "br").body([0x8b, 0x02, 0x80]).chunked());
    upstream.on("/missing", Reply::new(404).header("content-type", "text/plain").body("no such document"));
    upstream.on("/teapot", Reply::new(418).body(TRACE).chunked());

    let routes = json!([{"name": "all", "match": {"path": "/{*rest}"}, "access": "public"}]);
    let hiding = policy::with_routes(routes.clone());
    let mut showing = policy::with_routes(routes);
    showing["errors"] = json!({"hide_upstream_5xx": false});
    let proxy = setup(&upstream).policy("hiding", &hiding).policy("showing", &showing).start();

    let mut bench = Bench::new("upstream failures", &proxy, "hiding", &upstream);
    for status in [500, 502, 503, 504, 599] {
        for path in [format!("/fixed/{status}"), format!("/chunked/{status}")] {
            for method in ["GET", "POST", "HEAD"] {
                hidden(&mut bench, &Request::new(method, &path), status);
            }
        }
    }
    for path in ["/empty", "/long", "/encoded"] {
        hidden(&mut bench, &Request::get(path), 500);
    }
    hidden(&mut bench, &Request::get("/brotli"), 502);
    hidden(&mut bench, &Request::new("HEAD", "/encoded"), 500);
    hidden(&mut bench, &Request::get("/busy"), 503);
    let missing = bench.exchange(&Request::get("/missing")).response;
    bench.holds("a 404 is the service's own answer", missing.text() == "no such document", || missing.text());
    let teapot = bench.exchange(&Request::get("/teapot")).response;
    bench.holds("any other answer passes whole", teapot.text() == TRACE, || teapot.text());
    bench.finish();

    let mut bench = Bench::new("upstream failures shown", &proxy, "showing", &upstream);
    let shown = bench.exchange(&Request::get("/fixed/500")).response;
    bench.holds("asked to be shown", shown.text() == TRACE, || shown.text());
    bench.finish();
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// Envoy's own words about a service that is not there tell of the inside, too.
#[test]
fn an_upstream_that_is_gone_is_not_talked_about() {
    let upstream = Upstream::gone();
    let policy = policy::with_routes(json!([{"name": "all", "match": {"path": "/{*rest}"}, "access": "public"}]));
    let proxy = setup(&upstream).policy("main", &policy).start();
    let mut bench = Bench::new("an upstream that is gone", &proxy, "main", &upstream);
    for method in ["GET", "POST", "HEAD"] {
        hidden(&mut bench, &Request::new(method, "/anything"), 503);
    }
    bench.finish();
}

/// The status, a problem that says no more, and none of the upstream's words.
fn hidden(bench: &mut Bench<'_>, request: &Request, status: u16) {
    let name = format!("{} {}", request.method, String::from_utf8_lossy(&request.target));
    let exchange = bench.exchange(request);
    let response = &exchange.response;
    let record = exchange.record.as_ref().map(|record| record.text("status")).unwrap_or_default();
    bench.holds(&format!("{name}: status"), response.status == status && record == status.to_string(), || {
        format!("{} to the client, `{record}` in the audit", response.status)
    });
    for leak in ["server", "x-powered-by", "content-encoding", "etag"] {
        bench.holds(&format!("{name}: {leak}"), !response.headers.has(leak), || format!("{:?}", response.headers));
    }
    bench.holds(
        &format!("{name}: security headers"),
        response.headers.all("x-content-type-options") == ["nosniff"],
        || format!("{:?}", response.headers),
    );
    if request.method == "HEAD" {
        return;
    }
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let members = body.as_object().map_or(0, serde_json::Map::len);
    bench.holds(
        &format!("{name}: body"),
        members == 4 && body["status"] == status && body["request_id"].is_string(),
        || response.text(),
    );
    bench.holds(
        &format!("{name}: content-type"),
        response.headers.all("content-type") == ["application/problem+json"],
        || format!("{:?}", response.headers),
    );
}
