//! What follows a body, and some servers take for headers: nothing in it is a caller's identity, or was decided on.

use serde_json::json;

use super::{setup, speaking, with_trailers};
use crate::harness::client::{Client, Protocol, Request};
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::table::Table;
use crate::harness::token::Token;
use crate::harness::upstream::Upstream;

/// What must not follow. Some Envoys refuse `host` and `content-length` themselves.
const FORGED: [(&str, &str); 12] = [
    ("x-user-id", "root"),
    ("X-User-Role", "admin"),
    ("x_user_id", "root"),
    ("x-portcullis-scope", "any"),
    ("x-http-method-override", "DELETE"),
    ("x-original-url", "/admin/keys"),
    ("authorization", "Bearer a.b.c"),
    ("x-tenant", "other"),
    ("cookie", "session=a.b.c"),
    ("x-forwarded-for", "10.0.0.1"),
    ("content-type", "text/html"),
    ("x-envoy-external-address", "10.0.0.1"),
];

fn start(upstream: &Upstream, protocol: Protocol) -> Proxy {
    let cluster = match protocol {
        Protocol::Http1 => with_trailers(),
        Protocol::Http2 => json!({"http2_protocol_options": {}}),
    };
    let rules = policy::with_routes(json!([
        {"name": "open", "match": {"path": "/open"}, "access": "public"},
        {"name": "own", "match": {"path": "/own"}, "access": "authenticated",
         "when": [{"claim": ["tenant"], "equals": {"header": "x-tenant"}}]},
        {"name": "judged", "match": {"path": "/judged"}, "access": "public", "input": {"max_body_bytes": 100}},
    ]));
    let proxy = setup(upstream).stop_iteration().cluster_fields(&speaking(&cluster));
    proxy.policy("main", &rules).manager(&with_trailers()).bare("bare").manager(&with_trailers()).start()
}

#[test]
fn no_identity_follows_in_a_trailer() {
    let upstream = Upstream::start();
    let mut table = Table::new("trailers");
    let token = Token::of("ada", "viewer").claim("tenant", "a").mint();
    let requests = [
        ("public", Request::new("POST", "/open")),
        ("with a body", Request::new("POST", "/open").body("text/plain", "whole")),
        ("of a caller", Request::new("PUT", "/own").bearer(&token).header("x-tenant", "a")),
        ("held until its body is judged", Request::new("POST", "/judged").body("text/plain", "whole")),
    ];
    for to_service in Protocol::BOTH {
        let proxy = start(&upstream, to_service);
        for from_client in Protocol::BOTH {
            let mut client = proxy.client("main").over(from_client);
            for (name, request) in &requests {
                let name = format!("{from_client:?} to {to_service:?}: {name}");
                table.row(&name, &problems(&mut client, request, &upstream));
            }
            // Envoy alone passes on what is no part of HTTP itself: it is the filter that does not.
            let bare =
                FORGED.iter().fold(Request::new("POST", "/open"), |bare, (name, value)| bare.trailer(name, value));
            let passed = proxy.client("bare").over(from_client).send(&bare).status == 200
                && upstream.take()[0].trailers.has("x-user-id");
            table.holds(&format!("{from_client:?} to {to_service:?}: without the filter"), passed, String::new);
        }
        let too_large = Request::new("POST", "/judged").body("text/plain", [b' '; 101]).trailer("x-checksum", "1");
        let refused = proxy.client("main").over(to_service).send(&too_large).status;
        table.holds("too large a body, and trailers", refused == 413 && upstream.take().is_empty(), || {
            refused.to_string()
        });
        assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
    }
    table.finish();
}

fn problems(client: &mut Client, request: &Request, upstream: &Upstream) -> Vec<String> {
    let with_all = FORGED.iter().fold(request.clone(), |request, (name, value)| request.trailer(name, value));
    let status = client.send(&with_all.trailer("x-checksum", "1")).status;
    let seen = upstream.take();
    let mut problems = Vec::new();
    if status != 200 || seen.len() != 1 {
        return vec![format!("{status}, {seen:?}")];
    }
    if seen[0].trailers.0 != [("x-checksum".to_owned(), b"1".to_vec())] {
        problems.push(format!("trailers at the service: {:?}", seen[0].trailers));
    }
    if seen[0].body != request.body {
        problems.push(format!("the body at the service: {:?}", seen[0].body));
    }
    let mut named = seen[0].headers.all("x-user-id");
    named.retain(|name| name != "ada" || request.headers.is_empty());
    if !named.is_empty() || seen[0].headers.has("x_user_id") {
        problems.push(format!("headers at the service: {:?}", seen[0].headers));
    }
    problems
}
