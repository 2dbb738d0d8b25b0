"""The bench's keys, and tokens signed with them, no two alike."""

import base64
import concurrent.futures
import functools
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

ISSUER = "https://issuer.example.com"
AUDIENCE = "portcullis-demo"
KID = "bench"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


class Key:
    """What signs tokens, and how either side is told of it."""

    def token(self, number=0, role="editor", sub="7", good=True, jti=None):
        """Each number gives another token, all of one length; a bad one has the signature of something else."""
        now = int(time.time())
        claims = {"sub": sub, "role": role, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 86000,
                  "jti": jti or f"{number:032x}"}
        header = {"alg": self.algorithm, "kid": KID, "typ": "JWT"}
        signing_input = f"{b64(compact(header))}.{b64(compact(claims))}"
        signature = self.sign((signing_input if good else signing_input[1:]).encode())
        return f"{signing_input}.{b64(signature)}"

    def jwks(self):
        """The set of keys Envoy's own filter verifies with."""
        return json.dumps({"keys": [{"kid": KID, "alg": self.algorithm, **self.jwk()}]})

    def lines(self, numbers):
        return "".join(self.token(number) + "\n" for number in numbers)

    def mint(self, count, path):
        """Writes the tokens 1 to `count`, one a line. Some signatures are slow to make: every core helps."""
        step = 1000
        ranges = [range(first, min(first + step, count + 1)) for first in range(1, count + 1, step)]
        with concurrent.futures.ProcessPoolExecutor() as pool, open(path, "w") as out:
            out.writelines(pool.map(self.lines, ranges))


class Secret(Key):
    """HS256."""

    algorithm = "HS256"
    secret = "a-secret-of-the-bench-alone-32-bytes-long"

    def sign(self, message):
        return hmac.new(self.secret.encode(), message, hashlib.sha256).digest()

    def jwk(self):
        return {"kty": "oct", "k": b64(self.secret.encode())}

    def provider(self):
        return {"keys": [{"kid": KID, "algorithm": "HS256", "secret": {"env": "SECRET_KEY"}}]}


class Pair(Key):
    """A key pair; kept as PEM, to be handed to other processes."""

    def __init__(self, private):
        self.pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption())

    def provider(self):
        return {"local_jwks": {"inline": self.jwks()}}

    def signature_check(self, number):
        """The arguments of Envoy's foreign function `verify_signature`: hash, key, signature and text, in protobuf."""
        text = self.token(number).rsplit(".", 1)[0].encode()
        key = private_key(self.pem).public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return b"".join(field(number, value) for number, value in enumerate(
            [b"sha256", key, self.der(self.sign(text)), text], start=1))

    def der(self, signature):
        return signature


class Rsa(Pair):
    """RS256 with 2048 bits."""

    algorithm = "RS256"

    def __init__(self):
        super().__init__(rsa.generate_private_key(65537, 2048))

    def sign(self, message):
        return private_key(self.pem).sign(message, padding.PKCS1v15(), hashes.SHA256())

    def jwk(self):
        public = private_key(self.pem).public_key().public_numbers()
        return {"kty": "RSA", "n": b64(public.n.to_bytes(256, "big")), "e": b64(public.e.to_bytes(3, "big"))}


class Ec(Pair):
    """ES256."""

    algorithm = "ES256"

    def __init__(self):
        super().__init__(ec.generate_private_key(ec.SECP256R1()))

    def sign(self, message):
        r, s = utils.decode_dss_signature(private_key(self.pem).sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def der(self, signature):
        return utils.encode_dss_signature(*(int.from_bytes(half, "big") for half in (signature[:32], signature[32:])))

    def jwk(self):
        public = private_key(self.pem).public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": b64(public.x.to_bytes(32, "big")), "y": b64(public.y.to_bytes(32, "big"))}


def field(number, value):
    """A protobuf field of bytes."""
    length, out = len(value), bytearray([number << 3 | 2])
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(out + bytes([length]) + value)


@functools.lru_cache
def private_key(pem):
    return serialization.load_pem_private_key(pem, None)


HS256 = Secret()
