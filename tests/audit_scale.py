"""A million sealed lines, tampered with 200 times, and a gigabyte searched: `make audit-scale`.

Prints what was found and how long it took, and the same as JSON on the last line. Fails where a tampering is not found,
where one is found in the clean file, or where a search takes more than twice as long as `rg`, if that is installed. The search
uses every core, and `rg` one: on a machine whose cores are busy with something else the two are not comparable.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

CHAINS = 4
# How often a search is measured, of which the fastest counts.
TRIES = 15
GIGABYTE = 1_000_000_000
KEY = os.environ.get("AUDIT_KEY", "an audit key of at least thirty-two bytes").encode()
CHAIN_KEY = hmac.digest(KEY, b"portcullis audit chain", hashlib.sha256)


def text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class Chain:
    """As docs/audit.md describes it, written a second time: what both agree on is what the page says."""

    def __init__(self, number: int) -> None:
        self.id = text(bytes([number]) * 16)
        self.seq = 0
        self.mac = bytes(32)

    def seal(self, record: str) -> str:
        self.seq += 1
        body = f'{record[:-1]},"chain":"{self.id}","seq":{self.seq}'
        self.mac = hmac.digest(CHAIN_KEY, self.mac + body.encode(), hashlib.sha256)
        return f'{body},"mac":"{text(self.mac)}"}}'

    def checkpoint(self, timestamp: str) -> str:
        record = f'{{"timestamp":"{timestamp}","event":"admin","action":"checkpoint","decision":"allow","reason":"checkpoint"'
        body = f'{record},"policy":"6S9Z4mdaNrKxQfQp","chain":"{self.id}","seq":{self.seq}'
        mac = hmac.digest(CHAIN_KEY, b"checkpoint" + self.mac + body.encode(), hashlib.sha256)
        return f'{body},"mac":"{text(mac)}"}}'


def moment(millis: int) -> str:
    seconds = millis // 1000
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{millis % 1000:03d}Z"


def write(path: pathlib.Path, lines: int) -> None:
    """Sealed records of several chains, one between those of the others, with a checkpoint of each at the end."""
    numbers = random.Random(1)
    chains = [Chain(number) for number in range(CHAINS)]
    start = 1_795_478_400_000
    with path.open("w") as file:
        for index in range(lines):
            denied = index % 7 == 0
            outcome = (
                '"event":"authorization","action":"read","decision":"deny","reason":"role_denied"'
                if denied
                else '"event":"access","action":"read","decision":"allow","reason":"role_allowed"'
            )
            user = f"user{numbers.randrange(10_000)}"
            record = (
                f'{{"timestamp":"{moment(start + index)}",{outcome},"route":"documents","user_id":"{user}","role":"editor",'
                f'"ip_address":"203.0.113.{index % 250}","method":"GET","path":"/users/{{owner}}/documents/{{id}}",'
                f'"status":{403 if denied else 200},"request_id":"{numbers.getrandbits(128):032x}","provider":"local",'
                f'"kid":"2026-11","token_id":"{numbers.getrandbits(64):016x}","policy":"6S9Z4mdaNrKxQfQp"}}'
            )
            file.write(numbers.choice(chains).seal(record) + "\n")
        for chain in chains:
            if chain.seq:
                file.write(chain.checkpoint(moment(start + lines)) + "\n")


def verify(command: str, path: pathlib.Path) -> tuple[int, dict]:
    arguments = [command, "audit", "verify", str(path), "--key-env", "AUDIT_KEY", "--json"]
    done = subprocess.run(arguments, capture_output=True, text=True, env={**os.environ, "AUDIT_KEY": KEY.decode()})
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return done.returncode, json.loads(done.stdout)


def chain_of(line: bytes) -> bytes:
    return line[line.rfind(b'"chain":"') :][9:31]


def tamper(lines: list[bytes], numbers: random.Random, count: int) -> tuple[list[bytes], list[tuple[str, bytes, int]]]:
    """Tampers in so many places of one file, far from each other. What was done, to which chain, at which place in it."""
    step = (len(lines) - CHAINS) // count
    done: list[tuple[str, bytes, int]] = []
    out: list[bytes] = []
    copied = 0
    for index in range(count):
        # From the middle of each stretch: what is moved stays within it.
        at = index * step + numbers.randrange(step // 4, step // 2)
        line = lines[at]
        seq = int(line[line.rfind(b'"seq":') + 6 : line.rfind(b',"mac"')])
        kind = ("changed", "removed", "repeated", "moved", "cut", "inserted", "seal")[index % 7]
        out += lines[copied:at]
        copied = at + 1
        if kind == "changed":
            where = numbers.randrange(15, len(line) - 1)
            out.append(line[:where] + (b"x" if line[where : where + 1] != b"x" else b"y") + line[where + 1 :])
        elif kind == "repeated":
            out += [line, line]
        elif kind == "moved":
            # Behind the next of the same chain.
            after = next(other for other in range(at + 1, at + step // 2) if chain_of(lines[other]) == chain_of(line))
            out += lines[at + 1 : after + 1] + [line]
            copied = after + 1
        elif kind == "cut":
            out.append(line[: numbers.randrange(len(line) - 1)])
        elif kind == "inserted":
            out += [line, line[: line.rfind(b',"chain"')] + b"}"]
        elif kind == "seal":
            where = len(line) - 10
            out.append(line[:where] + (b"A" if line[where : where + 1] != b"A" else b"B") + line[where + 1 :])
        done.append((kind, chain_of(line), seq))
    return out + lines[copied:], done


def unnamed(report: dict, done: list[tuple[str, bytes, int]]) -> list[str]:
    """Which tamperings no finding names, by chain and a place near the one tampered with."""
    named: dict[str, list[int]] = {}
    loose = 0
    for finding in report["findings"]:
        if finding["chain"] is None or finding["problem"] == "unsealed":
            loose += 1
        if finding["chain"] is not None:
            last = finding["missing_to"] or finding["seq"]
            named.setdefault(finding["chain"], []).extend(range((finding["missing_from"] or finding["seq"]), last + 1))
    missed = []
    for kind, chain, seq in done:
        if kind == "inserted":
            continue
        if not any(abs(other - seq) <= 1 for other in named.get(chain.decode(), [])):
            missed.append(f"{kind} at seq {seq} of {chain.decode()}")
    inserted = sum(kind == "inserted" for kind, _, _ in done)
    if loose < inserted:
        missed.append(f"{inserted - loose} of {inserted} records inserted without a seal")
    return missed


def fastest(*commands: list[str]) -> list[float]:
    """The shortest time of each, taken in turn: what else the machine does slows down all of them alike."""
    times: list[list[float]] = [[] for _ in commands]
    for _ in range(TRIES):
        for command, own in zip(commands, times):
            start = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            own.append(time.perf_counter() - start)
    return [min(own) for own in times]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--tamperings", type=int, default=200)
    parser.add_argument("--only-write", type=pathlib.Path)
    options = parser.parse_args()
    if options.only_write:
        write(options.only_write, options.lines)
        return 0
    command = os.environ["PORTCULLIS_BIN"]
    figures: dict[str, object] = {"lines": options.lines, "tamperings": options.tamperings}
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="portcullis-audit-") as directory:
        folder = pathlib.Path(directory)
        clean = folder / "clean.log"
        write(clean, options.lines)
        figures["bytes"] = clean.stat().st_size

        start = time.perf_counter()
        code, report = verify(command, clean)
        figures["verify_seconds"] = round(time.perf_counter() - start, 2)
        figures["found_in_the_clean_file"] = report["finding_count"]
        if code or report["lines"] != options.lines:
            problems.append(f"the clean file: {report['findings'][:3]}")

        numbers = random.Random(2)
        tampered = folder / "tampered.log"
        changed, done = tamper(clean.read_bytes().splitlines(), numbers, options.tamperings)
        tampered.write_bytes(b"\n".join(changed) + b"\n")
        del changed
        _, report = verify(command, tampered)
        missed = unnamed(report, done)
        figures["tamperings_found"] = options.tamperings - len(missed)
        figures["findings"] = report["finding_count"]
        problems += missed
        tampered.unlink()

        big = folder / "big.log"
        with big.open("wb") as file:
            while file.tell() < GIGABYTE and options.lines >= 100_000:
                with clean.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
        figures["search_bytes"] = big.stat().st_size
        user = '"user_id":"user4711"'
        search = [command, "audit", "search", str(big), "--user", "user4711", "--json"]
        ours = subprocess.run(search, capture_output=True, check=True).stdout
        figures["search_found"] = ours.count(b"\n")
        ripgrep = shutil.which("rg")
        if ripgrep:
            theirs = [ripgrep, "--no-config", "--fixed-strings", "--no-line-number", user, str(big)]
            if subprocess.run(theirs, capture_output=True, check=True).stdout != ours:
                problems.append("the search does not find what rg finds")
            seconds, of_ripgrep = fastest(search, theirs)
            figures["ripgrep_seconds"] = round(of_ripgrep, 3)
            figures["search_over_ripgrep"] = round(seconds / of_ripgrep, 2)
            if seconds > 2 * of_ripgrep:
                problems.append("the search takes more than twice as long as rg")
        else:
            (seconds,) = fastest(search)
            print("rg is not installed: nothing to compare the search with")
        figures["search_seconds"] = round(seconds, 3)
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):>24}  {value}")
    for problem in problems:
        print(f"problem: {problem}")
    print(json.dumps(figures))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
