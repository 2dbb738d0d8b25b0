# PyJWT: a key pair for every algorithm, a token signed with each, and the set of public keys. Standard input is the
# secret for the rest.
import json, sys, time, jwt
from cryptography.hazmat.primitives.asymmetric import rsa, ec, ed25519
from jwt.algorithms import RSAAlgorithm, ECAlgorithm, OKPAlgorithm

rsa_key = rsa.generate_private_key(65537, 2048)
keys = {a: (rsa_key, RSAAlgorithm) for a in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")}
keys |= {"ES256": (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
         "ES384": (ec.generate_private_key(ec.SECP384R1()), ECAlgorithm),
         "ES512": (ec.generate_private_key(ec.SECP521R1()), ECAlgorithm),
         "EdDSA": (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm)}
secret = sys.stdin.read()
now = int(time.time())
claims = {"sub": "ada", "role": "editor", "iss": "https://issuer.example.com", "aud": "portcullis-demo",
          "iat": now, "exp": now + 1800}
tokens = {a: jwt.encode(claims, secret, algorithm=a, headers={"kid": a}) for a in ("HS256", "HS384", "HS512")}
jwks = []
for alg, (key, kind) in keys.items():
    jwk = json.loads(kind.to_jwk(key.public_key())) | {"kid": alg, "alg": alg, "use": "sig"}
    jwk.pop("key_ops", None)
    jwks.append(jwk)
    tokens[alg] = jwt.encode(claims, key, algorithm=alg, headers={"kid": alg})
print(json.dumps({"jwks": {"keys": jwks}, "tokens": tokens}))
