"""A store of many users, and how long commands take in it: `make accounts-scale` prints the table of docs/accounts.md."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

COMMAND = pathlib.Path(os.environ["PORTCULLIS_BIN"])
USERS = int(os.environ.get("USERS", "1000000"))
# How often what is quick is measured, of which the median counts.
TRIES = 15
HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$c29tZXRhZ3NvbWV0YWdzb21ldGFnc29tZXRhZzEyMzQ"


def run(*arguments: str, stdin: str = "") -> float:
    """Runs a command to its good end; the seconds it took. Its output goes where nobody has to read it."""
    start = time.perf_counter()
    subprocess.run([COMMAND, *arguments], input=stdin, text=True, stdout=subprocess.DEVNULL, stderr=None, check=True)
    return time.perf_counter() - start


def row(what: str, seconds: float) -> None:
    shown = f"{seconds * 1000:.0f} ms" if seconds < 2 else f"{seconds:.0f} s"
    print(f"| {what} | {shown} |", flush=True)


def quick(what: str, command: str) -> None:
    """A command on users from all over the store."""
    times = []
    for attempt in range(TRIES):
        at = (attempt * 7919 * 104729) % USERS
        times.append(run(*(word.format(at=at, email=f"user{at}@example.com") for word in command.split())))
    row(what, statistics.median(times))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="portcullis-accounts-") as directory:
        os.chdir(directory)
        with open("users.jsonl", "w") as file:
            for at in range(USERS):
                user = {"email": f"user{at}@example.com", "name": f"User {at}", "role": ["viewer", "editor"][at % 2]}
                file.write(json.dumps({**user, "password_hash": HASH}) + "\n")
        run("init", "admin@example.com", "--no-secret", stdin="correct horse battery")
        print(f"| {USERS:,} users | takes |\n| --- | --- |")
        row("`user import`, the file checked and its users added", run("user", "import", "users.jsonl"))
        quick("`user show` by e-mail address", "user show {email}")
        quick("`user disable`", "user disable {email}")
        quick("`user set-role`", "user set-role {email} admin")
        row("`user list`, the first page", statistics.median(run("user", "list") for _ in range(TRIES)))
        last = str((USERS + 50) // 50)
        row("`user list`, the last page", statistics.median(run("user", "list", "--page", last) for _ in range(TRIES)))
        role = ("user", "list", "--role", "viewer", "--page", str(USERS // 200))
        row("`user list --role viewer`, a page in the middle", statistics.median(run(*role) for _ in range(TRIES)))
        erase()
        row("`user export --all`", run("user", "export", "--all", "--out", "all.jsonl"))
        row("`user list --search`", run("user", "list", "--search", "user 77"))
        run("key", "generate", "--algorithm", "EdDSA", "--out", "feed.pem")
        row("`feed build`, with everybody's roles", run("feed", "build", "--key", "feed.pem", "--out", "identity.feed"))
        row("`store backup`", run("store", "backup", "--out", "backup.db"))
        row("`store rotate-key`", run("store", "rotate-key"))
        row("`store check`", run("store", "check"))
        size = pathlib.Path("portcullis.db").stat().st_size
        print(f"\nThe store has {size / 1e6:.0f} MB, the key file {pathlib.Path('portcullis.keys').stat().st_size / 1e3:.0f} kB.")


def erase() -> None:
    """Those that nothing else has touched."""
    times = [run("user", "erase", f"user{USERS - 2 - at * 3}@example.com", "--yes") for at in range(TRIES)]
    row("`user erase`", statistics.median(times))


if __name__ == "__main__":
    sys.exit(main())
