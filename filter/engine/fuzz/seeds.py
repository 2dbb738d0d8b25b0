#!/usr/bin/env python3
"""Writes seeds/, where fuzzing begins, and fixtures/signed.json if that is not there.

Run it with the Python of the tests (.venv/bin/python), after a change of the fixtures' policy. The keys that sign
are forgotten; what is committed is their public halves and a few tokens. Nobody can make another.
"""

import base64
import hashlib
import json
import pathlib
import struct

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

HERE = pathlib.Path(__file__).parent
NOW = 1_750_000_000
SECRET = b"a secret of exactly 32 bytes, ok"
PARTNER = "https://partner.example.com"
REMOTE = "https://sso.example.com/realms/main"


def b64(value) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def number(value: int, length: int) -> str:
    return b64(value.to_bytes(length, "big"))


def make_signed() -> dict:
    rsa_key = rsa.generate_private_key(65537, 2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    ed_key = ed25519.Ed25519PrivateKey.generate()
    n, e = rsa_key.public_key().public_numbers().n, 65537
    point = ec_key.public_key().public_numbers()
    keys = [
        {"kty": "RSA", "kid": "r1", "use": "sig", "n": number(n, 256), "e": number(e, 3)},
        {"kty": "EC", "kid": "e1", "crv": "P-256", "x": number(point.x, 32), "y": number(point.y, 32)},
        {"kty": "OKP", "kid": "o1", "crv": "Ed25519", "x": b64(ed_key.public_key().public_bytes_raw())},
    ]
    makers = [("RS256", "r1", rsa_key), ("ES256", "e1", ec_key), ("EdDSA", "o1", ed_key)]
    tokens = []
    for issuer in (PARTNER, REMOTE):
        for algorithm, kid, key in makers:
            claims = {"iss": issuer, "aud": "portcullis-demo", "sub": "ada", "role": "editor", "exp": NOW + 3600}
            tokens.append(jwt.encode(claims, key, algorithm, headers={"kid": kid}))
    # One that its own key signed and nobody must take.
    claims = {"iss": PARTNER, "aud": "portcullis-demo", "sub": "ada", "exp": NOW - 3600}
    tokens.append(jwt.encode(claims, ec_key, "ES256", headers={"kid": "e1"}))
    return {"jwks": {"keys": keys}, "tokens": tokens}


def seeds(target: str, items: dict) -> None:
    folder = HERE / "seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, content in items.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def claims(**changes) -> str:
    base = {"iss": "https://issuer.example.com", "aud": "portcullis-demo", "sub": "ada", "role": "editor",
            "exp": NOW + 3600, "iat": NOW}
    return json.dumps({key: value for key, value in {**base, **changes}.items() if value is not None})


HEADER = '{"alg":"HS256","kid":"2026-11","typ":"JWT"}'
EDITS = {
    "plain": claims(),
    "expired": claims(exp=NOW - 60),
    "at-the-skew": claims(exp=NOW - 30),
    "fraction": claims(exp=NOW + 0.5),
    "huge-date": claims(exp=1e308),
    "negative-date": claims(exp=-1),
    "text-date": claims(exp="soon"),
    "ahead": claims(nbf=NOW + 31, iat=NOW + 31),
    "no-exp": claims(exp=None),
    "long": claims(exp=NOW + 90_000),
    "audiences": claims(aud=["else", "portcullis-demo"]),
    "no-audience": claims(aud=None),
    "wrong-audience": claims(aud=7),
    "issuer": claims(iss="https://issuer.example.com/"),
    "control": claims(sub="a\u0000b"),
    "repeated": claims()[:-1] + ',"sub":"eve"}',
    "nested": claims(role={"a": [1, {"b": None}]}),
    "surrogate": claims(sub="X").replace("X", "\\ud800"),
}


def token_seeds(signed: dict) -> dict:
    items = {f"known-{index}": "t" + token for index, token in enumerate(signed["tokens"])}
    for index, token in enumerate(signed["tokens"]):
        # The signature of one claims set under another.
        header, _, signature = token.split(".")
        issuer = PARTNER if index < 3 else REMOTE
        items[f"forged-{index}"] = "t" + ".".join([header, b64(claims(iss=issuer, sub="eve").encode()), signature])
    items["hs256"] = "t" + jwt.encode(json.loads(claims()), SECRET, "HS256", headers={"kid": "2026-11"})
    items["padded"] = items["hs256"] + "="
    items["four-parts"] = items["hs256"] + "."
    items["none"] = "t" + b64(b'{"alg":"none"}') + "." + b64(claims().encode()) + "."
    items.update({f"signed-{name}": "s" + HEADER + "\n" + text for name, text in EDITS.items()})
    for name, header in {
        "old-kid": HEADER.replace("2026-11", "2026-10"),
        "no-kid": '{"alg":"HS256"}',
        "confused": HEADER.replace("HS256", "RS256"),
        "critical": HEADER[:-1] + ',"crit":["exp"]}',
        "repeated": HEADER[:-1] + ',"alg":"HS256"}',
        "typ": HEADER.replace("JWT", "application/at+jwt"),
    }.items():
        items[f"header-{name}"] = "s" + header + "\n" + claims()
    return items


PATHS = [
    "/", "/a/b", "//a///b", "/a/./b/../c", "/..", "/a/%2e%2E/b", "/%41%7e", "/a%2fb", "/a%5cb", "/a;b", "/a%3bb",
    "/%252e", "/%25%32%65", "/%e2%82%ac", "/%c0%af", "/%ff", "/%00", "/%0a", "/a b", "/a?x=1", "/a?x=%2e", "/a#b", "*",
    "a", "/%", "/%4", "/%zz", "/a//", "/a/.", "/a/..", "/.../a", "/:@!$&'()*+,=", "/%3a%40%2B", "/a/%2e", "/%e2%82", "/é",
]


def decide_seeds() -> dict:
    line = "\x01" + claims()
    old = "\x02"
    def request(method, target, *headers, flags="\x40"):
        pairs = [f":method\t{method}", f":path\t{target}", ":authority\tapi.example.com", ":scheme\thttps", *headers]
        return flags + "\n".join(pairs)
    bearer = "authorization\tBearer " + line
    items = {
        "health": request("GET", "/healthz"),
        "health-spoofed": request("GET", "/healthz", "x-user-id\troot", "x_tenant_id\tred"),
        "nameless": request("GET", "/drafts/x", "x-user-id\troot", "authorization\tBearer \x01" + claims(sub=None)),
        "nowhere": request("GET", "/nowhere/42"),
        "own": request("PUT", "/users/ada/documents/7", bearer),
        "others": request("PUT", "/users/eve/documents/7", bearer),
        "escaped-owner": request("PUT", "/users/%61da/documents/7", bearer),
        "drafts": request("POST", "/drafts/a/b", bearer),
        "admin": request("GET", "/admin/x", "authorization\tbearer  \x01" + claims(role="admin"), flags="\x42"),
        "admin-denied-address": request("GET", "/admin/x", bearer, flags="\x43"),
        "cookie": request("GET", "/drafts/x", "cookie\ta=1; session=" + line + "\x03; b=2"),
        "query": request("GET", "/drafts/x?access_token=" + line + "\x03&y=1"),
        "x-token": request("GET", "/drafts/x", "x-token\t" + line),
        "twice": request("GET", "/drafts/x", bearer, "x-token\t" + line),
        "spoofed": request(
            "GET", "/drafts/x", bearer, "x-user-id\troot", "X_User_Role\tadmin", "x-portcullis-scope\tall"),
        "tenant": request("GET", "/drafts/x", "authorization\tBearer \x01" + claims(realm={"tenant": "blue"})),
        "search": request("GET", "/search/blue?tenant=blue", "x-tenant\tblue", "authorization\tBearer \x01" + claims(
            scope="docs:read a", tenant="blue", plan="gold", level=3, email_verified=True)),
        "search-wrong": request("GET", "/search/BLUE?page=0&exact=yes&ratio=.3&sort=no&tenant=BLUE", "x-tenant\tBLUE"),
        "search-right": request("GET", "/search/blue?page=1&exact=true&ratio=1e0&sort=up&tenant=blue", bearer),
        "register": request("POST", "/register?from=192.0.2.1", "content-type\tapplication/json", "content-length\t9"),
        "register-wrong": request("POST", "/register?a=b", "content-type\ttext/plain", "content-length\t999"),
        "careless": request("GET", "/ADMIN/x", bearer),
        "vault": request("GET", "/vault/1", bearer),
        "vault-strong": request("GET", "/vault/1", "authorization\tBearer \x01" + claims(
            acr="urn:example:mfa", amr=["otp"], auth_time=NOW - 60)),
        "trial": request("GET", "/trial/1", "authorization\tBearer \x01" + claims(role="viewer")),
        "trial-without": request("GET", "/trial/1"),
        "preflight": request("OPTIONS", "/drafts/x", "origin\thttps://app.example.com",
                             "access-control-request-method\tPUT", "access-control-request-headers\tauthorization"),
        "preflight-elsewhere": request("OPTIONS", "/drafts/x", "origin\thttps://evil.example",
                                       "access-control-request-method\tPUT"),
        "joined": request("GET", "/drafts/x", "authorization\tBearer a,Bearer b"),
        "request-id": request("GET", "/nowhere", "x-request-id\t0123456789abcdef"),
        "mail": request("GET", "/drafts/x", "authorization\tBearer \x01" + claims(sub="ada@example.com")),
        "quote": request("GET", "/drafts/x", "authorization\tBearer \x01" + claims(sub='a"b\\c', jti="\u2028")),
        "no-keys": request("GET", "/drafts/x", "authorization\tBearer \x02" + "3", flags="\x50"),
    }
    items.update({f"known-{index}": request("GET", "/drafts/x", f"authorization\tBearer {old}{index}")
                  for index in range(7)})
    pairs = [(b":method", b"GET"), (b":path", b"/healthz"), (b":authority", b"a")]
    numbers = [len(pairs), *(len(text) for pair in pairs for text in pair)]
    packed = b"".join(n.to_bytes(4, "little") for n in numbers)
    items["serialized"] = b"\x00" + packed + b"".join(text + b"\0" for pair in pairs for text in pair)
    return items


def body_seeds() -> dict:
    user = {"email": "ada@example.com", "role": "editor"}
    full = {**user, "age": 36, "ratio": 1.5, "id": "2e1b0e3a-4f0b-4c52-8d2b-2d1f7c5f0a11",
            "seen": "2025-06-15T15:06:40Z", "home": "https://example.com/~ada", "address": "192.0.2.7",
            "tags": ["one", "two"]}
    items = {"user": user, "full": full, "managed": {**user, "manager": {**user, "manager": user}},
             "unmanaged": {**user, "manager": {}}, "address-6": {**user, "address": "2001:db8::1"},
             "list": [user], "number": 1, "more": {**user, "admin": True}, "deep": json.loads("[" * 80 + "]" * 80)}
    for name, wrong in [("email", "hunter2"), ("role", "hunter2"), ("age", -1), ("age", 1.5), ("ratio", 0.3), ("id", "hunter2"),
                        ("seen", "hunter2"), ("home", "/hunter2"), ("address", "hunter2"), ("tags", ["a", "a"]),
                        ("tags", ["hunter2"]), ("tags", [1, 2, 3, 4])]:
        items[f"wrong-{name}-{len(items)}"] = {**user, name: wrong}
    bodies = {name: json.dumps(item) for name, item in items.items()}
    bodies["repeated"] = '{"email":"a@b.test","role":"viewer","role":"admin"}'
    bodies["repeated-escaped"] = '{"email":"a@b.test","role":"viewer","r\\u006fle":"admin"}'
    bodies["surrogate"] = '{"email":"\\ud800@b.test","role":"viewer"}'
    bodies["big-number"] = '{"email":"a@b.test","role":"viewer","age":1e400}'
    bodies["comma"] = '{"email":"a@b.test","role":"viewer",}'
    bodies["bom"] = '\ufeff{"email":"a@b.test","role":"viewer"}'
    bodies["long"] = json.dumps({**user, "home": "https://example.com/" + "a" * 500})
    bodies["empty"] = ""
    items = {name: "\x00" + body for name, body in bodies.items()}
    for flags, name in enumerate(["trial", "chunked", "trial-chunked", "type", "trial-type"], start=1):
        items[f"with-{name}"] = chr(flags) + bodies["user"]
    items["in-pieces"] = "\x0a" + bodies["long"]
    return items


def policy_seeds() -> dict:
    policy = json.loads((HERE / "fixtures/policy.json").read_text())
    minimal = {"version": "v1", "routes": [{"name": "a", "match": {"path": "/a"}, "access": "public"}]}
    items = {"minimal": "j" + json.dumps(minimal), "empty": "j{}", "repeated": 'j{"version":"v1","version":"v1"}'}
    items["long-number"] = "j" + json.dumps({**minimal, "schemas": {"a": {"maxLength": int("64" + "2" * 54)}}})
    for name in ("providers", "roles", "cors", "security_headers", "schemas", "audit", "cache"):
        items[name] = "j" + json.dumps({**minimal, name: policy[name]})
    for index, route in enumerate(policy["routes"]):
        part = {"version": "v1", "roles": policy["roles"], "providers": policy["providers"][:1],
                "schemas": policy["schemas"], "routes": [route]}
        items[f"route-{index}"] = "j" + json.dumps(part)
    everything = (HERE.parents[2] / "tools/tests/policies/everything.yaml").read_text()
    items["everything-yaml"] = "y" + everything
    items["anchors-yaml"] = "y" + "a: &a [1]\nb: [*a, *a]\nc: {<<: *a}\n"
    items["minimal-yaml"] = "yversion: v1\nroutes:\n  - {name: a, match: {path: /a}, access: public}\n"
    # {"version": "v1"} as a google.protobuf.Struct.
    items["struct"] = b"p\x0a\x0f\x0a\x07version\x12\x04\x1a\x02v1"
    return items


def jwks_seeds(signed: dict) -> dict:
    keys = signed["jwks"]["keys"]
    wrap = lambda *some: "k" + json.dumps({"keys": list(some)})
    document = {"issuer": REMOTE, "jwks_uri": "https://sso.example.com/realms/main/certs"}
    items = {f"key-{key['kid']}": wrap(key) for key in keys}
    items["all"] = wrap(*keys)
    items["alg"] = wrap({**keys[0], "alg": "RS256", "key_ops": ["verify"]})
    items["secret"] = wrap({"kty": "oct", "k": b64(SECRET), "kid": "s"}, keys[1])
    items["no-curve"] = wrap({**{k: v for k, v in keys[1].items() if k != "crv"}, "alg": "ES256"})
    items["even"] = wrap({**keys[0], "n": keys[0]["n"][:-1] + "A"})
    items["exponent-0"] = wrap({**keys[0], "e": "AA"})
    items["exponent-1"] = wrap({**keys[0], "e": "AQ"})
    items["wide"] = wrap({**keys[0], "n": keys[0]["n"] * 2})
    items["off-curve"] = wrap({**keys[1], "x": keys[1]["y"]})
    items["small-order"] = wrap({**keys[2], "x": b64(bytes(32))})
    items["many"] = wrap(*[{}] * 101)
    items["discovery"] = "d" + json.dumps(document)
    items["discovery-port"] = "d" + json.dumps({**document, "jwks_uri": "https://SSO.example.com:443/c?x#y"})
    items["discovery-elsewhere"] = "d" + json.dumps({**document, "jwks_uri": "https://evil.example/c"})
    items["state"] = b"s" + b"".join(n.to_bytes(4, "little") for n in (1, 3, 4, 1)) + NOW.to_bytes(8, "little") * 4
    return items


def feed_seeds() -> dict:
    def digest(name: str) -> bytes:
        return hashlib.sha256(name.encode()).digest()[:16]

    def content(subjects=(), revoked=(), keys=(), roles=(), networks=(), heap=b"") -> bytes:
        tables = [sorted(subjects), sorted(revoked), sorted(keys), list(roles), list(networks)]
        head = b"PCFEED1\n" + struct.pack("<6I", *map(len, tables), len(heap))
        return head + b"".join(row for table in tables for row in table) + heap

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value)) + value.encode()

    heap = text("ada") + text("viewer\neditor") + text("10.0.0.0/8\n::1")
    subjects = [digest(f"sub:{name}") + struct.pack("<IHBB", before, roles, flags, 0)
                for name, before, roles, flags in [("ada", 77, 0, 0), ("eve", 0, 0xFFFF, 1), ("bob", 0, 0xFFFF, 2)]]
    revoked = [digest(f"jti:{n}") + struct.pack("<I", n) for n in range(3)]
    secret = hashlib.sha256(b"secret").digest()
    keys = [digest(f"key:{n}") + secret + struct.pack("<IIHH", n, owner, 0, 0) for n, owner in [(0, 0), (1, 0xFFFFFFFF)]]
    sets = {"roles": [struct.pack("<I", 5)], "networks": [struct.pack("<I", 20)], "heap": heap}
    full = content(subjects[:2], revoked[1:], keys[:1], **sets)
    items = {"empty": b"f" + content(), "full": b"f" + full, "delta": b"d" + content(subjects, revoked, keys, **sets)}
    items["many"] = b"f" + content(revoked=[digest(str(n)) + b"\1\0\0\0" for n in range(60)])
    items["raw"] = b"r" + b64(b'{"alg":"EdDSA","typ":"portcullis-feed+jws"}').encode() + b".e30.AAAA\n" + full
    state = struct.pack("<3I3Q3q", 1, 0, 1, 10, 12, 0, *[NOW * 1000] * 3)
    items["state"] = b"s" + state + text('"10"') + text("")
    row = digest("x") + struct.pack("<IIHHI", NOW - 10, NOW + 50, 3, 1, NOW + 50)
    items["lockout"] = b"l" + row
    items["lockout-full"] = b"l" + b"".join(digest(str(n)) + row[16:] for n in range(32))
    return items


def main() -> None:
    file = HERE / "fixtures/signed.json"
    if not file.exists():
        file.write_text(json.dumps(make_signed(), indent=2) + "\n")
    signed = json.loads(file.read_text())
    seeds("token", token_seeds(signed))
    seeds("path", {f"{index:02}": path for index, path in enumerate(PATHS)})
    seeds("body", body_seeds())
    seeds("decide", decide_seeds())
    seeds("policy", policy_seeds())
    seeds("jwks", jwks_seeds(signed))
    seeds("feed", feed_seeds())


if __name__ == "__main__":
    main()
