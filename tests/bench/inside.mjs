// Where the engine's own time goes: runs filter/engine/examples/inside.rs in Node's V8 under its profiler, which sees into
// WebAssembly where Envoy's does not. Prints a JSON object a line: the kind of request, microseconds, and shares in percent.
// Given a second argument, `lookup`, prints the microseconds of one look-up in an identity feed of a million and no more.

import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { WASI } from 'node:wasi';

const ROUNDS = 20;
const REQUESTS_A_ROUND = 20_000;
const KINDS = ['hot', 'cold-hs256', 'cold-es256', 'flood'];

// The first that fits a function's name has its time.
const PARTS = [
  ['hashing', /sha2|hmac|digest/],
  ['reading JSON', /serde_json|serde_core|btree|json/],
  ['base64', /base64/],
  ['memory', /malloc|calloc|realloc|dlfree|^free$|raw_vec|drop_in_place|drop_slow|memcpy|memmove/],
  ['the record', /audit/],
  ['headers', /header|upstream|response|cors|reply/],
];

const module = await WebAssembly.compile(readFileSync(process.argv[2]));

async function run(kind, rounds) {
  const wasi = new WASI({ version: 'preview1', args: ['inside', kind, String(rounds)], returnOnExit: true });
  const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
  if (wasi.start(instance) !== 0) throw new Error(`${kind} failed`);
}

async function timed(kind, rounds) {
  const begun = performance.now();
  await run(kind, rounds);
  return performance.now() - begun;
}

if (process.argv[3] === 'lookup') {
  await run('lookup', ROUNDS);
  process.exit();
}
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.setSamplingInterval', { interval: 200 });
for (const kind of KINDS) {
  // Once to warm up, once for what is not the requests, once to be timed.
  await run(kind, ROUNDS);
  const [none, all] = [await timed(kind, 0), await timed(kind, ROUNDS)];
  const microseconds = ((all - none) * 1000) / (ROUNDS * REQUESTS_A_ROUND);
  await session.post('Profiler.start');
  await run(kind, ROUNDS);
  const { profile } = await session.post('Profiler.stop');
  const names = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const shares = {};
  let whole = 0;
  profile.samples.forEach((sample, index) => {
    const { functionName, url } = names.get(sample);
    if (!url.startsWith('wasm:')) return;
    const part = PARTS.find(([, names]) => names.test(functionName))?.[0] ?? 'deciding';
    shares[part] = (shares[part] ?? 0) + profile.timeDeltas[index];
    whole += profile.timeDeltas[index];
  });
  for (const part of Object.keys(shares)) shares[part] = Math.round((100 * shares[part]) / whole);
  console.log(JSON.stringify({ kind, microseconds: Number(microseconds.toFixed(2)), shares }));
}
