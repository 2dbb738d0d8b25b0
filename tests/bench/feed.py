"""An identity feed of a million revoked tokens, made by hand from docs/identity-feed.md, and a server for it."""

import base64
import hashlib
import http.server
import json
import struct
import threading
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

REVOKED = 1_000_000


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return b64(json.dumps(value, separators=(",", ":")).encode())


def revoked_jti(number):
    return f"revoked-{number}"


def content(count):
    expires = struct.pack("<I", int(time.time()) + 86_400)
    digests = sorted(hashlib.sha256(f"jti:{revoked_jti(n)}".encode()).digest()[:16] for n in range(count))
    counts = struct.pack("<6I", 0, count, 0, 0, 0, 0)
    return b"PCFEED1\n" + counts + b"".join(digest + expires for digest in digests)


class Feed:
    """Signed, and served on a free port as long as the block lasts."""

    def __init__(self, count=REVOKED):
        private = ed25519.Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.jwk = json.dumps({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": b64(public)})
        body = content(count)
        claims = {"version": 1, "iat": int(time.time()), "size": len(body), "sha256": b64(hashlib.sha256(body).digest())}
        signed = f"{compact({'alg': 'EdDSA', 'typ': 'portcullis-feed+jws'})}.{compact(claims)}"
        document = f"{signed}.{b64(private.sign(signed.encode()))}\n".encode() + body

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                fresh = self.headers.get("if-none-match") == '"1"'
                self.send_response(304 if fresh else 200)
                self.send_header("etag", '"1"')
                self.send_header("content-length", "0" if fresh else str(len(document)))
                self.end_headers()
                if not fresh:
                    self.wfile.write(document)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def source(self):
        """The policy's side."""
        return {"cluster": "feed", "authority": "feed.example.com", "path": "/", "key": self.jwk, "timeout": "10s"}

    def cluster(self):
        """Envoy's side."""
        address = {"socket_address": {"address": "127.0.0.1", "port_value": self.port}}
        return {"name": "feed", "connect_timeout": "1s", "load_assignment": {"cluster_name": "feed", "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address}}]}]}}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
