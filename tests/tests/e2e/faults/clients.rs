//! Clients that hang up, dribble or do not wait their turn.

use serde_json::json;

use super::settled;
use crate::e2e::setup;
use crate::harness::audit::Record;
use crate::harness::client::{Client, Request};
use crate::harness::eventually;
use crate::harness::policy;
use crate::harness::proxy::Proxy;
use crate::harness::token::Token;
use crate::harness::upstream::{Fault, Gate, Reply, Upstream};

fn in_flight(proxy: &Proxy) {
    eventually("the request to be in flight", || (proxy.in_flight("main") == 1).then_some(()));
}

/// One document behind a gate, and one of which only half ever comes.
fn slow_upstream() -> (Upstream, Gate) {
    let (upstream, gate) = (Upstream::start(), Gate::default());
    upstream.on("/users/ada/documents/slow", Reply::new(200).body("ok").behind(&gate));
    upstream.on("/users/ada/documents/half", Reply::new(200).body("half of it").fails(Fault::StallInBody));
    (upstream, gate)
}

#[test]
fn a_client_that_hangs_up_leaves_one_record_and_nothing_else() {
    let (upstream, gate) = slow_upstream();
    let proxy = setup(&upstream).policy("main", &policy::example()).start();
    let token = Token::of("ada", "editor").mint();
    let address = proxy.address("main");
    let get = |name: &str| Request::get(format!("/users/ada/documents/{name}")).bearer(&token);
    let files = proxy.open_files();

    // In the head: there is no request to decide yet, and Envoy's line has no record.
    let mut client = Client::new(address);
    let whole = get("7").bytes();
    client.begin_with(&whole[..whole.len() - 5]).unwrap();
    in_flight(&proxy);
    drop(client);
    assert_eq!(settled(&proxy, "main", 1).len(), 0, "hung up in the head");

    let put = |token: &str| {
        let head = Request::new("PUT", "/users/ada/documents/7").bearer(token);
        head.header("content-length", "1000").bytes()
    };
    let mut client = Client::new(address);
    client.begin_with(&[put(&token), b"a piece".to_vec()].concat()).unwrap();
    in_flight(&proxy);
    drop(client);
    let records = settled(&proxy, "main", 2);
    assert_eq!(records[0].text("decision"), "allow", "hung up in the body");

    // Refused before its body is there: the rest does not matter.
    let mut client = Client::new(address);
    client.begin_with(&[put("a.b.c"), b"a piece".to_vec()].concat()).unwrap();
    let refused = client.finish("PUT", b"").unwrap();
    assert_eq!(refused.status, 401, "refused in the body");
    drop(client);
    let records = settled(&proxy, "main", 3);
    assert_eq!(records[1].text("status"), "401", "refused in the body");

    let mut client = Client::new(address);
    client.begin(&get("slow")).unwrap();
    eventually("the request at the service", || upstream.take().pop());
    drop(client);
    let records = settled(&proxy, "main", 4);
    assert_eq!(records[2].text("decision"), "allow", "hung up before the answer");
    gate.open();

    let mut client = Client::new(address);
    client.begin(&get("half")).unwrap();
    let mut first = [0; 1];
    client.peek(&mut first).unwrap();
    drop(client);
    let records = settled(&proxy, "main", 5);
    assert_eq!(records[3].text("status"), "200", "hung up in the answer");
    for record in &records {
        assert_eq!(record.names().iter().filter(|name| **name == "decision").count(), 1, "{}", record.line);
    }
    // Connections to the service are kept, a few; those of clients that are gone are not.
    eventually("connections to be closed", || (proxy.open_files() <= files + 4).then_some(()));
    assert_eq!(Client::new(address).send(&get("7")).status, 200, "and the next is served");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

/// In HTTP/2 a client takes back a request and keeps the connection.
#[test]
fn a_request_that_is_taken_back_leaves_one_record_and_nothing_else() {
    let (upstream, gate) = slow_upstream();
    let proxy = setup(&upstream).policy("main", &policy::example()).start();
    let token = Token::of("ada", "editor").mint();
    let get = |name: &str| Request::get(format!("/users/ada/documents/{name}")).bearer(&token).fields();
    let put = |token: &str| Request::new("PUT", "/users/ada/documents/7").bearer(token).fields();
    let mut connection = proxy.client("main").connection().unwrap();

    let id = connection.begin(&put(&token), false).unwrap();
    connection.data(id, b"a piece", false).unwrap();
    in_flight(&proxy);
    connection.reset(id).unwrap();
    assert_eq!(settled(&proxy, "main", 1)[0].text("decision"), "allow", "in the body");

    let id = connection.begin(&put("a.b.c"), false).unwrap();
    connection.data(id, b"a piece", false).unwrap();
    assert_eq!(connection.answer(id).unwrap().status, 401, "refused in the body");
    assert_eq!(settled(&proxy, "main", 2)[1].text("status"), "401", "refused in the body");

    let id = connection.begin(&get("slow"), true).unwrap();
    eventually("the request at the service", || upstream.take().pop());
    connection.reset(id).unwrap();
    assert_eq!(settled(&proxy, "main", 3)[2].text("decision"), "allow", "before the answer");
    gate.open();

    let id = connection.begin(&get("half"), true).unwrap();
    assert_eq!(connection.answer_head(id).unwrap().status, 200);
    connection.reset(id).unwrap();
    let records = settled(&proxy, "main", 4);
    assert_eq!(records[3].text("status"), "200", "in the answer");

    let id = connection.begin(&get("7"), true).unwrap();
    assert_eq!(connection.answer(id).unwrap().status, 200, "and the next is served");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}

#[test]
fn requests_sent_without_waiting_are_each_decided() {
    let upstream = Upstream::start();
    let proxy = setup(&upstream).policy("main", &policy::example()).start();
    let document = |user: &str| Request::get(format!("/users/{user}/documents/7"));
    let of = |user: &str| document(user).bearer(&Token::of(user, "editor").mint());
    // What is known of one caller would show in the next one's record.
    let users = ["ada", "bob", "ada", "eve", "bob", "ada"];
    let mut client = proxy.client("main");
    client.begin_with(&users.iter().flat_map(|user| of(user).bytes()).collect::<Vec<_>>()).unwrap();
    let statuses: Vec<_> = users.iter().map(|_| client.finish("GET", b"").unwrap().status).collect();
    assert_eq!(statuses, [200; 6]);
    let records = settled(&proxy, "main", users.len());
    assert_eq!(records.iter().map(|record| record.text("user_id")).collect::<Vec<_>>(), users);
    let seen: Vec<_> = upstream.take().iter().flat_map(|seen| seen.headers.all("x-user-id")).collect();
    assert_eq!(seen, users, "identities at the service");

    // Envoy closes a connection that it answered itself while more was waiting on it. What was not yet decided of
    // that has a line without a record.
    let sent = [of("ada"), document("ada"), document("bob"), of("bob")];
    let mut client = proxy.client("main");
    client.begin_with(&sent.iter().flat_map(Request::bytes).collect::<Vec<_>>()).unwrap();
    let answers = sent.iter().map_while(|_| client.finish("GET", b"").ok());
    let statuses: Vec<_> = answers.map(|response| response.status).collect();
    assert!(statuses.len() >= 2 && [200, 401, 401, 200].starts_with(&statuses), "{statuses:?}");
    eventually("the end of every request", || (proxy.in_flight("main") == 0).then_some(()));
    let lines = proxy.log_lines("main");
    let lines = lines[users.len()..].iter().filter(|line| *line != "-");
    let decided: Vec<_> = lines.map(|line| Record::parse(line).text("decision")).collect();
    assert!(decided.len() >= statuses.len(), "a record for each answer: {decided:?}");
    assert!(["allow", "deny", "deny", "allow"].map(str::to_owned).starts_with(&decided), "{decided:?}");
    let anonymous = upstream.take().into_iter().filter(|seen| !seen.headers.has("x-user-id")).count();
    assert_eq!(anonymous, 0, "nothing that was refused reached the service");
}

/// Envoy has the limits; what it says then goes out with our headers where there is a request.
#[test]
fn a_client_that_dribbles_is_cut_off() {
    let upstream = Upstream::start();
    let slow = json!({"request_headers_timeout": "0.3s", "request_timeout": "0.6s"});
    let proxy = setup(&upstream).policy("main", &policy::example()).manager(&slow).start();
    let token = Token::of("ada", "editor").mint();
    let put = Request::new("PUT", "/users/ada/documents/7").bearer(&token).header("content-length", "1000").bytes();
    for (place, sent, records) in [("in the head", &put[..40], 0), ("in the body", &put[..], 1)] {
        let mut client = proxy.client("main");
        client.begin_with(sent).unwrap();
        let answer = client.finish("PUT", b"").unwrap();
        assert_eq!(answer.status, 408, "{place}");
        assert_eq!(settled(&proxy, "main", records + 1).len(), records, "{place}");
    }
    assert_eq!(settled(&proxy, "main", 2)[0].text("status"), "408");
    assert!(proxy.vm_failures().is_empty(), "{:?}", proxy.vm_failures());
}
