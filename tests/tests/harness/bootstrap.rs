//! Envoy's configuration, as the JSON it takes for YAML.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::tls::Certificate;

/// How a policy is put into Envoy's configuration.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Form {
    /// JSON text in a `StringValue`, as Istio sends it.
    #[default]
    Text,
    /// A `Struct`, as people write it in `envoy.yaml`.
    Struct,
}

/// How the listeners reach Envoy.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Delivery {
    /// In the bootstrap.
    #[default]
    Static,
    /// In a watched file of listeners.
    Lds,
    /// The filter alone in a watched file, as Istio's extension config is delivered.
    Ecds,
}

/// What one listener is made of.
#[derive(Clone, Debug)]
pub struct Listener {
    pub name: String,
    /// `None` leaves the filter out.
    pub policy: Option<String>,
    pub form: Form,
    /// Fields of the connection manager in the place of those made here, `http_filters` without the router.
    pub manager: Option<Value>,
}

/// What every listener of one Envoy shares.
pub struct Shape<'a> {
    pub folder: &'a Path,
    pub module: Option<&'a Path>,
    pub upstream: SocketAddr,
    pub clusters: &'a [(String, SocketAddr)],
    pub delivery: Delivery,
    pub normalize: bool,
    pub stop_iteration: bool,
    pub request_timeout: Option<&'static str>,
    pub environment: &'a [(String, String)],
    pub host_environment: &'a [(String, String)],
    /// What the module may call and be called for; `None` leaves it everything.
    pub capabilities: Option<&'a [String]>,
    /// Fields of the upstream's cluster beside those made here.
    pub cluster_fields: &'a Value,
    /// What every listener shows its clients; `None` leaves TLS out.
    pub certificate: Option<&'a Certificate>,
}

