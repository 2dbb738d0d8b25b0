"""A feed of a million revoked tokens and 100,000 API keys: how long building, verifying and asking take, and how large
it is. `make feed-scale` prints the table of docs/accounts.md, and then the figures as JSON, to FIGURES as well if
that names a file."""

import hashlib
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

COMMAND = pathlib.Path(os.environ["PORTCULLIS_BIN"]).resolve()
REVOKED = int(os.environ.get("REVOKED", "1000000"))
KEYS = int(os.environ.get("KEYS", "100000"))
CHANGED = 1_000
# How often what is quick is measured, of which the median counts.
TRIES = 5
EXPIRES = 4_000_000_000
# What the filter may take for each in a worker, which is what the file has for it.
MOST_BYTES_A_TOKEN = 24
MOST_BYTES_A_KEY = 100

figures: dict[str, float] = {}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=True)


def timed(what: str, name: str, *arguments: str, tries: int = TRIES) -> None:
    """A command to its good end, as often as that, and the median of the seconds it took."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        run(*arguments)
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    figures[f"{name}_seconds"] = round(seconds, 4)
    print(f"| {what} | {seconds * 1000:.0f} ms |" if seconds < 2 else f"| {what} | {seconds:.1f} s |", flush=True)


def keys(count: int) -> Iterator[str]:
    for at in range(count):
        secret = hashlib.sha256(f"secret {at}".encode()).hexdigest()
        owner = f"00000000-0000-4000-8000-{at:012x}"
        key = {"id": f"{at:012d}", "secret_sha256": secret, "owner": owner, "roles": [["viewer", "editor"][at % 2]]}
        if at % 10 == 0:
            key["cidrs"] = [f"10.{at // 10 % 256}.0.0/16"]
        yield json.dumps(key) + "\n"


def write(name: str, count: int) -> None:
    with open(name, "w") as file:
        file.write("jti,expires\n")
        file.writelines(f"{at:08x}-0000-4000-8000-000000000000,{EXPIRES}\n" for at in range(count))


def size(name: str) -> int:
    return pathlib.Path(name).stat().st_size


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="portcullis-feed-") as directory:
        os.chdir(directory)
        for variable in ("PORTCULLIS_STORE", "PORTCULLIS_KEY_FILE"):
            os.environ.pop(variable, None)
        write("revoked.csv", REVOKED)
        write("more.csv", REVOKED + CHANGED)
        with open("keys.jsonl", "w") as file:
            file.writelines(keys(KEYS))
        run("key", "generate", "--algorithm", "EdDSA", "--out", "feed.pem")
        pathlib.Path("jwks.json").write_text(run("key", "jwks", "feed.pem").stdout)
        sources = ("--api-keys", "keys.jsonl", "--key", "feed.pem", "--ttl", "1h")
        print(f"| {REVOKED:,} revoked tokens, {KEYS:,} API keys | takes |\n| --- | --- |", flush=True)

        build = ("feed", "build", *sources, "--revoked", "revoked.csv", "--out", "base.feed", "--force")
        timed("`feed build`, everything", "build", *build)
        nothing = ("feed", "build", *sources, "--revoked", "revoked.csv", "--out", "base.feed")
        timed("`feed build`, where nothing changed", "build_unchanged", *nothing)
        changed = ("feed", "build", *sources, "--revoked", "more.csv", "--out", "identity.feed", "--force")
        delta = ("--base", "base.feed", "--delta-out", "identity.delta")
        timed(f"`feed build` with a delta of {CHANGED:,} tokens more", "build_delta", *changed, *delta)
        timed("`feed verify`", "verify", "feed", "verify", "base.feed", "--jwks", "jwks.json")
        timed("`feed verify` of the delta", "verify_delta", "feed", "verify", "identity.delta", "--jwks", "jwks.json")
        asked = f"{REVOKED // 2:08x}-0000-4000-8000-000000000000"
        timed("`feed inspect --jti`", "inspect", "feed", "inspect", "base.feed", "--jti", asked)

        run("feed", "build", "--revoked", "revoked.csv", "--key", "feed.pem", "--out", "revoked.feed")
        run("feed", "build", "--api-keys", "keys.jsonl", "--key", "feed.pem", "--out", "keys.feed")
        figures["revoked"], figures["api_keys"] = REVOKED, KEYS
        figures["bytes"], figures["delta_bytes"] = size("base.feed"), size("identity.delta")
        figures["bytes_a_token"] = round(size("revoked.feed") / REVOKED, 2)
        figures["bytes_a_key"] = round(size("keys.feed") / KEYS, 2)
        # Of the largest of all commands there were. On Linux, in KiB.
        figures["peak_bytes"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        print(
            f"\nThe feed has {figures['bytes'] / 1e6:.1f} MB: {figures['bytes_a_token']} bytes a token,"
            f" {figures['bytes_a_key']} bytes a key. The delta has {figures['delta_bytes'] / 1e3:.0f} kB."
            f" The largest command took {figures['peak_bytes'] / 1e6:.0f} MB of memory.\n"
        )
        text = json.dumps(figures, indent=2)
        print(text)
        if target := os.environ.get("FIGURES"):
            pathlib.Path(target).write_text(f"{text}\n")
        good = figures["bytes_a_token"] <= MOST_BYTES_A_TOKEN and figures["bytes_a_key"] <= MOST_BYTES_A_KEY
        # Of fewer, the head of the file counts for more.
        return 0 if good or REVOKED < 10_000 or KEYS < 10_000 else 1


if __name__ == "__main__":
    os.environ["FIGURES"] = str(pathlib.Path(os.environ["FIGURES"]).resolve()) if os.environ.get("FIGURES") else ""
    sys.exit(main())
