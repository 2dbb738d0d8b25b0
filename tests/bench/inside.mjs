// Where the engine's own time goes: runs filter/engine/examples/inside.rs in Node's V8 under its profiler, which sees into
// WebAssembly where Envoy's does not. Prints a JSON object a line: the kind of request, microseconds, shares in percent, and the
// microseconds where other code runs between two requests, as a proxy's does.
// Given a second argument, `lookup`, prints the microseconds of one look-up in an identity feed of a million and no more.

import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { WASI } from 'node:wasi';

const ROUNDS = 20;
const REQUESTS_A_ROUND = 20_000;
const ROUNDS_AMID = 5;
const KINDS = ['hot', 'cold-hs256', 'cold-es256', 'flood'];

// The first that fits a function's name has its time.
const PARTS = [
  ['hashing', /sha2|hmac|digest/],
  ['reading JSON', /serde_json|serde_core|btree|json/],
  ['base64', /base64/],
  ['memory', /portcullis_memory|rust_(de|re)?alloc|malloc|calloc|realloc|dlfree|^free$|raw_vec|drop_in_place|drop_slow|memcpy|memmove/],
  ['the record', /audit/],
  ['headers', /header|upstream|response|cors|reply/],
];

const module = await WebAssembly.compile(readFileSync(process.argv[2]));

// Pages of code, of 4 KiB, that are touched between two requests: as many as push the engine's out of what the processor
// remembers of code (its translations and its branches), and no more.
const OTHER_PAGES = 800;

// A number in LEB128, as WebAssembly's binary format has it (core specification, section 5.2.2); none is negative.
function number(value) {
  const bytes = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>>= 7;
  } while (value);
  return bytes;
}

// A module whose functions are too long for one page each, and are left by their first branch; the last one calls all others.
async function otherCode(pages) {
  const [get, set, constant, add, xor, turn, equal, call, end] = [0x20, 0x21, 0x41, 0x6a, 0x73, 0x77, 0x46, 0x10, 0x0b];
  const vector = (items) => [...number(items.length), ...items.flat()];
  const body = (code) => vector([0, ...code, end]);
  const section = (id, content) => [id, ...vector(content)];
  // Of what cannot be worked out beforehand.
  const step = (index) => [get, 0, constant, 1 + (index % 30), turn, constant, index % 60, xor, set, 0];
  const long = Array.from({ length: 300 }, (_, index) => step(index)).flat();
  const touched = body([get, 0, constant, 1, add, set, 0, get, 0, constant, 0, equal, 0x04, 0x40, ...long, end, get, 0]);
  const order = Array.from({ length: pages }, (_, index) => (index * 37) % pages);
  const all = body([...order.flatMap((index) => [get, 0, call, ...number(index), set, 0]), get, 0]);
  const bytes = [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([[0x60, 1, 0x7f, 1, 0x7f]])),
    ...section(3, vector(Array.from({ length: pages + 1 }, () => [0]))),
    ...section(7, vector([[1, 'r'.charCodeAt(0), 0, ...number(pages)]])),
    ...section(10, vector([...Array.from({ length: pages }, () => touched), all])),
  ];
  return (await WebAssembly.instantiate(new Uint8Array(bytes))).instance.exports.r;
}

async function run(kind, rounds, between = () => {}) {
  const wasi = new WASI({ version: 'preview1', args: ['inside', kind, String(rounds)], returnOnExit: true });
  const imports = wasi.getImportObject();
  imports.wasi_snapshot_preview1.sched_yield = () => {
    between();
    return 0;
  };
  const instance = await WebAssembly.instantiate(module, imports);
  if (wasi.start(instance) !== 0) throw new Error(`${kind} failed`);
}

async function timed(kind, rounds, between) {
  const begun = performance.now();
  await run(kind, rounds, between);
  return performance.now() - begun;
}

// Microseconds a request, less what it takes to begin and what runs between two.
async function each(kind, rounds, between) {
  const requests = (await timed(kind, rounds, between)) - (await timed(kind, 0));
  const nothing = (await timed('nothing', rounds, between)) - (await timed('nothing', 0));
  return ((requests - nothing) * 1000) / (rounds * REQUESTS_A_ROUND);
}

async function median(times, measure) {
  const found = [];
  for (let time = 0; time < times; time++) found.push(await measure());
  return found.sort((left, right) => left - right)[times >> 1];
}

if (process.argv[3] === 'lookup') {
  await run('lookup', ROUNDS);
  process.exit();
}
const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.setSamplingInterval', { interval: 200 });
const other = await otherCode(OTHER_PAGES);
let state = 1;
const amongOthers = () => {
  state = other(state);
};
await run('nothing', 2, amongOthers);
for (const kind of KINDS) {
  // Once to warm up.
  await run(kind, ROUNDS);
  const microseconds = await median(3, () => each(kind, ROUNDS));
  const amid = await median(3, () => each(kind, ROUNDS_AMID, amongOthers));
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
  const rounded = (value) => Number(value.toFixed(2));
  console.log(JSON.stringify({ kind, microseconds: rounded(microseconds), amid: rounded(amid), shares }));
}
