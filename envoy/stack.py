"""Envoy with the filter, and the sample upstream behind it, on this machine.

`make up`, `make reload` and `make down` run this file; demo.py and they share the rest.
Needs nothing but Python's own library and what `make build` leaves in dist/.
"""

import contextlib
import dataclasses
import http.client
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import render

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUN = ROOT / ".run"
COMMAND = ROOT / "dist" / "portcullis"

ISSUER = "https://issuer.example.com"
AUDIENCE = "portcullis-demo"
KID = "2026-11"

# Who is who in the demonstration: role to user.
PEOPLE = {"admin": "alice", "editor": "edith", "viewer": "victor"}

START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0
POLL = 0.05


class Failure(Exception):
    """What went wrong, with the remedy; printed as it is."""


@dataclasses.dataclass(frozen=True)
class Ports:
    proxy: int
    admin: int
    upstream: int

    @classmethod
    def from_environment(cls) -> "Ports":
        """PORT, ADMIN_PORT and UPSTREAM_PORT, each checked to be free; 0 picks one that is."""
        with contextlib.ExitStack() as held:
            return cls(
                proxy=reserve("PORT", 10000, held),
                admin=reserve("ADMIN_PORT", 9901, held),
                upstream=reserve("UPSTREAM_PORT", 10001, held),
            )


def reserve(variable: str, default: int, held: contextlib.ExitStack) -> int:
    text = os.environ.get(variable, str(default))
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise Failure(f"{variable}={text} is not a port: give a number up to 65535")
    probe = held.enter_context(socket.socket())
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", int(text)))
    except OSError as error:
        remedy = "run `make down`" if running(RUN / "up") else f"choose another, as in `make {variable}=10080 …`"
        raise Failure(f"port {text} is not to be had ({error.strerror}): {remedy}") from error
    return probe.getsockname()[1]


