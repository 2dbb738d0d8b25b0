"""Make an identity feed, as docs/identity-feed.md has it, for accounts that are kept elsewhere.

An example to begin with: subjects that are switched off and tokens that are revoked, signed with an Ed25519 key.
"""

import base64
import hashlib
import json
import struct
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def digest(kind: str, name: str) -> bytes:
    return hashlib.sha256(f"{kind}:{name}".encode()).digest()[:16]


def base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def feed(key: Ed25519PrivateKey, version: int, disabled: list[str], revoked: dict[str, int]) -> bytes:
    """A full feed. `revoked` has for each `jti` when its token expires, in seconds since 1970."""
    subjects = sorted(digest("sub", name) + struct.pack("<IHBB", 0, 0xFFFF, 1, 0) for name in set(disabled))
    tokens = sorted(digest("jti", jti) + struct.pack("<I", expires) for jti, expires in revoked.items())
    counts = struct.pack("<6I", len(subjects), len(tokens), 0, 0, 0, 0)
    content = b"PCFEED1\n" + counts + b"".join(subjects + tokens)
    header = {"alg": "EdDSA", "typ": "portcullis-feed+jws"}
    payload = {"version": version, "iat": int(time.time()), "size": len(content),
               "sha256": base64url(hashlib.sha256(content).digest()).decode()}
    line = b".".join(base64url(json.dumps(part).encode()) for part in (header, payload))
    return line + b"." + base64url(key.sign(line)) + b"\n" + content
