// A host for the filter without a proxy around it: what a training run needs of the proxy-wasm ABI (version 0.2.1), always with
// the same answers. It is no model of Envoy; tests of behaviour have Envoy itself.

const OK = 0, NOT_FOUND = 1;
const BUFFER = { body: 0, configuration: 7 };
const MAP = { request: 0, response: 2 };
const ROOT = 1;
const BAD_DESCRIPTOR = 8;

/** A plugin with its configuration, and a clock that stands still until it is told otherwise. */
export class Plugin {
  #memory;
  #exports;
  #stream = ROOT;
  #streams = new Map();
  #last = ROOT;
  #configuration;
  #metrics = 0;
  #log = [];
  now = 0;

  constructor(module, { policy, secrets, now, verify }) {
    Object.assign(this, { now, verify });
    this.#configuration = Buffer.from(JSON.stringify(policy));
    const environment = Object.entries(secrets).map(([name, value]) => Buffer.from(`${name}=${value}\0`));
    const known = { env: this.#calls(), wasi_snapshot_preview1: this.#wasi(environment) };
    const imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      const missing = () => {
        throw new Error(`the host of training runs has no ${from}.${name}: add it to filter/hints/host.mjs`);
      };
      imports[from] ??= {};
      imports[from][name] = known[from]?.[name] ?? missing;
    }
    this.#exports = new WebAssembly.Instance(module, imports).exports;
    this.#memory = this.#exports.memory;
    this.#saying(() => {
      this.#exports._initialize?.();
      this.#exports.proxy_on_context_create(ROOT, 0);
      this.#exports.proxy_on_vm_start(ROOT, 0);
      if (!this.#exports.proxy_on_configure(ROOT, this.#configuration.length)) throw new Error('the policy was refused');
    });
  }

  /** Whatever goes wrong, goes wrong with what the module has said of it. */
  #saying(act) {
    this.#log = [];
    try {
      return act();
    } catch (error) {
      throw new Error([error.message, ...this.#log].join('\n'), { cause: error });
    }
  }

  get memory() {
    return this.#memory;
  }

  /**
   * A request's way through the filter; `respond` gives the headers of the upstream's response. Returns the status sent and the
   * audit record.
   */
  send(request) {
    return this.#saying(() => this.#send(request));
  }

  #send({ headers, body, respond }) {
    const id = ++this.#last;
    const stream = { request: headers, response: [], body, status: undefined, record: undefined };
    this.#streams.set(id, stream);
    this.#stream = id;
    const call = (name, ...more) => this.#exports[name](id, ...more);
    call('proxy_on_context_create', ROOT);
    call('proxy_on_request_headers', headers.length, body ? 0 : 1);
    if (body && !stream.replied) call('proxy_on_request_body', body.length, 1);
    if (!stream.replied) stream.response = respond(stream.request);
    call('proxy_on_response_headers', stream.response.length, 0);
    call('proxy_on_log');
    call('proxy_on_delete');
    this.#streams.delete(id);
    stream.status = Number(stream.response.find(([name]) => name === ':status')?.[1]);
    this.#stream = ROOT;
    return stream;
  }

  #bytes(at, size) {
    return Buffer.from(this.#memory.buffer, at, size);
  }

  #text(at, size) {
    return this.#bytes(at, size).toString('latin1');
  }

  #word(at, value) {
    new DataView(this.#memory.buffer).setUint32(at, value, true);
    return OK;
  }

  /** Gives bytes to the module, in memory that it is asked for. */
  #give(bytes, at, size) {
    const place = bytes.length > 0 ? this.#exports.proxy_on_memory_allocate(bytes.length) : 0;
    this.#bytes(place, bytes.length).set(bytes);
    this.#word(at, place);
    return this.#word(size, bytes.length);
  }

  get #current() {
    return this.#streams.get(this.#stream);
  }

  #map(kind) {
    return kind === MAP.request ? this.#current?.request : kind === MAP.response ? this.#current?.response : undefined;
  }

  #property(path) {
    if (path === 'source\0address') return Buffer.from('127.0.0.1:50000');
    if (path === 'plugin_root_id') return Buffer.from('portcullis');
    return undefined;
  }

  #calls() {
    const remove = (kind, name) => {
      const map = this.#map(kind), kept = map.filter(([known]) => known !== name);
      map.splice(0, map.length, ...kept);
    };
    return {
      proxy_log: (level, at, size) => {
        this.#log.push(this.#text(at, size));
        return OK;
      },
      proxy_get_current_time_nanoseconds: (at) => {
        new DataView(this.#memory.buffer).setBigUint64(at, BigInt(this.now) * 1_000_000n, true);
        return OK;
      },
      proxy_set_tick_period_milliseconds: () => OK,
      proxy_get_buffer_bytes: (kind, start, most, data, size) => {
        const buffer = kind === BUFFER.configuration ? this.#configuration : kind === BUFFER.body ? this.#current?.body : undefined;
        return buffer ? this.#give(buffer.subarray(start, start + most), data, size) : NOT_FOUND;
      },
      proxy_get_header_map_pairs: (kind, data, size) => {
        const map = this.#map(kind);
        return map ? this.#give(pairs(map), data, size) : NOT_FOUND;
      },
      proxy_add_header_map_value: (kind, name, nameSize, value, valueSize) => {
        this.#map(kind).push([this.#text(name, nameSize), this.#text(value, valueSize)]);
        return OK;
      },
      proxy_replace_header_map_value: (kind, name, nameSize, value, valueSize) => {
        remove(kind, this.#text(name, nameSize));
        this.#map(kind).push([this.#text(name, nameSize), this.#text(value, valueSize)]);
        return OK;
      },
      proxy_remove_header_map_value: (kind, name, nameSize) => {
        remove(kind, this.#text(name, nameSize));
        return OK;
      },
      proxy_get_property: (path, pathSize, data, size) => {
        const value = this.#property(this.#text(path, pathSize));
        return value ? this.#give(value, data, size) : NOT_FOUND;
      },
      proxy_set_property: (path, pathSize, value, size) => {
        this.#current.record = this.#bytes(value, size).toString();
        return OK;
      },
      proxy_get_shared_data: () => NOT_FOUND,
      proxy_set_shared_data: () => OK,
      proxy_define_metric: (kind, name, size, at) => this.#word(at, this.#metrics++),
      proxy_increment_metric: () => OK,
      proxy_record_metric: () => OK,
      proxy_set_effective_context: () => OK,
      proxy_send_local_response: (status, details, detailsSize, body, bodySize, map, mapSize) => {
        Object.assign(this.#current, {
          replied: true,
          response: [[':status', String(status)], ['content-length', String(bodySize)], ...unpaired(this.#bytes(map, mapSize))],
        });
        return OK;
      },
      proxy_call_foreign_function: (name, nameSize, argument, argumentSize, data, size) => {
        if (this.#text(name, nameSize) !== 'verify_signature') return NOT_FOUND;
        const good = this.verify(message(Buffer.from(this.#bytes(argument, argumentSize))));
        return this.#give(Buffer.from(good ? [1 << 3, 1] : []), data, size);
      },
    };
  }

  #wasi(environment) {
    return {
      environ_sizes_get: (count, size) => {
        this.#word(count, environment.length);
        return this.#word(size, Buffer.concat(environment).length);
      },
      environ_get: (places, at) => {
        environment.reduce((next, entry, index) => {
          this.#word(places + 4 * index, next);
          this.#bytes(next, entry.length).set(entry);
          return next + entry.length;
        }, at);
        return OK;
      },
      fd_write: (descriptor, pieces, count, written) => {
        if (descriptor > 2) return BAD_DESCRIPTOR;
        const words = new DataView(this.#memory.buffer);
        const places = Array.from({ length: count }, (_, index) => pieces + 8 * index);
        const texts = places.map((at) => this.#text(words.getUint32(at, true), words.getUint32(at + 4, true)));
        this.#log.push(...texts);
        return this.#word(written, texts.join('').length);
      },
      random_get: (at, size) => {
        this.#bytes(at, size).fill(7);
        return OK;
      },
      clock_time_get: (clock, precision, at) => {
        new DataView(this.#memory.buffer).setBigUint64(at, BigInt(this.now) * 1_000_000n, true);
        return OK;
      },
    };
  }
}

/** A header map as the ABI has it: how many, the sizes of each name and value, then all of them, each with a zero behind it. */
function pairs(map) {
  const texts = map.flat().map((text) => Buffer.from(text, 'latin1'));
  const head = Buffer.alloc(4 + 4 * texts.length);
  head.writeUInt32LE(map.length, 0);
  texts.forEach((text, index) => head.writeUInt32LE(text.length, 4 + 4 * index));
  return Buffer.concat([head, ...texts.flatMap((text) => [text, Buffer.alloc(1)])]);
}

function unpaired(bytes) {
  if (bytes.length < 4) return [];
  const count = bytes.readUInt32LE(0);
  let at = 4 + 8 * count;
  const text = (index) => {
    const size = bytes.readUInt32LE(4 + 4 * index), start = at;
    at += size + 1;
    return bytes.toString('latin1', start, start + size);
  };
  return Array.from({ length: count }, (_, index) => [text(2 * index), text(2 * index + 1)]);
}

/** The arguments of `verify_signature`: fields of bytes, by their numbers. */
function message(bytes) {
  const fields = {};
  for (let at = 0; at < bytes.length;) {
    const field = bytes[at++] >> 3;
    let size = 0, shift = 0, byte;
    do {
      byte = bytes[at++];
      size |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte & 0x80);
    fields[field] = bytes.subarray(at, at + size);
    at += size;
  }
  return { hash: fields[1], key: fields[2], signature: fields[3], text: fields[4] };
}
