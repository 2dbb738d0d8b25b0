// A module's branches: found, counted, and told of in the section that engines read hints from.
//
// Formats are those of the WebAssembly core specification, chapter 5, and of its proposal "branch hinting".

const SECTIONS = { custom: 0, type: 1, import: 2, function: 3, memory: 5, code: 10 };
const HINTS = 'metadata.code.branch_hint';
const PAGE = 65536;

const BLOCK = 0x02, LOOP = 0x03, IF = 0x04, BR = 0x0c, BR_IF = 0x0d, BR_TABLE = 0x0e;

/** Reads one thing after the other. */
class Reader {
  constructor(bytes, at = 0, end = bytes.length) {
    Object.assign(this, { bytes, at, end });
  }

  get done() {
    return this.at >= this.end;
  }

  byte() {
    if (this.done) throw new Error(`the module ends too early, at ${this.at}`);
    return this.bytes[this.at++];
  }

  skip(count) {
    this.at += count;
    if (this.at > this.end) throw new Error(`the module ends too early, at ${this.end}`);
  }

  /** An unsigned number in LEB128. */
  number() {
    let value = 0, scale = 1, byte;
    do {
      byte = this.byte();
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte & 0x80);
    return value;
  }

  /** Passes a number in LEB128, signed or not, of any width. */
  pass() {
    while (this.byte() & 0x80);
  }

  vector(item) {
    return Array.from({ length: this.number() }, () => item(this));
  }
}

function number(value) {
  const bytes = [];
  do {
    const rest = Math.floor(value / 128);
    bytes.push((value % 128) | (rest ? 0x80 : 0));
    value = rest;
  } while (value);
  return bytes;
}

/** A constant's number: signed, so that its highest bit is the sign. */
function constant(value) {
  const bytes = number(value);
  if (bytes.at(-1) & 0x40) {
    bytes[bytes.length - 1] |= 0x80;
    bytes.push(0);
  }
  return bytes;
}

const vector = (items) => Buffer.concat([Buffer.from(number(items.length)), ...items.map((item) => Buffer.from(item))]);
const sized = (bytes) => Buffer.concat([Buffer.from(number(bytes.length)), bytes]);

function sections(module) {
  const reader = new Reader(module, 8), found = [];
  if (module.readUInt32BE(0) !== 0x0061736d) throw new Error('not a WebAssembly module');
  while (!reader.done) {
    const id = reader.byte(), size = reader.number();
    const start = reader.at;
    reader.skip(size);
    found.push({ id, content: module.subarray(start, reader.at) });
  }
  return found;
}

function assemble(module, parts) {
  return Buffer.concat([
    module.subarray(0, 8),
    ...parts.map(({ id, content }) => Buffer.concat([Buffer.from([id]), sized(content)])),
  ]);
}

/**
 * Passes what follows an instruction's code, in a module with the features that the Makefile names. Whatever is not known here is an
 * error: hints would be of other places.
 */
function passImmediates(code, reader) {
  const numbers = (count) => {
    while (count--) reader.pass();
  };
  if (code === BLOCK || code === LOOP || code === IF) return reader.pass();
  if (code === BR || code === BR_IF || code === 0x10) return reader.pass();
  if (code === BR_TABLE) {
    reader.vector((each) => each.pass());
    return reader.pass();
  }
  if (code === 0x11) return numbers(2);
  if (code === 0x1c) return void reader.vector((each) => each.byte());
  if (code >= 0x20 && code <= 0x26) return reader.pass();
  if (code >= 0x28 && code <= 0x3e) return numbers(2);
  if (code >= 0x3f && code <= 0x42) return reader.pass();
  if (code === 0x43) return reader.skip(4);
  if (code === 0x44) return reader.skip(8);
  if (code === 0xd0 || code === 0xd2) return reader.pass();
  if (code === 0xfc) {
    const more = reader.number();
    if (more <= 7) return;
    if ([8, 10, 12, 14].includes(more)) return numbers(2);
    if (more <= 17) return reader.pass();
    throw new Error(`unknown instruction 0xfc ${more}`);
  }
  if (code === 0xfd) {
    const more = reader.number();
    if (more <= 11 || more === 92 || more === 93) return numbers(2);
    if (more === 12 || more === 13) return reader.skip(16);
    if (more >= 21 && more <= 34) return reader.skip(1);
    if (more >= 84 && more <= 91) {
      numbers(2);
      return reader.skip(1);
    }
    if (more <= 255) return;
    throw new Error(`unknown instruction 0xfd ${more}`);
  }
  const plain = code <= 0x01 || code === 0x05 || code === 0x0b || code === 0x0f || code === 0x1a || code === 0x1b ||
    (code >= 0x45 && code <= 0xc4) || code === 0xd1;
  if (!plain) throw new Error(`unknown instruction 0x${code.toString(16)}`);
}

