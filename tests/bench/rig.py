"""The bench's Envoy: four listeners side by side in one process with one worker.

  0 none     no filter
  1 ours     portcullis.wasm, its audit record through the file access logger
  2 native   cors + jwt_authn + rbac + header_mutation, a JSON access log with the same fields
  3 cached   the same with jwt_cache_config

and, where they are asked for,

  sealed     ours, its records in a chain
  fed        ours, obeying an identity feed
  floor      a module that makes the crossings of ours and decides nothing
"""

import json
import pathlib
import socket
import subprocess
import time
import urllib.request

from tokens import AUDIENCE, HS256, ISSUER

LISTENERS = ["none", "ours", "native", "cached"]
# The crossings of a request that is let through, as filter/examples/floor.rs spells them.
STEPS = "qtamepsr"
# How many signatures the floor has verified in turns: more than the processor learns by heart.
SIGNATURES = 256

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-xss-protection": "1; mode=block",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "accelerometer=(), autoplay=(), camera=(), cross-origin-isolated=(), display-capture=(), "
    "encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), keyboard-map=(), magnetometer=(), microphone=(), "
    "midi=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), sync-xhr=(self), "
    "usb=(), web-share=(), xr-spatial-tracking=(), clipboard-read=(), clipboard-write=(), gamepad=(), hid=(), "
    "idle-detection=(), interest-cohort=(), serial=(), unload=()",
}
IF_ABSENT = {"content-security-policy": "frame-ancestors 'none'"}
CORS = {
    "allow_origins": ["https://app.example.com"],
    "allow_methods": ["GET", "POST", "PUT", "DELETE"],
    "allow_headers": ["Authorization", "Content-Type"],
    "allow_credentials": True,
    "max_age": "10m",
}


