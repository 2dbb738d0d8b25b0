//! `portcullis policy render`: the manifest that loads the filter.
//!
//! YAML nests by indentation, so the policy goes into Kubernetes' manifests as the text it is, comments too, but for what
//! Kubernetes' YAML takes for something else. Envoy's YAML has no fractions and more booleans (`Utility::parseYamlNode`): there
//! the policy is text, in JSON.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use portcullis_engine::Policy;
use portcullis_engine::config::{Node, NodeValue};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cli::{RenderArgs, RenderTarget};
use crate::document::{self, Document};
use crate::exit::{Exit, Failure};
use crate::input;
use crate::terminal::Terminal;
use crate::yaml;

#[cfg(test)]
mod tests;

/// Prints a manifest.
///
/// # Errors
/// The policy is not valid, or something cannot be read.
pub fn run(args: &RenderArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    input::once([Some(args.file.as_path()), args.wasm.as_deref()])?;
    // Istio and Envoy Gateway hold an image's own digest against the manifest's, and never load it where they differ.
    if args.wasm.is_some() && args.url.as_deref().is_some_and(is_image) {
        return Err(Failure::usage("an image is pinned by its own digest, not by that of the module in it")
            .remedy("give the one that `make image` prints with --sha256; --wasm is for modules from https://"));
    }
    let document = Document::read(&args.file)?;
    let judges_bodies = document.policy(terminal)?.judges_bodies();
    let sha256 = match &args.wasm {
        Some(path) => Some(hexadecimal(&Sha256::digest(input::read(path)?))),
        None => args.sha256.clone(),
    };
    let policy = match args.target {
        RenderTarget::Envoy => json_lines(&document)?,
        RenderTarget::Istio | RenderTarget::EnvoyGateway => body(&document)?,
    };
    let manifest = Manifest { args, sha256, secrets: secrets(&document), policy, judges_bodies };
    let text = match args.target {
        RenderTarget::Envoy => manifest.envoy(),
        RenderTarget::Istio => manifest.istio(),
        RenderTarget::EnvoyGateway => manifest.envoy_gateway(),
    };
    terminal.write(text.as_bytes())?;
    if args.target != RenderTarget::Envoy && manifest.sha256.is_none() {
        terminal.note(
            "the module is not pinned; give its digest with --wasm or --sha256, so that nobody can put in another",
        );
    }
    if args.target != RenderTarget::Envoy && judges_bodies {
        terminal.note(
            "the policy judges bodies, for which Envoy needs `allow_on_headers_stop_iteration`; this manifest cannot say \
             so, and without it requests that are to be judged wait until they are given up",
        );
    }
    Ok(Exit::Good)
}

/// Whether a module is pulled from a registry: what has no other scheme is.
fn is_image(url: &str) -> bool {
    !["https://", "http://", "file://"].iter().any(|scheme| url.starts_with(scheme))
}

/// The environment variables that a policy takes secrets from: those it asks for when it is compiled.
fn secrets(document: &Document) -> BTreeSet<String> {
    let asked = RefCell::new(BTreeSet::new());
    if let Ok(node) = &document.node {
        // It was compiled before, and compiles again.
        let _same = Policy::compile(node, &|name: &str| {
            asked.borrow_mut().insert(name.to_owned());
            document::environment(name)
        });
    }
    asked.into_inner()
}

/// The lines of the policy, as they can stand below a key of other YAML.
fn body(document: &Document) -> Result<Vec<String>, Failure> {
    let text = document.lines.join("\n");
    // JSON is YAML but for what it may be indented with, and how it may escape a letter: it is written anew.
    if Node::from_json(text.as_bytes()).is_ok() {
        return json_lines(document);
    }
    let text = yaml::spelled_out(&text).map_err(|error| Failure::invalid(format!("{}: {error}", document.name)))?;
    let lines: Vec<String> =
        text.lines().map(|line| line.trim_end().to_owned()).skip_while(|line| line == "---").collect();
    // Directives and the ends of documents mean something only at the top of a file.
    let structural = |line: &&String| line.starts_with('%') || *line == "---" || *line == "...";
    if let Some(line) = lines.iter().find(structural) {
        return Err(Failure::invalid(format!("{} has the line `{line}`", document.name))
            .remedy("remove it: the policy becomes a part of another document"));
    }
    Ok(lines)
}

