# PyJWT: what it makes of tokens, each with the set or the secret it is for. It has no thumbprints, so those are worked
# out here as RFC 7638 section 3.1 does.
import base64, hashlib, json, sys, jwt

given = json.load(sys.stdin)
# The key without its `alg`, for which PyJWT would take RS256 where an RSA key has none.
keys = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(given["jwks"]).keys}

def verdict(alg, token):
    header = jwt.get_unverified_header(token)
    key = given["secret"] if alg.startswith("HS") else keys[header["kid"]]
    try:
        claims = jwt.decode(token, key, algorithms=[alg], issuer="https://issuer.example.com",
                            audience="portcullis-demo", options={"require": ["exp", "iat", "sub"]})
        return f"{header['alg']} {header.get('kid', '-')} {claims['sub']}"
    except jwt.InvalidSignatureError:
        return "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"
    except jwt.PyJWTError as error:
        return repr(error)

def thumbprint(jwk):
    names = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}[jwk["kty"]]
    text = json.dumps({name: jwk[name] for name in names}, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()

print(json.dumps({"verdicts": [verdict(**one) for one in given["tokens"]],
                  "thumbprints": [thumbprint(jwk) for jwk in given["jwks"]["keys"]]}))
