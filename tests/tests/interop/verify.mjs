// jose: what it makes of tokens, each with the set or the secret it is for, and of the names of the keys.
import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";

// Node.js 18 has it under that name only.
globalThis.crypto ??= webcrypto;
const { calculateJwkThumbprint, createLocalJWKSet, jwtVerify } = await import("jose");

const { jwks, secret, tokens } = JSON.parse(readFileSync(0, "utf8"));
const set = createLocalJWKSet(jwks);
const shared = new TextEncoder().encode(secret);
const verdict = async ({ alg, token }) => {
  const key = alg.startsWith("HS") ? shared : set;
  const expected = { algorithms: [alg], issuer: "https://issuer.example.com", audience: "portcullis-demo" };
  try {
    const { payload, protectedHeader } = await jwtVerify(token, key, expected);
    return `${protectedHeader.alg} ${protectedHeader.kid ?? "-"} ${payload.sub}`;
  } catch (error) {
    return error.code;
  }
};
const verdicts = [];
for (const token of tokens) verdicts.push(await verdict(token));
const thumbprints = await Promise.all(jwks.keys.map((jwk) => calculateJwkThumbprint(jwk)));
console.log(JSON.stringify({ verdicts, thumbprints }));
