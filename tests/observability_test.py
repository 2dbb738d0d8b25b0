"""The dashboard, the alerts and the scrape of envoy/observability/, without an Envoy.

Needs PyYAML and promql-parser, which `make test-docs` provides, and promtool for the alerts.
"""

import re
import subprocess
import unittest

import promql_parser
import yaml

import observability
from observability import FOLDER, ROOT

PAGES = re.search(r'^repository = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1] + "/blob/main/"


def ours() -> list[str]:
    """The counters of interface §7, as filter/src/metrics.rs names them."""
    source = (ROOT / "filter" / "src" / "metrics.rs").read_text()
    return sorted({*re.findall(r'define\("(\w+)"\)', source), *re.findall(r'"portcullis_(policy_\w+)"', source), "requests"})


class Queries(unittest.TestCase):
    def test_they_parse(self) -> None:
        for place, text in observability.queries():
            with self.subTest(query=place):
                promql_parser.parse(text)

    def test_every_counter_is_shown(self) -> None:
        named = {name for _, text in observability.queries() for name, _ in observability.selectors(text)[0]}
        for name in ours():
            with self.subTest(counter=name):
                self.assertIn(f"portcullis_{name}", named)


class Dashboard(unittest.TestCase):
    def setUp(self) -> None:
        self.board = observability.dashboard()
        self.panels = self.board["panels"]

    def test_it_can_be_imported(self) -> None:
        self.assertEqual(self.board["uid"], "portcullis")
        self.assertIsNone(self.board["id"])
        self.assertGreaterEqual(self.board["schemaVersion"], 39)
        names = [variable["name"] for variable in self.board["templating"]["list"]]
        self.assertEqual(names, ["datasource", "job", "instance", "stat_prefix"])

    def test_ids_are_unique(self) -> None:
        ids = [panel["id"] for panel in self.panels]
        self.assertEqual(len(set(ids)), len(ids))

    def test_panels_do_not_overlap(self) -> None:
        taken = {}
        for panel in self.panels:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    other = taken.setdefault((x, y), panel["title"])
                    self.assertEqual(other, panel["title"], f"both at {x}, {y}")

    def test_every_panel_says_what_it_is(self) -> None:
        for panel in self.panels:
            if panel["type"] == "row":
                continue
            with self.subTest(panel=panel["title"]):
                self.assertGreater(len(panel["description"]), 40)
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertTrue(panel["targets"])
                for part in [panel, *panel["targets"]]:
                    self.assertEqual(part["datasource"], {"type": "prometheus", "uid": "${datasource}"})
                references = [target["refId"] for target in panel["targets"]]
                self.assertEqual(len(set(references)), len(references))

    def test_every_choice_is_heeded(self) -> None:
        for panel in self.panels:
            for target in panel.get("targets", []):
                for name, matchers in observability.selectors(target["expr"].replace("$__rate_interval", "5m"))[0]:
                    chosen = {value for _, _, value in matchers}
                    with self.subTest(panel=panel["title"], selector=name):
                        self.assertLessEqual({"$job", "$instance"}, chosen)


class Alerts(unittest.TestCase):
    def test_each_says_what_to_do(self) -> None:
        for rule in observability.rules():
            with self.subTest(alert=rule["alert"]):
                self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
                notes = rule["annotations"]
                self.assertEqual(set(notes), {"summary", "description", "runbook_url"})
                self.assertGreater(len(notes["description"]), 80)
                self.assertTrue(notes["runbook_url"].startswith(PAGES), notes["runbook_url"])
                self.assertTrue((ROOT / notes["runbook_url"].removeprefix(PAGES)).exists())

    def test_each_is_explained_and_tested(self) -> None:
        page = (ROOT / "docs" / "metrics.md").read_text()
        cases = (FOLDER / "alerts.test.yaml").read_text()
        names = [rule["alert"] for rule in observability.rules()]
        self.assertEqual(re.findall(r"^\| `(Portcullis\w+)` \|", page, re.MULTILINE), names)
        for name in names:
            self.assertIn(f'alertname="{name}"', cases)

    @unittest.skipIf(observability.promtool() is None, "promtool is missing: the alerts are not evaluated")
    def test_each_fires_when_it_should(self) -> None:
        for arguments in (["check", "config", "prometheus.yaml"], ["test", "rules", "alerts.test.yaml"]):
            done = subprocess.run([observability.promtool(), *arguments], cwd=FOLDER, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Scrape(unittest.TestCase):
    def test_names_become_labels(self) -> None:
        discovery = "extension_config_discovery_http_filter"
        rows = [
            ("portcullis_denied{}", "portcullis_denied{}"),
            ("portcullis_dry_run_denied{}", "portcullis_dry_run_denied{}"),
            ("portcullis_policy_loaded{}", "portcullis_policy_loaded{}"),
            ("portcullis_token_cache_hit{}", "portcullis_token_cache_hit{}"),
            ("portcullis_admin_denied{}", 'portcullis_denied{stat_prefix="admin"}'),
            ("portcullis_my_token_svc_allowed{}", 'portcullis_allowed{stat_prefix="my_token_svc"}'),
            ("portcullis_admin_dry_run_denied{}", 'portcullis_dry_run_denied{stat_prefix="admin"}'),
            ("portcullis_admin_jwks_fetch_failed{}", 'portcullis_jwks_fetch_failed{stat_prefix="admin"}'),
            (
                'portcullis_admin_requests{decision="deny",reason="ip_denied"}',
                'portcullis_requests{decision="deny",reason="ip_denied",stat_prefix="admin"}',
            ),
            # Without the `stats_tags`.
            (
                "portcullis_requests_decision_dry_run_deny_reason_ip_denied{}",
                'portcullis_requests{decision="dry_run_deny",reason="ip_denied"}',
            ),
            (
                "portcullis_a_b_requests_decision_deny_reason_ip_denied{}",
                'portcullis_requests{decision="deny",reason="ip_denied",stat_prefix="a_b"}',
            ),
            (
                "envoy_wasm_istio_system_portcullis_vm_reload_success{}",
                'envoy_wasm_portcullis_vm_reload_success{filter="istio_system_portcullis"}',
            ),
            (
                f"envoy_{discovery}_portcullis_main_update_rejected{{}}",
                f'envoy_{discovery}_portcullis_update_rejected{{filter="portcullis_main"}}',
            ),
            (f"envoy_{discovery}_other_update_rejected{{}}", f"envoy_{discovery}_other_update_rejected{{}}"),
        ]
        for printed, kept in rows:
            [(name, labels)] = observability.samples(printed + " 1")
            with self.subTest(printed=printed):
                text = ",".join(f'{label}="{value}"' for label, value in sorted(labels))
                self.assertEqual(f"{name}{{{text}}}", kept)

    def test_every_counter_can_have_a_prefix(self) -> None:
        for name in ours():
            if not name.startswith("policy_"):
                with self.subTest(counter=name):
                    [(found, labels)] = observability.samples(f"portcullis_x_{name}{{}} 1")
                    self.assertEqual((found, labels), (f"portcullis_{name}", {("stat_prefix", "x")}))

    def test_the_page_names_every_counter(self) -> None:
        page = (ROOT / "docs" / "metrics.md").read_text()
        for name in ours():
            with self.subTest(counter=name):
                self.assertRegex(page, rf"(?m)^\| `portcullis_{name}[`{{]")

    def test_istio_and_envoy_gateway_are_told_the_same_tags(self) -> None:
        config = yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text())
        page = (ROOT / "docs" / "metrics.md").read_text()
        for tag in config["stats_config"]["stats_tags"]:
            self.assertGreaterEqual(page.count(tag["regex"]), 3, tag["tag_name"])


if __name__ == "__main__":
    unittest.main()
