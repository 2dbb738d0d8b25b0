"""The guided tour: start Envoy with the filter, ask it things, show each answer and why.

Exits 0 only if every answer was the expected one. `make demo` builds first and runs this.
"""

import base64
import dataclasses
import http.client
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from stack import PEOPLE, POLL, RUN, Failure, Ports, Stack, issue, new_secret

APP = "https://app.example.com"
STRANGER = "https://evil.example.net"
AUDIT_TIMEOUT = 5.0


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str

    def upstream_saw(self) -> Mapping[str, str]:
        """The request headers that reached the sample upstream, which echoes them."""
        return json.loads(self.body)["headers"]


@dataclasses.dataclass(frozen=True)
class Step:
    """One request of the tour and the answer it must get."""

    who: str
    method: str
    path: str
    status: int
    reason: str
    shows: str
    headers: Sequence[tuple[str, str]] = ()
    decision: str = ""
    also: Callable[[Answer], bool] = lambda _: True

    def expected_decision(self) -> str:
        return self.decision or ("allow" if self.status < 400 else "deny")


@dataclasses.dataclass(frozen=True)
class Result:
    step: Step
    answer: Answer
    audit: Mapping[str, object]
    line: str

    def reason(self) -> str:
        return str(self.audit.get("reason", "no audit line"))

    def why(self) -> str:
        return self.reason() + (" (dry run)" if self.audit.get("decision") == "dry_run_deny" else "")

    def complaint(self) -> str:
        """How this differs from what was expected; empty when it does not."""
        step = self.step
        if self.answer.status != step.status:
            return f"expected status {step.status}"
        if self.reason() != step.reason:
            return f"expected reason {step.reason}"
        if self.audit.get("decision") != step.expected_decision():
            return f"expected decision {step.expected_decision()}, not {self.audit.get('decision')}"
        if not step.also(self.answer):
            return f"not so: {step.shows}"
        return ""


def tour(secret: str) -> list[Step]:
    tokens = {role: issue(secret, person, role) for role, person in PEOPLE.items()}
    expired = issue(secret, "victor", "viewer", "--at", "2026-01-01T00:00:00Z", "--ttl", "30m")

    def bearer(token: str) -> tuple[str, str]:
        return ("authorization", f"Bearer {token}")

    def named(role: str, method: str, path: str, status: int, reason: str, shows: str, **more: object) -> Step:
        extra = more.pop("headers", ())
        headers = (bearer(tokens[role]), *extra)
        return Step(f"{PEOPLE[role]} ({role})", method, path, status, reason, shows, headers, **more)

    def preflight(origin: str) -> Sequence[tuple[str, str]]:
        return (
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "authorization"),
        )

    return [
        Step("anyone", "GET", "/healthz", 200, "public", "a public route needs no token"),
        Step("nobody", "GET", "/me", 401, "credentials_missing", "the rest does", also=challenges("")),
        Step("nobody", "GET", "/healthz/../me", 401, "credentials_missing", "no spelling goes round a route"),
        Step(
            *("victor, late", "GET", "/me", 401, "token_expired", "an old token is worth nothing"),
            headers=(bearer(expired),),
            also=challenges("invalid_token"),
        ),
        Step(
            *("a forger", "GET", "/admin/users", 401, "token_signature", "a token rewritten to say admin"),
            headers=(bearer(promoted(tokens["viewer"])),),
            also=challenges("invalid_token"),
        ),
        Step(
            *("victor, twice", "GET", "/me", 400, "header_duplicate", "two tokens are one too many"),
            headers=(bearer(tokens["viewer"]), bearer(tokens["admin"])),
        ),
        named("admin", "GET", "/users/edith/documents/7", 200, "role_allowed", "an admin reads anything"),
        named("admin", "PUT", "/users/edith/documents/7", 200, "role_allowed", "and writes anything"),
        named("editor", "GET", "/users/alice/documents/1", 200, "role_allowed", "an editor reads anything"),
        named("editor", "PUT", "/users/edith/documents/7", 200, "owner_allowed", "writes what is hers"),
        named("editor", "PUT", "/users/alice/documents/1", 403, "owner_denied", "and nothing else"),
        named("viewer", "GET", "/users/edith/documents/7", 200, "role_allowed", "a viewer reads anything"),
        named("viewer", "DELETE", "/users/edith/documents/7", 403, "role_denied", "and writes nothing"),
        named("viewer", "POST", "/users/victor/documents", 403, "role_denied", "not even his own"),
        named("editor", "POST", "/users", 403, "role_denied", "only an admin registers users"),
        named("admin", "POST", "/users", 200, "role_allowed", "as here"),
        named(
            *("viewer", "GET", "/me", 200, "authenticated", "the service is told who, and never by the client"),
            headers=(("x-user-id", "alice"), ("x-user-role", "admin")),
            also=lambda answer: upstream_knows(answer, "victor", "viewer"),
        ),
        named("viewer", "GET", "/nowhere", 403, "route_not_found", "what no route names is refused"),
        Step("nobody", "GET", "/nowhere", 401, "route_not_found", "strangers learn less still", also=challenges("")),
        Step(
            *("app.example.com", "OPTIONS", "/users/edith/documents/7", 204, "cors_preflight", "our web app may call"),
            headers=preflight(APP),
            also=lambda answer: answer.headers.get("access-control-allow-origin") == APP,
        ),
        Step(
            *("evil.example.net", "OPTIONS", "/users/edith/documents/7", 403, "cors_origin", "another site may not"),
            headers=preflight(STRANGER),
            also=lambda answer: not any(name.startswith("access-control-allow-") for name in answer.headers),
        ),
        named("admin", "GET", "/admin/users", 200, "role_allowed", "an admin, from an address allowed"),
        named("admin", "GET", "/operations/restart", 403, "ip_denied", "the same admin, from one that is not"),
        named(
            *("editor", "GET", "/boom", 500, "authenticated", "the upstream's stack trace stays inside"),
            decision="allow",
            also=keeps_quiet,
        ),
        named(
            *("viewer", "GET", "/search", 200, "condition_denied", "a rule on trial refuses nobody yet"),
            decision="dry_run_deny",
        ),
    ]


