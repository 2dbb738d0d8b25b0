"""What envoy/observability/ asks of Envoy's Prometheus page, and whether the page has it.

A test in a real Envoy calls `main` with pages it has gathered; observability_test.py uses the rest.
"""

import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import promql_parser
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "envoy" / "observability"
# Labels that a scrape adds to what Envoy prints.
SCRAPED = {"job", "instance"}
# Those that only the relabelling makes, and that are not on a page of one unprefixed filter.
RELABELLED = {"stat_prefix", "filter"}
# What Grafana puts in, as for everything chosen.
GRAFANA = {"$__rate_interval": "5m", "$job": ".*", "$instance": ".*", "$stat_prefix": ".*"}

Query = collections.namedtuple("Query", "place text")
Selector = collections.namedtuple("Selector", "name matchers")


def dashboard() -> dict:
    return json.loads((FOLDER / "dashboard.json").read_text())


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]


def queries() -> list[Query]:
    """Every query, and those of the dashboard's variables as the selectors they are."""
    found = [Query(rule["alert"], rule["expr"]) for rule in rules()]
    board = dashboard()
    for panel in board["panels"]:
        found += [Query(f"{panel['title']} {target['refId']}", target["expr"]) for target in panel.get("targets", [])]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"]).groups()
            found.append(Query(f"${variable['name']}", f"count by ({label}) ({selector})"))
    for name, value in GRAFANA.items():
        found = [Query(place, text.replace(name, value)) for place, text in found]
    return found


def selectors(text: str) -> tuple[list[Selector], set[str]]:
    """The selectors of a query, and the labels it groups or matches by."""
    found, labels = [], set()

    def visit(node) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            matchers = [(matcher.name, str(matcher.op), matcher.value) for matcher in node.matchers.matchers]
            found.append(Selector(node.name, matchers))
        modifier = getattr(node, "modifier", None)
        if isinstance(modifier, promql_parser.AggModifier):
            labels.update(modifier.labels)
        elif modifier is not None and modifier.matching is not None:
            labels.update(modifier.matching.labels)

    promql_parser.walk(promql_parser.parse(text), visit)
    return found, labels


def samples(page: str) -> dict[tuple[str, frozenset], float]:
    """A page's samples, as Prometheus keeps them after the relabelling of prometheus.yaml."""
    steps = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"][0]["metric_relabel_configs"]
    kept = {}
    for line in page.splitlines():
        if line.startswith("#") or not line:
            continue
        series, _, value = line.rpartition(" ")
        name, _, labels = series.partition("{")
        found = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels), __name__=name)
        for step in steps:
            relabel(found, step)
        key = (found.pop("__name__"), frozenset(found.items()))
        if key in kept:
            raise ValueError(f"two samples of {key}")
        kept[key] = float(value)
    return kept


def relabel(labels: dict[str, str], step: dict) -> None:
    """One step of the kind `replace`; in RE2 and in Python these expressions mean the same."""
    source = ";".join(labels.get(name, "") for name in step["source_labels"])
    match = re.fullmatch(step["regex"], source, re.ASCII)
    if match is None:
        return
    template = re.sub(r"\$(\d)", r"\\g<\1>", step.get("replacement", "$1"))
    value = match.expand(template)
    if value:
        labels[step["target_label"]] = value
    else:
        labels.pop(step["target_label"], None)


def missing(page: dict, closed: dict[str, list[str]]) -> list[str]:
    """Whatever a query names and the page has not. Labels in `closed` have these values, seen or not."""
    values = collections.defaultdict(lambda: collections.defaultdict(set))
    for name, labels in page:
        values[name]
        for label, value in labels:
            values[name][label].add(value)
    problems = []
    for place, text in queries():
        found, grouped = selectors(text)
        known = set(SCRAPED | RELABELLED)
        for name, matchers in found:
            if name not in values:
                problems.append(f"{place}: Envoy prints no {name}")
                continue
            known |= set(values[name])
            for label, operator, value in matchers:
                if label in SCRAPED or (label in RELABELLED and value == ".*"):
                    continue
                if label not in values[name]:
                    problems.append(f"{place}: {name} has no label {label}")
                # Of each expression the alternatives: one that matches nothing is a slip.
                for literal in value.split("|"):
                    if literal not in closed.get(label, values[name].get(label, ())):
                        problems.append(f"{place}: {name} has no {label}={literal}")
        problems += [f"{place}: nothing has the label {label}" for label in grouped - known]
    return problems


def promtool() -> str | None:
    """The one that `make promtool` fetches, or any other there is."""
    own = ROOT / ".tools" / "bin" / "promtool"
    return str(own) if own.exists() else shutil.which("promtool")


def evaluate(before: dict, after: dict, expected: dict[str, bool]) -> str:
    """Has Prometheus's own engine evaluate every query five minutes after the page became another; "" when each
    has a result exactly where `expected`, by alert or panel, says so."""
    series = []
    for name, labels in after:
        text = ",".join(f"{label}={json.dumps(value)}" for label, value in sorted(labels))
        first = before.get((name, labels))
        start = "_x29" if first is None else f"{first}x29"
        value = after[name, labels]
        series.append({"series": f'{name}{{job="envoy",instance="a",{text}}}', "values": f"{start} {value}x10"})
    series = [row for row in series if "Inf" not in row["values"] and "NaN" not in row["values"].title()]
    tests = [
        {
            "expr": f"count({text}) > bool 0",
            "eval_time": "33m",
            "exp_samples": [{"labels": "{}", "value": 1}] if expected.get(place, True) else [],
        }
        for place, text in queries()
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "real.yaml"
        test = {"interval": "1m", "input_series": series, "promql_expr_test": tests}
        file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
        done = subprocess.run([promtool(), "test", "rules", file], capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def main() -> None:
    """Reads {before, after, closed, expected} and prints every problem, a line each."""
    told = json.load(sys.stdin)
    before, after = samples(told["before"]), samples(told["after"])
    problems = missing(after, told["closed"])
    if promtool() is None:
        print("promtool is missing: no query is evaluated", file=sys.stderr)
    else:
        problems += evaluate(before, after, told["expected"]).splitlines()
    print("\n".join(problems), end="")


if __name__ == "__main__":
    main()