def portcullis(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """What dist/portcullis prints, without the line's end."""
    done = subprocess.run(
        [COMMAND, *arguments],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Failure(f"`portcullis {arguments[0]} {arguments[1]}` says no:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout.rstrip("\n")


def new_secret() -> str:
    return portcullis("secret", "generate")


def issue(secret: str, subject: str, role: str, *more: str) -> str:
    """A token for one person, as the policy's provider wants it."""
    return portcullis(
        *("token", "issue", "--secret-env", "SECRET_KEY", "--kid", KID, "--iss", ISSUER, "--aud", AUDIENCE),
        *("--sub", subject, "--role", role, *more),
        environment={"SECRET_KEY": secret},
    )


def check_policy(secret: str) -> None:
    """A Failure with every mistake and its line: better to read than what the filter can say without the file."""
    portcullis("policy", "check", str(render.POLICY.relative_to(ROOT)), environment={"SECRET_KEY": secret})


class Stack:
    """The two processes, started by `start` and stopped by `stop`."""

    def __init__(self, directory: pathlib.Path, ports: Ports) -> None:
        self.directory = directory
        self.ports = ports
        self.audit = directory / "audit.jsonl"
        self.log = directory / "envoy.log"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, secret: str) -> None:
        check_policy(secret)
        envoy = os.environ.get("ENVOY") or "envoy"
        config = self.directory / "envoy.yaml"
        self.directory.mkdir(parents=True, exist_ok=True)
        config.write_text(with_ports((ROOT / "envoy" / "envoy.yaml").read_text(), self.ports))
        render.write()
        self.spawn("upstream", [sys.executable, "envoy/upstream.py", str(self.ports.upstream)], {})
        self.spawn(
            "envoy",
            [envoy, "--config-path", str(config), "--disable-hot-restart", "--concurrency", "2"]
            + ["--log-level", "warning", "--file-flush-interval-msec", "100"],
            {"SECRET_KEY": secret},
        )
        self.wait_until("the upstream listens", lambda: listens(self.ports.upstream))
        self.wait_until("Envoy is ready", lambda: ready(self.ports.admin))
        self.wait_until("the policy is in force", lambda: in_force(self.ports.admin, self.log))

    def spawn(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> None:
        # A group of its own: Ctrl-C reaches this program alone, which then stops them in order.
        log = self.log if name == "envoy" else self.directory / f"{name}.log"
        output = self.audit if name == "envoy" else log
        with open(output, "wb") as stdout, open(log, "wb") as stderr:
            try:
                process = subprocess.Popen(
                    arguments,
                    cwd=ROOT,
                    env={**os.environ, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                )
            except OSError as error:
                raise Failure(f"cannot start {arguments[0]} ({error.strerror}): set ENVOY=/path/to/envoy") from error
        self.processes[name] = process
        (self.directory / f"{name}.pid").write_text(f"{process.pid}\n")

    def wait_until(self, what: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not holds():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise Failure(f"{name} stopped before {what}:\n{tail(self.directory / f'{name}.log')}")
            if time.monotonic() > deadline:
                raise Failure(f"waited {START_TIMEOUT:.0f} s until {what}, in vain:\n{tail(self.log)}")
            time.sleep(POLL)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in self.processes:
            (self.directory / f"{name}.pid").unlink(missing_ok=True)


def with_ports(config: str, ports: Ports) -> str:
    """envoy.yaml, its three ports replaced."""
    for before, after in ((10000, ports.proxy), (9901, ports.admin), (10001, ports.upstream)):
        config = config.replace(f"port_value: {before}}}", f"port_value: <{after}>}}")
    return config.replace("port_value: <", "port_value: ").replace(">}", "}")


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def ask_admin(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def ready(admin_port: int) -> bool:
    return ask_admin(admin_port, "/ready")[0] == 200


def discovery(admin_port: int) -> dict[str, str]:
    """Envoy's own word on what became of portcullis.yaml."""
    prefix = "extension_config_discovery.http_filter.portcullis."
    _, text = ask_admin(admin_port, f"/stats?filter=^{prefix.replace('.', '[.]')}")
    lines = (line.partition(": ") for line in text.splitlines())
    return {name.removeprefix(prefix): value.strip('"') for name, _, value in lines}


def in_force(admin_port: int, log: pathlib.Path, rejected_before: int = 0, log_before: int = 0) -> bool:
    """Whether Envoy runs the policy of policy.yaml; a Failure once it has refused it."""
    state = discovery(admin_port)
    if state.get("version_text") == render.version(render.POLICY.read_text()):
        return True
    if int(state.get("update_rejected", "0")) > rejected_before:
        kept = ", and keeps the one it had" if state.get("version_text") else ""
        raise Failure(f"Envoy refused the policy{kept}:\n{complaints(log, log_before)}")
    return False


def complaints(log: pathlib.Path, start: int) -> str:
    """What the filter said in Envoy's log from `start` on, or where it said nothing, the end of the log."""
    _, *said = re.split(r"wasm log [^:]*: ", log.read_bytes()[start:].decode(errors="replace"))
    return "\n".join(text.splitlines()[0] for text in said) or tail(log, start)


def tail(log: pathlib.Path, start: int = 0, lines: int = 15) -> str:
    """The last lines of a log, none from before `start`."""
    return "\n".join(log.read_bytes()[start:].decode(errors="replace").splitlines()[-lines:])


def running(directory: pathlib.Path) -> list[tuple[str, int]]:
    """What of a stack started earlier still runs. A pid that has since gone to another program does not count."""
    found = []
    for name, mark in (("envoy", f"{directory}/envoy.yaml"), ("upstream", "envoy/upstream.py")):
        with contextlib.suppress(OSError, ValueError):
            pid = int((directory / f"{name}.pid").read_text())
            if mark in command_line(pid):
                found.append((name, pid))
    return found


def command_line(pid: int) -> str:
    """How a process was called; empty when there is none. Linux may lack `ps`, macOS lacks /proc."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True).stdout


def up() -> None:
    directory = RUN / "up"
    if running(directory):
        raise Failure("already running: `make reload` takes up an edited policy, `make down` stops it")
    ports = Ports.from_environment()
    secret = new_secret()
    directory.mkdir(parents=True, exist_ok=True)
    write_private(directory / "secret", secret)
    for role, person in PEOPLE.items():
        write_private(directory / role, issue(secret, person, role, "--ttl", "12h"))
    (directory / "admin_port").write_text(f"{ports.admin}\n")
    stack = Stack(directory, ports)
    try:
        stack.start(secret)
    except BaseException:
        stack.stop()
        forget(directory)
        raise
    print(usage(ports))


def write_private(path: pathlib.Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(text + "\n")


def usage(ports: Ports) -> str:
    base = f"http://127.0.0.1:{ports.proxy}"

    def call(role: str, rest: str) -> str:
        return f'  curl -i -H "Authorization: Bearer $(cat .run/up/{role})" {rest}'

    return f"""\
Envoy listens on {base}, its admin page on http://127.0.0.1:{ports.admin}.

  curl -i {base}/healthz
{call("viewer", f"{base}/me")}
{call("editor", f"-X PUT {base}/users/edith/documents/7")}
{call("viewer", f"-X DELETE {base}/users/edith/documents/7")}
{call("admin", f"{base}/admin/users")}

Tokens, good for 12 hours, are in .run/up/: admin (alice), editor (edith), viewer (victor).
One more:
  SECRET_KEY=$(cat .run/up/secret) dist/portcullis token issue --secret-env SECRET_KEY --kid {KID} \\
    --iss {ISSUER} --aud {AUDIENCE} --sub someone --role viewer

Who was let in and why:        tail -f .run/up/audit.jsonl
After editing the policy:      make reload
When done:                     make down"""


def reload() -> None:
    directory = RUN / "up"
    if "envoy" not in dict(running(directory)):
        raise Failure("nothing runs: `make up` starts it")
    check_policy((directory / "secret").read_text().rstrip("\n"))
    admin_port = int((directory / "admin_port").read_text())
    log = directory / "envoy.log"
    rejected = int(discovery(admin_port).get("update_rejected", "0"))
    log_size = log.stat().st_size
    if not render.write():
        print("the policy has not changed")
        return
    deadline = time.monotonic() + START_TIMEOUT
    while not in_force(admin_port, log, rejected, log_size):
        if time.monotonic() > deadline:
            raise Failure(f"Envoy has not taken up envoy/portcullis.yaml:\n{tail(log, log_size)}")
        time.sleep(POLL)
    print("the policy is in force")


def down() -> None:
    directory = RUN / "up"
    found = running(directory)
    for _, pid in found:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT
    while left := running(directory):
        if time.monotonic() > deadline:
            for _, pid in left:
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL)
    forget(directory)
    print("stopped" if found else "nothing was running")


def forget(directory: pathlib.Path) -> None:
    """Remove what is of no use once the stack is down. The logs stay."""
    for name in ("envoy.pid", "upstream.pid", "admin_port", "secret", *PEOPLE):
        (directory / name).unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    actions = {"up": up, "reload": reload, "down": down}
    if len(arguments) != 1 or arguments[0] not in actions:
        print(f"usage: {shlex.quote(sys.argv[0])} up|reload|down", file=sys.stderr)
        return 2
    try:
        actions[arguments[0]]()
    except Failure as failure:
        print(f"{arguments[0]}: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
