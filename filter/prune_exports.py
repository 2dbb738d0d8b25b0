"""Takes out of a proxy-wasm module the callbacks that it has nothing to do in, and the SDK's where it has its own.

    prune_exports.py IN OUT

The SDK exports every callback there is, and the host crosses into the module for each that is exported: for every piece of
a body, too. A callback that is not exported is not called, and counts as "go on" (proxy-wasm-cpp-host, `ContextBase`).

A callback of the filter's own is exported as `portcullis_on_…`, since two functions cannot have one name; it becomes `proxy_on_…`
in the place of the SDK's.
"""

import sys

# Responses' bodies pass unseen, and nothing is left to wait for when a stream is done.
UNUSED = {
    "proxy_on_response_body",
    "proxy_on_done",
}
OWN, HOST = "portcullis_on_", "proxy_on_"
EXPORTS = 7


def read_number(data, at):
    """An unsigned LEB128 number and where it ends (WebAssembly core specification, section 5.2.2)."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return number, at


def number(value):
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def prune(section):
    """The export section (section 5.5.10) without those names, and with the filter's own under the names that the host calls."""
    count, at = read_number(section, 0)
    exports = {}
    for _ in range(count):
        length, at = read_number(section, at)
        name = section[at:at + length].decode()
        start = at + length
        _, at = read_number(section, start + 1)
        exports[name] = section[start:at]
    own = {HOST + name.removeprefix(OWN): name for name in exports if name.startswith(OWN)}
    missing = own.keys() - exports.keys()
    if missing:
        raise SystemExit(f"the SDK has no {', '.join(sorted(missing))}: the host would not know it either")
    exports |= {name: exports.pop(mine) for name, mine in own.items()}
    kept = [(name.encode(), what) for name, what in exports.items() if name not in UNUSED]
    return number(len(kept)) + b"".join(number(len(name)) + name + what for name, what in kept)


def main(source, target):
    with open(source, "rb") as file:
        module = file.read()
    if module[:8] != b"\0asm\x01\0\0\0":
        raise SystemExit(f"{source} is not a WebAssembly module")
    out, at = bytearray(module[:8]), 8
    while at < len(module):
        kind = module[at]
        size, start = read_number(module, at + 1)
        section = module[start:start + size]
        if kind == EXPORTS:
            section = prune(section)
        out += bytes([kind]) + number(len(section)) + section
        at = start + size
    with open(target, "wb") as file:
        file.write(out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
