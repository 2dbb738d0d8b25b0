"""How long a refused sign-in takes: for an address that nobody has, and for one that somebody has.

Runs the built command, the kinds of refusal in turns so that whatever else the machine does falls on all alike, and compares
the medians. Fails where they are more than 2 % apart.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMAND = pathlib.Path(os.environ.get("PORTCULLIS_BIN", ROOT / "dist" / "portcullis"))
PASSWORD = "correct horse battery"
LIMIT = 0.02


def portcullis(store: pathlib.Path, *words: str, stdin: str) -> subprocess.CompletedProcess[str]:
    environment = {"PORTCULLIS_STORE": str(store), "SECRET_KEY": "x" * 43, "PATH": os.environ["PATH"]}
    return subprocess.run([COMMAND, *words], env=environment, input=stdin, capture_output=True, text=True)


def made(store: pathlib.Path, users: int) -> None:
    for words in (["init", "admin@example.com", "--no-secret"], *(
        ["user", "add", f"user-{number}@example.com", "--role", "viewer"] for number in range(users)
    ), ["user", "disable", "user-1@example.com"]):
        done = portcullis(store, *words, stdin=PASSWORD)
        if done.returncode != 0:
            sys.exit(f"portcullis {' '.join(words)}: {done.stderr}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=200, help="of each kind")
    tries = parser.parse_args().tries
    kinds = {
        "wrong password": lambda number: ("user-0@example.com", "a wrong password"),
        "unknown address": lambda number: (f"nobody-{number}@example.com", "a wrong password"),
        "disabled account": lambda number: ("user-1@example.com", PASSWORD),
    }
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    answers = set()
    with tempfile.TemporaryDirectory() as directory:
        store = pathlib.Path(directory) / "portcullis.db"
        made(store, users=8)
        for number in range(-5, tries):
            # Not always in the same order: each kind follows each other as often.
            order = list(kinds)
            order = order[number % len(order):] + order[: number % len(order)]
            for kind in order if number % 2 else reversed(order):
                address, password = kinds[kind](number)
                start = time.perf_counter()
                done = portcullis(store, "login", address, "--json", stdin=password)
                elapsed = time.perf_counter() - start
                answers.add((done.returncode, done.stdout, done.stderr))
                if number >= 0:
                    took[kind].append(elapsed)
            if sys.stderr.isatty():
                print(f"\r{number + 1} of {tries}", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)

    base = statistics.median(took["wrong password"])
    worst = 0.0
    print(f"{'refused for':<18} {'tries':>5} {'median':>11} {'difference':>11}")
    for kind, times in took.items():
        median = statistics.median(times)
        worst = max(worst, abs(median / base - 1))
        print(f"{kind:<18} {len(times):>5} {median * 1000:>8.2f} ms {(median / base - 1) * 100:>+9.2f} %")
    [code, *others] = {answer[0] for answer in answers}
    print(f"answers: {len(answers)}, exit code {code}")
    if len(answers) != 1 or code != 1 or others:
        sys.exit("the answers differ")
    if worst > LIMIT:
        sys.exit(f"the medians differ by {worst * 100:.2f} %, more than {LIMIT * 100:.0f} %")


if __name__ == "__main__":
    main()