impl Shape<'_> {
    pub fn bootstrap(&self, listeners: &[Listener]) -> Value {
        let mut config = json!({
            "admin": {"address": socket("127.0.0.1:0".parse().unwrap())},
            "node": {"id": "test", "cluster": "test"},
            // The filter's counters carry their labels in their names, for Envoy to take out.
            "stats_config": {"stats_tags": stats_tags()},
            "static_resources": {"clusters": [cluster("upstream", self.upstream)]},
        });
        let clusters = config["static_resources"]["clusters"].as_array_mut().unwrap();
        if let Some(fields) = self.cluster_fields.as_object() {
            clusters[0].as_object_mut().unwrap().extend(fields.clone());
        }
        clusters.extend(self.clusters.iter().map(|(name, address)| cluster(name, *address)));
        if self.delivery == Delivery::Lds {
            config["dynamic_resources"] = json!({"lds_config": watched(&self.lds_path())});
        } else {
            config["static_resources"]["listeners"] = self.listeners(listeners);
        }
        config
    }

    /// The file of listeners that `Delivery::Lds` watches.
    pub fn lds(&self, listeners: &[Listener]) -> Value {
        let Value::Array(mut resources) = self.listeners(listeners) else { return Value::Null };
        for listener in &mut resources {
            listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        }
        json!({"resources": resources})
    }

    /// The file of one filter that `Delivery::Ecds` watches.
    pub fn ecds(&self, listener: &Listener) -> Value {
        json!({"resources": [{
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": extension_name(listener),
            "typed_config": self.wasm(listener),
        }]})
    }

    pub fn lds_path(&self) -> std::path::PathBuf {
        self.folder.join("lds.json")
    }

    pub fn ecds_path(&self, listener: &Listener) -> std::path::PathBuf {
        self.folder.join(format!("ecds-{}.json", listener.name))
    }

    /// Where `listener`'s access log, the audit records, is written.
    pub fn access_log(&self, listener: &str) -> std::path::PathBuf {
        self.folder.join(format!("audit-{listener}.log"))
    }

    fn listeners(&self, listeners: &[Listener]) -> Value {
        listeners.iter().map(|listener| self.listener(listener)).collect()
    }

    fn listener(&self, listener: &Listener) -> Value {
        let mut chain = json!({"filters": [{
            "name": "http",
            "typed_config": self.connection_manager(listener),
        }]});
        if let Some(certificate) = self.certificate {
            chain["transport_socket"] = tls(certificate);
        }
        json!({
            "name": listener.name,
            "address": socket("127.0.0.1:0".parse().unwrap()),
            "filter_chains": [chain],
        })
    }

    fn connection_manager(&self, listener: &Listener) -> Value {
        let mut filters = Vec::new();
        if listener.policy.is_some() {
            filters.push(self.filter(listener));
        }
        let mut other = listener.manager.clone().unwrap_or_else(|| json!({}));
        if let Some(Value::Array(given)) = other.as_object_mut().unwrap().remove("http_filters") {
            filters.extend(given);
        }
        filters.push(json!({"name": "router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        }}));
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": listener.name,
            "server_header_transformation": "PASS_THROUGH",
            // As at the edge: the peer is the client, whatever its headers say.
            "use_remote_address": true,
            // Room for what the tests send on purpose; Envoy's own limits answer before the filter does.
            "max_request_headers_kb": 128,
            "common_http_protocol_options": {"max_headers_count": 300},
            "access_log": [{"name": "audit", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": self.access_log(&listener.name),
                "log_format": {"text_format_source": {
                    "inline_string": "%FILTER_STATE(wasm.portcullis.audit:PLAIN)%\n",
                }},
            }}],
            "route_config": {"virtual_hosts": [{
                "name": "all", "domains": ["*"],
                "routes": [
                    {"match": {"prefix": "/direct/"}, "direct_response": {"status": 203}},
                    {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
                ],
            }]},
            "http_filters": filters,
        });
        // Off unless asked for: the filter's own normalisation is what is under test.
        if let Some(timeout) = self.request_timeout {
            manager["request_timeout"] = json!(timeout);
        }
        if self.normalize {
            manager["normalize_path"] = json!(true);
            manager["merge_slashes"] = json!(true);
            manager["path_with_escaped_slashes_action"] = json!("REJECT_REQUEST");
        } else {
            manager["normalize_path"] = json!(false);
        }
        manager.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        manager
    }

    fn filter(&self, listener: &Listener) -> Value {
        if self.delivery == Delivery::Ecds {
            return json!({"name": extension_name(listener), "config_discovery": {
                "config_source": watched(&self.ecds_path(listener)),
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            }});
        }
        json!({"name": "portcullis", "typed_config": self.wasm(listener)})
    }

    fn wasm(&self, listener: &Listener) -> Value {
        let policy = listener.policy.as_deref().unwrap_or_default();
        let configuration = match listener.form {
            Form::Text => json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": policy}),
            Form::Struct => json!({
                "@type": "type.googleapis.com/google.protobuf.Struct",
                "value": serde_json::from_str::<Value>(policy).unwrap(),
            }),
        };
        let values: serde_json::Map<_, _> =
            self.environment.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let host: Vec<_> = self.host_environment.iter().map(|(name, _)| name).collect();
        let mut wasm = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "portcullis",
                "root_id": "portcullis",
                "failure_policy": "FAIL_RELOAD",
                "configuration": configuration,
                "vm_config": {
                    "vm_id": "portcullis",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": self.module}},
                    "environment_variables": {"key_values": values, "host_env_keys": host},
                },
            },
        });
        if self.stop_iteration {
            wasm["config"]["allow_on_headers_stop_iteration"] = json!(true);
        }
        if let Some(capabilities) = self.capabilities {
            let allowed: serde_json::Map<_, _> = capabilities.iter().map(|name| (name.clone(), json!({}))).collect();
            wasm["config"]["capability_restriction_config"] = json!({"allowed_capabilities": allowed});
        }
        wasm
    }
}

/// HTTP/2 to clients that speak it, as browsers do.
fn tls(certificate: &Certificate) -> Value {
    json!({"name": "tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": [{
                "certificate_chain": {"filename": certificate.chain()},
                "private_key": {"filename": certificate.key()},
            }],
        },
    }})
}

/// Those of `envoy/envoy.yaml`, so that what its users see is what is tested.
fn stats_tags() -> Vec<Value> {
    let path = super::paths::root().join("envoy/envoy.yaml");
    let config = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, block) = config.split_once("  stats_tags:\n").expect("stats_tags in envoy.yaml");
    let (block, _) = block.split_once("\n\n").unwrap_or((block, ""));
    let lines: Vec<_> = block.lines().map(str::trim).collect();
    let tag = |pair: &[&str]| match pair {
        [name, regex] => json!({
            "tag_name": name.strip_prefix("- tag_name: ").expect("a name"),
            "regex": regex.strip_prefix("regex: '").and_then(|regex| regex.strip_suffix('\'')).expect("a regex"),
        }),
        _ => panic!("a tag of envoy.yaml is a name and a regex: {pair:?}"),
    };
    lines.chunks(2).map(tag).collect()
}

fn extension_name(listener: &Listener) -> String {
    format!("portcullis-{}", listener.name)
}

fn watched(path: &Path) -> Value {
    json!({
        "path_config_source": {"path": path, "watched_directory": {"path": path.parent()}},
        "resource_api_version": "V3",
    })
}

fn cluster(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": socket(address)}}]},
        ]},
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}
