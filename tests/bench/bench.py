"""Side-by-side measurements: CPU of the Envoy process per request, as a ratio over Envoy's own filters.

    bench.py [--work NAME]… [--rounds N] [--seconds S] [--docs]

Prints a table; with --docs, writes docs/benchmarks.json, the page and its chart, too.
"""

import argparse
import collections
import datetime
import http.client
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import feed as identity
import report
import rig
import tokens

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATH = "/users/7/documents/1"
BROWSER = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-encoding": "gzip, deflate, br",
    "accept-language": "en-US,en;q=0.9",
    "cache-control": "max-age=0",
}
PREFLIGHT = {"origin": "https://app.example.com", "access-control-request-method": "PUT",
             "access-control-request-headers": "authorization"}
# Requests that a listener with a module answers before it is timed. V8 compiles a function well only once it has run often: one that runs
# once a request, after up to a quarter of a million of them.
WARM_UP = 400_000
# Tokens of those requests, more than the cache keeps: in turns, each is new again.
WARM_UP_TOKENS = 10_000
# How far the figure without a filter may move between rounds before a run is not worth quoting.
NOISE = 1 / 3


def say(text):
    print(text, file=sys.stderr, flush=True)


def ask(port, headers, method="PUT", path=PATH):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def check_same_work(envoy):
    """Before anything is timed: the same statuses and the same security headers from all three."""
    token = envoy.key.token
    cases = [
        ("a good token", {"authorization": f"Bearer {token()}"}, "PUT", 200),
        ("a bad token", {"authorization": f"Bearer {token(good=False)}"}, "PUT", 401),
        ("a role that may not", {"authorization": f"Bearer {token(role='viewer')}"}, "PUT", 403),
        ("a role that may", {"authorization": f"Bearer {token(role='viewer')}"}, "GET", 200),
    ]
    for kind in ("ours", "native", "cached"):
        for what, headers, method, expected in cases:
            status, answer = ask(envoy.ports[kind], {**BROWSER, **headers}, method)
            if status != expected:
                raise SystemExit(f"{kind}: {what} gave {status}, not {expected}; the work is not the same")
            for name, value in rig.SECURITY_HEADERS.items():
                if status == 200 and answer.get(name) != value:
                    raise SystemExit(f"{kind}: {name} is {answer.get(name)!r}; the work is not the same")
        status, answer = ask(envoy.ports[kind], PREFLIGHT, "OPTIONS")
        if status not in (200, 204) or answer.get("access-control-allow-origin") != PREFLIGHT["origin"]:
            raise SystemExit(f"{kind}: the preflight was not answered; the work is not the same")


class Requests:
    """What wrk sends: fixed headers, or a token that no earlier request to the same listener had either.

    Where tokens are dear, a run of wrk ends after `most` requests.
    """

    # What is sent beyond the requests that are counted: one a connection, and one for wrk's own start.
    SPARE = 32

    def __init__(self, folder, method, headers, tokens=None, most=None):
        self.path = folder / "request.lua"
        self.lines = [f'wrk.method = "{method}"']
        self.lines += [f'wrk.headers["{name}"] = [[{value}]]' for name, value in headers.items()]
        self.tokens = tokens
        self.most = most
        self.sent = collections.Counter()
        self.warmed = collections.Counter()

    def script(self, port, warm_up):
        lines = list(self.lines)
        most = WARM_UP if warm_up else self.most
        if self.tokens:
            # One token a line, all of one length: the next one to send is at a known place in the file.
            width = len(self.tokens.open().readline())
            # Those of warm-ups come in turns, across several of them, too.
            turn = self.warmed[port] % WARM_UP_TOKENS
            first = turn if warm_up else WARM_UP_TOKENS + self.sent[port]
            lines += [
                f'local file = io.open("{self.tokens}")',
                f'file:seek("set", {first * width})',
                "local left = " + (str(WARM_UP_TOKENS - turn) if warm_up else "math.huge"),
                "request = function()",
                '  if left == 0 then file:seek("set", 0) left = ' + f"{WARM_UP_TOKENS} end",
                "  left = left - 1",
                '  local token = file:read("*l")',
                '  if not token then error("no tokens left") end',
                '  wrk.headers["authorization"] = "Bearer " .. token',
                "  return wrk.format()",
                "end",
            ]
        if most:
            lines += [
                "local answers = 0",
                "response = function()",
                "  answers = answers + 1",
                f"  if answers == {most} then wrk.thread:stop() end",
                "end",
            ]
        self.path.write_text("\n".join(lines) + "\n")
        return self.path

    def warm_up(self, kind, port):
        # What is compiled already needs no more than its caches filled. wrk sleeps to the end of its time, whatever it has done.
        answered = self.drive(port, 1, warm_up=True)
        while kind not in ("none", "native", "cached") and answered < WARM_UP:
            answered += self.drive(port, 5, warm_up=True)

    def drive(self, port, seconds, warm_up=False):
        script = str(self.script(port, warm_up))
        command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s", script, f"http://127.0.0.1:{port}{PATH}"]
        run = subprocess.run(command, capture_output=True, text=True)
        counted = re.search(r"(\d+) requests in", run.stdout)
        if run.returncode or not counted or "no tokens left" in run.stderr or "Non-2xx" in run.stdout and self.tokens:
            raise SystemExit(f"wrk did not do its work:\n{run.stdout}{run.stderr}")
        requests = int(counted.group(1))
        if not requests:
            raise SystemExit(f"nothing was answered in {seconds} seconds:\n{run.stdout}{run.stderr}")
        (self.warmed if warm_up else self.sent)[port] += requests + self.SPARE
        return requests


