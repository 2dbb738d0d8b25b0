"""Takes out of a proxy-wasm module the callbacks that it has nothing to do in.

    prune_exports.py IN OUT

The SDK exports every callback there is, and the host crosses into the module for each that is exported: for every piece of
a body, too. A callback that is not exported is not called, and counts as "go on" (proxy-wasm-cpp-host, `ContextBase`).
"""

import sys

# Responses' bodies pass unseen, and nothing is left to wait for when a stream is done.
UNUSED = {
    "proxy_on_response_body",
    "proxy_on_done",
}
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
    """The export section (section 5.5.10) without those names."""
    count, at = read_number(section, 0)
    kept = []
    for _ in range(count):
        start = at
        length, at = read_number(section, at)
        name = section[at:at + length].decode()
        _, at = read_number(section, at + length + 1)
        if name not in UNUSED:
            kept.append(section[start:at])
    return number(len(kept)) + b"".join(kept)


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
