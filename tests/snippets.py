"""What the YAML on a page is a part of, and whether it is good there."""

import json
import os
import pathlib
import ssl
import subprocess
import tempfile

import pages
import policy_reference
import yaml

# Parts of an Envoy bootstrap, and where they belong.
MANAGER = {"access_log", "http_filters", "route_config"}
BOOTSTRAP = {"stats_config"}
RESOURCES = {"clusters"}
# Elsewhere the certificates are elsewhere.
DEBIAN_CA = "/etc/ssl/certs/ca-certificates.crt"

# The fields of Istio's resources that the pages use (istio/api: security/v1, networking/v1); `[]` is within a list.
ISTIO = {
    "RequestAuthentication": {
        "spec.selector.matchLabels.istio", "spec.jwtRules[].issuer", "spec.jwtRules[].audiences[]",
        "spec.jwtRules[].jwksUri", "spec.jwtRules[].outputClaimToHeaders[].header",
        "spec.jwtRules[].outputClaimToHeaders[].claim",
    },
    "AuthorizationPolicy": {
        "spec.selector.matchLabels.istio", "spec.action", "spec.rules[].from[].source.requestPrincipals[]",
        "spec.rules[].from[].source.remoteIpBlocks[]", "spec.rules[].to[].operation.paths[]",
        "spec.rules[].to[].operation.methods[]", "spec.rules[].when[].key", "spec.rules[].when[].values[]",
    },
    "VirtualService": {
        "spec.hosts[]", "spec.gateways[]", "spec.http[].route[].destination.host",
        "spec.http[].corsPolicy.allowOrigins[].exact", "spec.http[].corsPolicy.allowMethods[]",
        "spec.http[].corsPolicy.allowHeaders[]", "spec.http[].corsPolicy.allowCredentials",
        "spec.http[].corsPolicy.maxAge",
    },
}

SCHEMA = json.loads(policy_reference.SCHEMA.read_text())


def check(fence: pages.Fence, documents: list, policy: dict | None) -> None:
    """Fails unless a rule covers the block and finds it good. `policy` is the last whole one before it."""
    first = documents[0]
    if fence.page == policy_reference.TARGET:
        # Whether each is good where it stands, tools/src/command/policy/tests.rs asks the schema.
        return
    if isinstance(first, dict) and "apiVersion" in first:
        for document in documents:
            check_resource(document)
        return
    if len(documents) != 1:
        raise AssertionError("no rule covers several documents")
    match first:
        case dict() if first.keys() <= SCHEMA["properties"].keys():
            check_policy(first if "routes" in first else {**base(), **first})
        case dict() if first.keys() <= properties("provider"):
            check_policy({**base(), "providers": [{**without_keys(base()["providers"][0], first), **first}]})
        case dict() if first.keys() <= properties("route"):
            [route] = base()["routes"]
            check_policy({**base(), "routes": [{**route, **first}]})
        case dict() if first.keys() <= MANAGER | BOOTSTRAP | RESOURCES:
            check_envoy(first)
        case {"cases": _}:
            assert policy is not None, "no policy stands before these cases"
            check_cases(fence.text, policy)
        case [{"run": command}]:
            found = list(pages.mistakes(pages.Fence(fence.page, fence.line, "sh", command), set()))
            assert not found, found
        case _:
            raise AssertionError("no rule covers this: say in tests/snippets.py what it is a part of")


def properties(name: str) -> set[str]:
    return set(SCHEMA["$defs"][name]["properties"])


def base() -> dict:
    """A policy that is good, for a part of one to stand in."""
    return {
        "version": "v1",
        "providers": [{
            "name": "local", "audiences": ["a"], "allowed_algorithms": ["HS256"],
            "keys": [{"algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}],
        }],
        "routes": [{"name": "all", "match": {"path": "/{*rest}"}, "access": "authenticated"}],
    }


def without_keys(provider: dict, part: dict) -> dict:
    """A provider has its keys in one place only."""
    places = {"keys", "local_jwks", "remote_jwks"}
    return {name: value for name, value in provider.items() if name not in places} if places & part.keys() else provider


def check_policy(policy: dict) -> None:
    said(["policy", "check", "-"], yaml.safe_dump(policy, sort_keys=False))


def check_cases(text: str, policy: dict) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "cases.yaml"
        file.write_text(text)
        said(["policy", "test", "-", str(file)], yaml.safe_dump(policy, sort_keys=False))


def said(arguments: list[str], stdin: str) -> None:
    done = subprocess.run([pages.COMMAND, *arguments], input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def check_resource(document: dict) -> None:
    # A whole Envoy bootstrap, or a part to be merged into one, as text.
    match document:
        case {"kind": "ConfigMap", "data": {"custom_bootstrap.json": text, **others}} if not others:
            return check_envoy(yaml.safe_load(text))
        case {"kind": "EnvoyProxy", "spec": {"bootstrap": {"type": "Merge", "value": text}}}:
            return check_envoy(yaml.safe_load(text))
    used = set(paths_in({"spec": document["spec"]}, ""))
    unknown = used - ISTIO[document["kind"]]
    assert not unknown, f"{document['kind']}: fields that istio/api has not, or that are to be added here: {unknown}"


def paths_in(value: object, place: str) -> list[str]:
    if isinstance(value, dict):
        return [path for name, inner in value.items() for path in paths_in(inner, f"{place}.{name}".lstrip("."))]
    if isinstance(value, list):
        return [path for inner in value for path in paths_in(inner, f"{place}[]")]
    return [place]


def check_envoy(part: dict) -> None:
    """Asks a real Envoy, with the least around it that makes a whole."""
    network = "type.googleapis.com/envoy.extensions.filters.network"
    manager = {
        "@type": f"{network}.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "main",
        "route_config": {"virtual_hosts": []},
        **{name: value for name, value in part.items() if name in MANAGER and name != "http_filters"},
        "http_filters": [*part.get("http_filters", []), {"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
    }
    bootstrap = {
        **{name: value for name, value in part.items() if name in BOOTSTRAP},
        "static_resources": {
            "clusters": [*part.get("clusters", []), {"name": "upstream"}, {"name": "issuer"}],
            "listeners": [{
                "name": "main",
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
            }],
        },
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        text = yaml.safe_dump(bootstrap)
        if not pathlib.Path(DEBIAN_CA).exists():
            text = text.replace(DEBIAN_CA, ssl.get_default_verify_paths().cafile or DEBIAN_CA)
        file.write(text)
        file.flush()
        validate = ["--mode", "validate", "--log-level", "error", "--config-path", file.name]
        done = subprocess.run([os.environ["ENVOY"], *validate], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