/// The lines of the policy in JSON.
fn json_lines(document: &Document) -> Result<Vec<String>, Failure> {
    let node = document.node.as_ref().map_err(|error| Failure::invalid(format!("{}: {error}", document.name)))?;
    let mut text = String::new();
    push_json(node, 0, &mut text);
    Ok(text.split('\n').map(str::to_owned).collect())
}

/// JSON in the policy's own order; lists and mappings of nothing but scalars on one line.
fn push_json(node: &Node, indent: usize, out: &mut String) {
    let is_scalar = |node: &Node| !matches!(node.value, NodeValue::Seq(_) | NodeValue::Map(_));
    match &node.value {
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) => {
            out.push_str(&node.to_canonical_json().to_string());
        }
        NodeValue::String(text) => push_text(text, out),
        NodeValue::Seq(items) => {
            let lines = if items.iter().all(is_scalar) { None } else { Some(indent) };
            push_members(('[', ']'), items, lines, out, push_json);
        }
        NodeValue::Map(members) => {
            let lines = if members.iter().all(|(_, value)| is_scalar(value)) { None } else { Some(indent) };
            push_members(('{', '}'), members, lines, out, |(key, value), indent, out| {
                push_text(&key.name, out);
                out.push_str(": ");
                push_json(value, indent, out);
            });
        }
    }
}

/// A collection on one line, or on a line each, from this indentation on.
fn push_members<T>(
    (opening, closing): (char, char),
    members: &[T],
    lines: Option<usize>,
    out: &mut String,
    mut push: impl FnMut(&T, usize, &mut String),
) {
    let indent = lines.unwrap_or_default().saturating_add(2);
    let between = lines.map_or_else(|| " ".to_owned(), |_| format!("\n{}", " ".repeat(indent)));
    out.push(opening);
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if index > 0 || lines.is_some() {
            out.push_str(&between);
        }
        push(member, indent, out);
    }
    if let Some(indent) = lines {
        out.push('\n');
        out.push_str(&" ".repeat(indent));
    }
    out.push(closing);
}

/// A JSON string, without what YAML breaks lines at or refuses in a block of text.
fn push_text(text: &str, out: &mut String) {
    for letter in json!(text).to_string().chars() {
        if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}') {
            // Writing to a string does not fail.
            let _done = write!(out, "\\u{:04x}", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _done = write!(text, "{byte:02x}");
        text
    })
}

struct Manifest<'a> {
    args: &'a RenderArgs,
    sha256: Option<String>,
    secrets: BTreeSet<String>,
    policy: Vec<String>,
    judges_bodies: bool,
}