def promoted(token: str) -> str:
    """The token with its role rewritten, and the signature it had."""
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    rewritten = json.dumps({**claims, "role": "admin"}, separators=(",", ":")).encode()
    return ".".join([header, base64.urlsafe_b64encode(rewritten).rstrip(b"=").decode(), signature])


def challenges(error: str) -> Callable[[Answer], bool]:
    wanted = 'Bearer realm="portcullis"' + (f', error="{error}"' if error else "")
    return lambda answer: answer.headers.get("www-authenticate") == wanted


def upstream_knows(answer: Answer, user: str, role: str) -> bool:
    saw = answer.upstream_saw()
    return saw.get("x-user-id") == user and saw.get("x-user-role") == role and "authorization" not in saw


def keeps_quiet(answer: Answer) -> bool:
    return (
        "Traceback" not in answer.body
        and answer.headers.get("content-type") == "application/problem+json"
        and "server" not in answer.headers
        and "x-powered-by" not in answer.headers
    )


def send(port: int, step: Step) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(step.method, step.path, skip_accept_encoding=True)
        for name, value in step.headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read().decode(errors="replace"))
    finally:
        connection.close()


def ask(stack: Stack, steps: Sequence[Step]) -> list[Result]:
    answers = [send(stack.ports.proxy, step) for step in steps]
    ids = [answer.headers.get("x-request-id", "") for answer in answers]
    records = audit_records(stack, set(ids))
    return [
        Result(step, answer, json.loads(records.get(request_id, "{}")), records.get(request_id, ""))
        for step, answer, request_id in zip(steps, answers, ids)
    ]


def audit_records(stack: Stack, request_ids: set[str]) -> dict[str, str]:
    """The audit line of each request, which Envoy writes when it next flushes; some may never come."""
    deadline = time.monotonic() + AUDIT_TIMEOUT
    while True:
        lines = [line for line in stack.audit.read_text().splitlines(keepends=True) if line.endswith("\n")]
        found = {str(json.loads(line).get("request_id")): line.strip() for line in lines}
        if request_ids <= found.keys() or time.monotonic() > deadline:
            return found
        time.sleep(POLL)


@dataclasses.dataclass(frozen=True)
class Style:
    """Colour and lines for a person at a terminal; plain text for anything else."""

    boxed: bool
    coloured: bool
    width: int

    @classmethod
    def of_output(cls) -> "Style":
        terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        coloured = terminal and not os.environ.get("NO_COLOR")
        return cls(terminal, coloured, shutil.get_terminal_size().columns if terminal else 1000)

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured else text


def table(results: Sequence[Result], style: Style) -> str:
    head = ["who", "request", "status", "why", "which shows"]
    rows = [
        [step.who, f"{step.method} {step.path}", str(result.answer.status), result.why(), step.shows]
        for result in results
        for step in [result.step]
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    if style.boxed and sum(widths) + 3 * len(widths) + 1 > style.width:
        widths.pop()

    def line(cells: Sequence[str], bad: bool = False, heading: bool = False) -> str:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths)]
        if heading:
            padded = [style.paint(cell, "1") for cell in padded]
        elif bad:
            padded = [style.paint(cell, "31") for cell in padded]
        else:
            padded[2] = style.paint(padded[2], "32" if cells[2] < "4" else "33" if cells[2] < "5" else "35")
        return "│ " + " │ ".join(padded) + " │" if style.boxed else "  ".join(padded).rstrip()

    def rule(left: str, middle: str, right: str) -> list[str]:
        return [left + middle.join("─" * (width + 2) for width in widths) + right] if style.boxed else []

    lines = rule("┌", "┬", "┐") + [line(head, heading=True)] + rule("├", "┼", "┤")
    for result, row in zip(results, rows):
        lines.append(line(row, bad=bool(result.complaint())))
    return "\n".join(lines + rule("└", "┴", "┘"))


def show(results: Sequence[Result], style: Style) -> bool:
    print(table(results, style))
    print()
    print(style.paint("The audit line of each request, as Envoy's access logger wrote it:", "1"))
    for result in results:
        print(result.line or f"(none for {result.step.method} {result.step.path})")
    print()
    wrong = [result for result in results if result.complaint()]
    for result in wrong:
        step = result.step
        got = f"{result.answer.status} {result.reason()}"
        print(style.paint(f"{step.who}, {step.method} {step.path}: {got}, {result.complaint()}", "31"))
    verdict = f"{len(results) - len(wrong)} of {len(results)} answers were the expected ones"
    print(style.paint(verdict, "31" if wrong else "32"))
    return not wrong


def main() -> int:
    stack = None
    # Whatever ends this program, the two it started end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        print("making a secret and one token a role", flush=True)
        secret = new_secret()
        steps = tour(secret)
        stack = Stack(RUN / "demo", Ports.from_environment())
        began = time.monotonic()
        print("starting Envoy with the filter, and the sample upstream", flush=True)
        stack.start(secret)
        print(f"ready in {time.monotonic() - began:.1f} s; sending {len(steps)} requests\n", flush=True)
        return 0 if show(ask(stack, steps), Style.of_output()) else 1
    except Failure as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    finally:
        if stack:
            stack.stop()


if __name__ == "__main__":
    sys.exit(main())
