#!/usr/bin/env python3
"""Builds the fuzz targets and runs them, as many at once as there are cores: `make fuzz`, `make fuzz-smoke`.

The coverage that libFuzzer steers by is LLVM's, and the stable compiler can put it in: no nightly, and no cargo-fuzz,
whose layout this is. A target that stops has found something; the input that did it is in artifacts/.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGETS = sorted(path.stem for path in (HERE / "fuzz_targets").glob("*.rs"))
COVERAGE = ["-Cpasses=sancov-module"] + [
    f"-Cllvm-args=-sanitizer-coverage-{option}" for option in
    ("level=4", "inline-8bit-counters", "pc-table", "trace-compares")]


def build(targets: list[str]) -> pathlib.Path:
    told = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = re.search(r"^host: (.+)$", told, re.MULTILINE)[1]
    # With a target named, build scripts and macros are built without the coverage.
    command = [os.environ.get("CARGO", "cargo"), "build", "--locked", "--release", "--target", host]
    command += [word for target in targets for word in ("--bin", target)]
    environment = {**os.environ, "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(COVERAGE)}
    environment.pop("CARGO_TARGET_DIR", None)
    subprocess.run(command, check=True, cwd=HERE, env=environment)
    return HERE / "target" / host / "release"


def fixtures(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Tokens of the public suites, where those are on this machine, as seeds in a folder of their own."""
    suites = pathlib.Path(os.environ.get("PORTCULLIS_FIXTURES", ROOT.parent / "shared/fixtures"))
    tokens: set[bytes] = set()
    for file in sorted(suites.glob("jwt_negative/**/*.json*")) if suites.is_dir() else []:
        tokens.update(re.findall(rb"eyJ[\w-]{8,}\.[\w-]*\.[\w-]*", file.read_bytes()))
    for index, token in enumerate(sorted(tokens)[:500]):
        (folder / f"fixture-{index}").write_bytes(b"t" + token)
    return {"token": [folder]} if tokens else {}


def run(target: str, binary: pathlib.Path, args: argparse.Namespace, more: list[pathlib.Path], scratch: pathlib.Path):
    corpus = scratch / target if args.smoke else HERE / "corpus" / target
    artifacts = HERE / "artifacts" / target
    for folder in (corpus, artifacts):
        folder.mkdir(parents=True, exist_ok=True)
    command = [binary, "-print_final_stats=1", "-max_len=2048", "-timeout=10", f"-artifact_prefix={artifacts}/"]
    # From the same seed every time: what the tests find today, they find tomorrow.
    command += ["-seed=1"] if args.smoke else []
    command += [f"-runs={args.runs}"] if args.runs else []
    command += [f"-max_total_time={args.seconds}"] if args.seconds else []
    command += [corpus, HERE / "seeds" / target, *more]
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    took = time.monotonic() - begun
    executions = int((re.findall(r"stat::number_of_executed_units:\s+(\d+)", done.stderr) or ["0"])[-1])
    edges = (re.findall(r" cov: (\d+)", done.stderr) or ["?"])[-1]
    return target, executions, executions / max(took, 0.1), edges, done.returncode, done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--runs", type=int, help="stop a target after so many executions")
    parser.add_argument("--seconds", type=int, help="stop a target after so many seconds")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at once")
    parser.add_argument("--smoke", action="store_true", help="begin with the seeds and always alike; keep no corpus")
    args = parser.parse_args()
    targets = args.targets or TARGETS
    if unknown := sorted(set(targets) - set(TARGETS)):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if not args.runs and not args.seconds:
        parser.error("say when to stop: --runs or --seconds")
    binaries = build(targets)
    failed = False
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        folder = pathlib.Path(scratch)
        (folder / "fixtures").mkdir()
        # The tests begin with what is committed, wherever they run.
        more = {} if args.smoke else fixtures(folder / "fixtures")
        futures = [
            pool.submit(run, target, binaries / target, args, more.get(target, []), folder) for target in targets]
        print(f"{'target':8} {'executions':>12} {'a second':>10} {'edges':>7}")
        for future in concurrent.futures.as_completed(futures):
            target, executions, rate, edges, code, said = future.result()
            print(f"{target:8} {executions:12,} {rate:10,.0f} {edges:>7}", flush=True)
            if code != 0:
                failed = True
                print(f"{target} stopped, with {code}:\n{said[-6000:]}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