def measure(envoy, kinds, work, rounds, seconds):
    """Microseconds of CPU a request, per listener and round, the listeners taking turns."""
    for kind in kinds:
        work.warm_up(kind, envoy.ports[kind])
    figures = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            before = envoy.cpu()
            requests = work.drive(envoy.ports[kind], seconds)
            figures[kind].append((envoy.cpu() - before) / requests * 1e6)
    return figures


def check_all_new(envoy, known=0):
    """No token of a cold run may have been in the cache; `known` look-ups found one before it began."""
    hits = envoy.stat("wasmcustom.portcullis_token_cache_hit") - known
    misses = envoy.stat("wasmcustom.portcullis_token_cache_miss")
    if hits or not misses:
        raise SystemExit(f"{hits} of {hits + misses} tokens had been seen before; the work is not cold")
    return misses


def ratio_rounds(figures, beside):
    return [(ours - none) / (other - none)
            for none, ours, other in zip(figures["none"], figures["ours"], figures[beside])]


def summary(name, figures, beside, target):
    none = figures["none"]
    ratios = ratio_rounds(figures, beside)
    medians = {kind: statistics.median(values) for kind, values in figures.items()}
    added = {kind: value - medians["none"] for kind, value in medians.items()}
    floor = {"floor": added["floor"] / added[beside]} if "floor" in added else {}
    return {
        **floor,
        "work": name, "beside": beside, "target": target,
        "ratio": (medians["ours"] - medians["none"]) / (medians[beside] - medians["none"]),
        "ratio_min": min(ratios), "ratio_max": max(ratios),
        "microseconds": {kind: round(value, 2) for kind, value in medians.items()},
        "noisy": spread(none) > NOISE,
    }


