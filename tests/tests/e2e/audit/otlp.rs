//! Records over OpenTelemetry, as `docs/audit.md` has it, into a receiver that is not ours.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::chain::{chained, with_key};
use crate::harness::chain::follow;
use crate::harness::client::Request;
use crate::harness::upstream::Upstream;
use crate::harness::{eventually, paths, policy};

/// A receiver in a process of its own, until the test ends.
struct Receiver {
    child: Child,
    port: u16,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may be gone already; either way nothing is left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Receiver {
    fn start() -> Self {
        let script = paths::root().join("tests/otlp_receiver.py");
        let mut command = Command::new(paths::python());
        let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        output.read_line(&mut port).unwrap();
        let port = port.trim().parse().expect("the receiver says its port; its packages are in tests/requirements.txt");
        let lines = Arc::<Mutex<Vec<Value>>>::default();
        let received = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                received.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, port, lines }
    }

    fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }
}

/// The example of the page: access loggers, and the cluster they send to.
fn example() -> (Value, Value) {
    let code = r#"
import json, pathlib, re, sys, yaml
fences = re.findall(r"```yaml\n(.*?)```", pathlib.Path(sys.argv[1]).read_text(), re.DOTALL)
print(json.dumps(next(yaml.safe_load(fence) for fence in fences if "OpenTelemetryAccessLogConfig" in fence)))
"#;
    let page = paths::root().join("docs/audit.md");
    let done = Command::new(paths::python()).args(["-c", code]).arg(page).output().unwrap();
    let example: Value = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&done.stderr)));
    // The proxy of a test has one cluster whose fields can be chosen.
    let loggers = example["access_log"].to_string().replace(r#""cluster_name":"otlp""#, r#""cluster_name":"upstream""#);
    let protocol = example["clusters"][0]["typed_extension_protocol_options"].clone();
    (serde_json::from_str(&loggers).unwrap(), json!({"typed_extension_protocol_options": protocol}))
}

#[test]
fn records_reach_an_otlp_receiver_whole() {
    const REQUESTS: usize = 50;
    let receiver = Receiver::start();
    let upstream = Upstream::at(([127, 0, 0, 1], receiver.port).into());
    let (loggers, cluster) = example();
    let mut policy = policy::with_routes(json!([
        {"name": "direct", "match": {"path": "/direct/{*rest}"}, "access": "public"},
    ]));
    policy["audit"] = chained(&json!(["access_log"]));
    let proxy = with_key(&upstream)
        .cluster_fields(&cluster)
        .policy("main", &policy)
        .manager(&json!({"access_log": loggers}))
        .start();
    let mut client = proxy.client("main");
    for request in 0..REQUESTS {
        let (path, status) = if request % 2 == 0 { ("/direct/x", 203) } else { ("/nowhere", 401) };
        assert_eq!(client.send(&Request::get(path)).status, status);
    }
    let lines =
        eventually("every record at the receiver", || Some(receiver.lines()).filter(|lines| lines.len() >= REQUESTS));
    assert!(lines.iter().all(|line| line["service"] == "portcullis"), "{:?}", lines.first());
    let bodies: Vec<String> = lines.iter().map(|line| line["body"].as_str().unwrap().to_owned()).collect();
    let ids: BTreeSet<String> = bodies
        .iter()
        .map(|body| serde_json::from_str::<Value>(body).unwrap()["request_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((bodies.len(), ids.len()), (REQUESTS, REQUESTS), "each once");
    let chains = follow(&bodies);
    assert_eq!(chains.values().map(|chain| chain.macs.len()).sum::<usize>(), REQUESTS, "no byte of them changed");
}
