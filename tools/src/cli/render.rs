//! Options of `portcullis policy render`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What `policy render` says at length.
pub const ABOUT: &str = "\
Print the manifest that loads the filter with a policy: an HTTP filter of Envoy, a WasmPlugin of Istio, or an \
EnvoyExtensionPolicy of Envoy Gateway. The policy goes in as it stands, comments included, after it was checked.

The environment variables that the policy names for its secrets are handed to the filter; the manifest holds no secret. \
Where the module is loaded from somewhere else, a digest pins it: --wasm FILE for a module from https://, --sha256 for an \
image, which is compared by its own digest.";

/// Examples of `policy render`.
pub const EXAMPLES: &str = "\
Examples:
  For Envoy, with the module beside its configuration:
    portcullis policy render policy.yaml --for envoy \\
      --module /etc/envoy/portcullis.wasm

  For Istio's ingress gateway, pinned to an image:
    portcullis policy render policy.yaml --for istio \\
      --namespace istio-system --selector istio=ingressgateway \\
      --url oci://registry.example.com/portcullis:0.1.0 \\
      --sha256 \"$digest\" > wasmplugin.yaml

  For a Gateway of Envoy Gateway:
    portcullis policy render policy.yaml --for envoy-gateway --gateway edge \\
      --url registry.example.com/portcullis:0.1.0 > extension.yaml";

/// Options of `policy render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The policy, in YAML or JSON; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What loads the filter.
    #[arg(long = "for", value_enum, value_name = "HOST")]
    pub target: Target,
    /// Where Envoy finds the module in its own file system.
    #[arg(long, value_name = "PATH", default_value = "/etc/envoy/portcullis.wasm", conflicts_with = "url")]
    pub module: String,
    /// Where Istio or Envoy Gateway gets the module: `oci://…`, `https://…`, or the bare name of an image.
    #[arg(long, value_name = "URL", required_if_eq_any = [("target", "istio"), ("target", "envoy-gateway")])]
    pub url: Option<String>,
    /// The module itself, to pin the manifest to its SHA-256 digest; not for images.
    #[arg(long, value_name = "FILE", conflicts_with = "sha256")]
    pub wasm: Option<PathBuf>,
    /// The SHA-256 digest to pin the manifest to, in hexadecimal: of an image, its own, as `make image` prints it.
    #[arg(long, value_name = "HEX", value_parser = parse_sha256)]
    pub sha256: Option<String>,
    /// The name of the filter and of the resource.
    #[arg(long, default_value = "portcullis", value_parser = parse_name)]
    pub name: String,
    /// The namespace of the resource.
    #[arg(long, value_parser = parse_name)]
    pub namespace: Option<String>,
    /// A label of the workloads that Istio puts the filter into. Can be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_label, conflicts_with = "gateway")]
    pub selector: Vec<(String, String)>,
    /// The Gateway (gateway.networking.k8s.io) that the filter is for.
    #[arg(long, value_name = "NAME", value_parser = parse_name, required_if_eq("target", "envoy-gateway"))]
    pub gateway: Option<String>,
}

/// What a manifest is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Envoy: an entry of `http_filters`.
    Envoy,
    /// Istio: a WasmPlugin.
    Istio,
    /// Envoy Gateway: an EnvoyExtensionPolicy.
    EnvoyGateway,
}

fn parse_sha256(text: &str) -> Result<String, String> {
    let fits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase()).ok_or_else(|| "expected 64 hexadecimal digits".to_owned())
}

/// A name of Kubernetes (RFC 1123 subdomain).
fn parse_name(text: &str) -> Result<String, String> {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = text.len() <= 253
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'-' | b'.'))
        && text.bytes().next().is_some_and(word)
        && text.bytes().last().is_some_and(word);
    fits.then(|| text.to_owned()).ok_or_else(|| "expected lower-case letters, digits, `-` and `.`".to_owned())
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    let fits = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
    };
    match text.split_once('=') {
        Some((name, value)) if fits(name) && fits(value) => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as `istio=ingressgateway`".to_owned()),
    }
}