impl Manifest<'_> {
    fn envoy(&self) -> String {
        let name = quoted(&self.args.name);
        let mut out = format!(
            "# An entry of `http_filters`, before envoy.filters.http.router.\n\
             - name: {name}\n  \
               typed_config:\n    \
                 \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n    \
                 config:\n      \
                   name: {name}\n      \
                   root_id: {name}\n      \
                   # A request that traps the filter is answered 503, and the filter is started afresh.\n      \
                   failure_policy: FAIL_RELOAD\n      \
                   vm_config:\n        \
                     vm_id: {name}\n        \
                     runtime: envoy.wasm.runtime.v8\n        \
                     code:\n          \
                       local:\n            \
                         filename: {}\n",
            quoted(&self.args.module)
        );
        if !self.secrets.is_empty() {
            out.push_str("        # Taken from Envoy's own environment.\n");
            out.push_str("        environment_variables:\n          host_env_keys:\n");
            self.each_secret(&mut out, |name| format!("            - {name}\n"));
        }
        if self.judges_bodies {
            out.push_str(
                "      # Bodies are judged before their heads go on.\n      allow_on_headers_stop_iteration: true\n",
            );
        }
        out.push_str(
            "      configuration:\n        \
               \"@type\": type.googleapis.com/google.protobuf.StringValue\n        \
               # As text: Envoy's YAML would take some of it for something else.\n        \
               value: |\n",
        );
        self.push_policy(&mut out, 10);
        out
    }

    fn istio(&self) -> String {
        let mut out = self.head("extensions.istio.io/v1alpha1", "WasmPlugin");
        out.push_str("spec:\n");
        if let Some(gateway) = &self.args.gateway {
            self.push_gateway(&mut out, gateway);
        } else if !self.args.selector.is_empty() {
            out.push_str("  selector:\n    matchLabels:\n");
            for (name, value) in &self.args.selector {
                out.push_str(&format!("      {}: {}\n", quoted(name), quoted(value)));
            }
        }
        out.push_str(&format!("  url: {}\n", quoted(self.url())));
        if let Some(sha256) = &self.sha256 {
            out.push_str(&format!("  sha256: {}\n", quoted(sha256)));
        }
        out.push_str(
            "  # Before Istio's own authentication and authorization.\n  \
             phase: AUTHN\n  \
             # A request that traps the filter is answered 503, and the filter is started afresh.\n  \
             failStrategy: FAIL_RELOAD\n",
        );
        if !self.secrets.is_empty() {
            out.push_str("  # Taken from the environment of the proxy's container.\n  vmConfig:\n    env:\n");
            self.each_secret(&mut out, |name| format!("      - name: {name}\n        valueFrom: HOST\n"));
        }
        out.push_str("  pluginConfig:\n");
        self.push_policy(&mut out, 4);
        out
    }

    fn envoy_gateway(&self) -> String {
        let mut out = self.head("gateway.envoyproxy.io/v1alpha1", "EnvoyExtensionPolicy");
        out.push_str("spec:\n");
        self.push_gateway(&mut out, self.args.gateway.as_deref().unwrap_or_default());
        out.push_str(&format!("  wasm:\n    - name: {0}\n      rootID: {0}\n", quoted(&self.args.name)));
        let url = self.url();
        let (kind, source) = if is_image(url) { ("Image", "image") } else { ("HTTP", "http") };
        let url = url.strip_prefix("oci://").unwrap_or(url);
        out.push_str(&format!(
            "      code:\n        type: {kind}\n        {source}:\n          url: {}\n",
            quoted(url)
        ));
        if let Some(sha256) = &self.sha256 {
            out.push_str(&format!("          sha256: {}\n", quoted(sha256)));
        }
        out.push_str("      # Where the filter cannot run, nothing passes.\n      failOpen: false\n");
        if !self.secrets.is_empty() {
            out.push_str(
                "      # Taken from the environment of the proxy's container.\n      env:\n        hostKeys:\n",
            );
            self.each_secret(&mut out, |name| format!("          - {name}\n"));
        }
        out.push_str("      config:\n");
        self.push_policy(&mut out, 8);
        out
    }

    fn head(&self, version: &str, kind: &str) -> String {
        let mut out = format!("apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {}\n", quoted(&self.args.name));
        if let Some(namespace) = &self.args.namespace {
            out.push_str(&format!("  namespace: {}\n", quoted(namespace)));
        }
        out
    }

    fn push_gateway(&self, out: &mut String, gateway: &str) {
        out.push_str("  targetRefs:\n    - group: gateway.networking.k8s.io\n      kind: Gateway\n");
        out.push_str(&format!("      name: {}\n", quoted(gateway)));
    }

    fn url(&self) -> &str {
        self.args.url.as_deref().unwrap_or_default()
    }

    fn each_secret(&self, out: &mut String, line: impl Fn(&str) -> String) {
        for secret in &self.secrets {
            out.push_str(&line(&quoted(secret)));
        }
    }

    fn push_policy(&self, out: &mut String, indent: usize) {
        for line in &self.policy {
            if !line.is_empty() {
                out.push_str(&" ".repeat(indent));
                out.push_str(line);
            }
            out.push('\n');
        }
    }
}

/// A scalar that YAML reads as this text: plain where that is plain, else in double quotes, whose escapes are JSON's.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'/');
    if starts && text.bytes().all(plain) && !yaml::is_mistakable(text) {
        return text.to_owned();
    }
    json!(text).to_string()
}