/** The functions of a module: where the code of each begins, and its branches, as places in its body. */
function functions(code) {
  return new Reader(code).vector((reader) => {
    const size = reader.number(), start = reader.at;
    reader.skip(size);
    const body = code.subarray(start, reader.at);
    const inside = new Reader(body);
    inside.vector((each) => {
      each.pass();
      each.byte();
    });
    const begin = inside.at, branches = [];
    while (!inside.done) {
      const at = inside.at, instruction = inside.byte();
      if (instruction === IF || instruction === BR_IF) branches.push(at);
      passImmediates(instruction, inside);
    }
    if (inside.at !== inside.end) throw new Error('a function ends within an instruction');
    return { body, begin, branches };
  });
}

function importedFunctions(parts) {
  const section = parts.find(({ id }) => id === SECTIONS.import);
  if (!section) return 0;
  let count = 0;
  new Reader(section.content).vector((reader) => {
    reader.skip(reader.number());
    reader.skip(reader.number());
    const kind = reader.byte();
    if (kind !== 0) throw new Error('imports something else than a function');
    reader.pass();
    count += 1;
  });
  return count;
}

function section(parts, id) {
  const found = parts.find((each) => each.id === id);
  if (!found) throw new Error(`the module has no section ${id}`);
  return found;
}

/** Adds one item to the end of a section that is a vector. */
function append(part, item) {
  const reader = new Reader(part.content), count = reader.number();
  part.content = Buffer.concat([Buffer.from(number(count + 1)), part.content.subarray(reader.at), Buffer.from(item)]);
  return count;
}

/**
 * The module with a counter at each function's beginning and two at each branch, and `read(memory)`, which gives
 * `[{calls, branches: [{at, taken, passed}]}]` for its functions.
 */
export function counted(module) {
  const parts = sections(module);
  const imported = importedFunctions(parts);
  const code = section(parts, SECTIONS.code);
  const found = functions(code.content);
  const places = found.reduce((count, { branches }) => count + 1 + branches.length, 0);

  const memory = section(parts, SECTIONS.memory);
  const limits = new Reader(memory.content), [count, flags, pages] = [limits.number(), limits.byte(), limits.number()];
  if (count !== 1 || flags !== 0) throw new Error('counters need one memory, without a limit');
  // Memory of its own behind what the module begins with, which an allocator takes for somebody else's.
  const base = pages * PAGE, more = Math.ceil((places * 8) / PAGE);
  memory.content = Buffer.from([1, 0, ...number(pages + more)]);

  const type = append(section(parts, SECTIONS.type), [0x60, 2, 0x7f, 0x7f, 1, 0x7f]);
  const counter = imported + append(section(parts, SECTIONS.function), number(type));
  const call = (place) => Buffer.from([0x41, ...constant(place), 0x10, ...number(counter)]);

  let place = 0;
  const bodies = found.map(({ body, begin, branches }) => {
    const pieces = [body.subarray(0, begin), Buffer.from([0x41, 1]), call(place++), Buffer.from([0x1a])];
    let from = begin;
    for (const at of branches) {
      pieces.push(body.subarray(from, at), call(place++));
      from = at;
    }
    pieces.push(body.subarray(from));
    return sized(Buffer.concat(pieces));
  });
  // memory[base + 8 * place + 4 * (condition != 0)] += 1; the condition is given back.
  const address = [0x20, 1, 0x41, 3, 0x74, 0x20, 0, 0x41, 0, 0x47, 0x41, 2, 0x74, 0x6a];
  const offset = number(base);
  bodies.push(sized(Buffer.from([
    1, 1, 0x7f,
    ...address, 0x22, 2,
    0x20, 2, 0x28, 2, ...offset, 0x41, 1, 0x6a,
    0x36, 2, ...offset,
    0x20, 0, 0x0b,
  ])));
  code.content = vector(bodies);

  const read = ({ buffer }) => {
    const counts = new Uint32Array(buffer, base, places * 2);
    let at = 0;
    const next = () => ({ passed: counts[at++], taken: counts[at++] });
    return found.map(({ branches }) => ({
      calls: next().taken,
      branches: branches.map((branch) => ({ at: branch, ...next() })),
    }));
  };
  return { module: assemble(module, parts), read };
}

/** The module with hints: `[[{at, likely}]]`, for each of its functions. */
export function hinted(module, hints) {
  const name = sized(Buffer.from(HINTS));
  const isHints = ({ id, content }) => id === SECTIONS.custom && content.subarray(0, name.length).equals(name);
  // Of two such sections engines read neither.
  const parts = sections(module).filter((part) => !isHints(part));
  const first = importedFunctions(parts);
  const entries = hints.flatMap((branches, index) => branches.length === 0 ? [] : [Buffer.concat([
    Buffer.from(number(first + index)),
    vector(branches.map(({ at, likely }) => [...number(at), 1, likely ? 1 : 0])),
  ])]);
  const told = { id: SECTIONS.custom, content: Buffer.concat([name, vector(entries)]) };
  const code = parts.findIndex(({ id }) => id === SECTIONS.code);
  return assemble(module, [...parts.slice(0, code), told, ...parts.slice(code)]);
}