def spread(figures):
    return (max(figures) - min(figures)) / statistics.median(figures)


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.binary = options.envoy
        self.module = options.module

    def envoy(self, routes=10, kinds=rig.LISTENERS, key=tokens.HS256, steps=rig.STEPS, feed=None):
        return rig.Envoy(self.binary, self.module, self.folder / "envoy", routes, kinds, key, steps, feed)

    def run(self, envoy, method, headers, kinds=rig.LISTENERS, tokens=None, most=None, times=1):
        work = Requests(self.folder, method, headers, tokens, most)
        return measure(envoy, kinds, work, times * self.options.rounds, self.options.seconds)

    def tokens(self, count, key=tokens.HS256):
        """A file of distinct tokens of one length, none of which is sent twice to a listener."""
        path = self.folder / f"tokens-{key.algorithm}-{count}.txt"
        if not path.exists():
            say(f"minting {count:,} tokens")
            key.mint(count, path)
        return path

    def hot(self):
        kinds = rig.LISTENERS + ["floor"]
        with self.envoy(kinds=kinds) as envoy:
            check_same_work(envoy)
            # Differences of a microsecond or two.
            headers = {**BROWSER, "authorization": f"Bearer {tokens.HS256.token()}"}
            figures = self.run(envoy, "PUT", headers, kinds, times=3)
        yield summary("hot", figures, "cached", 1.0)
        yield summary("hot, no cache", figures, "native", 0.5)

    def cold(self, name, key, target, count, most=None):
        minted = self.tokens(count, key)
        # The floor of HS256 verifies nothing: there is no host's function for it.
        steps = rig.STEPS + ("v" if key.algorithm != "HS256" else "")
        with self.envoy(kinds=rig.LISTENERS + ["floor"], key=key, steps=steps) as envoy:
            check_same_work(envoy)
            known = envoy.stat("wasmcustom.portcullis_token_cache_hit")
            figures = self.run(envoy, "PUT", BROWSER, ["none", "ours", "native", "floor"], minted, most)
            check_all_new(envoy, known)
        yield summary(name, figures, "native", target)

    def cold_hs256(self):
        return self.cold("cold-hs256", tokens.HS256, 0.6, 1_500_000)

    def cold_pair(self, name, key, target):
        """Signing with a private key takes longer than verifying: no more tokens than a steady figure needs."""
        most = 15_000
        return self.cold(name, key, target, WARM_UP_TOKENS + self.options.rounds * (most + Requests.SPARE), most)

    def cold_rs256(self):
        return self.cold_pair("cold-rs256", tokens.Rsa(), 0.95)

    def cold_es256(self):
        return self.cold_pair("cold-es256", tokens.Ec(), 0.9)

    def flood(self):
        with self.envoy(kinds=rig.LISTENERS + ["floor"], steps="qtamdr") as envoy:
            check_same_work(envoy)
            headers = {**BROWSER, "authorization": f"Bearer {tokens.HS256.token(good=False)}"}
            figures = self.run(envoy, "PUT", headers, ["none", "ours", "native", "floor"], times=3)
        yield summary("flood", figures, "native", 0.7)

    def cors(self):
        with self.envoy() as envoy:
            check_same_work(envoy)
            figures = self.run(envoy, "OPTIONS", {**BROWSER, **PREFLIGHT}, ["none", "ours", "native"])
        yield summary("cors", figures, "native", None)

    def chain(self):
        """What sealing its record costs a request: hot, with a chain and without, in turns."""
        kinds = ["none", "ours", "sealed"]
        with self.envoy(kinds=kinds) as envoy:
            headers = {**BROWSER, "authorization": f"Bearer {tokens.HS256.token()}"}
            # A small difference of large figures.
            figures = self.run(envoy, "PUT", headers, kinds, times=3)
        added = [sealed - ours for ours, sealed in zip(figures["ours"], figures["sealed"])]
        yield {"work": "chain", "unit": "µs more with a chain", "value": round(statistics.median(added), 2), "target": 8.0,
               "noisy": spread(figures["none"]) > NOISE}

    def feed(self):
        """Hot, with a million revoked tokens that it is none of, and without a feed, in turns."""
        kinds = ["none", "ours", "fed"]
        with identity.Feed() as feed, self.envoy(kinds=kinds, feed=feed) as envoy:
            good = {**BROWSER, "authorization": f"Bearer {tokens.HS256.token()}"}
            revoked = {**BROWSER, "authorization": f"Bearer {tokens.HS256.token(jti=identity.revoked_jti(7))}"}
            deadline = time.monotonic() + 60
            # Until it is in force, nobody gets in.
            while (got := (ask(envoy.ports["fed"], good)[0], ask(envoy.ports["fed"], revoked)[0])) != (200, 401):
                if time.monotonic() > deadline:
                    raise SystemExit(f"the feed is not obeyed: {got}")
                time.sleep(0.1)
            figures = self.run(envoy, "PUT", good, kinds)
        result = summary("feed", {**figures, "ours": figures["fed"], "without": figures["ours"]}, "without", 1.05)
        yield {**result, "beside": "no feed"}

    def steps(self):
        """What each crossing of the floor costs, one more at a time: see filter/examples/floor.rs."""
        names = {"": "a filter that does nothing", "q": "reading the request's headers", "t": "the time",
                 "a": "the client's address", "m": "three counters", "e": "three edits of the request",
                 "p": "reading the response's headers", "s": "nine headers for the response", "r": "the record"}
        kinds = [f"floor-{rig.STEPS[:count]}" for count in range(len(rig.STEPS) + 1)]
        with self.envoy(kinds=["none", *kinds, "ours"]) as envoy:
            headers = {**BROWSER, "authorization": f"Bearer {tokens.HS256.token()}"}
            figures = self.run(envoy, "PUT", headers, ["none", *kinds, "ours"])
        # What was measured one after the other was disturbed alike.
        pairs = zip(["none", *kinds], [*kinds, "ours"])
        costs = [round(statistics.median(after - before for before, after in zip(figures[one], figures[other])), 2)
                 for one, other in pairs]
        # "q" and what follows are single letters; the first cost is that of no step at all.
        labels = [names[letter] for letter in ["", *rig.STEPS]] + ["deciding: all that is our own"]
        noisy = spread(figures["none"]) > NOISE or min(costs) < 0
        yield {"work": "steps", "costs": dict(zip(labels, costs)), "noisy": noisy}

    def inside(self):
        """Where our own time goes, of the engine alone in the same kind of virtual machine."""
        for line in self.engine().splitlines():
            yield {"work": "inside", **json.loads(line)}

    def engine(self, *kind):
        """What the engine says that runs in Node."""
        module = str(pathlib.Path(self.module).with_name("inside.wasm"))
        run = subprocess.run(["node", str(HERE / "inside.mjs"), module, *kind], capture_output=True, text=True)
        if run.returncode:
            raise SystemExit(f"the engine alone failed:\n{run.stdout}{run.stderr}")
        return run.stdout

    def feed_scale(self):
        """A feed of a million revoked tokens and 100,000 API keys: made, verified, and asked."""
        figures = self.folder / "feed-scale.json"
        command = str(pathlib.Path(self.module).with_name("portcullis"))
        say("a feed of a million is built and verified, several times")
        run = subprocess.run([sys.executable, str(HERE.parent / "feed_scale.py")], capture_output=True, text=True,
                             env={**os.environ, "PORTCULLIS_BIN": command, "FIGURES": str(figures)})
        if run.returncode:
            raise SystemExit(f"the feed failed:\n{run.stdout}{run.stderr}")
        found = json.loads(figures.read_text())
        rows = [("s to build the feed", found["build_seconds"], None), ("s to build a delta of 1,000", found["build_delta_seconds"], None),
                ("s to verify the feed", found["verify_seconds"], None), ("bytes a revoked token", found["bytes_a_token"], 24),
                ("bytes an API key", found["bytes_a_key"], 100), ("µs a look-up, in Node", float(self.engine("lookup")), 1)]
        for unit, value, target in rows:
            yield {"work": "feed-scale", "unit": unit, "value": round(value, 2), "target": target}

    def routes(self):
        """Ours at 10 and at 10,000 routes in one go, side by side; native as far as it goes in reasonable time."""
        headers = {**BROWSER, "authorization": f"Bearer {tokens.HS256.token()}"}
        work = Requests(self.folder, "PUT", headers)
        counts = [10, 100, 1000, 10_000]
        envoys = {}
        try:
            for count in counts:
                kinds = ["none", "ours"] + (["native"] if count <= 1000 else [])
                envoys[count] = rig.Envoy(self.binary, self.module, self.folder / f"envoy-{count}", count, kinds)
            figures = {count: {kind: [] for kind in envoy.ports} for count, envoy in envoys.items()}
            for envoy in envoys.values():
                for kind, port in envoy.ports.items():
                    work.warm_up(kind, port)
            for _ in range(self.options.rounds):
                for count, envoy in envoys.items():
                    for kind, values in figures[count].items():
                        before = envoy.cpu()
                        requests = work.drive(envoy.ports[kind], self.options.seconds)
                        values.append((envoy.cpu() - before) / requests * 1e6)
        finally:
            for envoy in envoys.values():
                envoy.stop()
        added = {}
        for count in counts:
            median = {kind: statistics.median(values) for kind, values in figures[count].items()}
            added[count] = {kind: round(median[kind] - median["none"], 2) for kind in median if kind != "none"}
        none = [value for count in counts for value in figures[count]["none"]]
        per_round = [(figures[10_000]["ours"][n] - figures[10_000]["none"][n]) / (figures[10]["ours"][n] - figures[10]["none"][n])
                     for n in range(self.options.rounds)]
        yield {"work": "routes 10 → 10,000", "beside": "itself", "target": 1.15,
               "ratio": added[10_000]["ours"] / added[10]["ours"], "ratio_min": min(per_round), "ratio_max": max(per_round),
               "added_microseconds": added, "noisy": spread(none) > NOISE}

    def memory(self):
        """Resident memory after 1,000,000 distinct tokens over the same after 10,000."""
        with self.envoy(kinds=["ours"]) as envoy:
            sizes = {}
            work = Requests(self.folder, "PUT", BROWSER, self.tokens(1_500_000))
            for goal in (10_000, 1_000_000):
                while envoy.stat("wasmcustom.portcullis_token_cache_miss") < goal:
                    work.drive(envoy.ports["ours"], 1)
                sizes[goal] = envoy.resident()
            check_all_new(envoy)
        grown = (sizes[1_000_000] - sizes[10_000]) / 1024 / 1024
        yield {"work": "memory", "unit": "MB more after 1,000,000 tokens", "value": round(grown, 2), "target": 2.0}

    def load(self):
        """Seconds from start to ready with 10,000 routes over the same with 10, per VM; and the module's size."""
        seconds = {}
        for count in (10, 10_000):
            runs = []
            for _ in range(3):
                with self.envoy(count, ["ours"]) as envoy:
                    runs.append(envoy.seconds_to_ready)
            seconds[count] = statistics.median(runs)
        # One VM to try the configuration on, one on the main thread and one a worker: three configure themselves.
        per_vm = (seconds[10_000] - seconds[10]) / 3 * 1000
        yield {"work": "load", "unit": "ms a VM for 10,000 routes", "value": round(per_vm, 1), "target": 300}
        yield {"work": "size", "unit": "MB module", "value": round(os.path.getsize(self.module) / 1e6, 2), "target": 2.5}


