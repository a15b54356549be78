"""Runs the comparisons: python -m benchmarks [--quick] [--only http documents ...]."""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import sys
import time
from pathlib import Path

from benchmarks import machine, report
from benchmarks.harness import Bench, as_json
from benchmarks.load import TOOL
from benchmarks.rivals import ENVIRONMENTS, RIVALS

COMPARISONS = (
    "http",
    "documents",
    "facts",
    "cost",
    "growth",
    "workers",
    "startup",
    "postgres",
)
RESULTS = ENVIRONMENTS / "results"


def main() -> None:
    options = _parser().parse_args()
    directory = ENVIRONMENTS / "work"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for rival in RIVALS:
        rival.install()
    print(f"load by {TOOL}", flush=True)
    bench = Bench(options.size, directory, million=options.million)
    started = time.monotonic()
    found = {}
    for name in options.only or COMPARISONS:
        begun = time.monotonic()
        comparison = importlib.import_module(f"benchmarks.compare.{name}").run(bench)
        found[name] = comparison
        print(f"\n{report.table(comparison)}", flush=True)
        print(f"({name}: {time.monotonic() - begun:.0f} s)", flush=True)
    result = {
        "size": options.size,
        "seconds": round(time.monotonic() - started),
        "machine": machine.describe(directory),
        "rivals": {rival.name: rival.versions() for rival in RIVALS},
        "comparisons": {name: as_json(each) for name, each in found.items()},
    }
    shutil.rmtree(directory, ignore_errors=True)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "results.json").write_text(json.dumps(result, indent=1))
    (options.output / "RESULTS.md").write_text(report.page(result, found))
    (options.output / "results.svg").write_text(report.picture(found))
    print(f"written to {options.output}: RESULTS.md results.json results.svg")
    if missed := [
        each for c in found.values() for row in c.rows for each in row.misses
    ]:
        print("Targets not reached:\n  " + "\n  ".join(missed), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick",
        dest="size",
        action="store_const",
        const="quick",
        default="full",
        help="under 3 minutes instead of under 20",
    )
    size.add_argument(
        "--smoke",
        dest="size",
        action="store_const",
        const="smoke",
        help="only show that everything runs",
    )
    parser.add_argument("--only", nargs="+", choices=COMPARISONS, metavar="NAME")
    parser.add_argument(
        "--million", action="store_true", help="growth to 1,000,000 memories, too"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FOLDER")
    return parser


if __name__ == "__main__":
    main()