def route_paths(count):
    """`count` routes, the one that is asked for in their middle: half of the rules are before it, as on average."""
    paths = [(f"service-{n}", f"/services/service-{n}/items/{{id}}") for n in range(1, count)]
    paths.insert(count // 2, ("documents", "/users/{owner}/documents/{id}"))
    return paths


def policy(routes, key, more):
    return {
        "version": "v1",
        "providers": [{
            "name": "local", "issuer": ISSUER, "audiences": [AUDIENCE], "allowed_algorithms": [key.algorithm],
            **key.provider(),
            "max_lifetime": "24h",
            "roles_from": {"claim": ["role"]},
            "claim_to_headers": [{"claim": ["sub"], "header": "x-user-id"}, {"claim": ["role"], "header": "x-user-role"}],
        }],
        "roles": {"admin": {"read": "any", "write": "any"}, "editor": {"read": "any", "write": "own"},
                  "viewer": {"read": "any", "write": "none"}},
        "routes": [{"name": name, "match": {"path": path}, "access": "role_table",
                    **({"owner": {"param": "owner", "claim": ["sub"]}} if "{owner}" in path else {"owner": {"upstream": True}})}
                   for name, path in route_paths(routes)],
        "cors": CORS,
        **more,
    }


def any_type(name, **fields):
    return {"@type": f"type.googleapis.com/{name}", **fields}


def ours(module, routes, key, more):
    return [{"name": "portcullis", "typed_config": any_type(
        "envoy.extensions.filters.http.wasm.v3.Wasm",
        config={
            "name": "portcullis", "root_id": "portcullis", "failure_policy": "FAIL_RELOAD",
            "vm_config": {"vm_id": "portcullis", "runtime": "envoy.wasm.runtime.v8",
                          "code": {"local": {"filename": str(module)}},
                          "environment_variables": {"key_values": {"SECRET_KEY": HS256.secret, "AUDIT_KEY": HS256.secret}}},
            "configuration": any_type("google.protobuf.StringValue", value=json.dumps(policy(routes, key, more))),
        })}]


def floor(module, steps, key):
    """The crossings of `ours` without its decisions; `steps` are those of filter/examples/floor.rs."""
    signatures = "".join(f" {key.signature_check(number).hex()}" for number in range(SIGNATURES)) if "v" in steps else ""
    return [{"name": "floor", "typed_config": any_type(
        "envoy.extensions.filters.http.wasm.v3.Wasm",
        config={
            "name": "floor", "root_id": "floor", "failure_policy": "FAIL_RELOAD",
            "vm_config": {"vm_id": "floor", "runtime": "envoy.wasm.runtime.v8",
                          "code": {"local": {"filename": str(module)}}},
            "configuration": any_type("google.protobuf.StringValue", value=steps + signatures),
        })}]


def native(routes, cache, key):
    """Envoy's own filters doing the same job, with rules as Istio writes them: one a path."""
    provider = {
        "issuer": ISSUER, "audiences": [AUDIENCE], "local_jwks": {"inline_string": key.jwks()}, "forward": False,
        "require_expiration": True, "max_lifetime": "86400s", "clock_skew_seconds": 30,
        "claim_to_headers": [{"header_name": "x-user-id", "claim_name": "sub"},
                             {"header_name": "x-user-role", "claim_name": "role"}],
        "payload_in_metadata": "payload",
    }
    if cache:
        provider["jwt_cache_config"] = {"jwt_cache_size": 2048}
    def template(path):
        return {"name": "envoy.path.match.uri_template.uri_template_matcher", "typed_config": any_type(
            "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
            path_template=path.replace("{owner}", "*").replace("{id}", "*"))}
    def in_jwt(path):
        # A prefix is the cheapest rule Envoy has; a template only where two parameters need one.
        if "{owner}" in path:
            return {"path_match_policy": template(path)}
        return {"prefix": path.replace("{id}", "")}
    def in_rbac(path):
        if "{owner}" in path:
            return {"uri_template": template(path)}
        return {"url_path": {"path": {"prefix": path.replace("{id}", "")}}}
    paths = route_paths(routes)
    def role(name):
        return {"metadata": {"filter": "envoy.filters.http.jwt_authn", "path": [{"key": "payload"}, {"key": "role"}],
                             "value": {"string_match": {"exact": name}}}}
    def method(*names):
        return {"or_rules": {"rules": [{"header": {"name": ":method", "string_match": {"exact": name}}} for name in names]}}
    read, write = method("GET", "HEAD", "OPTIONS"), method("POST", "PUT", "PATCH", "DELETE")
    policies = {}
    for name, path in paths:
        matcher = in_rbac(path)
        policies[f"{name}-read"] = {"permissions": [{"and_rules": {"rules": [matcher, read]}}],
                                    "principals": [role("admin"), role("editor"), role("viewer")]}
        policies[f"{name}-write"] = {"permissions": [{"and_rules": {"rules": [matcher, write]}}],
                                     "principals": [role("admin"), role("editor")]}
    mutations = [{"append": {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
                 for key, value in SECURITY_HEADERS.items()]
    mutations += [{"append": {"header": {"key": key, "value": value}, "append_action": "ADD_IF_ABSENT"}}
                  for key, value in IF_ABSENT.items()]
    mutations += [{"remove": "server"}, {"remove": "x-powered-by"}]
    return [
        {"name": "envoy.filters.http.header_mutation", "typed_config": any_type(
            "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", mutations={"response_mutations": mutations})},
        {"name": "envoy.filters.http.cors", "typed_config": any_type("envoy.extensions.filters.http.cors.v3.Cors")},
        {"name": "envoy.filters.http.jwt_authn", "typed_config": any_type(
            "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", providers={"local": provider},
            rules=[{"match": in_jwt(path), "requires": {"provider_name": "local"}} for _, path in paths])},
        {"name": "envoy.filters.http.rbac", "typed_config": any_type(
            "envoy.extensions.filters.http.rbac.v3.RBAC", rules={"action": "ALLOW", "policies": policies})},
    ]


def access_log(kind, path):
    if kind == "none":
        return []
    if kind in ("ours", "sealed", "fed") or kind.startswith("floor"):
        form = {"text_format_source": {"inline_string": "%FILTER_STATE(wasm.portcullis.audit:PLAIN)%\n"}}
    else:
        claim = "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:{})%"
        form = {"json_format": {
            "timestamp": "%START_TIME%", "event": "access", "action": "%REQ(:METHOD)%", "decision": "%RESPONSE_CODE_DETAILS%",
            "route": "%ROUTE_NAME%", "user_id": claim.format("sub"), "role": claim.format("role"),
            "ip_address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "method": "%REQ(:METHOD)%",
            "path": "%PATH(NQ)%", "status": "%RESPONSE_CODE%", "request_id": "%REQ(X-REQUEST-ID)%",
            "token_id": claim.format("jti"), "provider": "local"}}
    return [{"name": "file", "typed_config": any_type(
        "envoy.extensions.access_loggers.file.v3.FileAccessLog", path=str(path), log_format=form)}]


def listener(kind, port, filters, log):
    route = {"name": "all", "match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    preflight = {"name": "preflight", "match": {
        "prefix": "/", "headers": [{"name": ":method", "string_match": {"exact": "OPTIONS"}}]}}
    host = {"name": "all", "domains": ["*"], "routes": [preflight, route]}
    # Nobody's answer to a preflight has a body: one here would make the others look cheaper than they are.
    preflight["direct_response"] = {"status": 204}
    if kind in ("native", "cached"):
        # Envoy's cors filter passes over direct responses; preflights go to a route, which it answers before.
        del preflight["direct_response"]
        preflight["route"] = {"cluster": "nowhere"}
        host["typed_per_filter_config"] = {"envoy.filters.http.cors": any_type(
            "envoy.extensions.filters.http.cors.v3.CorsPolicy",
            allow_origin_string_match=[{"exact": origin} for origin in CORS["allow_origins"]],
            allow_methods=", ".join(CORS["allow_methods"]), allow_headers=", ".join(CORS["allow_headers"]),
            allow_credentials=True, max_age="600", forward_not_matching_preflights=False)}
    manager = any_type(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", stat_prefix=kind,
        server_header_transformation="PASS_THROUGH", access_log=access_log(kind, log),
        route_config={"virtual_hosts": [host]},
        http_filters=filters + [{"name": "envoy.filters.http.router", "typed_config": any_type(
            "envoy.extensions.filters.http.router.v3.Router")}])
    return {"name": kind, "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}]}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Envoy:
    """One process for one number of routes and one key."""

    def __init__(self, binary, module, folder, routes=10, kinds=LISTENERS, key=HS256, steps=STEPS, feed=None):
        self.key = key
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.ports = {kind: free_port() for kind in kinds}
        self.admin = free_port()
        bare = pathlib.Path(module).with_name("floor.wasm")
        filters = {"none": lambda: [], "ours": lambda: ours(module, routes, key, {}),
                   "sealed": lambda: ours(module, routes, key, {"audit": {"chain": {"key": {"env": "AUDIT_KEY"}}}}),
                   "fed": lambda: ours(module, routes, key, {"identity_feed": feed.source()}),
                   "native": lambda: native(routes, False, key), "cached": lambda: native(routes, True, key),
                   "floor": lambda: floor(bare, steps, key)}
        # The floor as far as some of its steps, each a listener of its own.
        filters |= {kind: lambda kind=kind: floor(bare, kind.removeprefix("floor-"), key)
                    for kind in kinds if kind.startswith("floor-")}
        bootstrap = {
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self.admin}}},
            "static_resources": {
                "listeners": [
                    listener(kind, self.ports[kind], filters[kind](), folder / f"{kind}.log") for kind in kinds],
                "clusters": [{"name": "nowhere", "connect_timeout": "1s"}, *([feed.cluster()] if feed else [])],
            },
        }
        config = folder / "envoy.json"
        config.write_text(json.dumps(bootstrap))
        self.log = folder / "envoy.log"
        began = time.monotonic()
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [str(binary), "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.wait()
        self.seconds_to_ready = time.monotonic() - began

    def wait(self):
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"Envoy stopped at start:\n{self.log.read_text()[-3000:]}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/ready", timeout=1) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            time.sleep(0.01)
        raise SystemExit("Envoy was not ready within five minutes")

    def cpu(self):
        """Seconds of CPU the process has used, user and system, all threads."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except (OSError, IndexError):
                pass
        return total / 1e9

    def stat(self, name):
        """A counter of Envoy's; 0 where it has none of this name."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/stats?filter=^{name}$", timeout=10) as answer:
            line = answer.read().decode().strip()
        return int(line.rsplit(": ", 1)[1]) if line else 0

    def resident(self):
        """Resident memory in bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