WORKS = {"hot": Bench.hot, "cold-hs256": Bench.cold_hs256, "cold-rs256": Bench.cold_rs256,
         "cold-es256": Bench.cold_es256, "flood": Bench.flood, "cors": Bench.cors, "chain": Bench.chain, "feed": Bench.feed,
         "feed-scale": Bench.feed_scale, "steps": Bench.steps,
         "inside": Bench.inside, "routes": Bench.routes,
         "memory": Bench.memory, "load": Bench.load}


def machine():
    # Clouds give processors of several generations one name.
    known = dict(re.findall(r"^(model name|cpu family|model)\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE))
    numbers = "".join(f", {what} {known[key]}" for key, what in [("cpu family", "family"), ("model", "model")] if key in known)
    return {"system": f"{platform.system()} {platform.machine()}", "cores": os.cpu_count(),
            "processor": known.get("model name", "unknown") + numbers}


def put_among(whole):
    """Puts what was measured now in the place of the same works in docs/benchmarks.json, if that is of the same machine."""
    before = json.loads((ROOT / "docs/benchmarks.json").read_text())
    if (before["machine"], before["envoy"]) != (whole["machine"], whole["envoy"]):
        raise SystemExit("docs/benchmarks.json is of another machine or Envoy: measure all works again")
    measured = {result["work"] for result in whole["results"]}
    kept = [result for result in before["results"] if result["work"] not in measured]
    # In the order in which all of them are measured; some works bring results by other names.
    place = {name: at for at, name in enumerate([*WORKS, "size"])}
    results = sorted(kept + whole["results"], key=lambda result: place[re.match(r"[\w-]+", result["work"])[0]])
    return {**before, **whole, "results": results}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", action="append", choices=list(WORKS), help="only this; may be repeated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each listener in each round")
    parser.add_argument("--envoy", default=os.environ.get("ENVOY"), required="ENVOY" not in os.environ)
    parser.add_argument("--module", default=str(ROOT / "dist/portcullis.wasm"))
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md and its chart; with --work, what was measured anew")
    options = parser.parse_args()
    if not pathlib.Path("/proc/self/schedstat").exists():
        raise SystemExit("the bench reads CPU time from /proc, which only Linux has")
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: install it with your system's packages (Debian: apt-get install wrk)")
    results = []
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-") as folder:
        bench = Bench(options, pathlib.Path(folder))
        for name in options.work or WORKS:
            say(f"measuring {name}")
            results += list(WORKS[name](bench))
    version = subprocess.run([options.envoy, "--version"], capture_output=True, text=True).stdout
    envoy = re.search(r"/(\d+\.\d+\.\d+)/", version)
    whole = {"measured": datetime.date.today().isoformat(), "machine": machine(), "envoy": envoy.group(1) if envoy else "unknown",
             "rounds": options.rounds, "seconds": options.seconds, "results": results}
    for result in results:
        result["measured"] = whole["measured"]
    print(report.table(whole))
    if options.docs:
        if options.work:
            whole = put_among(whole)
        report.write_docs(whole, ROOT / "docs")


if __name__ == "__main__":
    main()
