//! Requests while they wait for keys: what else may happen to them.

use serde_json::json;

use super::{ask, document, everywhere, healthy, policy, reload, setup};
use crate::harness::bootstrap::Delivery;
use crate::harness::client::{Request, fetch};
use crate::harness::eventually;
use crate::harness::jwks::{Answer, KeyServer, PATH};
use crate::harness::keys;
use crate::harness::proxy::Setup;
use crate::harness::token::SECRET;
use crate::harness::upstream::Upstream;

/// Nothing of a request goes on before it is decided, however much of it is there.
#[test]
fn a_body_waits_with_its_head() {
    waits_with_its_head(|setup| setup);
}

/// Envoy then takes "go on" in answer to a piece of a body for "go on" with the head.
#[test]
fn a_body_waits_with_its_head_where_it_reaches_the_module_first() {
    waits_with_its_head(Setup::stop_iteration);
}

fn waits_with_its_head(with: impl FnOnce(Setup) -> Setup) {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]).held());
    let proxy = with(setup(&upstream, &server).policy("main", &policy(&json!({})))).start();
    server.await_fetches(1);
    let body: Vec<u8> = (0..300_000_u32).map(|index| index.to_le_bytes()[0]).collect();
    let (first, rest) = body.split_at(10_000);
    let put = |token: &str| {
        Request::new("PUT", "/users/ada/documents/7").bearer(token).header("content-length", body.len().to_string())
    };
    let (mut good, mut forged) = (proxy.client("main"), proxy.client("main"));
    good.begin(&put(keys::old().token())).unwrap();
    forged.begin(&put(&keys::forged(keys::old().token()))).unwrap();
    eventually("two heads that wait", || (proxy.in_flight("main") == 2).then_some(()));
    for client in [&mut good, &mut forged] {
        client.go_on(first).unwrap();
    }
    // Envoy has read what was sent once it has read what was sent after it, on the same worker.
    let received = || proxy.stats()["http.main.downstream_cx_rx_bytes_total"];
    eventually("the pieces", || (received() > 20_000).then_some(()));
    let reached = || proxy.stats()["cluster.upstream.upstream_cx_total"];
    assert_eq!(reached(), 0, "a piece of a body took its head past the filter");
    server.release();
    let good = good.finish("PUT", rest).unwrap();
    let seen = upstream.take();
    assert_eq!((good.status, seen.len()), (200, 1));
    assert!(seen[0].body == body, "the body arrived changed: {} bytes", seen[0].body.len());
    let forged = forged.finish("PUT", &[]).unwrap();
    assert_eq!((forged.status, upstream.take().len()), (401, 0));
    healthy(&proxy);
}

/// The host tells of each piece of a body once: what came before there were keys is judged when there are.
#[test]
fn a_body_that_came_while_its_head_was_held_is_judged() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]).held());
    let mut policy = policy(&json!({}));
    policy["routes"].as_array_mut().unwrap().push(json!({
        "name": "notes", "match": {"path": "/notes"}, "access": "authenticated",
        "input": {"max_body_bytes": 1000, "body": {"schema": {"type": "object"}}},
    }));
    let proxy = setup(&upstream, &server).stop_iteration().policy("main", &policy).start();
    server.await_fetches(1);
    let post = |body: &[u8]| Request::new("POST", "/notes").bearer(keys::old().token()).body("application/json", body);
    let too_much = [b' '; 1001];
    let requests = [
        (post(b"{}"), 200, "a good body"),
        (post(b"{}").trailer("x-end", "1"), 200, "one with trailers"),
        (post(b"[]"), 422, "a bad one"),
        (post(&too_much).trailer("x-end", "1"), 413, "one of which no head says how long it is"),
    ];
    let waiting: Vec<_> = requests
        .into_iter()
        .map(|(request, status, message)| {
            let mut client = proxy.client("main");
            client.begin(&request).unwrap();
            (client, status, message)
        })
        .collect();
    eventually("four requests that wait", || (proxy.in_flight("main") == 4).then_some(()));
    // Envoy has read what was sent once it has read what was sent after it, on the same worker.
    assert_eq!(proxy.client("main").send(&Request::get("/healthz")).status, 200);
    upstream.take();
    server.release();
    for (mut client, status, message) in waiting {
        assert_eq!(client.finish("POST", b"").unwrap().status, status, "{message}");
    }
    assert_eq!(upstream.take().len(), 2);
    healthy(&proxy);
}

/// Another policy takes over while they wait: they are answered all the same, and by keys.
#[test]
fn a_reload_forgets_nobody_who_waits() {
    for delivery in [Delivery::Ecds, Delivery::Lds] {
        let upstream = Upstream::start();
        let server = KeyServer::start(Answer::keys([keys::old()]).held());
        let mut proxy = setup(&upstream, &server)
            .concurrency(2)
            .policy("main", &policy(&json!({"timeout": "10s"})))
            .delivery(delivery)
            .start();
        server.await_fetches(1);
        let address = proxy.address("main");
        let waiting: Vec<_> = (0..6)
            .map(|number| {
                let token = keys::old().tokens[number].clone();
                std::thread::spawn(move || fetch(address, &document(&token)).status)
            })
            .collect();
        eventually("six requests that wait", || (proxy.in_flight("main") == 6).then_some(()));
        reload(&mut proxy, policy(&json!({"timeout": "10s"})));
        server.release();
        server.answer(Answer::keys([keys::old()]));
        for request in waiting {
            assert_eq!(request.join().unwrap(), 200, "{delivery:?}");
        }
        everywhere(&proxy, keys::old().token(), 200);
        healthy(&proxy);
    }
}

