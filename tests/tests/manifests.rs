//! The configurations that ship with the project, read by what they are for.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::paths;
use crate::harness::token::SECRET;
use crate::harness::tool::{portcullis, python};

#[test]
fn envoy_takes_its_configuration() {
    // So that the module it names is there, whatever is looked at first.
    paths::module();
    let checked = Command::new(paths::envoy())
        .current_dir(paths::root())
        .args([
            "--mode",
            "validate",
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--config-path",
            "envoy/envoy.yaml",
        ])
        .env("SECRET_KEY", SECRET)
        .output()
        .unwrap();
    assert!(
        checked.status.success(),
        "envoy/envoy.yaml: {}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}

#[test]
fn the_policy_shipped_with_it_has_no_fault() {
    let policy = paths::root().join("envoy/policy.yaml");
    let said = portcullis(&["policy", "check", policy.to_str().unwrap()], "", &[("SECRET_KEY", SECRET)]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

/// What `policy render` is asked for in the examples of `envoy/`.
const ISTIO: [&str; 10] = [
    "--for",
    "istio",
    "--namespace",
    "istio-system",
    "--selector",
    "istio=ingressgateway",
    "--url",
    "oci://registry.example.com/portcullis:0.1.0",
    "--sha256",
    "0000000000000000000000000000000000000000000000000000000000000000",
];
const ENVOY_GATEWAY: [&str; 6] =
    ["--for", "envoy-gateway", "--gateway", "edge", "--url", "registry.example.com/portcullis:0.1.0"];

#[track_caller]
fn render(policy: &Path, options: &[&str]) -> String {
    let arguments = [&["policy", "render", policy.to_str().unwrap()], options].concat();
    let said = portcullis(&arguments, "", &[("SECRET_KEY", SECRET)]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    said.out
}

/// YAML as the JSON that kubectl and Envoy make of it.
fn json_of(yaml: &str) -> Value {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin), default=str))";
    serde_json::from_str(&python(script, yaml)).unwrap()
}

fn example() -> PathBuf {
    paths::root().join("envoy/policy.yaml")
}

#[test]
fn the_examples_are_what_the_command_makes() {
    for (file, options) in [("envoy/istio.yaml", &ISTIO[..]), ("envoy/envoy-gateway.yaml", &ENVOY_GATEWAY)] {
        let shipped = std::fs::read_to_string(paths::root().join(file)).unwrap();
        let made = render(&example(), options);
        assert!(shipped == made, "{file} is not what `portcullis policy render envoy/policy.yaml {options:?}` prints");
    }
}

/// A structural schema of Kubernetes, with the fields that it does not name refused: an API server drops them in silence.
fn strict(mut schema: Value) -> Value {
    let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
    if let Some(object) = schema.as_object_mut() {
        if let Some(Value::Object(properties)) = object.get_mut("properties") {
            properties.values_mut().for_each(|property| *property = strict(property.take()));
            if !open {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        if let Some(items) = object.get_mut("items") {
            *items = strict(items.take());
        }
        object.retain(|name, _| !name.starts_with("x-kubernetes") && name != "format");
    }
    schema
}

#[test]
fn manifests_are_what_their_definitions_ask_for() {
    let Some(fixtures) = paths::fixtures() else { return };
    let policy = json_of(&std::fs::read_to_string(example()).unwrap());
    for (definition, options, place) in [
        ("wasmplugins.extensions.istio.io.yaml", &ISTIO[..], "/spec/pluginConfig"),
        ("envoyextensionpolicies.gateway.envoyproxy.io.yaml", &ENVOY_GATEWAY, "/spec/wasm/0/config"),
    ] {
        let definition = json_of(&std::fs::read_to_string(fixtures.join("crds").join(definition)).unwrap());
        let manifest = json_of(&render(&example(), options));
        let version = manifest["apiVersion"].as_str().unwrap().split_once('/').unwrap();
        assert_eq!(version.0, definition["spec"]["group"]);
        assert_eq!(manifest["kind"], definition["spec"]["names"]["kind"]);
        let versions = definition["spec"]["versions"].as_array().unwrap();
        let served = versions.iter().find(|served| served["name"] == version.1).unwrap();
        let schema = strict(served["schema"]["openAPIV3Schema"]["properties"]["spec"].clone());
        assert_eq!(manifest.pointer(place), Some(&policy), "the policy, whole");
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("spec.json", schema).unwrap();
        let compiled = compiler.compile("spec.json", &mut schemas).unwrap();
        if let Err(error) = schemas.validate(&manifest["spec"], compiled) {
            panic!("{}: {error:#}", version.0);
        }
        let mut wrong = manifest["spec"].clone();
        wrong["failstrategy"] = json!("FAIL_OPEN");
        assert!(schemas.validate(&wrong, compiled).is_err(), "a field that is not known would be seen");
    }
}

/// Words that YAML 1.1, which Kubernetes reads, and Envoy's own reader take for something else than a policy does.
#[test]
fn a_policy_means_the_same_wherever_it_goes() {
    let example = std::fs::read_to_string(example()).unwrap();
    let text = example.replace("audit:\n", "audit:\n  sample: 0.5\n") + "stat_prefix: on # kept\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, text).unwrap();
    let istio = render(&file, &ISTIO);
    assert!(istio.contains("# kept"), "comments go in");
    let envoy = json_of(&render(&file, &["--for", "envoy"]));
    let configuration = &envoy[0]["typed_config"]["config"]["configuration"];
    assert_eq!(configuration["@type"], "type.googleapis.com/google.protobuf.StringValue");
    let in_envoy: Value = serde_json::from_str(configuration["value"].as_str().unwrap()).unwrap();
    for (place, policy) in [("Istio", &json_of(&istio)["spec"]["pluginConfig"]), ("Envoy", &in_envoy)] {
        assert_eq!((&policy["audit"]["sample"], &policy["stat_prefix"]), (&json!(0.5), &json!("on")), "{place}");
    }
}

/// The HTTP filter in a listener of its own, as people would put it there.
#[test]
fn envoy_takes_what_is_rendered_for_it() {
    let module = paths::module();
    let filters = json_of(&render(&example(), &["--for", "envoy", "--module", module.to_str().unwrap()]));
    let mut filters = filters.as_array().unwrap().clone();
    filters.push(json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
    }}));
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "main",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "direct_response": {"status": 200}},
        ]}]},
        "http_filters": filters,
    });
    let bootstrap = json!({"static_resources": {"listeners": [{
        "name": "main",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
        ]}],
    }]}});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("envoy.json");
    std::fs::write(&file, bootstrap.to_string()).unwrap();
    let checked = validate(&file, true);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    // The module itself reads the policy: without its secret it refuses it.
    assert!(!validate(&file, false).status.success(), "a policy without its secret was taken");
}

fn validate(bootstrap: &Path, secret: bool) -> Output {
    let mut envoy = Command::new(paths::envoy());
    envoy.args(["--mode", "validate", "--disable-hot-restart", "--log-level", "warning", "--config-path"]);
    envoy.arg(bootstrap).env_remove("SECRET_KEY");
    if secret {
        envoy.env("SECRET_KEY", SECRET);
    }
    envoy.output().unwrap()
}
