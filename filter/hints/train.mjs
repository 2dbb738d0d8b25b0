// Tells V8 which branches of the module are seldom taken, so that what runs in every request lies together.
//
//   node train.mjs IN OUT
//
// The module is run with a counter at each branch, on requests of every usual kind, then written with the section
// `metadata.code.branch_hint` (WebAssembly's proposal "branch hinting"): an engine that knows it moves what seldom runs to the end
// of each function, any other passes it over. Nothing here depends on the time or on chance: the same module gets the same hints.

import { createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

import { counted, hinted } from './binary.mjs';
import { Plugin } from './host.mjs';

const ROUNDS = 1500;
// Fewer than the rounds bring, so that the worker forgets some.
const KEPT_TOKENS = 512;
// A way is seldom gone where the other is gone at least so many times as often, and the function is called at least so many times as
// often. Functions that are called less often than that at all, such as a policy's compiler, are left as they are; within the others,
// one time is enough: where a branch was hardly ever come to, whatever is behind it may lie far away.
const SELDOM = 64;

const NOW = 1_750_000_000;
const SECRET = 'a-secret-of-the-training-run-alone-32-bytes';
// The public keys of RFC 7515, appendices A.2.1 and A.3.1.
const RSA = {
  kty: 'RSA', kid: 'rsa', alg: 'RS256', e: 'AQAB',
  n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs' +
    'D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV' +
    'MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
};
const EC = {
  kty: 'EC', kid: 'ec', alg: 'ES256', crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};

const compact = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const digest = (text, size) => Buffer.concat(
  Array.from({ length: Math.ceil(size / 32) }, (_, index) => createHash('sha256').update(`${index} ${text}`).digest()),
).subarray(0, size);

function token({ algorithm = 'HS256', number = 0, role = 'editor', sub = '7', good = true }) {
  const kid = { HS256: 'shared', RS256: RSA.kid, ES256: EC.kid }[algorithm];
  const issuer = algorithm === 'HS256' ? 'https://issuer.example.com' : `https://${kid}.example.com`;
  const claims = {
    sub, role, iss: issuer, aud: 'portcullis-demo', iat: NOW, exp: NOW + 86_000, scope: 'openid profile email',
    jti: digest(String(number), 16).toString('hex'),
  };
  const text = `${compact({ alg: algorithm, kid, typ: 'JWT' })}.${compact(claims)}`;
  // The host is asked about the others, and believes these.
  const signature = algorithm === 'HS256' ? createHmac('sha256', SECRET).update(good ? text : `${text}.`).digest()
    : digest(text, algorithm === 'RS256' ? 256 : 64);
  return `${text}.${signature.toString('base64url')}`;
}

const provider = (name, algorithm, keys) => ({
  name, ...keys, issuer: `https://${name}.example.com`, audiences: ['portcullis-demo'], allowed_algorithms: [algorithm],
  max_lifetime: '24h', roles_from: { claim: ['role'] },
  claim_to_headers: [{ claim: ['sub'], header: 'x-user-id' }, { claim: ['role'], header: 'x-user-role' }],
});

const policy = (providers) => ({
  version: 'v1',
  providers,
  roles: { admin: { read: 'any', write: 'any' }, editor: { read: 'any', write: 'own' }, viewer: { read: 'any', write: 'none' } },
  routes: [
    { name: 'health', match: { path: '/healthz', methods: ['GET'] }, access: 'public' },
    { name: 'profile', match: { path: '/me', methods: ['GET'] }, access: 'authenticated' },
    {
      name: 'documents', match: { path: '/users/{owner}/documents/{id}' }, access: 'role_table',
      owner: { param: 'owner', claim: ['sub'] },
    },
    { name: 'admin', match: { path: '/admin/{*rest}' }, access: 'roles', roles: ['admin'] },
    {
      name: 'orders', match: { path: '/orders', methods: ['POST'] }, access: 'authenticated',
      input: {
        content_types: ['application/json'], max_body_bytes: 4096,
        body: { schema: { type: 'object', required: ['item'], properties: { item: { type: 'string' }, count: { type: 'integer' } } } },
      },
    },
  ],
  cors: {
    allow_origins: ['https://app.example.com'], allow_methods: ['GET', 'POST', 'PUT', 'DELETE'],
    allow_headers: ['Authorization', 'Content-Type'], allow_credentials: true, max_age: '10m',
  },
  security_headers: { preset: 'recommended', remove: ['server', 'x-powered-by'] },
  errors: { hide_upstream_5xx: true },
  audit: { level: 'all', sinks: ['access_log'] },
  cache: { max_entries: KEPT_TOKENS },
});

function request({ method = 'GET', path = '/users/7/documents/1', bearer, origin, ...more }) {
  return [
    [':authority', 'api.example.com'], [':path', path], [':method', method], [':scheme', 'http'],
    ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
    ['accept', 'application/json'], ['accept-language', 'en-GB,en;q=0.5'], ['accept-encoding', 'gzip, deflate'],
    ...bearer ? [['authorization', `Bearer ${bearer}`]] : [],
    ...origin ? [['origin', origin]] : [],
    ...Object.entries(more),
    ['x-forwarded-proto', 'http'], ['x-request-id', '0b3c1a44-8d0e-4b52-9a1b-3c6a5e0f7d11'],
  ];
}

const json = () => [[':status', '200'], ['content-type', 'application/json'], ['content-length', '27'], ['server', 'upstream']];
const failed = () => [[':status', '500'], ['content-type', 'text/plain'], ['content-length', '5000']];

/** What a service is asked, most of it by callers who are known; `expected` is the status of each. */
function requests(algorithm, number, known) {
  const bearer = known.editor, fresh = { algorithm, number };
  const origin = 'https://app.example.com';
  return [
    ...Array.from({ length: 8 }, (_, index) => [200, { headers: request({ bearer, path: `/users/7/documents/${number + index}` }) }]),
    [200, { headers: request({ bearer: known.admin, path: '/users/7/documents/1?full=true', method: 'PUT' }) }],
    [200, { headers: request({ bearer: known.admin, path: '/admin/reports' }) }],
    [200, { headers: request({ bearer, path: '/me', origin }) }],
    [200, { headers: request({ bearer: token(fresh) }) }],
    [200, { headers: request({ bearer: token({ ...fresh, number: `another ${number}` }), path: '/me' }) }],
    [200, { headers: request({ path: '/healthz' }) }],
    [200, {
      headers: request({ bearer, path: '/orders', method: 'POST', 'content-type': 'application/json', 'content-length': '25' }),
      body: Buffer.from('{"item":"book","count":1}'),
    }],
    [204, {
      headers: request({
        path: '/me', method: 'OPTIONS', origin,
        'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization',
      }),
    }],
    [403, { headers: request({ bearer: known.viewer, method: 'PUT' }) }],
    [401, { headers: request({}) }],
    ...algorithm === 'HS256' ? [[401, { headers: request({ bearer: token({ ...fresh, good: false }) }) }]] : [],
    [500, { headers: request({ bearer }), respond: failed }],
  ].map(([expected, each]) => ({ expected, respond: json, ...each }));
}

function train(module) {
  const compiled = new WebAssembly.Module(module);
  const believed = [RSA, EC].map((key) => createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'der' }));
  const options = {
    secrets: { SECRET_KEY: SECRET }, now: NOW * 1000,
    verify: ({ hash, key, signature, text }) => believed.some((each) => each.equals(key)) ||
      verify(String(hash), text, { key, type: 'spki', format: 'der' }, signature),
  };
  const shared = provider('issuer', 'HS256', { keys: [{ kid: 'shared', algorithm: 'HS256', secret: { env: 'SECRET_KEY' } }] });
  const published = (key) => provider(key.kid, key.alg, { local_jwks: { inline: JSON.stringify({ keys: [key] }) } });
  const plugins = [
    { algorithms: ['HS256'], plugin: new Plugin(compiled, { ...options, policy: policy([shared]) }) },
    { algorithms: ['RS256', 'ES256'], plugin: new Plugin(compiled, { ...options, policy: policy([RSA, EC].map(published)) }) },
  ];
  for (const { algorithms, plugin } of plugins) {
    for (const algorithm of algorithms) {
      const known = Object.fromEntries(['editor', 'admin', 'viewer'].map((role) => [role, token({ algorithm, role })]));
      for (let round = 1; round <= ROUNDS; round += 1) {
        for (const { expected, ...each } of requests(algorithm, round, known)) {
          const { status, record } = plugin.send(each);
          if (status !== expected) throw new Error(`${status} instead of ${expected}: ${record}`);
        }
      }
    }
  }
  return plugins.map(({ plugin }) => plugin.memory);
}

/** Of each function's branches those of which one way is seldom gone. */
function seldom(runs) {
  const [first] = runs;
  return first.map((_, index) => {
    const calls = runs.reduce((sum, run) => sum + run[index].calls, 0);
    if (calls < SELDOM) return [];
    return first[index].branches.flatMap(({ at }, branch) => {
      const [taken, passed] = ['taken', 'passed'].map((way) => runs.reduce((sum, run) => sum + run[index].branches[branch][way], 0));
      if (taken + passed === 0) return [];
      const rare = (count, other) => count * SELDOM <= Math.min(calls, other);
      return rare(taken, passed) ? [{ at, likely: false }] : rare(passed, taken) ? [{ at, likely: true }] : [];
    });
  });
}

const [source, target] = process.argv.slice(2);
try {
  const module = readFileSync(source);
  const { module: instrumented, read } = counted(module);
  const hints = seldom(train(instrumented).map(read));
  writeFileSync(target, hinted(module, hints));
  console.log(`${hints.flat().length} branches of ${hints.filter((each) => each.length > 0).length} functions told of`);
} catch (error) {
  throw new Error(`no hints for ${source}: ${error.message}`, { cause: error });
}
