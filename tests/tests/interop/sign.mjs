// jose: a key pair for every algorithm, a token signed with each, and the set of public keys. Standard input is the
// secret for the rest.
import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";

// Node.js 18 has it under that name only.
globalThis.crypto ??= webcrypto;
const { SignJWT, exportJWK, generateKeyPair } = await import("jose");

const secret = new TextEncoder().encode(readFileSync(0, "utf8"));
const now = Math.floor(Date.now() / 1000);
const claims = {
  sub: "ada", role: "editor", iss: "https://issuer.example.com", aud: "portcullis-demo", iat: now, exp: now + 1800,
};
const keys = [];
const tokens = {};
const sign = async (alg, key) => {
  tokens[alg] = await new SignJWT(claims).setProtectedHeader({ alg, kid: alg }).sign(key);
};
for (const alg of ["HS256", "HS384", "HS512"]) await sign(alg, secret);
for (const alg of ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]) {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  keys.push({ ...(await exportJWK(publicKey)), kid: alg, alg, use: "sig" });
  await sign(alg, privateKey);
}
console.log(JSON.stringify({ jwks: { keys }, tokens }));