/// The same where the policy that takes over knows nothing of the keys they wait for.
#[test]
fn a_reload_without_their_keys_ends_their_wait() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]).held());
    let mut proxy = setup(&upstream, &server)
        .env("SECRET_KEY", SECRET)
        .policy("main", &policy(&json!({"timeout": "3s"})))
        .delivery(Delivery::Ecds)
        .start();
    server.await_fetches(1);
    let address = proxy.address("main");
    let waiting = std::thread::spawn(move || fetch(address, &document(keys::old().token())).status);
    eventually("a request that waits", || (proxy.in_flight("main") == 1).then_some(()));
    proxy.replace_policy("main", &policy::example().to_string());
    eventually("the new policy", || (ask(&proxy, keys::old().token()) == 401).then_some(()));
    // It keeps the policy it began with, whose keys do not come.
    assert_eq!(waiting.join().unwrap(), 503);
    server.release();
    // A worker that let go of its fetch may have left it to the one where the request waits, and to nobody else.
    assert!(server.count(PATH) <= 2, "{} fetches", server.count(PATH));
    healthy(&proxy);
}

/// Nobody waits for the answer any more when it is there.
#[test]
fn a_client_that_hangs_up_while_held_harms_nobody() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]));
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({}))).start();
    assert_eq!(ask(&proxy, keys::old().token()), 200);
    server.answer(Answer::keys([keys::old(), keys::new()]).held());
    let mut gone: Vec<_> = (0..8).map(|_| proxy.client("main")).collect();
    for (number, client) in gone.iter_mut().enumerate() {
        client.begin(&document(&keys::new().tokens[number])).unwrap();
    }
    let address = proxy.address("main");
    let stays = std::thread::spawn(move || fetch(address, &document(keys::new().token())).status);
    server.await_fetches(2);
    eventually("nine requests that wait", || (proxy.in_flight("main") == 9).then_some(()));
    drop(gone);
    eventually("eight of them gone", || (proxy.in_flight("main") == 1).then_some(()));
    server.release();
    assert_eq!(stays.join().unwrap(), 200);
    for token in &keys::new().tokens[..8] {
        assert_eq!(ask(&proxy, token), 200);
    }
    healthy(&proxy);
}

/// It was asked for something, and it is on record: what was never decided was not allowed.
#[test]
fn a_client_that_hangs_up_while_held_is_on_record() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]).held());
    let proxy = setup(&upstream, &server).policy("main", &policy(&json!({}))).start();
    server.await_fetches(1);
    let mut client = proxy.client("main");
    client.begin(&document(keys::old().token())).unwrap();
    eventually("a request that waits", || (proxy.in_flight("main") == 1).then_some(()));
    drop(client);
    eventually("its end", || (proxy.in_flight("main") == 0).then_some(()));
    let record = proxy.audit("main").next().expect("a request without a record");
    assert_eq!((record.text("decision").as_str(), record.text("method").as_str()), ("deny", "GET"), "{}", record.line);
}

/// Envoy may lose patience first. What it says is dressed as any response, and on record.
#[test]
fn a_request_that_envoy_answers_while_held_is_dressed_and_on_record() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]).held());
    let proxy = setup(&upstream, &server).request_timeout("0.3s").policy("main", &policy(&json!({}))).start();
    server.await_fetches(1);
    let mut client = proxy.client("main");
    let put = Request::new("PUT", "/users/ada/documents/7").bearer(keys::old().token()).header("content-length", "5");
    client.begin(&put).unwrap();
    let answer = client.finish("PUT", b"half").unwrap();
    assert_eq!(answer.status, 408);
    assert_eq!(answer.headers.all("x-frame-options"), ["DENY"]);
    let record = proxy.audit("main").next().expect("a request without a record");
    assert_eq!(
        (record.text("decision").as_str(), record.get("status")),
        ("deny", Some(&json!(408))),
        "{}",
        record.line
    );
    server.release();
    everywhere(&proxy, keys::old().token(), 200);
    assert_eq!(upstream.take().iter().filter(|seen| !seen.body.is_empty()).count(), 0, "it went on all the same");
    healthy(&proxy);
}

/// The same before there are any keys at all.
#[test]
fn a_client_that_hangs_up_before_the_first_keys_harms_nobody() {
    let upstream = Upstream::start();
    let server = KeyServer::start(Answer::keys([keys::old()]).held());
    let proxy = setup(&upstream, &server).concurrency(2).policy("main", &policy(&json!({}))).start();
    server.await_fetches(1);
    let mut gone: Vec<_> = (0..8).map(|_| proxy.client("main")).collect();
    for (number, client) in gone.iter_mut().enumerate() {
        client.begin(&document(&keys::old().tokens[number])).unwrap();
    }
    eventually("eight requests that wait", || (proxy.in_flight("main") == 8).then_some(()));
    drop(gone);
    eventually("all of them gone", || (proxy.in_flight("main") == 0).then_some(()));
    server.release();
    everywhere(&proxy, keys::old().token(), 200);
    healthy(&proxy);
}
